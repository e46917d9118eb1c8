"""Moves of VMs by a VirtualMachineInstanceMigration to the planned node, from KubeVirt 1.6 on.

The migration's name follows from the VM, the plan and the step: the object itself is the note that the move was begun. A second
one of this name cannot be made, and whoever comes after us finds it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from hashlib import blake2b
from types import MappingProxyType
from typing import Final

import msgspec

from descheduler.executors import answers
from descheduler.executors.machine import hindrance, left, living
from descheduler.executors.port import Receipt, Step, Verdict
from descheduler.executors.unsettled import Unsettled
from descheduler.executors.wire import (
    HOSTNAME,
    KUBEVIRT,
    MIGRATIONS,
    Machine,
    Migration,
    Node,
    decoded,
    machine_path,
    namespaced,
    path,
    read,
)
from descheduler.executors.writer import Writer
from ullage.estimation.migration import deadline_seconds, kubevirt_defaults
from ullage.estimation.overhead import MAIN
from ullage.sources.kube_api.errors import ConflictError, KubeError
from ullage.sources.wire_values import seconds

PLAN: Final = "ullage.dev/plan"
STEP: Final = "ullage.dev/step"
MACHINE: Final = "ullage.dev/vmi-uid"
SOURCE: Final = "ullage.dev/from"
TARGET: Final = "ullage.dev/to"
REASON: Final = "ullage.dev/reason"

_LABEL_CHARACTERS: Final = 63
_PAUSED_FACTOR: Final = 2.0
"""A guest that KubeVirt pauses at its deadline has as long again."""
_GRACE_SECONDS: Final = 300.0
_DRY_RUN: Final[Mapping[str, str]] = MappingProxyType({"dryRun": "All"})
_PHASES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "": "migration-waits",
        "Pending": "migration-waits",
        "Running": "migration-runs",
        "Synchronizing": "migration-runs",
    }
)
"""Codes of phases under way; those that are not named prepare the target."""


class MigrateExecutor:
    """`MoveExecutor` by migrations that name their destination.

    Not thread-safe. A move that is held back raises `HeldBackError`: nothing was sent then.

    Parameters
    ----------
    writer
        The API server.
    pending_seconds
        A migration that has waited for a slot of KubeVirt for longer is cancelled: the plan is too old by then.
    """

    name = "migrate"

    def __init__(self, writer: Writer, pending_seconds: float = 300.0) -> None:
        self._writer, self._connection = writer, writer.connection
        self._pending_seconds = pending_seconds
        self._unsettled = Unsettled(self._connection.clock.monotonic)

    def begin(self, step: Step) -> Receipt:
        """Create the migration, or take up the one that there is."""
        return answers.reading(lambda: self._begin(step))

    def look(self, step: Step) -> Receipt:
        """What became of the migration; one that waits too long, or runs too long, is cancelled."""
        return answers.reading(lambda: self._look(step))

    def cancel(self, step: Step) -> Receipt:
        """Delete the migration, which ends it unless its last copy is on its way; `look` tells how it ended."""
        return answers.reading(lambda: self._cancel(step))

    def probe(self, step: Step) -> Receipt:
        """Whether the migration would be let through, by a dry run that no guard is asked for: it changes nothing."""
        return answers.reading(lambda: self._probe(step))

    def _begin(self, step: Step) -> Receipt:
        ours = self._migration(step)
        if ours is not None:
            return self._followed(step, ours)
        if self._unsettled.holds(name_of(step)):
            return Receipt(Verdict.UNKNOWN, "no-reply", "It was asked for a moment ago, and no reply came.")
        hostname = self._admitted(step)
        return hostname if isinstance(hostname, Receipt) else self._create(step, hostname)

    def _probe(self, step: Step) -> Receipt:
        hostname = self._admitted(step)
        if isinstance(hostname, Receipt):
            return hostname
        try:
            self._connection.request("POST", _collection(step), _DRY_RUN, body(step, hostname))
        except KubeError as error:
            return answers.receipt(error, answers.CREATION)
        return Receipt(Verdict.DONE, "feasible", f"{step.move.workload} may migrate to {step.move.target}.")

    def _admitted(self, step: Step) -> str | Receipt:
        """Host name of the destination; a receipt if the move must not be made."""
        machine = self._machine(step)
        if isinstance(machine, Receipt):
            return machine
        return hindrance(machine, step) or self._hostname(step.move.target)

    def _hostname(self, target: str) -> str | Receipt:
        node = read(self._connection, path("/api/v1/nodes", target), Node)
        if node is None or node.is_going:
            return Receipt(Verdict.REFUSED, "node-gone", f"There is no node {target} any more.")
        if node.spec.unschedulable:
            return Receipt(Verdict.REFUSED, "node-unschedulable", f"{target} is cordoned.")
        hostname = node.metadata.labels.get(HOSTNAME, "")
        return hostname or Receipt(Verdict.REFUSED, "node-without-hostname", f"{target} has no label {HOSTNAME}.")

    def _create(self, step: Step, hostname: str) -> Receipt:
        try:
            reply = self._writer.write("POST", _collection(step), body(step, hostname))
            made = decoded(reply, Migration)
        except ConflictError as error:
            ours = self._migration(step)
            return answers.receipt(error, answers.CREATION) if ours is None else self._followed(step, ours)
        except KubeError as error:
            receipt = answers.receipt(error, answers.CREATION)
            if receipt.verdict is Verdict.UNKNOWN:
                self._unsettled.note(name_of(step))
            return receipt
        return self._followed(step, made)

    def _look(self, step: Step) -> Receipt:
        ours = self._migration(step)
        return self._vanished(step) if ours is None else self._followed(step, ours)

    def _cancel(self, step: Step) -> Receipt:
        ours = self._migration(step)
        if ours is None:
            return self._vanished(step)
        if not _is_ours(step, ours) or ours.is_going or ours.status.phase in ("Succeeded", "Failed"):
            return self._followed(step, ours)
        return self._delete(step, ours, "cancelling")

    def _followed(self, step: Step, ours: Migration) -> Receipt:
        """What the migration says, with the VM's own word on where it is."""
        if not _is_ours(step, ours):
            return Receipt(Verdict.REFUSED, "name-taken", f"{ours.metadata.name} belongs to someone else.")
        phase = ours.status.phase
        if phase == "Succeeded":
            return self._arrived(step, ours)
        if phase == "Failed":
            return _failed(ours)
        if ours.is_going:
            return Receipt(Verdict.UNDER_WAY, "cancelling", f"It is cancelled in phase {phase or 'Pending'}.")
        if not ours.spec.added_node_selector:
            return self._undirected(step, ours)
        late = self._lateness(step, ours)
        if late:
            return self._delete(step, ours, late)
        return Receipt(Verdict.UNDER_WAY, _PHASES.get(phase, "migration-prepares"), f"It is {phase or 'Pending'}.")

    def _undirected(self, step: Step, ours: Migration) -> Receipt:
        """End a migration whose destination an old KubeVirt has dropped: it would go anywhere."""
        receipt = self._delete(step, ours, "cancelling")
        if receipt.code != "cancelling":
            return receipt
        text = "This KubeVirt does not know addedNodeSelector; the migration was withdrawn."
        return Receipt(Verdict.REFUSED, "no-targeted-migration", text)

    def _arrived(self, step: Step, ours: Migration) -> Receipt:
        machine = self._machine(step)
        if isinstance(machine, Receipt):
            return machine
        receipt = left(machine, step, is_directed=True)
        if receipt is None:  # the VM's status comes a moment after
            return Receipt(Verdict.UNDER_WAY, "migration-runs", "It has succeeded, and the VM does not show it yet.")
        return msgspec.structs.replace(receipt, seconds=ours.state.took_seconds)

    def _vanished(self, step: Step) -> Receipt:
        """There is no migration of ours: it was deleted, or it was never made. The VM knows where it is."""
        machine = self._machine(step)
        if isinstance(machine, Receipt):
            return machine
        return left(machine, step, is_directed=False) or self._staying(step, machine)

    def _staying(self, step: Step, machine: Machine) -> Receipt:
        """What is to be said of a VM that is at its source without a migration of ours."""
        state = machine.state
        if state.is_under_way or machine.is_evacuating:
            goal = state.target_node if state.is_under_way else "where there is room"
            return Receipt(Verdict.UNDER_WAY, "migration-runs", f"The VM is on its way to {goal}.")
        if self._unsettled.holds(name_of(step)):
            return Receipt(Verdict.UNKNOWN, "no-reply", "It was asked for a moment ago, and is not seen yet.")
        if state.failed and not state.abort_requested and state.target_node == step.move.target:
            return Receipt(Verdict.FAILED, "migration-failed", state.failure_reason, seconds=state.took_seconds)
        return Receipt(Verdict.CANCELLED, "migration-vanished", f"The VM is still at {step.move.source}.")

    def _lateness(self, step: Step, ours: Migration) -> str:
        """Code of the deadline that a migration has passed; empty if it is in time."""
        now = self._connection.clock.unix()
        if ours.status.phase in ("", "Pending"):
            waited = now - seconds(ours.metadata.creation_timestamp)
            return "pending-too-long" if waited > self._pending_seconds else ""
        state = ours.state
        if ours.status.phase != "Running" or state.mode == "PostCopy":  # what has gone over cannot come back
            return ""
        machine = self._machine(step)
        allowed = math.nan if isinstance(machine, Receipt) else _deadline(machine)
        return "migration-overdue" if now - seconds(state.start_timestamp) > allowed else ""

    def _delete(self, step: Step, ours: Migration, code: str) -> Receipt:
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": ours.metadata.uid}}
        try:
            self._writer.write("DELETE", _path(step), msgspec.json.encode(options))
        except KubeError as error:
            return answers.cancelling(error)
        return Receipt(Verdict.UNDER_WAY, code, f"It was in phase {ours.status.phase or 'Pending'}.")

    def _migration(self, step: Step) -> Migration | None:
        return read(self._connection, _path(step), Migration)

    def _machine(self, step: Step) -> Machine | Receipt:
        return living(read(self._connection, machine_path(step), Machine), step)


