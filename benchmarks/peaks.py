"""How well the peak of a node's next hour is foreseen: violations against savings, on real traces.

Machines of the Bitbrains trace are packed onto nodes by their requests, three times. From the 8th day on, the peak of the
next hour is foreseen once an hour for every node. A violation is an hour that goes above it; savings are what the forecast
leaves of the machines' limits. Estimators see what `ullage.telemetry.history.History` makes of readings, one every five
minutes. The margin of the default meets the bars on a random half of the machines; the other half stands beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from benchmarks.bitbrains import STEP_SECONDS, Trace, packed, read, summed
from benchmarks.instances import ABSENT, Instance, state
from benchmarks.tables import Bar, bars, table
from ullage.config.schema import Configuration, Telemetry
from ullage.estimation.peak import ESTIMATORS, estimator
from ullage.model.arrays import FloatArray, IntArray
from ullage.model.measures import NodeMeasure
from ullage.telemetry.history import History
from ullage.telemetry.readings import NodeReading, Readings, Table, WorkloadReading

SEEDS: Final = 3
HOUR: Final = 12
"""Steps of an hour."""
FIRST: Final = 7 * 24 * HOUR
NODES: Final = 22
MOST_VIOLATIONS: Final = 3.0
LEAST_SAVINGS: Final = 70.0

PUBLISHED: Final = (
    ("limit", 0.0, 0.0, 0.0),
    ("0.9 of the limit (Borg's default)", 0.0, 0.0, 10.0),
    ("N-sigma 5, 2 h", 10.3, 2.9, 72.8),
    ("N-sigma 5, 24 h", 2.2, 0.61, 52.8),
    ("N-sigma 3, 24 h", 5.7, 1.4, 65.0),
    ("99th percentile per machine, 10 h (RC-like)", 4.5, 1.0, 73.9),
    ("larger of N-sigma 5, 2 h, and RC-like", 3.0, 0.76, 68.7),
    ("highest of 24 h", 7.0, 0.71, 72.4),
    ("last sample", 87.0, 17.2, 85.2),
)
"""Name, violations, mean severity and savings in percent, as measured before on three other packings of all machines."""

_BEGIN_SECONDS: Final = 1_375_308_000.0


@dataclass(frozen=True, eq=False)
class Case:
    """Nodes with their CPU use, float64 (N, T), and the sum of their machines' limits, float64 (N,)."""

    use: FloatArray
    limit: FloatArray

    @classmethod
    def of(cls, trace: Trace, nodes: int) -> Case:
        """The machines packed `SEEDS` times onto as many nodes."""
        homes = [packed(trace, nodes, seed) for seed in range(SEEDS)]
        return cls(
            np.vstack([summed(home, nodes, trace.cpu_cores) for home in homes]),
            np.concatenate([summed(home, nodes, trace.limit_cores) for home in homes]),
        )

    @property
    def decisions(self) -> IntArray:
        """Steps after which the next hour is foreseen."""
        return np.arange(FIRST, self.use.shape[1] - HOUR, HOUR)

    def true(self) -> FloatArray:
        """The peak of the next hour, float64 (N, D)."""
        peaks: FloatArray = sliding_window_view(self.use, HOUR, axis=1)[:, self.decisions + 1].max(axis=-1)
        return peaks

    def past(self, steps: int) -> FloatArray:
        """The last samples before each decision, float64 (N, D, steps)."""
        return sliding_window_view(self.use, steps, axis=1)[:, self.decisions - steps + 1]


@dataclass(frozen=True)
class Score:
    """Percent of hours that go above the forecast, by how much on average over all hours, and percent of the limit saved."""

    violations: float
    severity: float
    savings: float

    @classmethod
    def of(cls, case: Case, forecast: FloatArray) -> Score:
        """Score of a forecast, float64 (N, D), which is never above the limit."""
        true, forecast = case.true(), np.minimum(forecast, case.limit[:, None])
        above = np.maximum(true - forecast, 0.0)
        return cls(
            100 * float((above > 1e-6 * true).mean()),
            100 * float((above / np.maximum(true, 1e-9)).mean()),
            100 * float(1 - (forecast / case.limit[:, None]).mean()),
        )


def measures(case: Case) -> Mapping[NodeMeasure, FloatArray]:
    """Mean, deviation and peak of every node's CPU at each decision, float64 (N, D), as `History` tells them."""
    names = tuple(f"node-{row:04d}" for row in range(len(case.limit)))
    nodes = state(_empty(names, case.limit))
    # Memory stands still here, which the rule against frozen values would not let pass.
    history = History(Configuration(telemetry=Telemetry(frozen_readings=0)))
    axis = (NodeMeasure.CPU_MEAN_CORES, NodeMeasure.CPU_DEVIATION_CORES, NodeMeasure.CPU_PEAK_CORES)
    decisions = set(case.decisions.tolist())
    found = []
    for step, readings in enumerate(_readings(names, case.use)):
        history.observe(readings, nodes)
        if step in decisions:
            found.append(history.measured(nodes, readings.asked_at_seconds).nodes.measures.value[:, list(axis)])
    return dict(zip(axis, np.stack(found, axis=-1).swapaxes(0, 1), strict=True))


