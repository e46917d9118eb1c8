"""Two replicas: whatever happens to the one that leads, the other goes on, and never do both write."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Final

import pytest

from tests.controlplane.plane import ControlPlane
from tests.controlplane.rest import Rest
from tests.controlplane.waiting import until
from tests.e2e_acting import scene
from tests.e2e_acting.oracle import Watcher, loose_ends
from tests.e2e_acting.proxy import Proxy
from tests.e2e_acting.replicas import LEASE_PATH, PLANS, TIMES, Replica, Replicas, configuration
from tests.standin.clock import Clock
from tests.standin.cluster import StandIn

pytestmark = pytest.mark.xdist_group("acting")
SHIPPED: Final = "15s,10s,2s"
SHIPPED_FAILOVER_SECONDS: Final = 21.0
FAILOVER_SECONDS: Final = 14.0
"""With the shorter Lease of the other tests: two thirds of that."""
RELEASE_SECONDS: Final = 5.0
SLOW: Final = 8.0
"""Speed at which a migration takes some seconds."""


class Pair:
    """Two replicas, of which the first leads and has begun a plan."""

    def __init__(self, leader: Replica, other: Replica, way: Proxy, admin: Rest) -> None:
        self.leader, self.other, self.way = leader, other, way
        self._admin = admin

    def holder(self) -> str:
        """Who leads, by the Lease."""
        found: str = self._admin.get(LEASE_PATH)["spec"].get("holderIdentity") or ""
        return found

    def taken_over_after(self) -> float:
        """Seconds until another one holds the Lease."""
        begun, before = monotonic(), self.leader.loop.said("Began to lead")[0]["identity"]
        until(lambda: self.holder() not in ("", before), "another leader", seconds=30)
        return monotonic() - begun


@pytest.fixture
def pair(
    request: pytest.FixtureRequest,
    admin: Rest,
    control_plane: ControlPlane,
    space: str,
    watcher: Watcher,
    tmp_path: Path,
) -> Iterator[Pair]:
    """A plan of four moves, one after the other, of which one has been made; the parameter is the times of the Lease."""
    config = configuration(tmp_path / "config.yaml", budgets={"inFlightPerCluster": 1})
    replicas = Replicas(control_plane, tmp_path, config, times=getattr(request, "param", TIMES))
    with StandIn(admin, scene.nodes(5), clock=Clock(speed=SLOW)) as standin, Proxy(control_plane) as way:
        scene.fill(standin, space, 12, 12, 4, 4, 4)
        with _both(replicas, way) as (leader, other):
            until(lambda: len(watcher.history().ours) > 1, "the second move", seconds=60)
            yield Pair(leader, other, way, admin)
            until(lambda: _is_finished(admin), "the end of the plan", seconds=120)
            until(lambda: not loose_ends(watcher.history()), "rest", seconds=30)
            assert scene.over(standin) == []
    assert len(watcher.history().ours) == 4


@contextmanager
def _both(replicas: Replicas, way: Proxy) -> Iterator[tuple[Replica, Replica]]:
    with replicas.run("first", url=way.url) as leader:
        until(lambda: leader.leads, "a leader")
        with replicas.run("second") as other:
            yield leader, other


def _is_finished(admin: Rest) -> bool:
    return all(each["status"]["phase"] == "Finished" for each in admin.list(PLANS))


@pytest.mark.parametrize("pair", [SHIPPED], indirect=True)
def test_killed_with_the_times_that_are_shipped(pair: Pair) -> None:
    pair.leader.kill()
    assert pair.taken_over_after() <= SHIPPED_FAILOVER_SECONDS


def test_frozen(pair: Pair) -> None:
    pair.leader.program.send(signal.SIGSTOP)
    took = pair.taken_over_after()
    pair.leader.program.send(signal.SIGCONT)
    assert took <= FAILOVER_SECONDS
    until(lambda: pair.leader.loop.has_said("Leads no more"), "the first one's insight")
    assert not pair.leader.leads


def test_cut_off(pair: Pair) -> None:
    pair.way.cut()
    assert pair.taken_over_after() <= FAILOVER_SECONDS
    until(lambda: pair.leader.loop.has_said("Leads no more"), "the first one's insight")
    pair.way.mend()
    assert not pair.leader.leads


def test_ended_in_order(pair: Pair) -> None:
    pair.leader.program.send(signal.SIGTERM)
    assert pair.taken_over_after() < RELEASE_SECONDS
