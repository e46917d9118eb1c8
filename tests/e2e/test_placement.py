"""Pods go where there is room by real use, not where nothing is requested."""

from __future__ import annotations

import pytest

from tests.e2e import scene
from tests.e2e.extenders import Extender, Launcher
from tests.e2e.scene import EMPTY_BY_REQUESTS, EMPTY_BY_USE, HOT
from tests.e2e.schedulers import Schedulers, configuration
from tests.e2e.workloads import Pods

pytestmark = [pytest.mark.xdist_group("control-plane"), pytest.mark.usefixtures("contradiction")]
NODES = scene.NODES
PODS = 8


def test_without_the_extender_pods_go_where_nothing_is_requested(schedulers: Schedulers, pods: Pods) -> None:
    schedulers.use("")
    pods.create(PODS)
    assert set(pods.landed()) == EMPTY_BY_REQUESTS


def test_filter_and_score_sends_pods_where_little_is_used(
    schedulers: Schedulers, extender: Extender, pods: Pods, port: int
) -> None:
    schedulers.use(configuration("filter-and-score", port))
    pods.create(PODS)
    assert set(pods.landed()) <= EMPTY_BY_USE
    assert extender.answers("scored") == extender.answers("scored", "prioritize") == PODS
    assert extender.value("rejected_nodes_total", code="limit-memory") == PODS
    assert extender.answers("neutral") == extender.answers("error") == 0
    assert "Disabling signatures for profile because it has extenders configured" in schedulers.log()


def test_score_only_does_so_too_in_half_as_many_calls(
    schedulers: Schedulers, extender: Extender, pods: Pods, port: int
) -> None:
    schedulers.use(configuration("score-only", port))
    pods.create(PODS)
    assert set(pods.landed()) <= EMPTY_BY_USE
    assert extender.answers("scored", "prioritize") == PODS
    assert extender.answers("scored", "filter") == 0


def test_score_only_leaves_a_full_node_to_a_pod_that_may_go_nowhere_else(
    schedulers: Schedulers, launcher: Launcher, pods: Pods, port: int
) -> None:
    schedulers.use(configuration("score-only", port))
    with launcher.run():
        pods.create(1, spec={"nodeSelector": {"kubernetes.io/hostname": HOT.name}})
        assert set(pods.landed()) == {HOT.name}
