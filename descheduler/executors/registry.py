"""Which executor carries which move out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from descheduler.executors.evacuate import EvacuateExecutor
from descheduler.executors.evict import EvictExecutor
from descheduler.executors.migrate import MigrateExecutor
from descheduler.executors.port import MoveExecutor, Step
from descheduler.executors.writer import Writer
from ullage.errors import UsageError
from ullage.estimation.overhead import KubeVirtVersion
from ullage.model.state import ClusterState, NodeFlag

DIRECTED_SINCE: Final = KubeVirtVersion(1, 6)
"""From here on a migration can name its destination (``spec.addedNodeSelector``)."""


class Case(msgspec.Struct, frozen=True):
    """What the choice of an executor depends on.

    Attributes
    ----------
    is_machine
        A VM moves, not a pod.
    is_directed
        KubeVirt can send it to the planned node.
    is_urgent
        Its node is in danger.
    """

    is_machine: bool
    is_directed: bool = False
    is_urgent: bool = False


ROUTES: Final[tuple[tuple[str, Callable[[Case], bool]], ...]] = (
    ("evict", lambda case: not case.is_machine),
    ("evacuate-urgent", lambda case: case.is_urgent),
    ("migrate", lambda case: case.is_directed),
    ("evacuate", lambda _: True),
)
"""Executors by name; the first whose condition holds is taken. A new one is a line here, and one in `executors`."""


def executors(writer: Writer) -> Mapping[str, MoveExecutor]:
    """All executors that write, by name."""
    made: tuple[MoveExecutor, ...] = (
        MigrateExecutor(writer),
        EvictExecutor(writer),
        EvacuateExecutor(writer),
        EvacuateExecutor(writer, urgent=True),
    )
    return {each.name: each for each in made}


def route(case: Case) -> str:
    """Name of the executor for a case."""
    return next(name for name, holds in ROUTES if holds(case))


class Routing:
    """Gives the executor of a move, on the state of its cluster.

    Parameters
    ----------
    by_name
        The executors.
    """

    def __init__(self, by_name: Mapping[str, MoveExecutor]) -> None:
        self._by_name = by_name

    def __call__(self, step: Step, state: ClusterState) -> MoveExecutor:
        """Executor of a move."""
        return self._by_name[route(case_of(step, state))]


def case_of(step: Step, state: ClusterState) -> Case:
    """What the choice depends on, for a move on the state of its cluster."""
    return Case(
        is_machine=step.move.workload.kind == "VirtualMachineInstance",
        is_directed=knows_destinations(state.kubevirt.version if state.kubevirt else ""),
        is_urgent=_is_in_danger(step.move.source, state),
    )


def knows_destinations(version: str) -> bool:
    """Whether migrations of this release of KubeVirt can name their destination; not if the release is not known."""
    try:
        return KubeVirtVersion.parse(version) >= DIRECTED_SINCE
    except UsageError:
        return False


def _is_in_danger(node: str, state: ClusterState) -> bool:
    """Whether a node's kubelet is about to evict, and would kill VMs."""
    if node not in state.nodes.name:
        return False
    return bool(state.nodes.flags[state.nodes.name.index(node)] & NodeFlag.MEMORY_PRESSURE)
