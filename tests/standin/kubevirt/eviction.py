"""The webhook in front of the Eviction API, which answers and acts as virt-api does (kubevirt.md 2.5)."""

from __future__ import annotations

from typing import Final

from tests.controlplane.rest import Rest, RestError
from tests.standin.https import Answer, Request
from tests.standin.kubevirt import names
from tests.standin.kubevirt.admission import allowed, denied
from tests.standin.kubevirt.settings import MARKED_BY_SOURCE_SINCE
from tests.standin.kubevirt.vmis import Machines
from tests.standin.wire import Json, annotations_of, condition_of, key_of, labels_of, pod_path, status_of
from ullage.estimation.migration import EvictionOutcome, Launcher, evict
from ullage.sources.machines import strategy_of

TOO_MANY: Final = 429
REQUESTED_BY: Final = "requested-by"
DESCHEDULER: Final = "sigs.k8s.io/descheduler"


class EvictionWebhook:
    """Turns the eviction of a launcher pod into a mark on its VMI, or refuses it, or lets it pass."""

    def __init__(self, rest: Rest, machines: Machines) -> None:
        self._rest, self._machines = rest, machines

    def route(self, request: Request) -> Answer:
        """Answer to an AdmissionReview."""
        asked = request.body["request"]
        pod = self._get(pod_path((asked["namespace"], asked["name"])))
        if pod is None or labels_of(pod).get(names.APP) != names.LAUNCHER or names.DOMAIN not in annotations_of(pod):
            return allowed(request)
        key = (asked["namespace"], annotations_of(pod)[names.DOMAIN])
        machine = self._get(names.machine_path(key))
        if machine is None:
            return denied(request, f"kubevirt failed getting the vmi: {key[1]} not found", TOO_MANY)
        launcher = _launcher(pod, machine, self._machines.settings.eviction_strategy)
        return self._answer(request, launcher, machine)

    def _answer(self, request: Request, launcher: Launcher, machine: Json) -> Answer:
        eviction = evict(launcher)
        if eviction.outcome is EvictionOutcome.KILLED:
            return allowed(request)
        is_triggered = eviction.outcome in (EvictionOutcome.MOVED, EvictionOutcome.EXTERNAL)
        asked = request.body["request"]["object"]
        if is_triggered and not launcher.marked and not _is_dry_run(request.body["request"]):
            self._mark(machine, annotations_of(asked))
        return denied(request, eviction.reason, TOO_MANY)

    def _mark(self, machine: Json, annotations: dict[str, str]) -> None:
        by_descheduler = annotations.get(REQUESTED_BY) == DESCHEDULER
        by_descheduler &= self._machines.settings.known_version >= MARKED_BY_SOURCE_SINCE
        body = {
            "metadata": {"annotations": {names.EVICTION_SOURCE: "descheduler" if by_descheduler else None}},
            "status": {"evacuationNodeName": status_of(machine)["nodeName"]},
        }
        self._machines.vmis.learn(self._rest.patch(names.machine_path(key_of(machine)), body))

    def _get(self, path: str) -> Json | None:
        try:
            found: Json = self._rest.get(path)
        except RestError as error:
            if error.status != 404:
                raise
            return None
        return found


def _is_dry_run(asked: Json) -> bool:
    """Whether the call is one, or only the deletion that it asks for: the API server tells the webhook of the former alone."""
    options = asked["object"].get("deleteOptions") or {}
    return bool(asked.get("dryRun")) or "All" in (options.get("dryRun") or ())


def _launcher(pod: Json, machine: Json, cluster_strategy: str | None) -> Launcher:
    namespace, name = key_of(machine)
    status = status_of(machine)
    return Launcher(
        namespace=namespace,
        name=name,
        strategy=strategy_of(machine["spec"].get("evictionStrategy") or cluster_strategy),
        migratable=condition_of(machine, "LiveMigratable").get("status") == "True",
        marked=bool(status.get("evacuationNodeName")),
        migration_target=pod["spec"].get("nodeName") != status.get("nodeName"),
    )
