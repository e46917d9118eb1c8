from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ullage.estimation.exhaustion import ram_and_swap, seconds_left, time_to_exhaustion, trend

MINUTES = np.arange(60) * 60.0


def noisy(slope, seed=0, level=1e9, noise=1e6, times=MINUTES):
    return level + slope * times + np.random.default_rng(seed).normal(0, noise, len(times))


def test_a_straight_line_is_carried_on():
    samples = np.stack([1e9 + 1e5 * MINUTES, 2e9 + 2e5 * MINUTES])
    left = time_to_exhaustion(MINUTES, samples, np.array([2e9, 4e9]))
    assert left.seconds == pytest.approx([10_000 - 3540, 10_000 - 3540])
    assert left.earliest_seconds == pytest.approx(left.seconds)
    assert left.latest_seconds == pytest.approx(left.seconds)


def test_noise_gives_an_interval_around_the_truth():
    left = time_to_exhaustion(MINUTES, noisy(1e5)[None, :], 2e9)
    assert left.earliest_seconds[0] < left.seconds[0] < left.latest_seconds[0]
    assert left.seconds[0] == pytest.approx(10_000 - 3540, rel=0.05)


def test_outliers_do_not_move_it():
    samples = noisy(1e5)
    samples[::6] = 50e9
    left = time_to_exhaustion(MINUTES, samples[None, :], 2e9)
    assert left.seconds[0] == pytest.approx(10_000 - 3540, rel=0.1)


@pytest.mark.parametrize(
    "samples",
    [
        np.full(60, 1e9),
        noisy(0.0),
        1e9 - 1e5 * MINUTES,
        np.where(MINUTES < 60 * 53, np.nan, 1e9 + 1e5 * MINUTES),
        np.full(60, np.nan),
    ],
    ids=["flat", "only noise", "shrinking", "seven samples", "no samples"],
)
def test_no_answer_rather_than_a_guess(samples):
    left = time_to_exhaustion(MINUTES, samples[None, :], 2e9)
    assert np.isnan([left.seconds, left.earliest_seconds, left.latest_seconds]).all()


def test_a_short_window_and_a_far_horizon_give_no_answer():
    short = np.arange(20) * 10.0
    assert np.isnan(time_to_exhaustion(short, (1e9 + 1e6 * short)[None, :], 2e9).seconds[0])
    assert time_to_exhaustion(short, (1e9 + 1e6 * short)[None, :], 2e9, min_window_seconds=100).seconds[0] > 0
    slow = (1e9 + 1e3 * MINUTES)[None, :]
    assert np.isnan(time_to_exhaustion(MINUTES, slow, 2e9).seconds[0])
    assert time_to_exhaustion(MINUTES, slow, 2e9, horizon_windows=np.inf).seconds[0] == pytest.approx(1e6 - 3540)


def test_unknown_capacity_is_unknown_and_a_full_node_is_full_now():
    samples = np.stack([1e9 + 1e5 * MINUTES, np.full(60, 3e9), np.full(60, 1e9)])
    left = time_to_exhaustion(MINUTES, samples, np.array([np.nan, 3e9, 3e9]))
    assert np.isnan(left.seconds[[0, 2]]).all()
    assert left.seconds[1] == left.earliest_seconds[1] == left.latest_seconds[1] == 0


def test_ram_and_swap_together_last_longer_and_missing_swap_is_not_zero():
    ram, swap = (1e9 + 1e5 * MINUTES)[None, :], np.zeros((1, 60))
    both = time_to_exhaustion(MINUTES, ram_and_swap(ram, swap), 2e9 + 1e9)
    assert both.seconds[0] > time_to_exhaustion(MINUTES, ram, 2e9).seconds[0]
    assert np.isnan(time_to_exhaustion(MINUTES, ram_and_swap(ram, swap * np.nan), 3e9).seconds[0])


