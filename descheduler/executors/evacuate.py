"""Moves of VMs by an eviction that KubeVirt turns into a migration: for releases that cannot direct one, and for haste.

Where the VM goes is the scheduler's business; the extender tells it of the planned destination. An eviction of a VM that cannot
migrate is granted by the API server, and kills it: so the VM's own strategy must migrate, KubeVirt must say that it can be
migrated, and a dry run must have been answered with the promise of a migration.
"""

from __future__ import annotations

from typing import Final

import msgspec

from descheduler.executors import answers
from descheduler.executors.evict import Evictions
from descheduler.executors.machine import hindrance, left, living
from descheduler.executors.port import Receipt, Step, Verdict
from descheduler.executors.unsettled import Unsettled
from descheduler.executors.wire import (
    ENDED,
    KUBEVIRT,
    MACHINES,
    MIGRATIONS,
    SUBRESOURCES,
    KubeVirts,
    Machine,
    Migrations,
    Pod,
    machine_path,
    namespaced,
    path,
    read,
)
from descheduler.executors.writer import Writer
from ullage.estimation.migration import EvictionOutcome, Launcher, evict
from ullage.sources.kube_api.errors import KubeError, NotFoundError
from ullage.sources.machines import strategy_of

CREATED_BY: Final = "kubevirt.io/created-by"
VMI_NAME: Final = "kubevirt.io/vmi-name"
_CALM: Final = {"requested-by": "sigs.k8s.io/descheduler"}
"""By this very value KubeVirt (>= 1.7) gives the migration the priority of maintenance, below what users ask for."""
_WHY: Final = {
    EvictionOutcome.KILLED: ("would-kill", "Neither the VM nor the cluster asks for a migration on eviction."),
    EvictionOutcome.EXTERNAL: ("eviction-strategy", "Another controller than KubeVirt moves it."),
    EvictionOutcome.REFUSED: ("evacuation-refused", "KubeVirt would refuse it."),
}


