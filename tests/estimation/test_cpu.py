from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ullage.estimation.cpu import quota_microseconds, shares, throttled_ratio, weight_new, weight_old


@pytest.mark.parametrize(
    ("millis", "expected", "old", "new"),
    [
        (800, 819, 32, 84),
        (100, 102, 4, 17),
        (1000, 1024, 39, 100),
        (0, 2, 1, 1),
        (1, 2, 1, 1),
        (256_000, 262_144, 10_000, 10_000),
        (10**6, 262_144, 10_000, 10_000),
    ],
)
def test_golden_weights(millis, expected, old, new):
    assert int(shares(millis)) == expected
    assert int(weight_old(expected)) == old
    assert int(weight_new(expected)) == new


@pytest.mark.parametrize(
    ("millis", "expected"), [(0, -1), (1, 1000), (9, 1000), (10, 1000), (500, 50_000), (8000, 800_000)]
)
def test_quota(millis, expected):
    assert int(quota_microseconds(millis)) == expected


def test_throttling():
    ratio = throttled_ratio(np.array([5.0, 0.0, 3.0, np.nan, -1.0, 4.0]), np.array([20.0, 20.0, 0.0, 20.0, 20.0, 2.0]))
    assert ratio[:2].tolist() == [0.25, 0]
    assert np.isnan(ratio[2:5]).all()
    assert ratio[5] == 1


@given(st.lists(st.integers(0, 10**6), min_size=2, max_size=50))
def test_weights_are_monotone_and_within_the_kernels_range(millis):
    ordered = shares(np.sort(millis))
    for weight in (weight_old(ordered), weight_new(ordered)):
        assert np.all(np.diff(weight) >= 0)
        assert weight.min() >= 1
        assert weight.max() <= 10_000