def test_slope_with_a_deviation():
    left = seconds_left(
        np.array([1.0, 1.0, 1.0]),
        11.0,
        np.array([2.0, 2.0, np.nan]),
        np.array([1.0, -1.0, np.nan]),
        np.array([4.0, 5.0, np.nan]),
    )
    assert (left.seconds[0], left.earliest_seconds[0], left.latest_seconds[0]) == (5, 2.5, 10)
    assert np.isnan(left.seconds[1:]).all()


def test_gaps_are_left_out():
    samples = 1e9 + 1e5 * MINUTES
    samples[np.arange(60) % 3 == 1] = np.nan
    found = trend(MINUTES, samples[None, :])
    assert found.slope_bytes_per_second[0] == pytest.approx(1e5)
    assert found.level_bytes[0] == pytest.approx(1e9 + 1e5 * MINUTES[-1])


def test_interval_agrees_with_sens_ranks():
    # Ten samples: 45 slopes, spread 1.96 x sqrt(125) = 21.9; ranks 11 and 35 of the sorted slopes, counted from 1.
    times = np.arange(10.0) * 100
    samples = np.random.default_rng(3).normal(0, 1, 10) + times / 100
    later, earlier = np.tril_indices(10, -1)
    slopes = np.sort((samples[later] - samples[earlier]) / (times[later] - times[earlier]))
    found = trend(times, samples[None, :])
    assert found.slope_bytes_per_second[0] == pytest.approx(slopes[22])
    assert found.low_bytes_per_second[0] == slopes[10]
    assert found.high_bytes_per_second[0] == slopes[34]


def test_chunks_do_not_change_the_result():
    times = np.arange(200) * 30.0
    samples = np.stack([noisy(1e5 * row, row, times=times) for row in range(150)])
    whole = trend(times, samples)
    part = trend(times, samples[140:])
    assert whole.slope_bytes_per_second[140:].tolist() == part.slope_bytes_per_second.tolist()
    assert whole.low_bytes_per_second[140:].tolist() == part.low_bytes_per_second.tolist()


def test_nothing_in_nothing_out():
    assert trend(np.empty(0), np.empty((3, 0))).slope_bytes_per_second.shape == (3,)
    assert np.isnan(trend(np.empty(0), np.empty((3, 0))).level_bytes).all()
    assert time_to_exhaustion(MINUTES, np.empty((0, 60)), 1.0).seconds.shape == (0,)
    assert np.isnan(trend(np.array([0.0]), np.array([[5.0]])).slope_bytes_per_second[0])


def test_shapes_and_times_are_checked():
    with pytest.raises(ValueError, match="shape"):
        trend(MINUTES, np.zeros((2, 59)))
    with pytest.raises(ValueError, match="ascend"):
        trend(MINUTES[::-1], np.zeros((2, 60)))


@given(st.integers(0, 10**6), st.floats(1e4, 1e6), st.floats(1.0, 100.0))
def test_units_of_time_scale_through(seed, slope, factor):
    samples = noisy(slope, seed)[None, :]
    one = time_to_exhaustion(MINUTES, samples, 1e10, horizon_windows=np.inf)
    other = time_to_exhaustion(MINUTES * factor, samples, 1e10, horizon_windows=np.inf)
    assert other.seconds == pytest.approx(one.seconds * factor, nan_ok=True)


@given(st.integers(0, 10**6), st.floats(-1e6, 1e6), st.floats(0, 1e10), st.floats(0, 1e10))
def test_more_room_never_lasts_shorter_and_the_interval_is_in_order(seed, slope, capacity, more):
    samples = noisy(slope, seed)[None, :]
    small = time_to_exhaustion(MINUTES, samples, capacity, horizon_windows=np.inf)
    large = time_to_exhaustion(MINUTES, samples, capacity + more, horizon_windows=np.inf)
    if not np.isnan(small.seconds[0]):
        assert small.earliest_seconds[0] <= small.seconds[0] <= small.latest_seconds[0]
        assert np.isnan(large.seconds[0]) or large.seconds[0] >= small.seconds[0]
