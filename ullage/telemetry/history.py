"""The past of a cluster's use: readings in, states with measures out. No I/O and no clock.

Everything is kept by uid, so that a VM keeps its past when it moves; and the past of a node is that of the workloads that it
has now, see `ullage.telemetry.windows.transfer`. Calls must come one after another, from whichever thread.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from ullage.config.schema import Configuration
from ullage.model.arrays import FloatArray, IntArray
from ullage.model.state import ClusterState
from ullage.telemetry.heirs import Heirs
from ullage.telemetry.joined import WorkloadRows, capacity_of, join_nodes
from ullage.telemetry.judging import (
    NODE_USE,
    WORKLOAD_USE,
    Beside,
    Judged,
    judge_nodes,
    judge_workloads,
    node_problems,
    node_reasons,
    unknown_problem,
    workload_problems,
)
from ullage.telemetry.measuring import Summary, of_nodes, of_workloads
from ullage.telemetry.readings import NodeReading, Problem, Readings, WorkloadReading
from ullage.telemetry.repeats import Repeats
from ullage.telemetry.rules import Limits
from ullage.telemetry.tracks import Homes, Settling, Track
from ullage.telemetry.trust import Trust
from ullage.telemetry.windows import Span

STALE_LEAST_SECONDS: Final = 90.0
STALE_SCRAPES: Final = 3.0


class History:
    """What is known of the use of every node and workload.

    Parameters
    ----------
    config
        Its parts ``telemetry`` and ``thresholds`` matter here.

    Attributes
    ----------
    problems
        What could not be used of the last reading.
    """

    def __init__(self, config: Configuration) -> None:
        telemetry = config.telemetry
        self.problems: tuple[Problem, ...] = ()
        self._telemetry, self._limits = telemetry, limits_of(config)
        span = Span.of(telemetry.bucket_seconds, telemetry.window_seconds, telemetry.peak_window_seconds)
        self._nodes = Track(NodeReading, NODE_USE, span)
        self._workloads = Track(WorkloadReading, WORKLOAD_USE, span)
        self._homes, self._settling, self._heirs = Homes(self._nodes, self._workloads), Settling(), Heirs()
        self._trust = Trust(telemetry.minimum_samples, telemetry.max_age_seconds)
        self._repeats = Repeats(len(NODE_USE))
        self._rows = WorkloadRows()
        self._sources: list[str] = []
        self._summaries: tuple[Summary, Summary] | None = None

    def observe(self, readings: Readings, state: ClusterState) -> None:
        """Take one reading, of now or of the past; what is older than what is known is passed over.

        Parameters
        ----------
        readings
            What a source said.
        state
            Says which pods and VMIs are which workloads, and on which node each of them is.
        """
        asked_at, source = readings.asked_at_seconds, self._source(readings.source)
        nodes, workloads = self._take(state, asked_at)
        self._follow(state, asked_at)
        joined, joined_nodes = self._rows.join(readings, state.workloads), join_nodes(readings, state.nodes.name)
        judged = judge_workloads(joined, state, asked_at, self._limits)
        self._workloads.update(workloads, judged.believed, judged.table.at_seconds, source)
        beside = Beside.of(state, judged.believed)
        judged_nodes = self._judge_nodes(
            judge_nodes(joined_nodes, beside, asked_at, self._limits), nodes, beside, asked_at
        )
        is_settled = self._settling.is_over(nodes, judged_nodes.at_seconds(NODE_USE).min(axis=1))
        self._nodes.update(nodes, judged_nodes.believed, judged_nodes.table.at_seconds, source, is_settled)
        unknown = unknown_problem(joined_nodes.unknown + joined.unknown)
        found = [*node_problems(judged_nodes), *workload_problems(judged, state.workloads), *unknown]
        self.problems = (*readings.problems, *found)
        self._forget(asked_at)
        self._summaries = None

    def measured(self, state: ClusterState, now_seconds: float) -> ClusterState:
        """The same rows with all that is known of them, as observed at `now_seconds`.

        CPU and memory of a node that is set aside are NaN, unless it is only their age: that shows in the measures.
        """
        self._take(state, now_seconds)
        self._follow(state, now_seconds)
        known = self._summarized()
        nodes, workloads = (each.at(slots, now_seconds) for each, slots in zip(known, self._find(state), strict=True))
        return replace(
            state,
            observed_at_seconds=now_seconds,
            nodes=replace(state.nodes, measures=nodes),
            workloads=replace(state.workloads, measures=workloads),
            sources=tuple(self._sources),
        )

    def set_aside(self, state: ClusterState, now_seconds: float) -> tuple[tuple[str, str, str], ...]:
        """Nodes that cannot be judged, in the order of the rows: name, code, and a sentence with numbers."""
        slots, _ = self._find(state)
        at = np.append(self._nodes.newest.at_seconds[list(NODE_USE)].min(axis=0), np.nan)[slots]
        counts = np.append(self._trust.counts(), np.False_)[slots]
        age, limit = now_seconds - at, self._telemetry.max_age_seconds
        found = []
        for row in np.flatnonzero(~counts | ~(age <= limit)).tolist():
            code, text = self._trust.reason(int(slots[row]))
            if age[row] > limit:
                code, text = "stale", f"Its CPU or memory was last read {age[row]:,.0f} s ago; {limit:,.0f} s may be."
            found.append((state.nodes.name[row], code, text))
        return tuple(found)

    def _judge_nodes(self, judged: Judged, slots: IntArray, beside: Beside, asked_at_seconds: float) -> Judged:
        """With what needs a past: frozen values, and how often a node was believed."""
        use = list(NODE_USE)
        repeats = self._repeats.update(slots, judged.believed[:, use], judged.table.at_seconds[:, use])
        if self._telemetry.frozen_readings:
            judged = judged.with_frozen(repeats, self._telemetry.frozen_readings)
        at = judged.at_seconds(use)
        is_new = [self._nodes.newest.is_new(r, slots, judged.believed[:, r], at[:, i]) for i, r in enumerate(use)]
        rows = np.flatnonzero(np.logical_and(*is_new))
        reasons = node_reasons(judged, beside, repeats, asked_at_seconds, self._limits)
        by_slot = {int(slots[row]): reason for row, reason in reasons.items()}
        self._trust.update(slots[rows], at[rows].min(axis=1), by_slot)
        return judged

    def _source(self, name: str) -> int:
        if name not in self._sources:
            self._sources.append(name)
        return self._sources.index(name)

    def _find(self, state: ClusterState) -> tuple[IntArray, IntArray]:
        return self._nodes.slots.find(_keys(state)), self._workloads.slots.find(state.workloads.uid)

    def _take(self, state: ClusterState, now_seconds: float) -> tuple[IntArray, IntArray]:
        nodes = self._nodes.take(_keys(state), now_seconds)
        for part in (self._settling, self._trust, self._repeats):
            part.resize(self._nodes.slots.size)
        return nodes, self._workloads.take(state.workloads.uid, now_seconds)

    def _follow(self, state: ClusterState, now_seconds: float) -> None:
        nodes, workloads = self._find(state)
        homes = nodes[state.workloads.node]
        heirs = self._heirs.look(workloads, homes, state, now_seconds)
        if heirs:
            self._homes.inherit(heirs)
            self._summaries = None
        known = (workloads >= 0) & (homes >= 0)
        changed, between = self._homes.follow(workloads[known], homes[known])
        if len(changed):
            self._settle(changed, between, (nodes, capacity_of(state)), now_seconds)
            self._summaries = None
        # A guest that is copied uses memory where it goes before it is there.
        coming = np.flatnonzero(known & (state.workloads.migration_target >= 0))
        if len(coming):
            into = nodes[state.workloads.migration_target[coming]]
            between = np.stack((np.full(len(into), -1), into))
            self._settle(workloads[coming], between, (nodes, capacity_of(state)), now_seconds)

    def _settle(
        self, slots: IntArray, between: IntArray, nodes: tuple[IntArray, FloatArray], now_seconds: float
    ) -> None:
        use = self._workloads.newest.value[:, slots][list(WORKLOAD_USE)].T
        self._settling.begin(between, use, nodes, now_seconds)

    def _forget(self, now_seconds: float) -> None:
        before = now_seconds - self._telemetry.forget_seconds
        forgotten = self._workloads.forget(before)
        self._homes.forget(forgotten)
        self._heirs.forget(forgotten)
        gone = self._nodes.forget(before)
        for part in (self._settling, self._trust, self._repeats):
            part.clear(gone)

    def _summarized(self) -> tuple[Summary, Summary]:
        if self._summaries is None:
            self._summaries = (of_nodes(self._nodes, self._trust.counts()), of_workloads(self._workloads))
        return self._summaries


def limits_of(config: Configuration) -> Limits:
    """Where belief in a reading ends."""
    telemetry = config.telemetry
    return Limits(
        stale_seconds=max(STALE_LEAST_SECONDS, STALE_SCRAPES * telemetry.scrape_seconds),
        future_seconds=telemetry.future_seconds,
        unit_factor=telemetry.drop_above_capacity_factor,
        implausible_ratio=telemetry.implausible_ratio,
        idle_ratios=(config.thresholds.cpu.low, config.thresholds.memory.low),
    )


def _keys(state: ClusterState) -> tuple[str, ...]:
    """Uids, since a node that is made anew under the same name is another one; the name where there is no uid."""
    nodes = state.nodes
    return nodes.uid if all(nodes.uid) else tuple(uid or name for uid, name in zip(nodes.uid, nodes.name, strict=True))