def name_of(step: Step) -> str:
    """Name of a step's migration: the same for the same VM, plan and step."""
    text = "\0".join((step.move.workload.uid, step.plan, str(step.number)))
    return f"ullage-{blake2b(text.encode(), digest_size=10).hexdigest()}"


def body(step: Step, hostname: str) -> bytes:
    """The migration of a step.

    It has no ``priority``: KubeVirt lets nobody but itself set one.

    Parameters
    ----------
    step
        The move.
    hostname
        The destination's label ``kubernetes.io/hostname``.
    """
    move = step.move
    notes = {PLAN: step.plan, SOURCE: move.source, TARGET: move.target, REASON: move.reason}
    document = {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachineInstanceMigration",
        "metadata": {
            "name": name_of(step),
            "namespace": move.workload.namespace,
            "labels": labels_of(step),
            "annotations": notes,
        },
        "spec": {"vmiName": move.workload.name, "addedNodeSelector": {HOSTNAME: hostname}},
    }
    return msgspec.json.encode(document)


def labels_of(step: Step) -> dict[str, str]:
    """Labels of a step's migration; a plan's name that is too long for a label is shortened to its digest."""
    plan = step.plan
    if len(plan) > _LABEL_CHARACTERS:
        plan = blake2b(plan.encode(), digest_size=16).hexdigest()
    return {PLAN: plan, STEP: str(step.number), MACHINE: step.move.workload.uid}


