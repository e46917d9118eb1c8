"""The service behind both protocols: one published state, the ledger, and an answer without an opinion whenever one is due.

Everything here runs in the thread of the event loop, except `Scheduling.prepare`. A call reads the published state once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final, Generic, NamedTuple, TypeVar

import numpy as np

from extender.ledger import Ledger
from extender.logs import note
from extender.metrics import NEUTRAL, SCORED, Metrics
from extender.names import NameTable
from extender.recent import Recent, Same
from extender.verbs import Names, PodRequest, Verdict, winner
from extender.wire import Asked
from ullage.model.arrays import Int16Array, IntArray
from ullage.model.state import ClusterState
from ullage.scoring.assumed import Assumed
from ullage.scoring.columns import NodeView

ValueT = TypeVar("ValueT")

NO_STATE: Final = "no state was read yet"
NO_POD: Final = "the pod could not be read"
LATE: Final = "the request came too late to be decided in time"
STALE: Final = "the state is too old"
RESTING: Final = "a decision took too long a moment ago"
FAULT: Final = "a fault in the decision; the log has it"

MOST_EXPLAINED: Final = 200
"""Most nodes of an explanation: while one is made, nothing else is answered."""

_REST_SECONDS: Final = 10.0
_TABLES: Final = 4


@dataclass(frozen=True)
class Decision:
    """The functions that decide.

    Attributes
    ----------
    view
        Makes a state ready for pods.
    filter_nodes, prioritize, explain
        As in `extender.verbs`.
    best_score
        The best score that `prioritize` gives.
    """

    view: Callable[[ClusterState], NodeView]
    filter_nodes: Callable[[NodeView, PodRequest, IntArray, Assumed], Verdict]
    prioritize: Callable[[NodeView, PodRequest, IntArray, Assumed], Int16Array]
    explain: Callable[[NodeView, PodRequest, IntArray, Assumed, Names | None], object]
    best_score: int = 10


@dataclass(frozen=True)
class Clocks:
    """Seconds that pass, and the time of day (unix)."""

    monotonic: Callable[[], float]
    wall: Callable[[], float]


@dataclass(frozen=True)
class Timing:
    """What an answer may take.

    Attributes
    ----------
    timeout_seconds
        The scheduler's timeout. An answer is without an opinion if half of it has gone by already, and so are those of the
        next seconds after a decision that took that long.
    max_age_seconds
        Age of the state above which no answer has an opinion.
    """

    timeout_seconds: float = 5.0
    max_age_seconds: float = float("inf")

    @property
    def budget_seconds(self) -> float:
        """Half of the timeout."""
        return self.timeout_seconds / 2


@dataclass(frozen=True, eq=False)
class Published:
    """What calls see: a state that is ready for pods, with its names.

    Attributes
    ----------
    view
        ``None`` before the first state.
    generation
        Grows with every state.
    table
        Names; the same object as long as the names are the same.
    tables
        This one and the last ones before it, for clients that name nodes by their rows.
    asked
        Lists of names that were read with this table.
    calls
        Requests that were read with this table: the pod, and the nodes.
    """

    view: NodeView | None = None
    generation: int = 0
    table: NameTable = field(default_factory=lambda: NameTable((), {}, 0))
    tables: tuple[NameTable, ...] = ()
    asked: Recent[Asked] = field(default_factory=Recent)
    calls: Recent[tuple[PodRequest, Asked]] = field(default_factory=Recent)


@dataclass(frozen=True)
class Opinion(Generic[ValueT]):
    """What a decision came to; `value` is ``None`` if there is no opinion, and then `note` says why."""

    value: ValueT | None
    note: str = ""

    @property
    def outcome(self) -> str:
        """Label for metrics."""
        return NEUTRAL if self.value is None else SCORED


class _Counted(NamedTuple):
    """Of a verdict, how many nodes are rejected by code, and the row of the only one that is left, if it is one."""

    rejected: tuple[tuple[str, int], ...]
    only: int | None


class Scheduling:
    """Decides for pods on the published state.

    Parameters
    ----------
    decision
        The functions that decide.
    ledger
        Pods that were answered for.
    clocks, metrics, timing
        Time, what to count, and what an answer may take.

    Attributes
    ----------
    current
        What was published last. A call reads it once.
    """

    def __init__(
        self,
        decision: Decision,
        ledger: Ledger,
        clocks: Clocks,
        metrics: Metrics,
        timing: Timing | None = None,
    ) -> None:
        self.decision = decision
        self.current = Published()
        self.metrics = metrics
        self.clocks = clocks
        self._ledger = ledger
        self._timing = timing or Timing()
        self._rests_until = float("-inf")
        self._faults: set[tuple[str, str]] = set()
        self._counted: Same[_Counted] = Same()
        self._verdicts: Same[tuple[Verdict, _Counted]] = Same()
        self._scored: Same[tuple[Int16Array, int]] = Same()
        self._changed = asyncio.Event()
        self._ended = False

    def prepare(self, state: ClusterState) -> Published:
        """Make a state ready. This takes long and may run in another thread; nobody sees it before `publish`."""
        before = self.current
        generation = max(state.generation, before.generation + 1)
        view = self.decision.view(replace(state, generation=generation))
        if view.names == before.table.names:
            return replace(before, view=view, generation=generation)
        table = NameTable(view.names, view.index, before.table.version + 1)
        return Published(view, generation, table, (table, *before.tables)[:_TABLES])

    def publish(self, published: Published) -> None:
        """Let all calls from now on see this."""
        self.current = published
        for each in (self._verdicts, self._scored):
            each.clear()  # they hold the view, too
        if published.view is not None:
            self._ledger.observe(published.view.state)
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def changed(self, generation: int) -> Published | None:
        """Wait for a state newer than `generation`; at once if there is one. ``None`` at the end of the service."""
        while self.current.generation <= generation and not self._ended:
            await self._changed.wait()
        return None if self._ended else self.current

    def end(self) -> None:
        """Let nobody wait for another state."""
        self._ended = True
        self._changed.set()

    def age_seconds(self) -> float:
        """Age of the published state by the time of day; NaN without one, never negative."""
        view = self.current.view
        if view is None:
            return float("nan")
        return max(0.0, self.clocks.wall() - view.state.observed_at_seconds)

    def ledger_size(self) -> float:
        """Pods in the ledger."""
        return len(self._ledger)

    def decide(
        self,
        verb: str,
        published: Published,
        pod: PodRequest | None,
        begun_at: float,
        compute: Callable[[NodeView, PodRequest], ValueT],
    ) -> Opinion[ValueT]:
        """Compute a decision, unless there must be none.

        Parameters
        ----------
        verb
            For metrics and log.
        published
            The state to decide on.
        pod
            The pod; ``None`` if it could not be read.
        begun_at
            When the request began, on the monotonic clock.
        compute
            The decision. Whatever it raises ends here, as no opinion.
        """
        hindrance = self._hindrance(published, pod, begun_at)
        if hindrance or published.view is None or pod is None:
            return Opinion(None, hindrance)
        started = self.clocks.monotonic()
        try:
            value = compute(published.view, pod)
        except Exception as fault:  # noqa: BLE001  # a pod must be placed whatever is wrong with us
            self.fault(verb, fault)
            return Opinion(None, FAULT)
        self._watch(self.clocks.monotonic() - started)
        return Opinion(value)

    def verdict(self, view: NodeView, pod: PodRequest, rows: IntArray) -> Verdict:
        """Which of the nodes are rejected."""
        assumed = self._ledger.assumed(view, pod)

        def judge() -> tuple[Verdict, _Counted]:
            verdict = self.decision.filter_nodes(view, pod, rows, assumed)
            return verdict, self._counted.of(lambda: _counted(verdict, rows), rows, verdict.code)

        verdict, counted = self._verdicts.of(judge, view, pod, rows, assumed)
        for code, count in counted.rejected:
            self.metrics.rejected(code, count)
        if counted.only is not None:
            # The scheduler does not ask for scores where there is no choice.
            self._ledger.answered(view, pod, counted.only)
        return verdict

    def scores(self, view: NodeView, pod: PodRequest, rows: IntArray) -> Int16Array:
        """Scores of the nodes; the pod is counted from now on where it will most likely go."""
        assumed = self._ledger.assumed(view, pod)

        def judge() -> tuple[Int16Array, int]:
            scores = self.decision.prioritize(view, pod, rows, assumed)
            return scores, winner(rows, scores)

        scores, row = self._scored.of(judge, view, pod, rows, assumed)
        self._ledger.answered(view, pod, row)
        return scores

    def explanation(self, view: NodeView, pod: PodRequest, rows: IntArray, names: Names | None) -> object:
        """How the decision comes about, for the best nodes if there are many. The ledger is read and stays as it is."""
        assumed = self._ledger.assumed(view)
        if len(rows) > MOST_EXPLAINED:
            scores = self.decision.prioritize(view, pod, rows, assumed)
            order = np.argsort(-scores, kind="stable")[:MOST_EXPLAINED]
            rows, names = rows[order], names and [names[position] for position in order.tolist()]
        return self.decision.explain(view, pod, rows, assumed, names)

    def fault(self, verb: str, error: Exception) -> None:
        """Count a fault; a new kind of it is logged, once."""
        self.metrics.exceptions.labels(verb).inc()
        kind = (verb, type(error).__name__)
        if kind not in self._faults:
            self._faults.add(kind)
            note("Answered without an opinion because of a fault", logging.ERROR, error=error, verb=verb)

    def _hindrance(self, published: Published, pod: PodRequest | None, begun_at: float) -> str:
        """Why there must be no opinion; empty if there may be one."""
        if published.view is None:
            return NO_STATE
        if pod is None:
            return NO_POD
        if self.age_seconds() > self._timing.max_age_seconds:
            return STALE
        now = self.clocks.monotonic()
        if now - begun_at > self._timing.budget_seconds:
            return LATE
        return RESTING if now < self._rests_until else ""

    def _watch(self, seconds: float) -> None:
        """Rest after a decision that took too long, so that slowness does not stop every pod in turn."""
        if seconds > self._timing.budget_seconds:
            self._rests_until = self.clocks.monotonic() + _REST_SECONDS
            note("A decision took too long", logging.WARNING, seconds=seconds, rest_seconds=_REST_SECONDS)


def _counted(verdict: Verdict, rows: IntArray) -> _Counted:
    left = len(rows) - len(verdict.positions)
    only = int(rows[~verdict.rejected][0]) if left == 1 else None
    if not len(verdict.positions):
        return _Counted((), only)
    counts = np.bincount(verdict.code.take(verdict.positions)).tolist()
    return _Counted(tuple((verdict.codes[code], count) for code, count in enumerate(counts) if count), only)
