"""Audit logs by hand: requests of two replicas, one after the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from tests.e2e_acting.audit import Entry
from tests.e2e_acting.history import History
from tests.standin.wire import Json

US: Final = "system:serviceaccount:ullage-system:ullage-descheduler"
ADMIN: Final = "admin"
MARK: Final = {"key": "ullage.dev/overutilized", "value": "1", "effect": "PreferNoSchedule"}
MINE: Final = {"key": "example.org/mine", "effect": "NoSchedule"}
LEASE_SECONDS: Final = 10


@dataclass
class Log:
    """A log that grows; every request takes a tenth of a second.

    Attributes
    ----------
    now
        Unix time of the next request.
    """

    now: float = 1_000.0
    entries: list[Entry] = field(default_factory=list)
    _version: int = 0

    def add(self, verb: str, resource: str, name: str, **given: object) -> None:
        """One request; `given` are fields of `Entry`."""
        self._version += 1
        response = dict(given.pop("response", {}) or {})  # type: ignore[call-overload]
        meta = {"name": name, "uid": f"uid-{name}", "resourceVersion": str(self._version)}
        response["metadata"] = {**meta, **response.get("metadata", {})}
        who = str(given.pop("who", US))
        fields = {"namespace": "shop", "credential": "first", **given}
        end = self.now + 0.1
        self.entries.append(
            Entry(verb, resource, name=name, who=who, received=self.now, ended=end, response=response, **fields)  # type: ignore[arg-type]
        )
        self.now = end

    def wait(self, seconds: float) -> None:
        self.now += seconds

    def lease(self, holder: str, credential: str = "first", **annotations: str) -> None:
        """The Lease is taken, kept or (without a holder) given back."""
        spec = {"holderIdentity": holder, "leaseDurationSeconds": LEASE_SECONDS, "renewTime": str(self.now)}
        body = {"spec": spec, "metadata": {"annotations": annotations}}
        self.add("patch", "leases", "ullage-descheduler", response=body, credential=credential)

    def pause(self) -> None:
        """Somebody pulls the kill switch."""
        last = next(e for e in reversed(self.entries) if e.resource == "leases")
        body = {"spec": last.response["spec"], "metadata": {"annotations": {"ullage.dev/paused": "true"}}}
        self.add("patch", "leases", "ullage-descheduler", response=body, who=ADMIN)

    def vm(self, name: str) -> None:
        self.add("create", "virtualmachineinstances", name, who=ADMIN)

    def migrate(self, vm: str, number: int = 1, source: str = "n1", target: str = "n2", **given: object) -> None:
        """A migration as the descheduler makes them, or somebody else."""
        labels = {"ullage.dev/plan": "p", "ullage.dev/step": str(number), "ullage.dev/vmi-uid": f"uid-{vm}"}
        labels.update(given.pop("labels", {}))  # type: ignore[call-overload]
        meta = {"labels": labels, "annotations": {"ullage.dev/from": source}}
        spec = {"vmiName": vm, "addedNodeSelector": {"kubernetes.io/hostname": target}}
        name = str(given.pop("name", f"m-{vm}-{number}"))
        self.add("create", "virtualmachineinstancemigrations", name, response={"metadata": meta, "spec": spec}, **given)

    def end(self, vm: str, number: int = 1, phase: str = "Succeeded") -> None:
        """A migration ends."""
        status = {"status": {"phase": phase}}
        self.add("patch", "virtualmachineinstancemigrations/status", f"m-{vm}-{number}", response=status, who=ADMIN)

    def plan(self, *phases: str) -> None:
        """The plan ``p`` says where its moves stand."""
        status = {"phase": "Running", "steps": [{"phase": phase} for phase in phases]}
        self.add("patch", "rebalanceplans/status", "p", response={"status": status}, namespace="")

    def node(self, *taints: Mapping[str, str], who: str = US, **spec: object) -> None:
        """A node is written."""
        body = {"spec": {"taints": list(taints), **spec}}
        self.add("patch", "nodes", "n1", response=body, namespace="", who=who)

    def evict(self, name: str, uid: str) -> None:
        options = {"preconditions": {"uid": uid}} if uid else {}
        self.add("create", "pods/eviction", name, request={"deleteOptions": options})

    def budget(self, healthy: int, desired: int = 2) -> None:
        status: Json = {"status": {"currentHealthy": healthy, "desiredHealthy": desired}}
        self.add("update", "poddisruptionbudgets/status", "web", response=status, who=ADMIN)

    @property
    def history(self) -> History:
        return History(self.entries)
