"""A real Prometheus scrapes the stand-in's exporters: what only it knows arrives in the state."""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from tests.controlplane.waiting import until
from tests.e2e_live import scene
from tests.e2e_live.account import Account
from tests.e2e_live.commands import HURRIED, Ullage, configuration, offline
from tests.sources.prometheus.exporters import prometheus, scrape
from tests.standin.cluster import StandIn
from tests.standin.nodes import GI
from ullage.model.measures import NodeMeasure, WorkloadMeasure
from ullage.sources.inputs import load

pytestmark = pytest.mark.xdist_group("control-plane")
WINDOW_SECONDS = 30


@pytest.fixture(scope="module")
def monitoring(cluster: StandIn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a Prometheus that has scraped for longer than the window of rates."""
    port = urllib.parse.urlsplit(cluster.exposition_url).port or 0
    jobs = {"node-exporter": "/node", "cadvisor": "/cadvisor", "kubelet": "/resource", "kubevirt": "/kubevirt"}
    with prometheus(tmp_path_factory.mktemp("prometheus"), [scrape(job, port, at) for job, at in jobs.items()]) as url:
        scrapes = f"min(count_over_time(up[2m])) >= {WINDOW_SECONDS + 2}"
        until(lambda: _asked(url, scrapes), "enough scrapes", seconds=90)
        yield url


@pytest.fixture
def measured(account: Account, monitoring: str, tmp_path: Path) -> Ullage:
    """The commands, with Prometheus."""
    server = {"url": monitoring, "rateWindowSeconds": WINDOW_SECONDS}
    return Ullage(account.kubeconfig, configuration(tmp_path / "config.yaml", **HURRIED, prometheus=server))


def _asked(url: str, query: str) -> bool:
    answer = urllib3.request("GET", f"{url}/api/v1/query", fields={"query": query}, retries=False)
    return bool(json.loads(answer.data)["data"]["result"])


def test_capture_has_swap_stalls_and_dirty_rates(measured: Ullage, account: Account, tmp_path: Path) -> None:
    since, file = account.here(), tmp_path / "cluster.snapshot"
    measured("snapshot", "capture", "-o", str(file))
    state = load([str(file)])
    assert state.sources == ("prometheus",)
    hot, nodes = state.nodes.name.index(scene.HOT), state.nodes.measures
    found = {measure.name: nodes.column(measure)[hot] for measure in NodeMeasure}
    wanted = {
        "CPU_MEAN_CORES": 6,
        "MEMORY_MEAN_BYTES": 55 * GI,
        "SWAP_USED_BYTES": scene.SWAPPED,
        "SWAP_IN_BYTES_PER_SECOND": 100 * 4096,
        "PSI_MEMORY_SOME_RATIO": 0.2,
        "PSI_MEMORY_FULL_RATIO": 0.05,
    }
    assert {name: found[name] for name in wanted} == pytest.approx(wanted, rel=0.1)
    rows = state.workloads.measures
    vm = state.workloads.name.index("vm-0")
    assert rows.column(WorkloadMeasure.DIRTY_RATE_BYTES_PER_SECOND)[vm] == pytest.approx(30e6)
    assert rows.column(WorkloadMeasure.SWAP_USED_BYTES)[vm] == pytest.approx(scene.SWAPPED)
    assert rows.column(WorkloadMeasure.CPU_MEAN_CORES)[vm] == pytest.approx(2, rel=0.1)
    assert account.refused(since) == set()  # no Service has to be looked for


def test_plan_of_the_hot_node_and_status(measured: Ullage) -> None:
    plan = measured.json("plan", "--live")
    assert [(each["from"], each["to"] in scene.ROOMY) for each in plan["spec"]["moves"]] == [(scene.HOT, True)]
    found = measured.json("status")
    assert [(each["source"], each["error"]) for each in found["readings"]] == [
        ("prometheus", ""),
        ("metrics.k8s.io", ""),
    ]
    assert found["set_aside"] == []


def test_a_silent_exporter_sets_its_node_aside(standin: StandIn, measured: Ullage, tmp_path: Path) -> None:
    with measured.loop(tmp_path / "log") as loop:
        until(lambda: loop.metric('ullage_descheduler_nodes{class="over"}') == 1, "the hot node")
        standin.readings.hide(scene.MIDDLE)
        aside = until(lambda: loop.json("/status")["health"]["set_aside"], "a node set aside", seconds=60)
        assert [each["node"] for each in aside] == [scene.MIDDLE]
        assert aside[0]["code"] == "stale"
        assert "10 s may be" in offline("status", "--url", loop.url).partition("NODE SET ASIDE")[2]
        until(lambda: loop.metric('ullage_descheduler_nodes{class="unknown"}') == 1, "it is not known")
