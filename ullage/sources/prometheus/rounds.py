"""One round of queries: what each answered goes into tables; what was not answered becomes a problem."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, TypeAlias

from ullage.errors import UllageError
from ullage.sources.prometheus.connection import UnreachableError
from ullage.sources.prometheus.joining import Gathered, Grid, find_machine, find_pod, node_finder
from ullage.telemetry.catalog import Axis, Chosen, Query
from ullage.telemetry.decode import Answer, AnswerError
from ullage.telemetry.identity import NodeIdentities
from ullage.telemetry.readings import Problem, Table

Ask: TypeAlias = Callable[[str, float], bytes]
"""Sends one query, with the seconds that it may take, and gives the body of the answer."""


class Tables(NamedTuple):
    """The three tables of one reading."""

    nodes: Table
    pods: Table
    machines: Table


class Round:
    """Asks queries one after the other and gathers what they answer.

    Parameters
    ----------
    grid
        When the queries are evaluated.
    remaining
        Seconds that are left for the whole round.
    """

    def __init__(self, grid: Grid, remaining: Callable[[], float]) -> None:
        self._remaining = remaining
        self._result_type = "matrix" if grid.step_seconds else "vector"
        self._gathered = {axis: Gathered(axis, grid) for axis in Axis}
        self._problems: list[Problem] = []
        self._answered = 0
        self._error: UllageError | None = None

    def run(self, plan: Iterable[Query], ask: Ask) -> None:
        """Ask all queries, as far as the time goes.

        Raises
        ------
        UllageError
            None was answered.
        """
        for query in plan:
            try:
                self._ask(query, ask)
            except AnswerError as error:
                self._failed(query, error)
            except UnreachableError as error:
                self._failed(query, error)
                break
        if self._error is not None and not self._answered:
            raise self._error

    def _ask(self, query: Query, ask: Ask) -> None:
        seconds = self._remaining()
        if seconds <= 0:
            raise AnswerError("there was no time left for it")
        answer = Answer(ask(query.promql, seconds), self._result_type)
        self._problems += [_partial(query, remark) for remark in answer.remarks]
        for block in answer.blocks():
            self._gathered[query.axis].add(block, is_time=query.is_time)
        self._answered += 1

    def _failed(self, query: Query, error: UllageError) -> None:
        self._error = self._error or error
        self._problems.append(_partial(query, error.message))

    @property
    def is_complete(self) -> bool:
        """Whether every query was answered."""
        return self._error is None

    def seen(self) -> Mapping[Axis, frozenset[int]]:
        """Readings of which anything came."""
        return {axis: gathered.marks() for axis, gathered in self._gathered.items()}

    def tables(self, nodes: NodeIdentities, chosen: Chosen) -> tuple[tuple[Tables, ...], tuple[Problem, ...]]:
        """The tables of each step, and what could not be used."""
        finders = {Axis.NODES: node_finder(nodes), Axis.PODS: find_pod, Axis.MACHINES: find_machine}
        found = {axis: self._gathered[axis].tables(finders[axis], chosen) for axis in Axis}
        problems = [problem for axis in Axis for problem in found[axis][1]]
        steps = zip(*(found[axis][0] for axis in Axis), strict=True)
        return tuple(Tables(*step) for step in steps), (*self._problems, *problems)


def _partial(query: Query, remark: str) -> Problem:
    what = f"times of {query.axis.name.lower()}" if query.is_time else query.axis.name.lower()
    return Problem("partial", f"A query for {what} was not answered in full: {remark}.")
