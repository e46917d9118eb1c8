"""A plan that was carried out, as a value: its moves with what became of them, and its nodes before, as foreseen, and after."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from descheduler.policy.plan import PlannedMove, Threshold

SUCCEEDED: Final = "Succeeded"
_REFUSED: Final = "Refused"


@dataclass(frozen=True)
class Use:
    """Predicted use over allocatable; ``None`` where it is not known."""

    memory_ratio: float | None
    cpu_ratio: float | None


@dataclass(frozen=True)
class CarriedNode:
    """A node that the plan touches; `after` is ``None`` until the plan has ended."""

    name: str
    before: Use
    foreseen: Use
    after: Use | None


@dataclass(frozen=True)
class CarriedMove:
    """A move and what became of it.

    Attributes
    ----------
    number
        Its position in the plan, from 1.
    planned
        The move.
    phase, code, reason
        What it came to and why.
    began_at_seconds, ended_at_seconds
        Unix times; ``None`` if it has not begun, or not ended.
    """

    number: int
    planned: PlannedMove
    phase: str
    code: str
    reason: str
    began_at_seconds: float | None
    ended_at_seconds: float | None

    @property
    def succeeded(self) -> bool:
        """Whether the workload runs at the destination."""
        return self.phase == SUCCEEDED

    @property
    def seconds(self) -> float | None:
        """How long it took; ``None`` if it was not begun, was refused when it was, or has not ended."""
        if self.began_at_seconds is None or self.ended_at_seconds is None or self.phase == _REFUSED:
            return None
        return self.ended_at_seconds - self.began_at_seconds


@dataclass(frozen=True)
class Carried:
    """A plan that is or was carried out.

    Attributes
    ----------
    name, goal, phase, message
        As its resource has them.
    created, finished
        Times as text; empty if there is none.
    moves
        Its moves, in order.
    nodes
        The nodes that it touches.
    thresholds
        When a node is over; empty if the resource does not say.
    """

    name: str
    goal: str
    phase: str
    message: str
    created: str
    finished: str
    moves: tuple[CarriedMove, ...]
    nodes: tuple[CarriedNode, ...]
    thresholds: tuple[Threshold, ...]

    @property
    def is_known(self) -> bool:
        """Whether it is known what came of the nodes."""
        return any(node.after is not None for node in self.nodes)

    @property
    def done(self) -> tuple[CarriedMove, ...]:
        """Moves that succeeded."""
        return tuple(move for move in self.moves if move.succeeded)

    def high(self, resource: str) -> float | None:
        """Above it a node is over; ``None`` if that is not known."""
        return next((limit.high for limit in self.thresholds if limit.resource == resource), None)

    def over(self, use: Use | None) -> bool:
        """Whether a node with this use is over."""
        return use is not None and any(self.is_over(name, ratio_of(use)) for name, ratio_of in RESOURCES)

    def unknown(self) -> int:
        """Of how many nodes it is not known whether they are over now."""
        return sum(not self.over(node.after) and not _is_whole(node.after) for node in self.nodes)

    def is_over(self, resource: str, ratio: float | None) -> bool:
        """Whether a ratio of a resource is above its threshold."""
        high = self.high(resource)
        return high is not None and ratio is not None and ratio > high

    def seconds(self) -> float | None:
        """From the first begin to the last end; ``None`` if nothing has ended."""
        began = [move.began_at_seconds for move in self.moves if move.began_at_seconds is not None]
        ended = [move.ended_at_seconds for move in self.moves if move.seconds is not None]
        ends = [at for at in ended if at is not None]
        return max(ends) - min(began) if ends else None

    def miss(self) -> float | None:
        """Mean distance of what came from what was foreseen, over nodes and resources; ``None`` if nothing is known."""
        found = [_distance(node, ratio_of) for node in self.nodes for _, ratio_of in RESOURCES]
        known = [each for each in found if each is not None]
        return sum(known) / len(known) if known else None


RESOURCES: Final[Sequence[tuple[str, Callable[[Use], float | None]]]] = (
    ("memory", lambda use: use.memory_ratio),
    ("cpu", lambda use: use.cpu_ratio),
)
"""Resources by name, with where their ratio stands: the hard constraint first."""


def _is_whole(use: Use | None) -> bool:
    return use is not None and all(ratio_of(use) is not None for _, ratio_of in RESOURCES)


def _distance(node: CarriedNode, ratio_of: Callable[[Use], float | None]) -> float | None:
    came = None if node.after is None else ratio_of(node.after)
    foreseen = ratio_of(node.foreseen)
    return None if came is None or foreseen is None else abs(came - foreseen)
