from __future__ import annotations

from datetime import UTC, datetime

from descheduler.acting.breakers import BREAKERS, Alerts, Ended, only_one, opened
from tests.builders import Cluster
from tests.descheduler.policy.making import plan
from ullage.config.schema import Breakers
from ullage.config.windows import Window

NOW = 1_000_000.0
LONG_AGO = 0.0
CONFIG = Breakers()
NO_ALERTS = Alerts()


def made(hot: int = 0, fit: int = 3, unknown: int = 0):
    cluster = Cluster()
    for i in range(hot):
        cluster.node(f"hot{i}").vm(f"shop/h{i}", f"hot{i}", use_cpu=7)
    for i in range(fit):
        cluster.node(f"fit{i}").vm(f"shop/f{i}", f"fit{i}", use_cpu=4)
    for i in range(unknown):
        cluster.node(f"unknown{i}", use_cpu=None)
    return plan(cluster.build())


def codes(given=None, ended=(), since=LONG_AGO, config=CONFIG, now=NOW, alerts=NO_ALERTS) -> list[str]:
    found = opened(given or made(), ended, since, config, now, alerts)
    assert all(each.text.endswith(".") for each in found)
    assert {each.code for each in found} <= set(BREAKERS)
    return [each.code for each in found]


def outcomes(marks: str, at: float = NOW - 60) -> list[Ended]:
    return [Ended(at, mark == "+") for mark in marks]


def test_in_good_times_none_is_open():
    assert codes() == []


def test_after_a_start_a_window_of_measures_is_waited_for():
    assert codes(since=NOW - 299) == ["settling"]
    assert codes(since=NOW - 300) == []


def test_many_unknown_nodes_stop_everything_and_a_single_one_does_not():
    assert codes(made(fit=3, unknown=1)) == []
    assert codes(made(fit=4, unknown=2)) == ["nodes-unknown"]
    assert codes(made(fit=5, unknown=2)) == []


def test_failing_moves_stop_it_until_one_may_be_tried():
    assert codes(ended=outcomes("-+-+-")) == ["moves-fail"]
    assert codes(ended=outcomes("---+++")) == ["moves-fail"]
    assert codes(ended=outcomes("---++++")) == []
    assert codes(ended=outcomes("---", NOW - 900)) == []
    assert only_one(outcomes("---"), CONFIG)
    assert not only_one(outcomes("---++++"), CONFIG)


def test_where_every_node_is_over_nothing_is_gained():
    assert codes(made(hot=3, fit=0)) == ["all-over"]
    assert codes(made(hot=2, fit=1)) == []
    assert codes(made(hot=1, fit=0)) == []


def test_alerts_that_fire_stop_it_and_so_does_not_knowing():
    assert codes(alerts=Alerts(("NodeDown",))) == ["alerts-firing"]
    assert codes(alerts=Alerts(error="connection refused")) == ["alerts-unknown"]
    (found,) = opened(made(), (), LONG_AGO, CONFIG, NOW, Alerts(tuple(f"A{i}" for i in range(7))))
    assert found.text == "Alerts fire: A0, A1, A2, A3, A4 and 2 more."


def at(day: int, hour: int, minute: int = 0) -> float:
    """Unix time in a week that begins on Monday, 2026-01-05."""
    return datetime(2026, 1, 5 + day, hour, minute, tzinfo=UTC).timestamp()


def test_moves_begin_only_at_their_times():
    nightly = Breakers(windows=(Window((0, 4), 22 * 60, 5 * 60),))
    for moment, is_open in (
        (at(0, 21, 59), False),
        (at(0, 22), True),
        (at(1, 4, 59), True),
        (at(1, 5), False),
        (at(1, 22), False),
        (at(4, 23), True),
        (at(5, 3), True),
        (at(6, 3), False),
    ):
        assert codes(config=nightly, now=moment) == ([] if is_open else ["outside-window"]), moment
    (found,) = opened(made(), (), LONG_AGO, nightly, at(0, 12))
    assert found.text == "It is Mon 12:00 UTC, and moves may not begin then."
