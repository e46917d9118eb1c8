"""What an audit log tells of a cluster: moves, terms of leaders, taints, and when writing was forbidden."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

from tests.e2e_acting.audit import Entry, applied
from tests.standin.wire import Json, annotations_of, labels_of, phase_of, status_of

LEASES: Final = "leases"
MIGRATIONS: Final = "virtualmachineinstancemigrations"
MACHINES: Final = "virtualmachineinstances"
PLANS: Final = "rebalanceplans"
EVICTIONS: Final = "pods/eviction"
EVACUATES: Final = "Eviction triggered evacuation"
ENDED: Final = ("Succeeded", "Failed")
HOSTNAME: Final = "kubernetes.io/hostname"
PAUSED: Final = "ullage.dev/paused"
FOREVER: Final = float("inf")


@dataclass(frozen=True)
class Move:
    """A migration or an eviction that was accepted.

    Attributes
    ----------
    uid
        Of the VM or the pod.
    began, ended
        Unix times; infinity while it is under way.
    phase
        Of a migration: its last phase. Of an eviction: Succeeded once the pod is gone.
    is_ours
        The descheduler asked for it.
    """

    kind: str
    uid: str
    began: float
    ended: float = FOREVER
    phase: str = ""
    source: str = ""
    target: str = ""
    plan: str = ""
    step: int = 0
    is_ours: bool = True

    def flies(self, at: float) -> bool:
        """Whether it is under way at a time."""
        return self.began <= at < self.ended


@dataclass(frozen=True)
class Term:
    """A write by which a replica took or kept the Lease, or gave it back (``duration`` 0)."""

    credential: str
    received: float
    ended: float
    duration: float


@dataclass(frozen=True)
class History:
    """An audit log, looked at for one user.

    Attributes
    ----------
    entries
        The log, in the order of answers.
    user
        The descheduler's.
    lease
        Name of its Lease.
    """

    entries: Sequence[Entry]
    user: str = "system:serviceaccount:ullage-system:ullage-descheduler"
    lease: str = "ullage-descheduler"

    @cached_property
    def asked(self) -> list[Entry]:
        """All that the descheduler wrote, or wanted to, but for the Lease."""
        return [e for e in self.entries if e.who == self.user and e.is_write and e.resource != LEASES]

    @cached_property
    def terms(self) -> list[Term]:
        """The Lease, write by write; the ledger in its annotations keeps nobody in office."""
        found = []
        before: Json = {}
        for each in applied(self.entries, LEASES, verbs=("create", "patch", "update")):
            spec = each.response.get("spec") or {}
            if each.name == self.lease and each.who == self.user and spec != before:
                holds = bool(spec.get("holderIdentity"))
                duration = float(spec.get("leaseDurationSeconds") or 0) if holds else 0.0
                found.append(Term(each.credential, each.received, each.ended, duration))
            before = spec if each.name == self.lease else before
        return found

    @cached_property
    def pauses(self) -> list[tuple[float, float]]:
        """When the kill switch was pulled: from the answer to the one write to the request of the other."""
        found, since = [], FOREVER
        for each in applied(self.entries, LEASES):
            if each.name != self.lease:
                continue
            is_paused = annotations_of(each.response).get(PAUSED) == "true" if each.verb != "delete" else False
            if is_paused and since == FOREVER:
                since = each.ended
            elif not is_paused and since != FOREVER:
                found.append((since, each.received))
                since = FOREVER
        return found if since == FOREVER else [*found, (since, FOREVER)]

    @cached_property
    def machines(self) -> Mapping[tuple[str, str], list[tuple[float, str]]]:
        """Uids of VMs with the times from which on they were right, by namespace and name."""
        found: dict[tuple[str, str], list[tuple[float, str]]] = {}
        for each in applied(self.entries, MACHINES, verbs=("create",)):
            found.setdefault((each.namespace, each.name), []).append((each.ended, each.uid))
        return found

    def machine(self, namespace: str, name: str, at: float) -> str:
        """Uid that a VM had at a time; empty if there was none."""
        born = [uid for since, uid in self.machines.get((namespace, name), ()) if since <= at]
        return born[-1] if born else ""

    @cached_property
    def moves(self) -> list[Move]:
        """Moves that were accepted, of whomever, in the order in which they began."""
        return sorted([*self._migrations(), *self._evictions()], key=lambda each: each.began)

    @property
    def ours(self) -> list[Move]:
        """Those of the descheduler."""
        return [each for each in self.moves if each.is_ours]

    def _migrations(self) -> Iterator[Move]:
        last = {}
        for each in applied(self.entries, MIGRATIONS, f"{MIGRATIONS}/status"):
            if each.verb == "create":
                last[each.uid] = self._created(each)
            elif each.uid in last:
                last[each.uid] = _followed(last[each.uid], each)
        yield from last.values()

    def _created(self, each: Entry) -> Move:
        labels, spec = labels_of(each.response), each.response["spec"]
        step = labels.get("ullage.dev/step", "0")
        return Move(
            "migrate",
            uid=self.machine(each.namespace, spec["vmiName"], each.ended),
            began=each.ended,
            source=annotations_of(each.response).get("ullage.dev/from", ""),
            target=(spec.get("addedNodeSelector") or {}).get(HOSTNAME, ""),
            plan=labels.get("ullage.dev/plan", ""),
            step=int(step) if step.isdigit() else 0,
            is_ours=each.who == self.user,
        )

    def _evictions(self) -> Iterator[Move]:
        for each in self.entries:
            if each.resource != EVICTIONS or not each.is_write:
                continue
            uid = ((each.request.get("deleteOptions") or {}).get("preconditions") or {}).get("uid", "")
            if each.is_applied:
                pod = self.pod(each.namespace, each.name, each.ended)
                gone = self._gone(each, pod)
                phase = "Succeeded" if gone < FOREVER else "Running"
                yield Move("evict", uid, each.ended, gone, phase, self._node(pod), is_ours=each.who == self.user)
            elif EVACUATES in each.said:  # from here on it is a migration of KubeVirt's
                yield Move("evacuate", uid, each.ended, each.ended, "Succeeded", is_ours=each.who == self.user)

    def pod(self, namespace: str, name: str, at: float) -> Entry | None:
        """Creation of the pod that had a name at a time."""
        made = (e for e in self._pods_made if (e.namespace, e.name) == (namespace, name) and e.ended <= at)
        return max(made, key=lambda each: each.ended, default=None)

    @cached_property
    def _pods_made(self) -> list[Entry]:
        return list(applied(self.entries, "pods", verbs=("create",)))

    def evicted(self) -> set[tuple[str, str]]:
        """Namespace and name of the pods that were evicted."""
        return {(e.namespace, e.name) for e in applied(self.entries, EVICTIONS)}

    def deleted(self, namespace: str, until: float) -> set[tuple[str, str]]:
        """Pods of a namespace that were deleted before a time, by whomever."""
        return {(e.namespace, e.name) for e in self._pods_gone if e.namespace == namespace and e.received < until}

    @cached_property
    def _pods_gone(self) -> list[Entry]:
        return list(applied(self.entries, "pods", verbs=("delete",)))

    @cached_property
    def _bindings(self) -> list[Entry]:
        return list(applied(self.entries, "pods/binding"))

    def _gone(self, eviction: Entry, pod: Entry | None) -> float:
        """When the pod was gone: at once, if it wants no time to end."""
        if pod is not None and pod.response.get("spec", {}).get("terminationGracePeriodSeconds") == 0:
            return eviction.ended
        name, uid = (eviction.namespace, eviction.name), pod.uid if pod else ""
        deleted = (e for e in self._pods_gone if (e.namespace, e.name) == name and e.uid in ("", uid))
        return min((e.ended for e in deleted if e.ended >= eviction.received), default=FOREVER)

    def _node(self, pod: Entry | None) -> str:
        if pod is None:
            return ""
        own = (pod.response.get("spec") or {}).get("nodeName")
        bound = (e for e in self._bindings if (e.namespace, e.name) == (pod.namespace, pod.name))
        later = (str(e.request["target"]["name"]) for e in bound if e.ended >= pod.received)
        return own or next(later, "")

    @cached_property
    def nodes(self) -> Mapping[str, list[Entry]]:
        """Writes to nodes in the order of their versions, by uid."""
        found: dict[str, list[Entry]] = {}
        for each in applied(self.entries, "nodes", verbs=("create", "update", "patch")):
            found.setdefault(each.uid, []).append(each)
        return {uid: sorted(writes, key=lambda each: each.version) for uid, writes in found.items()}

    @cached_property
    def plans(self) -> Mapping[str, Json]:
        """Each plan as it was seen last."""
        seen: dict[str, Json] = {}
        for each in applied(self.entries, PLANS, f"{PLANS}/status", verbs=("create", "patch", "update")):
            seen[each.name] = each.response
        return seen


def _followed(move: Move, each: Entry) -> Move:
    """A migration after one more write to it."""
    phase = phase_of(each.response) or move.phase
    state = status_of(each.response).get("migrationState") or {}
    source, target = move.source or state.get("sourceNode", ""), move.target or state.get("targetNode", "")
    move = replace(move, phase=phase, source=source, target=target)
    is_over = phase in ENDED or (each.verb == "delete" and not each.response["metadata"].get("finalizers"))
    return replace(move, ended=min(move.ended, each.ended)) if is_over else move


@dataclass
class Rules:
    """What holds in a test.

    Attributes
    ----------
    per_cluster, out, into
        Moves under way at once.
    per_hour
        Moves begun within an hour; ``None``: no limit.
    cooldown_seconds
        Rest of a VM.
    sees_seconds
        After so long a loop must know what others do.
    pause_seconds
        After so long it must know that it is paused: a retry of the election.
    writes
        Whether it may write at all.
    """

    per_cluster: int = 5
    out: int = 2
    into: int = 2
    per_hour: int | None = 60
    cooldown_seconds: float = 3600.0
    sees_seconds: float = 5.0
    pause_seconds: float = 2.5
    writes: bool = True
    taint: tuple[str, str] = ("ullage.dev/overutilized", "PreferNoSchedule")
