"""Goals: what a plan is for. One file each, one line in the registry.

A goal turns a setting into an outcome: which workloads go where, why, and what bound holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from descheduler.policy.bounds import Bound
from descheduler.policy.problem import Problem
from descheduler.policy.setting import Setting
from ullage.model.changes import Move


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a goal came to.

    Attributes
    ----------
    problem
        The problem behind it; its home places are those of the state.
    moves
        In a safe order.
    codes
        Code of each moved workload.
    engine
        Who found it.
    bound
        Lower bound for the goal; ``None`` if none is known.
    subjects
        Nodes that the goal is about: their workloads get a refusal each if they do not move.
    remarks
        (code, sentence) pairs that become notes.
    """

    problem: Problem
    moves: tuple[Move, ...]
    codes: Mapping[int, str]
    engine: str
    bound: Bound | None
    subjects: tuple[int, ...]
    remarks: Sequence[tuple[str, str]] = field(default_factory=tuple)


class GoalFunction(Protocol):
    """A goal."""

    def __call__(self, given: Setting, nodes: Sequence[int]) -> Outcome:
        """Outcome for `given`; `nodes` are the rows that the user named, for goals that take some."""
        ...