def _is_ours(step: Step, migration: Migration) -> bool:
    return labels_of(step).items() <= migration.metadata.labels.items()


def _failed(ours: Migration) -> Receipt:
    state = ours.state
    if ours.is_going or state.abort_requested:
        return Receipt(Verdict.CANCELLED, "migration-cancelled", state.failure_reason, seconds=state.took_seconds)
    text = state.failure_reason or "KubeVirt does not say why."
    return Receipt(Verdict.FAILED, "migration-failed", text, seconds=state.took_seconds)


def _deadline(machine: Machine) -> float:
    """Seconds after which KubeVirt must have ended a migration by itself; NaN if that cannot be said."""
    limits = machine.state.migration_configuration
    timeout = limits.completion_timeout_per_gib_seconds if limits else None
    if timeout is None:
        timeout = kubevirt_defaults(MAIN).completion_timeout_per_gib_seconds
    if timeout <= 0:
        return math.nan
    return _PAUSED_FACTOR * float(deadline_seconds(machine.guest_bytes, timeout)) + _GRACE_SECONDS


def _collection(step: Step) -> str:
    return namespaced(KUBEVIRT, step.move.workload.namespace, MIGRATIONS)


def _path(step: Step) -> str:
    return namespaced(KUBEVIRT, step.move.workload.namespace, MIGRATIONS, name_of(step))
