"""Metrics that lie: nothing moves off or to a node that cannot be judged, and the others go on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pytest

from tests.controlplane.rest import Rest
from tests.controlplane.waiting import until
from tests.e2e_acting import scene
from tests.e2e_acting.oracle import Watcher
from tests.e2e_acting.replicas import Replicas
from tests.e2e_acting.test_modes import cycles
from tests.e2e_acting.test_relief import at_rest
from tests.standin.clock import Clock
from tests.standin.cluster import StandIn
from tests.standin.readings import Readings

pytestmark = pytest.mark.xdist_group("control-plane")
LIARS: Final = ("node-0002", "node-0003")
"""One that is hot, and the one that has most room."""
SECONDS: Final = 90.0
LATE_SECONDS: Final = 600.0


def lie_hidden(readings: Readings) -> None:
    readings.hide(*LIARS)


def lie_zero(readings: Readings) -> None:
    readings.zero(*LIARS)


def lie_late(readings: Readings) -> None:
    readings.delay(LATE_SECONDS, *LIARS)


def lie_frozen(readings: Readings) -> None:
    """Values and their time stand still: they are old after a while."""
    readings.freeze(*LIARS)


IDLE = pytest.mark.xfail(strict=True, reason="a node with few requests that shows no use at all is believed")


@pytest.mark.parametrize("lie", [lie_hidden, pytest.param(lie_zero, marks=IDLE), lie_late])
def test_liars_are_left_alone(
    admin: Rest, space: str, replicas: Replicas, watcher: Watcher, lie: Callable[[Readings], None]
) -> None:
    with StandIn(admin, scene.nodes(8), clock=Clock(speed=50)) as standin:
        scene.fill(standin, space, 12, 12, 1, 5, 5, 5, 5, 5)
        lie(standin.readings)
        with replicas.run() as replica:
            until(lambda: at_rest(admin, watcher), "rest", seconds=SECONDS)
            cycles(replica)
        moves = watcher.history().ours
        assert {move.source for move in moves} == {"node-0001"}
        assert not {move.target for move in moves} & set(LIARS)
        assert scene.over(standin) == ["node-0002"]


def test_who_falls_silent_while_it_is_watched_is_left_alone(
    admin: Rest, space: str, replicas: Replicas, watcher: Watcher
) -> None:
    with StandIn(admin, scene.nodes(8), clock=Clock(speed=50)) as standin:
        keys = scene.fill(standin, space, 10, 10, 1, 5, 5, 5, 5, 5)
        with replicas.run() as replica:
            cycles(replica)
            lie_frozen(standin.readings)
            unknown = 'ullage_descheduler_nodes{class="unknown"}'
            until(lambda: replica.loop.metric(unknown) == len(LIARS), "nodes that are not known", seconds=SECONDS)
            for key in (*keys[:10], *keys[10:20]):
                standin.uses.change(key, working_set_bytes=round(1.2 * scene.USE.working_set_bytes))
            standin.readings.refresh()
            until(lambda: at_rest(admin, watcher), "rest", seconds=SECONDS)
        moves = watcher.history().ours
        assert {move.source for move in moves} == {"node-0001"}
        assert not {move.target for move in moves} & set(LIARS)


def test_half_of_the_nodes_missing_stops_all(admin: Rest, space: str, replicas: Replicas, watcher: Watcher) -> None:
    with StandIn(admin, scene.nodes(6), clock=Clock(speed=50)) as standin:
        scene.fill(standin, space, 12, 5, 5, 5, 5, 5)
        standin.readings.hide("node-0004", "node-0005", "node-0006")
        with replicas.run() as replica:
            open_ = 'ullage_descheduler_breaker_open{name="nodes-unknown"}'
            until(
                lambda: replica.loop.metric('ullage_descheduler_nodes{class="over"}') == 1,
                "a node over",
                seconds=SECONDS,
            )
            cycles(replica)
            assert replica.loop.metric(open_) == 1
            assert watcher.history().ours == []
            standin.readings.tell_truth()
            until(lambda: at_rest(admin, watcher), "rest", seconds=SECONDS)
        assert scene.over(standin) == []
