from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.telemetry.readings import NOON
from ullage.telemetry.windows import Span, Window, transfer

SPAN = Span.of(300, 3600, 86_400)
HELD_SECONDS = (SPAN.per_block + 1) * SPAN.bucket_seconds
amounts = st.just(0.0) | st.floats(1e-3, 1e12)


def window(slots: int = 1, span: Span = SPAN) -> Window:
    made = Window(span)
    made.resize(slots)
    return made


def feed(made: Window, samples: dict[float, float], slot: int = 0) -> Window:
    for at, value in samples.items():
        made.add(np.array([slot]), np.array([value]), np.array([NOON + at]))
    return made


def test_a_span_reaches_at_least_as_far_as_asked_for():
    assert Span(300, 12, 25) == SPAN
    assert Span.of(300, 1000, 1000) == Span(300, 4, 2)
    assert Span.of(600, 60, 60) == Span(600, 1, 2)


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.integers(0, int(HELD_SECONDS) - 1), amounts), min_size=1, max_size=60, unique_by=lambda x: x[0]
    )
)
def test_mean_and_deviation_are_those_of_all_samples(samples):
    made = feed(window(), dict(sorted(samples)))
    newest = max(at for at, _ in samples) // 300
    kept = np.array([value for at, value in samples if at // 300 > newest - SPAN.per_block - 1])
    mean, deviation, count = made.moments()
    assert count.tolist() == [len(kept)]
    np.testing.assert_allclose(mean, kept.mean(), rtol=1e-5)
    if len(kept) == 1:
        assert np.isnan(deviation).all()
    else:
        np.testing.assert_allclose(deviation, kept.std(ddof=1), rtol=1e-4, atol=1e-5 * kept.max())


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 86_399), amounts), min_size=1, max_size=80, unique_by=lambda x: x[0]))
def test_peak_is_the_highest_bucket_of_the_day(samples):
    made = feed(window(), dict(sorted(samples)))
    buckets: dict[int, list[float]] = {}
    for at, value in samples:
        buckets.setdefault(at // 300, []).append(value)
    means = {bucket: float(np.mean(values)) for bucket, values in buckets.items()}
    fullest = max(map(len, buckets.values()))
    (peak,) = made.peak()
    assert peak <= max(means.values()) * (1 + 1e-5)
    if fullest == 1:
        np.testing.assert_allclose(peak, max(means.values()), rtol=1e-5)


def test_what_lies_more_than_a_day_and_an_hour_back_is_no_peak():
    made = feed(window(), {0: 100.0, **{float(at): 1.0 for at in range(300, 86_400, 300)}})
    assert made.peak().tolist() == [100.0]
    feed(made, {float(at): 1.0 for at in range(86_400, 86_400 + 7800, 300)})
    assert made.peak().tolist() == [1.0]


def test_one_sample_of_many_is_no_peak_until_its_bucket_is_half_full():
    made = feed(window(), {float(at): 1.0 for at in range(0, 300, 60)})
    peaks = []
    for at in range(300, 600, 60):
        feed(made, {float(at): 10.0})
        peaks.append(made.peak()[0])
    assert peaks == [1.0, 1.0, 10.0, 10.0, 10.0]


def test_a_long_silence_leaves_nothing_of_before():
    made = feed(window(), {0: 5.0, 30 * 86_400: 1.0})
    assert made.moments()[0].tolist() == [1.0]
    assert made.peak().tolist() == [1.0]


def test_what_is_older_than_the_window_is_passed_over():
    made = feed(window(), {HELD_SECONDS: 1.0, 0: 99.0, 300: 3.0})
    assert made.moments()[0].tolist() == [2.0]


def test_series_are_the_means_of_buckets_in_the_order_of_time():
    made = feed(window(2), {0: 1.0, 60: 3.0, 900: 5.0}, slot=1)
    times, means = made.series()
    assert times[0] >= NOON - HELD_SECONDS
    held = {int(at - NOON): mean for at, mean in zip(times, means[1], strict=True) if not np.isnan(mean)}
    assert held == {150: 2.0, 1050: 5.0}
    assert np.isnan(means[0]).all()
    assert (np.diff(times) == 300).all()


@settings(max_examples=30)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 7200), amounts), max_size=60),
    st.randoms(use_true_random=False),
)
def test_rows_do_not_bear_on_each_other(samples, random):
    at_once = window(6)
    for at in sorted({at for _, at, _ in samples}):
        now = {slot: value for slot, when, value in samples if when == at}
        order = list(now)
        random.shuffle(order)
        at_once.add(np.array(order), np.array([now[slot] for slot in order]), np.full(len(order), NOON + at))
    for slot in range(6):
        alone = window()
        for at in sorted({at for _, at, _ in samples}):
            alone.add(np.zeros(0, np.int64), np.zeros(0), np.zeros(0))
            for value in {s: v for s, when, v in samples if when == at and s == slot}.values():
                feed(alone, {at: value})
        newest = max((at for _, at, _ in samples), default=0) // 300
        if any(s == slot and at // 300 == newest for s, at, _ in samples):
            np.testing.assert_array_equal(alone.moments()[0][0], at_once.moments()[0][slot])
            np.testing.assert_array_equal(alone.moments()[1][0], at_once.moments()[1][slot])
            np.testing.assert_array_equal(alone.peak()[0], at_once.peak()[slot])


def test_a_cleared_row_is_as_new():
    made = feed(feed(window(2), {0: 1.0, 3600 * 5: 2.0}), {3600 * 5: 9.0}, slot=1)
    made.clear(np.array([0]))
    assert np.isnan(made.moments()[0][0])
    assert np.isnan(made.peak()[0])
    assert not made.is_tenured(np.array([0]))[0]
    assert made.peak()[1] == 9.0


@pytest.mark.parametrize("hours", [1, 5])
def test_the_past_of_a_workload_goes_with_it(hours):
    random = np.random.default_rng(3)
    nodes, vms = window(2), window(3)
    others = random.uniform(2, 4, (2, hours * 60))
    own = random.uniform(1, 3, hours * 60)
    without = window(2)
    for minute in range(hours * 60):
        at = np.full(2, NOON + 60 * minute)
        vms.add(np.array([2]), own[minute : minute + 1], at[:1])
        nodes.add(np.array([0, 1]), others[:, minute] + [own[minute], 0], at)
        without.add(np.array([0, 1]), others[:, minute], at)
    transfer(nodes, vms, np.array([2]), np.array([0], np.int32), np.array([1], np.int32))
    np.testing.assert_allclose(nodes.moments()[0], without.moments()[0] + [0, vms.moments()[0][2]], rtol=1e-4)
    assert nodes.peak()[0] == pytest.approx(without.peak()[0], abs=0.6)
    assert nodes.moments()[1][0] == pytest.approx(without.moments()[1][0], rel=0.2)
    transfer(nodes, vms, np.array([2]), np.array([1], np.int32), np.array([-1], np.int32))
    np.testing.assert_allclose(nodes.moments()[0], without.moments()[0], rtol=1e-4)


def test_more_than_a_node_has_used_is_not_taken_away():
    nodes, vms = feed(window(), {0: 1.0}), feed(window(), {0: 5.0})
    transfer(nodes, vms, np.array([0]), np.array([0], np.int32), np.array([-1], np.int32))
    assert nodes.moments()[0].tolist() == [0.0]
    empty = window()
    transfer(empty, vms, np.array([0]), np.array([-1], np.int32), np.array([0], np.int32))
    assert np.isnan(empty.moments()[0]).all()
