"""What a cycle of acting came to, and the diary in which it is gathered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import msgspec

from descheduler.acting.breakers import Open
from descheduler.acting.budgets import Flying
from descheduler.acting.course import Phase
from descheduler.acting.resource import PlanResource
from descheduler.executors.taint import Change, TaintChange


class Happened(msgspec.Struct, frozen=True, gc=False):
    """A move that changed its phase.

    Attributes
    ----------
    executor
        Who carries it out.
    phase, code
        What it came to, and why.
    namespace, source
        Of what, and off which node.
    seconds
        How long it took, of one that was begun and has ended; NaN else.
    """

    executor: str
    phase: Phase
    code: str = ""
    namespace: str = ""
    source: str = ""
    seconds: float = float("nan")


@dataclass(frozen=True, eq=False)
class Acted:
    """What a cycle of acting came to.

    Attributes
    ----------
    plan
        The plan that is carried out or waits, as it stands now; ``None`` if there is none.
    open
        Breakers that kept it from beginning anything.
    held_back, held_code
        Why nothing was written, as a sentence and as a code; empty if nothing kept it from it.
    left
        What is left of the budgets, by scope.
    flying
        Everything that is under way.
    happened
        Every move that changed its phase since the last cycle that ended.
    waiting
        Codes of what kept pending moves from being begun in this cycle, one per move.
    planned
        How many moves the plans have that were made since the last cycle that ended.
    marked
        How many nodes carry our mark.
    marks_changed
        What was done with marks since the last cycle that ended.
    """

    plan: PlanResource | None = None
    open: tuple[Open, ...] = ()
    held_back: str = ""
    held_code: str = ""
    left: dict[str, int] = field(default_factory=dict)
    flying: tuple[Flying, ...] = ()
    happened: tuple[Happened, ...] = ()
    waiting: tuple[str, ...] = ()
    planned: int = 0
    marked: int = 0
    marks_changed: tuple[Change, ...] = ()


class Diary:
    """What happened and was not said yet: a cycle that ends early leaves it to the next."""

    def __init__(self) -> None:
        self._marked = 0
        self._begin()

    def _begin(self) -> None:
        self._happened: list[Happened] = []
        self._changed: list[Change] = []
        self._waiting: list[str] = []
        self._planned = 0

    def turn(self) -> None:
        """A cycle begins: what waited in the one before is no news."""
        self._waiting.clear()

    def planned(self, plan: PlanResource) -> None:
        """A plan was made."""
        self._planned += len(plan.spec.moves)

    def happened(self, what: Happened) -> None:
        """A move changed its phase."""
        self._happened.append(what)

    def waits(self, code: str, moves: int = 1) -> None:
        """So many pending moves could not begin."""
        self._waiting += [code] * moves

    def marks(self, wanted: Sequence[str], changes: Sequence[TaintChange]) -> None:
        """Nodes were to be marked, and this was done."""
        self._changed += [each.change for each in changes]
        failed = {each.node for each in changes if each.change is Change.FAILED}
        self._marked = len(set(wanted) ^ failed)

    def tell(self, acted: Acted) -> Acted:
        """What a cycle came to, with all that is to be said; it is said once."""
        told = replace(
            acted,
            happened=tuple(self._happened),
            waiting=tuple(self._waiting),
            planned=self._planned,
            marked=self._marked,
            marks_changed=tuple(self._changed),
        )
        self._begin()
        return told
