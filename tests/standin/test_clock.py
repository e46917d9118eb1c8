"""Time of the stand-ins."""

from __future__ import annotations

from tests.standin.clock import Clock


def test_stamps_follow_a_machine_whose_clock_is_set() -> None:
    seconds = [1000.0]
    clock = Clock(speed=50, machine=lambda: seconds[0])
    before = clock.real()
    seconds[0] = 1030.0
    assert clock.wall() == 1030.0
    assert 0 <= clock.real() - before < 30.0


def test_stamps_that_run_do_not() -> None:
    seconds = [1000.0]
    clock = Clock(speed=1000.0, stamps_run=True, machine=lambda: seconds[0])
    seconds[0] = 0.0
    first = clock.wall()
    assert first >= 1000.0
    assert clock.wall() > first
