from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ullage.sources.kube_api.backoff import LONGEST_RETRY_AFTER_SECONDS, Backoff, Pace

STEADY = Pace(jitter=0.0, most_seconds=30.0)


def test_waits_double_up_to_the_longest() -> None:
    backoff = Backoff(STEADY, Random(0))
    assert [backoff.after(0.0) for _ in range(8)] == [0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0]


def test_after_two_healthy_minutes_it_starts_anew() -> None:
    backoff = Backoff(STEADY, Random(0))
    assert [backoff.after(now) for now in (0.0, 0.8, 100.0, 223.1, 352.0)] == [0.8, 1.6, 3.2, 6.4, 0.8]


def test_the_server_may_ask_for_more_but_not_for_an_hour() -> None:
    backoff = Backoff(STEADY, Random(0))
    assert backoff.after(0.0, 5.0) == 5.0
    assert backoff.after(0.0, 0.5) == 1.6
    assert backoff.after(0.0, 3600.0) == LONGEST_RETRY_AFTER_SECONDS


@given(seed=st.integers(0, 1000), failures=st.integers(1, 100))
def test_jitter_keeps_within_the_limits(seed: int, failures: int) -> None:
    backoff = Backoff(Pace(), Random(seed))
    waits = [backoff.after(0.0) for _ in range(failures)]
    assert all(0.8 <= wait <= 8.0 for wait in waits)
    assert sum(waits[3:]) >= 4.0 * len(waits[3:])


def test_two_seeds_wait_differently_and_one_the_same() -> None:
    def waits(seed: int) -> list[float]:
        backoff = Backoff(Pace(), Random(seed))
        return [backoff.after(0.0) for _ in range(5)]

    assert waits(1) == waits(1)
    assert waits(1) != waits(2)


def test_the_wait_leaves_time_to_recover_within_ten_seconds() -> None:
    assert Pace().most_seconds <= 8.0


@pytest.mark.parametrize("failures", [1, 10_000])
def test_many_failures_do_not_overflow(failures: int) -> None:
    backoff = Backoff(Pace(), Random(0))
    assert max(backoff.after(0.0) for _ in range(failures)) <= 8.0
