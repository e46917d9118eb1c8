"""Prometheus as a source of readings, of now and of the past."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from time import monotonic
from typing import Final, Protocol

import numpy as np

from ullage.sources.prometheus.choice import Choice
from ullage.sources.prometheus.connection import Connection
from ullage.sources.prometheus.joining import Grid
from ullage.sources.prometheus.rounds import Round, Tables
from ullage.sources.prometheus.settings import PrometheusSettings
from ullage.telemetry.catalog import Alternative, Query, Scope, known_names, presence, queries
from ullage.telemetry.decode import Answer, AnswerError, names
from ullage.telemetry.identity import NodeIdentities
from ullage.telemetry.readings import Problem, Readings

SOURCE: Final = "prometheus"
"""Name of this source of measures."""

CHUNK_STEPS: Final = 5
CHUNK_ROWS: Final = 500_000
"""Steps of the past that are held at once, and steps times rows if there are few rows: 100,000 workloads at 5 steps, with 11
readings and their times, take 90 MB. A day of a small cluster comes as two chunks, and not as sixty."""

_NAMES_WITHIN_SECONDS: Final = 3600.0
_PROBE_SHARE: Final = 0.25  # of the time for a reading: names are a help, and no need


class Transport(Protocol):
    """What is asked of a connection; see `Connection`."""

    def ask(self, path: str, form: Mapping[str, str], timeout_seconds: float) -> bytes:
        """Body of the answer to a query."""

    def get(self, path: str, parameters: Mapping[str, str], timeout_seconds: float) -> bytes:
        """Body of the answer to a GET."""

    def close(self) -> None:
        """End the connection."""


class PrometheusSource:
    """Readings of all nodes and workloads with nine queries, and two more now and then; used by one thread at a time.

    Parameters
    ----------
    settings
        How the server is reached and asked.
    transport
        Takes the place of a connection of its own.
    clock
        Monotonic seconds.

    Attributes
    ----------
    settings
        As given.
    """

    def __init__(
        self,
        settings: PrometheusSettings,
        transport: Transport | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.settings, self._clock = settings, clock
        self._transport: Transport = transport or Connection(settings)
        self._scope = Scope(settings.rate_window_seconds, settings.matchers)
        self._choice = Choice(None)
        self._probe_at = -math.inf

    @property
    def name(self) -> str:
        """Name in measures, metrics and logs."""
        return SOURCE

    def close(self) -> None:
        """End the connection."""
        self._transport.close()

    def read(self, nodes: NodeIdentities, now_seconds: float) -> Readings:
        """Instant values of all nodes and workloads.

        What a query that failed would have given is missing, with a problem ``partial``; so it is where the server warns.

        Raises
        ------
        UllageError
            No query was answered.
        """
        remaining = self._remaining()
        self._probe(now_seconds, remaining)
        one = Round(Grid(), remaining)
        chosen = self._choice.chosen
        ask = self._transport.ask
        one.run(queries(chosen, self._scope), lambda promql, seconds: ask("query", {"query": promql}, seconds))
        (tables,), problems = one.tables(nodes, chosen)
        if one.is_complete:
            self._choice.pass_on(one.seen())
        if not any(map(len, (table.keys for table in tables))):
            self._probe_at = -math.inf  # nothing at all: a server that has just been started, perhaps
        return _readings(now_seconds, tables, problems)

    def history(self, nodes: NodeIdentities, start_seconds: float, end_seconds: float) -> Iterator[Readings]:
        """Readings of the past, oldest first, one per step that has any value.

        Raises
        ------
        UllageError
            No query for some part of the past was answered.
        """
        step = self.settings.step_seconds
        self._probe(end_seconds, self._remaining())
        plan = queries(self._choice.chosen, self._scope, is_split=True)
        total = max(0, math.floor((end_seconds - start_seconds) / step + 1e-9) + 1)
        first, steps = 0, CHUNK_STEPS
        while first < total:
            grid = Grid(start_seconds + first * step, step, min(steps, total - first))
            rows = 0
            for readings in self._past(nodes, grid, plan):
                rows = max(rows, sum(len(t.keys) for t in (readings.nodes, readings.pods, readings.machines)))
                yield readings
            first += grid.steps
            # Of an empty past nothing can be said of how much comes next.
            steps = max(CHUNK_STEPS, CHUNK_ROWS // rows) if rows else CHUNK_STEPS

    def _past(self, nodes: NodeIdentities, grid: Grid, plan: tuple[Query, ...]) -> Iterator[Readings]:
        times = {
            "start": f"{grid.start_seconds:.3f}",
            "end": f"{grid.end_seconds:.3f}",
            "step": f"{grid.step_seconds:g}",
        }
        chunk = Round(grid, self._remaining())
        ask = self._transport.ask
        chunk.run(plan, lambda promql, seconds: ask("query_range", {"query": promql, **times}, seconds))
        steps, problems = chunk.tables(nodes, self._choice.chosen)
        for number, tables in enumerate(steps):
            if any(not np.isnan(table.value).all() for table in tables):
                yield _readings(grid.start_seconds + number * grid.step_seconds, tables, problems)
                problems = ()  # they concern the chunk, and are said once

    def _remaining(self) -> Callable[[], float]:
        end = self._clock() + self.settings.timeout_seconds
        return lambda: end - self._clock()

    def _probe(self, now_seconds: float, remaining: Callable[[], float]) -> None:
        """Learn which metrics there are, now and then; if the server does not say, alternatives take turns."""
        if self._clock() < self._probe_at:
            return
        self._probe_at = self._clock() + self.settings.probe_seconds
        self._choice = Choice(None)
        with suppress(AnswerError):
            self._choice = Choice(self._names(now_seconds, _PROBE_SHARE * remaining()) or None)
            self._choice.prefer(self._alive(self._choice.doubtful(), _PROBE_SHARE * remaining()))

    def _names(self, now_seconds: float, timeout_seconds: float) -> frozenset[str]:
        match = f'{{__name__=~"{"|".join(known_names())}"}}'
        since = {"start": f"{now_seconds - _NAMES_WITHIN_SECONDS:.0f}", "end": f"{now_seconds:.0f}"}
        return names(self._transport.get("label/__name__/values", {"match[]": match, **since}, timeout_seconds))

    def _alive(self, doubtful: tuple[Alternative, ...], timeout_seconds: float) -> list[Alternative]:
        if not doubtful:
            return []
        form = {"query": presence(doubtful, self._scope)}
        blocks = Answer(self._transport.ask("query", form, timeout_seconds), "vector").blocks()
        marks = {mark for block in blocks for mark in block.marks.tolist()}
        return [each for position, each in enumerate(doubtful) if position in marks]


def _readings(asked_at_seconds: float, tables: Tables, problems: tuple[Problem, ...]) -> Readings:
    return Readings(SOURCE, asked_at_seconds, *tables, problems)
