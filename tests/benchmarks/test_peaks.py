from __future__ import annotations

import numpy as np
import pytest

from benchmarks.bitbrains import NODE_BYTES, NODE_CORES, Trace, packed, summed
from benchmarks.peaks import FIRST, HOUR, Case, Score, measures
from ullage.model.measures import NodeMeasure


def trace(machines: int = 40) -> Trace:
    requests = np.tile([0.4, NODE_BYTES / 50], (machines, 1))
    return Trace(np.ones((machines, 24)), np.full(machines, 4.0), requests)


def test_machines_are_spread_by_their_requests_and_fit() -> None:
    home = packed(trace(), 4, seed=1)
    assert np.bincount(home).tolist() == [10, 10, 10, 10]
    assert (summed(home, 4, trace().requests) <= [NODE_CORES, NODE_BYTES]).all()
    assert packed(trace(), 4, seed=1).tolist() == home.tolist()
    assert summed(home, 4, trace().cpu_cores).shape == (4, 24)


def test_a_score_counts_hours_above_the_forecast() -> None:
    steps = FIRST + 3 * HOUR
    case = Case(np.vstack((np.full(steps, 2.0), np.full(steps, 4.0))), np.array([10.0, 10.0]))
    assert case.true().tolist() == [[2.0, 2.0], [4.0, 4.0]]
    found = Score.of(case, np.array([[2.0, 1.0], [5.0, 99.0]]))
    assert found.violations == 25.0
    assert found.severity == 12.5
    assert found.savings == pytest.approx(100 * (1 - (0.2 + 0.1 + 0.5 + 1.0) / 4))


def test_estimators_see_what_history_makes_of_readings() -> None:
    use = np.tile(np.arange(FIRST + 2 * HOUR + 1) / 1000, (2, 1))
    found = measures(Case(use, np.array([50.0, 60.0])))
    last = use[0, FIRST]
    np.testing.assert_allclose(found[NodeMeasure.CPU_PEAK_CORES][:, 0], last, rtol=1e-6)
    np.testing.assert_allclose(found[NodeMeasure.CPU_MEAN_CORES][:, 0], last - 0.012, rtol=1e-5)
