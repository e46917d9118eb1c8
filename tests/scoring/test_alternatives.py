"""Trimaran's and Koordinator's formulas against worked examples, and the Beta distribution against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import Cluster
from ullage.config import defaults
from ullage.model.measures import NodeMeasure
from ullage.scoring.demand import Demand
from ullage.scoring.landing import Landing
from ullage.scoring.scorers.beta import beta_cdf, log_gamma
from ullage.scoring.scorers.load_aware import LOAD_AWARE
from ullage.scoring.scorers.load_variation_risk import LOAD_VARIATION_RISK, risk
from ullage.scoring.scorers.low_risk_overcommitment import LOW_RISK_OVERCOMMITMENT, limit_risk, load_risk
from ullage.scoring.scorers.target_load_packing import TARGET_LOAD_PACKING, cpu_of, curve
from ullage.scoring.view import view

GIB = 2.0**30


def single(values: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array([values], dtype=np.float64)


@pytest.mark.parametrize(
    ("use", "score"), [(0.0, 40), (0.2, 70), (0.4, 100), (0.41, 39.33), (0.7, 20), (1, 0), (1.2, 0)]
)
def test_target_load_packing_peaks_at_the_target_and_drops_behind_it(use: float, score: float) -> None:
    assert 100 * float(curve(np.array([use], dtype=np.float32))[0]) == pytest.approx(score, abs=0.01)


@pytest.mark.parametrize(
    ("demand", "cores"),
    [
        (Demand(limit_cpu_cores=2, requested_cpu_cores=1), 2.0),
        (Demand(requested_cpu_cores=2), 3.0),
        (Demand(), 1.0),
    ],
)
def test_target_load_packing_guesses_a_pod_by_limit_request_and_default(demand: Demand, cores: float) -> None:
    assert cpu_of(demand) == cores


def test_target_load_packing_is_over_capacity() -> None:
    state = Cluster().node("a", cpu=8, capacity={"cpu": 10}, use_cpu=2).build()
    score = TARGET_LOAD_PACKING.score(Landing(view(state, defaults()), Demand(limit_cpu_cores=2)), None)
    assert float(score[0]) == pytest.approx(1.0), "(2 + 2) of 10 is the target"


def test_load_variation_risk_is_the_mean_of_mean_and_deviation() -> None:
    assert risk(np.array([0.5], np.float32), np.array([0.1], np.float32))[0] == pytest.approx(0.3)
    assert risk(np.array([1.7], np.float32), np.array([1.5], np.float32))[0] == pytest.approx(1.0)
    state = (
        Cluster()
        .node(
            "a",
            cpu=10,
            memory="100Gi",
            use_cpu=4,
            use_memory="20Gi",
            measures={NodeMeasure.CPU_DEVIATION_CORES: 1.0, NodeMeasure.MEMORY_DEVIATION_BYTES: 0},
        )
        .build()
    )
    demand = Demand(requested_cpu_cores=1, requested_memory_bytes=10 * GIB)
    score = LOAD_VARIATION_RISK.score(Landing(view(state, defaults()), demand), None)
    assert float(score[0]) == pytest.approx(0.7), "CPU is worse: 1 - (0.5 + 0.1) / 2"


def test_load_aware_is_the_mean_of_what_is_free() -> None:
    state = Cluster().node("a", cpu=10, memory="100Gi", use_cpu=4, use_memory="20Gi").build()
    demand = Demand(cpu_cores=1, memory_bytes=10 * GIB)
    score = LOAD_AWARE.score(Landing(view(state, defaults()), demand), None)
    assert float(score[0]) == pytest.approx((0.5 + 0.7) / 2)
    over = LOAD_AWARE.score(Landing(view(state, defaults()), Demand(cpu_cores=7, memory_bytes=80 * GIB)), None)
    assert float(over[0]) == 0.0


@pytest.mark.parametrize(
    ("requests", "limits", "expected"), [(4, 8, 0.0), (4, 10, 0.0), (4, 16, 0.5), (12, 16, 1.0), (10, 10, 0.0)]
)
def test_limit_risk_is_what_of_the_limits_stands_beyond_capacity(
    requests: float, limits: float, expected: float
) -> None:
    assert limit_risk(single(requests), single(limits), single(10))[0] == pytest.approx(expected)


def test_load_risk_is_the_tail_beyond_the_requests() -> None:
    # mean 1/2 and variance 1/12 are the uniform distribution; the window of 5 widens the deviation by sqrt(5)
    uniform = np.sqrt(1 / 12 / 5)
    assert load_risk(single(0.5), single(uniform), single(0.3), single(2))[0] == pytest.approx(0.7, abs=1e-6)
    # limits of 0.6 cut the distribution: P(u <= 0.3) / P(u <= 0.6)
    assert load_risk(single(0.5), single(uniform), single(0.3), single(0.6))[0] == pytest.approx(0.5, abs=1e-6)
    assert load_risk(single(0.2), single(0), single(0.5), single(2))[0] == pytest.approx(0, abs=1e-3)


def test_low_risk_overcommitment_takes_the_worse_resource_and_no_best_effort() -> None:
    uniform = float(np.sqrt(1 / 12 / 5))
    state = (
        Cluster()
        .node(
            "a",
            cpu=10,
            memory="100Gi",
            use_cpu=5,
            use_memory="20Gi",
            measures={NodeMeasure.CPU_DEVIATION_CORES: 10 * uniform, NodeMeasure.MEMORY_DEVIATION_BYTES: 0},
        )
        .pod("shop/a", "a", requests_cpu=3, requests_memory="50Gi", limits={"cpu": 12, "memory": "50Gi"})
        .build()
    )
    seen = view(state, defaults())
    demand = Demand(requested_cpu_cores=1, limit_cpu_cores=2, requested_memory_bytes=GIB)
    # CPU: limits 14 of 10 over requests 4: 4 / 10; load above 3 of 10: 0.7
    assert float(LOW_RISK_OVERCOMMITMENT.score(Landing(seen, demand), None)[0]) == pytest.approx(
        1 - (0.4 + 0.7) / 2, abs=1e-4
    )
    assert float(LOW_RISK_OVERCOMMITMENT.score(Landing(seen, Demand()), None)[0]) == 0.0


@given(st.floats(0.01, 0.99), st.floats(0.2, 30))
def test_beta_distribution_has_its_closed_forms(x: float, a: float) -> None:
    assert beta_cdf(single(x), single(a), single(1.0))[0] == pytest.approx(x**a, abs=1e-7)
    assert beta_cdf(single(x), single(1.0), single(a))[0] == pytest.approx(1 - (1 - x) ** a, abs=1e-7)
    assert beta_cdf(single(x), single(2.0), single(3.0))[0] == pytest.approx(x * x * (6 - 8 * x + 3 * x * x), abs=1e-7)
    mirrored = 1 - beta_cdf(single(1 - x), single(2.5), single(a))[0]
    assert beta_cdf(single(x), single(a), single(2.5))[0] == pytest.approx(mirrored, abs=1e-7)


def test_log_gamma_knows_factorials() -> None:
    np.testing.assert_allclose(
        np.exp(log_gamma(np.array([1.0, 2, 3, 4, 5, 0.5]))), [1, 1, 2, 6, 24, np.sqrt(np.pi)], rtol=1e-9
    )