def ours(case: Case) -> Iterator[tuple[str, Score]]:
    """Scores of the registered estimators."""
    mean, deviation, peak = measures(case).values()
    k = Configuration().prediction.deviations
    for name in ESTIMATORS:
        yield name, Score.of(case, estimator(name)(mean, deviation, peak, k))


def anchors(case: Case) -> Iterator[tuple[str, Score]]:
    """Scores of other rules on the same nodes."""
    for deviations, hours in ((5, 2), (5, 24), (3, 24)):
        past = case.past(hours * HOUR)
        forecast = past.mean(axis=-1) + deviations * past.std(axis=-1, ddof=1)
        yield f"N-sigma {deviations}, {hours} h", Score.of(case, forecast)
    yield "99th percentile, 24 h", Score.of(case, np.percentile(case.past(24 * HOUR), 99, axis=-1))
    yield "90th percentile, decayed, + 15 % (VPA-like)", Score.of(case, 1.15 * decayed(case))
    yield "highest of 24 h", Score.of(case, case.past(24 * HOUR).max(axis=-1))
    yield "last sample", Score.of(case, case.past(1)[..., 0])


def decayed(case: Case, percentile: float = 90.0) -> FloatArray:
    """Percentile of the last three days whose weights halve every 24 hours, as the Vertical Pod Autoscaler's histograms."""
    past = case.past(72 * HOUR)
    weight = 0.5 ** (np.arange(past.shape[-1])[::-1] / (24 * HOUR))
    result = np.empty(past.shape[:2])
    for row, values in enumerate(past):
        order = np.argsort(values, axis=-1)
        reached = np.cumsum(weight[order], axis=-1) >= percentile / 100 * weight.sum()
        result[row] = np.take_along_axis(values, order, -1)[np.arange(len(values)), reached.argmax(axis=-1)]
    return result


def main() -> None:
    """Print the table and the bars."""
    trace = read()
    if trace is None:
        print(ABSENT)
        return
    machines = np.random.default_rng(7).permutation(len(trace.limit_cores))
    half = len(machines) // 2 + 1
    cases = (
        Case.of(trace.part(np.sort(machines[:half])), NODES // 2),
        Case.of(trace.part(np.sort(machines[half:])), NODES // 2),
        Case.of(trace, NODES),
    )
    print("violations / mean severity / savings in percent\n")
    scores = [dict((*anchors(case), *((f"ours: {name}", score) for name, score in ours(case)))) for case in cases]
    published = {f"before: {name}": Score(*figures) for name, *figures in PUBLISHED}
    rows: list[tuple[str, ...]] = [(name, "", "", _shown(score)) for name, score in published.items()]
    rows += [(name, *(_shown(score[name]) for score in scores)) for name in scores[0]]
    print(table(("forecast of the next hour", "one half", "the other half", "all machines"), rows) + "\n")
    default = f"ours: {Configuration().prediction.estimator}"
    print(bars(_bars("all machines", scores[2][default]) + _bars("the other half", scores[1][default])))


def _bars(where: str, score: Score) -> list[Bar]:
    return [
        Bar(f"{where}: hours above the forecast", score.violations, MOST_VIOLATIONS, "%"),
        Bar(f"{where}: of the limits not saved", 100 - score.savings, 100 - LEAST_SAVINGS, "%"),
    ]


def _shown(score: Score) -> str:
    return f"{score.violations:.2f} / {score.severity:.2f} / {score.savings:.1f}"


def _empty(names: tuple[str, ...], cores: FloatArray) -> Instance:
    nothing = np.zeros((0, 2))
    capacity = np.stack([cores, np.full(len(names), 2.0**40)], axis=1)
    return Instance("traces", 0.8, names, capacity, np.zeros(0, np.int64), nothing, nothing, np.zeros(0))


def _readings(names: tuple[str, ...], use: FloatArray) -> Iterator[Readings]:
    for step, cores in enumerate(use.T):
        now = _BEGIN_SECONDS + step * STEP_SECONDS
        value = np.full((len(names), len(NodeReading)), np.nan)
        value[:, NodeReading.CPU_CORES], value[:, NodeReading.MEMORY_BYTES] = cores, 2.0**38
        at = np.where(np.isnan(value), np.nan, now)
        nothing = Table.empty(WorkloadReading)
        yield Readings("trace", now, Table(names, value, at), nothing, nothing)
