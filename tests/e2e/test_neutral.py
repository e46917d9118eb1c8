"""Without fresh facts the extender has no opinion, and pods are placed as if there were none."""

from __future__ import annotations

import pytest

from tests.controlplane.waiting import until
from tests.e2e import scene
from tests.e2e.extenders import Launcher
from tests.e2e.scene import EMPTY_BY_REQUESTS, EMPTY_BY_USE
from tests.e2e.schedulers import Schedulers, configuration
from tests.e2e.workloads import Pods
from tests.standin.cluster import StandIn

pytestmark = [pytest.mark.xdist_group("control-plane"), pytest.mark.usefixtures("contradiction")]
NODES = scene.NODES
PODS = 8


@pytest.fixture(autouse=True)
def scheduler(schedulers: Schedulers, port: int) -> None:
    """Both verbs."""
    schedulers.use(configuration("filter-and-score", port))


def test_before_the_first_state(launcher: Launcher, pods: Pods) -> None:
    with launcher.run(ready=False) as extender:
        pods.create(PODS, "early")
        assert set(pods.landed("early")) == EMPTY_BY_REQUESTS
        assert extender.answers("neutral") == extender.answers("neutral", "prioritize") == PODS
        assert not extender.is_ready()
        launcher.knowledge.tell()
        until(extender.is_ready, "readiness")
        pods.create(PODS, "late")
        assert set(pods.landed("late")) <= EMPTY_BY_USE


def test_on_a_state_that_is_too_old(launcher: Launcher, cluster: StandIn, pods: Pods) -> None:
    cluster.readings.delay(3600, *(each.name for each in NODES))
    with launcher.run("--max-age=60s") as extender:
        pods.create(PODS, "stale")
        assert set(pods.landed("stale")) == EMPTY_BY_REQUESTS
        assert extender.answers("neutral") == PODS
        assert extender.value("state_age_seconds") > 3500
        cluster.readings.tell_truth()
        extender.learn()
        pods.create(PODS, "fresh")
        assert set(pods.landed("fresh")) <= EMPTY_BY_USE


def test_on_a_state_without_any_measures(launcher: Launcher, cluster: StandIn, pods: Pods) -> None:
    cluster.readings.hide(*(each.name for each in NODES))
    with launcher.run() as extender:
        pods.create(PODS, "blind")
        assert set(pods.landed("blind")) == EMPTY_BY_REQUESTS
        assert extender.value("rejected_nodes_total") == 0
        cluster.readings.tell_truth()
        extender.learn()
        pods.create(PODS, "seeing")
        assert set(pods.landed("seeing")) <= EMPTY_BY_USE


def test_nodes_of_which_nothing_is_known_score_alike(launcher: Launcher, cluster: StandIn, pods: Pods) -> None:
    cluster.readings.hide(*(each.name for each in NODES))
    pods.create(1)
    pods.landed()
    with launcher.run() as extender:
        nodes = extender.explain(pods.get("pod-0"))["nodes"]
        assert len({each["score"] for each in nodes.values()}) == 1


def test_a_node_without_measures_is_neither_preferred_nor_rejected(
    launcher: Launcher, cluster: StandIn, pods: Pods
) -> None:
    cluster.readings.hide("hot")
    with launcher.run() as extender:
        pods.create(1)
        pods.landed()
        nodes = extender.explain(pods.get("pod-0"))["nodes"]
        assert not nodes["hot"]["known"]
        assert nodes["hot"]["code"] == ""
        calm = [nodes[each.name]["raw"] for each in scene.CALM]
        assert nodes["hot"]["raw"] == pytest.approx(sum(calm) / len(calm), abs=0.02)
        assert nodes["warm"]["raw"] < nodes["hot"]["raw"]
