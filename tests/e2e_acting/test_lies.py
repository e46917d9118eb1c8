"""Metrics that lie: nothing moves off or to a node that cannot be judged, and the others go on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import pytest
import urllib3

from tests.controlplane.plane import ControlPlane
from tests.controlplane.rest import Rest
from tests.controlplane.waiting import until
from tests.e2e_acting import scene
from tests.e2e_acting.oracle import Watcher
from tests.e2e_acting.replicas import Replicas, configuration
from tests.e2e_acting.test_modes import cycles
from tests.e2e_acting.test_relief import at_rest
from tests.sources.prometheus.exporters import prometheus, scrape
from tests.standin.clock import Clock
from tests.standin.cluster import StandIn

pytestmark = pytest.mark.xdist_group("acting")
FAST: Final = Clock(speed=50)
HOT: Final = 12
ROOMY: Final = 1
CALM: Final = 5
COUNTS: Final = (HOT, *(HOT, ROOMY) * 3, *(CALM,) * 5)
HIDDEN: Final = ("node-0002", "node-0003")
ZERO: Final = ("node-0004", "node-0005")
LATE: Final = ("node-0006", "node-0007")
"""Of each kind one that is hot, and one that has most room."""
LIARS: Final = (*HIDDEN, *ZERO, *LATE)
HALF: Final = {"unknownRatio": 0.6}
"""So many may be unknown, so that the others go on."""
SECONDS: Final = 90.0
LATE_SECONDS: Final = 600.0
WINDOW_SECONDS: Final = 30
UNKNOWN: Final = 'ullage_descheduler_nodes{class="unknown"}'


def test_liars_are_left_alone(
    admin: Rest, space: str, control_plane: ControlPlane, watcher: Watcher, tmp_path: Path
) -> None:
    replicas = Replicas(control_plane, tmp_path, configuration(tmp_path / "config.yaml", breakers=HALF))
    with StandIn(admin, scene.nodes(len(COUNTS)), clock=FAST) as standin:
        scene.fill(standin, space, *COUNTS)
        standin.readings.hide(*HIDDEN)
        standin.readings.zero(*ZERO)
        standin.readings.delay(LATE_SECONDS, *LATE)
        with replicas.run() as replica:
            until(lambda: at_rest(admin, watcher), "rest", seconds=SECONDS)
            cycles(replica)
            assert replica.loop.metric(UNKNOWN) == len(LIARS)
        moves = watcher.history().ours
        assert {move.source for move in moves} == {"node-0001"}
        assert not {move.target for move in moves} & set(LIARS)
        assert scene.over(standin) == ["node-0002", "node-0004", "node-0006"]


@pytest.mark.skipif("ULLAGE_SLOW" not in os.environ, reason="Prometheus scrapes for a minute: make test-slow")
def test_what_is_not_a_number_is_left_alone(
    admin: Rest, space: str, control_plane: ControlPlane, watcher: Watcher, tmp_path: Path
) -> None:
    with StandIn(admin, scene.nodes(8), clock=FAST) as standin:
        scene.fill(standin, space, HOT, HOT, ROOMY, *(CALM,) * 5)
        standin.readings.spoiled.update(HIDDEN)
        with scraped(standin, tmp_path) as url:
            server = {"url": url, "rateWindowSeconds": WINDOW_SECONDS}
            replicas = Replicas(control_plane, tmp_path, configuration(tmp_path / "config.yaml", prometheus=server))
            with replicas.run() as replica:
                until(lambda: at_rest(admin, watcher), "rest", seconds=SECONDS)
                cycles(replica)
                assert replica.loop.metric(UNKNOWN) == len(HIDDEN)
                assert replica.loop.metric('ullage_descheduler_metrics_rejected{why="nan"}') > 0
        moves = watcher.history().ours
        assert {move.source for move in moves} == {"node-0001"}
        assert not {move.target for move in moves} & set(HIDDEN)
        assert scene.over(standin) == ["node-0002"]


@contextmanager
def scraped(standin: StandIn, folder: Path) -> Iterator[str]:
    """Address of a Prometheus that has scraped for longer than the window of rates."""
    port = urlsplit(standin.exposition_url).port or 0
    jobs = {"node-exporter": "/node", "cadvisor": "/cadvisor", "kubelet": "/resource", "kubevirt": "/kubevirt"}
    with prometheus(folder, [scrape(job, port, at) for job, at in jobs.items()]) as url:
        enough = f"min(count_over_time(up[2m])) >= {WINDOW_SECONDS + 2}"
        until(lambda: _asked(url, enough), "enough scrapes", seconds=SECONDS)
        yield url


def _asked(url: str, query: str) -> bool:
    answer = urllib3.request("GET", f"{url}/api/v1/query", fields={"query": query}, retries=False)
    return bool(answer.json()["data"]["result"])


def test_who_falls_silent_while_it_is_watched_is_left_alone(
    admin: Rest, space: str, replicas: Replicas, watcher: Watcher
) -> None:
    silent = ("node-0002", "node-0003")
    with StandIn(admin, scene.nodes(8), clock=FAST) as standin:
        keys = scene.fill(standin, space, 10, 10, 1, *(CALM,) * 5)
        with replicas.run() as replica:
            cycles(replica)
            standin.readings.freeze(*silent)  # values and their time stand still: they are old after a while
            until(lambda: replica.loop.metric(UNKNOWN) == len(silent), "nodes that are not known", seconds=SECONDS)
            for key in keys[:20]:
                standin.uses.change(key, working_set_bytes=round(1.2 * scene.USE.working_set_bytes))
            standin.readings.refresh()
            until(lambda: at_rest(admin, watcher), "rest", seconds=SECONDS)
        moves = watcher.history().ours
        assert {move.source for move in moves} == {"node-0001"}
        assert not {move.target for move in moves} & set(silent)


def test_half_of_the_nodes_missing_stops_all(admin: Rest, space: str, replicas: Replicas, watcher: Watcher) -> None:
    with StandIn(admin, scene.nodes(6), clock=FAST) as standin:
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