class EvacuateExecutor:
    """`MoveExecutor` of VMs by evictions of their launcher pods.

    Not thread-safe. A move that is held back raises `HeldBackError`: nothing was sent then.

    Parameters
    ----------
    writer
        The API server.
    urgent
        Whether the migrations go before those that users ask for, as those of a drain do.
    """

    def __init__(self, writer: Writer, *, urgent: bool = False) -> None:
        self._writer, self._connection = writer, writer.connection
        self._evictions = Evictions(writer, {} if urgent else _CALM)
        self._unsettled = Unsettled(self._connection.clock.monotonic)
        self.name = "evacuate-urgent" if urgent else "evacuate"

    def begin(self, step: Step) -> Receipt:
        """Evict the launcher pod, after all has been checked; an evacuation that is under way is taken up."""
        return answers.reading(lambda: self._begin(step))

    def look(self, step: Step) -> Receipt:
        """Where the VM is."""
        return answers.reading(lambda: self._look(step))

    def cancel(self, step: Step) -> Receipt:
        """Take the mark off the VM (KubeVirt >= 1.7), so that nothing is tried again; a migration under way goes on."""
        return answers.reading(lambda: self._cancel(step))

    def probe(self, step: Step) -> Receipt:
        """Whether KubeVirt would migrate the VM, by a dry run that changes nothing."""
        return answers.reading(lambda: self._probe(step))

    def _begin(self, step: Step) -> Receipt:
        machine = self._machine(step)
        if isinstance(machine, Receipt):
            return machine
        if machine.is_evacuating and machine.status.node_name == step.move.source:
            return _evacuating(step)
        if self._unsettled.holds(step.move.workload.uid):
            return Receipt(Verdict.UNKNOWN, "no-reply", "It was asked for a moment ago, and no reply came.")
        pod = self._checked(step, machine)
        return pod if isinstance(pod, Receipt) else self._ask(step, pod)

    def _probe(self, step: Step) -> Receipt:
        machine = self._machine(step)
        if isinstance(machine, Receipt):
            return machine
        pod = self._checked(step, machine)
        if isinstance(pod, Receipt):
            return pod
        return Receipt(Verdict.DONE, "feasible", f"KubeVirt would move {step.move.workload} off {step.move.source}.")

    def _checked(self, step: Step, machine: Machine) -> Pod | Receipt:
        """The VM's launcher pod whose eviction migrates it, or why it must not be touched."""
        refused = hindrance(machine, step) or self._unwilling(machine, step)
        if refused is not None:
            return refused
        namespace = step.move.workload.namespace
        pod = read(self._connection, namespaced("/api/v1", namespace, "pods", step.pod), Pod) if step.pod else None
        if pod is None or pod.is_going or not _runs(pod, machine):
            text = f"{step.pod or 'No known pod'} does not run {step.move.workload} now."
            return Receipt(Verdict.REFUSED, "workload-elsewhere", text)
        return _promise(self._evictions.probe(namespace, pod)) or pod

    def _unwilling(self, machine: Machine, step: Step) -> Receipt | None:
        """Why an eviction would not migrate the VM, by its strategy or else by the cluster's."""
        own = strategy_of(machine.spec.eviction_strategy)
        strategy = own or strategy_of(self._cluster_strategy())
        workload = step.move.workload
        launcher = Launcher(namespace=workload.namespace, name=workload.name, strategy=strategy, migratable=True)
        outcome = evict(launcher).outcome
        if outcome is EvictionOutcome.MOVED:
            return None
        return Receipt(Verdict.REFUSED, *_WHY[outcome])

    def _cluster_strategy(self) -> str | None:
        """The cluster's strategy as it is now; it may have changed since the plan was made."""
        found = read(self._connection, path(KUBEVIRT, "kubevirts"), KubeVirts)
        return found.items[0].spec.configuration.eviction_strategy if found and found.items else None

    def _ask(self, step: Step, pod: Pod) -> Receipt:
        receipt = self._evictions.ask(step.move.workload.namespace, pod)
        if receipt.code == "eviction-accepted":
            text = f"{pod.metadata.name} is being deleted although a migration was promised a moment before."
            return Receipt(Verdict.FAILED, "vm-evicted", text)
        if receipt.verdict in (Verdict.UNKNOWN, Verdict.UNDER_WAY):
            self._unsettled.note(step.move.workload.uid)
        return receipt

    def _look(self, step: Step) -> Receipt:
        machine = self._machine(step)
        if isinstance(machine, Receipt):
            return machine
        receipt = left(machine, step, is_directed=False)
        if receipt is not None:
            return receipt
        if machine.is_evacuating:
            return _evacuating(step)
        if machine.state.is_under_way or self._has_migration(step):
            return Receipt(Verdict.UNDER_WAY, "migration-runs", f"{step.move.workload} is being migrated.")
        if self._unsettled.holds(step.move.workload.uid):
            return Receipt(Verdict.UNKNOWN, "no-reply", "It was asked for a moment ago, and is not seen yet.")
        return Receipt(Verdict.CANCELLED, "evacuation-ended", f"{step.move.workload} stays at {step.move.source}.")

    def _cancel(self, step: Step) -> Receipt:
        machine = self._machine(step)
        if isinstance(machine, Receipt):
            return machine
        if not machine.is_evacuating or machine.status.node_name != step.move.source:
            return self._look(step)
        return self._unmark(step)

    def _unmark(self, step: Step) -> Receipt:
        workload = step.move.workload
        target = namespaced(SUBRESOURCES, workload.namespace, MACHINES, workload.name, "evacuate", "cancel")
        # New releases take the mark off only if it names this node; old ones skip what they do not know.
        wanted = msgspec.json.encode({"evacuationNodeName": step.move.source})
        try:
            self._writer.write("PUT", target, wanted)
        except NotFoundError:
            return Receipt(Verdict.UNDER_WAY, "cancel-impossible", "KubeVirt can cancel evacuations from 1.7 on.")
        except KubeError as error:
            return answers.cancelling(error)
        return Receipt(Verdict.UNDER_WAY, "cancelling", "A migration that runs may still end at another node.")

    def _has_migration(self, step: Step) -> bool:
        """Whether a migration of the VM, of whomever, waits or runs."""
        workload = step.move.workload
        query = {"labelSelector": f"{VMI_NAME}={workload.name}"}
        found = read(self._connection, namespaced(KUBEVIRT, workload.namespace, MIGRATIONS), Migrations, query)
        return found is not None and any(each.status.phase not in ENDED for each in found.items)

    def _machine(self, step: Step) -> Machine | Receipt:
        return living(read(self._connection, machine_path(step), Machine), step)


def _runs(pod: Pod, machine: Machine) -> bool:
    """Whether the pod is the one in which the VM runs: not the target of a migration, nor left over from one."""
    is_its = pod.metadata.labels.get(CREATED_BY) == machine.metadata.uid
    return is_its and pod.spec.node_name == machine.status.node_name and pod.status.phase not in ENDED


def _promise(probed: Receipt) -> Receipt | None:
    """Why the answer to a dry run is no promise to migrate; ``None`` if it is one."""
    if probed.code == "evacuating":
        return None
    if probed.code == "feasible":
        return Receipt(
            Verdict.REFUSED, "would-kill", "A dry run says that the pod would be evicted, and the VM killed."
        )
    if probed.verdict is Verdict.UNKNOWN:  # it changed nothing in any case
        return msgspec.structs.replace(probed, verdict=Verdict.LATER, retry_after_seconds=10.0)
    return probed


def _evacuating(step: Step) -> Receipt:
    return Receipt(Verdict.UNDER_WAY, "evacuating", f"KubeVirt moves {step.move.workload} off {step.move.source}.")
