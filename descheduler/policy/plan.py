"""The plan as a value: what moves where, why, before and after. It is what JSON and YAML print, field by field.

Kind ``RebalancePlan`` of ``ullage.dev/v1alpha1``; field names are camelCase on the wire, ratios are 0..1, ``null`` means that
the value is not known. ``spec`` is what is to be done, ``status`` what was found out on the way.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Literal

import msgspec

API_VERSION: Final = "ullage.dev/v1alpha1"
KIND: Final = "RebalancePlan"


class Goal(StrEnum):
    """What a plan is for."""

    RELIEVE = "relieve"
    BALANCE = "balance"
    EVACUATE = "evacuate"
    CONSOLIDATE = "consolidate"


class NodeClass(StrEnum):
    """A node's class by predicted use; `UNKNOWN` nodes are never a source and never a destination."""

    OVER = "over"
    FIT = "fit"
    UNDER = "under"
    UNKNOWN = "unknown"


class _Value(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    pass


class WorkloadRef(_Value, frozen=True, order=True):
    """Identity of a workload: `kind` is Pod or VirtualMachineInstance."""

    kind: Literal["Pod", "VirtualMachineInstance"]
    namespace: str
    name: str
    uid: str = ""

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class PlannedMove(_Value, frozen=True):
    """One move, in the order of execution.

    Attributes
    ----------
    workload
        What moves.
    source, target
        Node names (``from`` and ``to`` on the wire).
    memory_bytes
        Memory that is to be copied or built up anew at the destination.
    cpu_cores
        CPU use that goes along.
    code, reason
        Stable code, and a sentence with the numbers.
    expected_seconds
        Expected duration of the live migration; ``None`` if it cannot be said, or for a pod.
    """

    workload: WorkloadRef
    source: str = msgspec.field(name="from")
    target: str = msgspec.field(name="to")
    memory_bytes: int
    cpu_cores: float
    code: str
    reason: str
    expected_seconds: float | None = None


class NodeView(_Value, frozen=True):
    """A node at one moment of the plan.

    Attributes
    ----------
    node_class
        ``class`` on the wire.
    cpu_ratio, memory_ratio
        Predicted use over allocatable.
    cpu_requested_ratio, memory_requested_ratio
        Requests over allocatable.
    worst_case_memory_ratio
        Committed memory over RAM and swap.
    workloads
        Count of workloads on the node.
    dies_next
        The first few that the kubelet would evict if memory ran out now, as ``namespace/name``.
    """

    node_class: NodeClass = msgspec.field(name="class")
    cpu_ratio: float | None = None
    memory_ratio: float | None = None
    cpu_requested_ratio: float | None = None
    memory_requested_ratio: float | None = None
    worst_case_memory_ratio: float | None = None
    workloads: int = 0
    dies_next: tuple[str, ...] = ()


class NodeStatus(_Value, frozen=True):
    """A node before and after the plan; `code` and `reason` say why it stays over or unknown, else they are empty."""

    name: str
    cpu_cores: float
    memory_bytes: int
    before: NodeView
    after: NodeView
    moves_in: int = 0
    moves_out: int = 0
    code: str = ""
    reason: str = ""


class Refusal(_Value, frozen=True):
    """A workload that could have been moved to reach the goal, and was not."""

    workload: WorkloadRef
    node: str
    code: str
    reason: str


class LowerBound(_Value, frozen=True):
    """No plan for the goal can do with fewer moves, or fewer bytes; ``None`` where no bound is known for the goal."""

    moves: int | None = None
    bytes: int | None = None


class Threshold(_Value, frozen=True):
    """Ratios of one resource: above `high` a node is over; destinations stay under and sources come down to `target`."""

    resource: str
    high: float
    target: float


class PlanNote(_Value, frozen=True):
    """Something that could not be known or done, said once."""

    code: str
    text: str
    objects: tuple[str, ...] = ()


class Summary(_Value, frozen=True):
    """The plan in numbers."""

    moves: int
    bytes: int
    nodes: int
    workloads: int
    nodes_over_before: int
    nodes_over_after: int
    nodes_unknown: int
    relief_possible: bool | None
    cpu_deviation_before: float | None = None
    cpu_deviation_after: float | None = None
    memory_deviation_before: float | None = None
    memory_deviation_after: float | None = None
    nodes_emptied: int = 0


class PlanSpec(_Value, frozen=True):
    """What is to be done."""

    goal: Goal
    moves: tuple[PlannedMove, ...]


class PlanStatus(_Value, frozen=True):
    """What was found out."""

    engine: str
    minimize: Literal["moves", "bytes"]
    observed_at: str
    generation: int
    thresholds: tuple[Threshold, ...]
    summary: Summary
    lower_bound: LowerBound
    nodes: tuple[NodeStatus, ...]
    refused: tuple[Refusal, ...]
    notes: tuple[PlanNote, ...]


class RebalancePlan(_Value, frozen=True):
    """A complete plan."""

    spec: PlanSpec
    status: PlanStatus
    api_version: Literal["ullage.dev/v1alpha1"] = API_VERSION
    kind: Literal["RebalancePlan"] = KIND
