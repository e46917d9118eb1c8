from __future__ import annotations

import threading

import pytest

from tests.sources.kube_api.clocks import SkippingClock
from tests.sources.live_parts import ListedSource
from ullage.sources.polling import Poller, PollTiming
from ullage.telemetry.identity import NodeIdentities
from ullage.telemetry.readings import Problem, Readings

NOBODY = threading.Event()


def poller(*sources: ListedSource, restored_seconds: float = 0.0) -> tuple[Poller, list[Readings], SkippingClock]:
    clock = SkippingClock()
    delivered: list[Readings] = []
    timing = PollTiming(restored_seconds=restored_seconds)

    def deliver(readings: Readings) -> tuple[Problem, ...]:
        delivered.append(readings)
        return (Problem("missing", f"Reading {len(delivered)}."),)

    return Poller(sources, clock, lambda: NodeIdentities.of({"node": ()}), deliver, timing), delivered, clock


def test_the_first_source_that_answers_counts() -> None:
    first, second = ListedSource("prometheus"), ListedSource("metrics.k8s.io")
    made, delivered, clock = poller(first, second)
    assert not made.has_asked
    assert made.ask(NOBODY)
    assert made.has_asked
    assert [each.source for each in delivered] == ["prometheus"]
    assert second.asked == 0
    first.fails = "connection refused"
    clock.wait(NOBODY, 30.0)
    assert made.ask(NOBODY)
    assert [each.source for each in delivered] == ["prometheus", "metrics.k8s.io"]
    health = {each.source: each for each in made.health()}
    assert health["prometheus"].error == "connection refused"
    assert 30.0 <= health["prometheus"].age_seconds < 35.0
    assert health["metrics.k8s.io"].error == ""
    assert health["metrics.k8s.io"].age_seconds < 5.0
    first.fails = ""
    assert made.ask(NOBODY)
    assert delivered[-1].source == "prometheus"
    assert made.health()[0].error == ""
    assert [each.text for each in made.health()[0].problems] == ["Reading 3."]


def test_where_nothing_answers_that_is_known_too(caplog: pytest.LogCaptureFixture) -> None:
    only = ListedSource("prometheus")
    only.fails = "bug"
    made, delivered, _ = poller(only)
    assert not made.ask(NOBODY)
    assert (made.has_asked, delivered) == (True, [])
    health = made.health()[0]
    assert health.error == "program error: ValueError: a broken invariant"
    assert health.age_seconds != health.age_seconds
    assert "program error" in caplog.text


def test_a_source_that_knows_no_node_does_not_count() -> None:
    first, second = ListedSource("prometheus"), ListedSource("metrics.k8s.io")
    first.fails_to_see = True
    made, delivered, _ = poller(first, second)
    assert made.ask(NOBODY)
    assert [each.source for each in delivered] == ["metrics.k8s.io"]
    assert made.health()[0].error == "it knows no node of this cluster"


def test_without_sources_there_is_nothing_to_wait_for() -> None:
    made, _, _ = poller()
    assert made.has_asked
    made.run(NOBODY)


def test_the_past_comes_first_and_once() -> None:
    first = ListedSource("prometheus", past=3)
    made, delivered, clock = poller(first, restored_seconds=300.0)
    made.ask(NOBODY)
    times = [each.asked_at_seconds for each in delivered]
    assert times == sorted(times)
    assert len(times) == 4
    assert 299.0 <= times[3] - times[0] <= 301.0
    clock.wait(NOBODY, 30.0)
    made.ask(NOBODY)
    assert len(delivered) == 5
    assert len(first.asked_for_past) == 1


def test_the_past_is_not_asked_for_after_the_present() -> None:
    first, second = ListedSource("prometheus", past=3), ListedSource("metrics.k8s.io")
    first.fails = "connection refused"
    made, delivered, _ = poller(first, second, restored_seconds=300.0)
    made.ask(NOBODY)
    first.fails = ""
    made.ask(NOBODY)
    assert first.asked_for_past == []
    assert [each.source for each in delivered] == ["metrics.k8s.io", "prometheus"]


def test_without_the_past_the_present_is_read_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    only = ListedSource("prometheus", past=3)
    only.forgets = True
    made, delivered, _ = poller(only, restored_seconds=300.0)
    assert made.ask(NOBODY)
    assert len(delivered) == 2, "one step of the past, and the present"
    assert "The past could not be read" in caplog.text


def test_it_asks_at_its_period_until_it_is_stopped() -> None:
    stop = threading.Event()
    only = ListedSource("prometheus")
    made, delivered, clock = poller(only)
    started = clock.monotonic()
    clock.at(started + 299.0, stop.set)
    made.run(stop)
    assert len(delivered) == 10
    assert all(29.0 <= wait <= 30.0 for wait in clock.waits)
