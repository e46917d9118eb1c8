"""Evictions of pods: of this very pod, and followed until it is gone."""

from __future__ import annotations

import pytest

from descheduler.executors.evict import IN_PROGRESS, EvictExecutor
from descheduler.executors.port import Verdict
from descheduler.executors.unsettled import SETTLES_SECONDS
from tests.descheduler.executors.api import DENIED, Json, status
from tests.descheduler.executors.world import POD, World, pod_step

STEP = pod_step()
PDB = ({"reason": "DisruptionBudget", "message": "The disruption budget web needs 2 healthy pods and has 2 currently"},)


@pytest.fixture
def executor(world: World) -> EvictExecutor:
    return EvictExecutor(world.writer)


def test_eviction_names_the_uid_of_the_plan(world: World, executor: EvictExecutor) -> None:
    receipt = executor.begin(STEP)
    assert (receipt.verdict, receipt.code) == (Verdict.UNDER_WAY, "eviction-accepted")
    (request,) = world.api.done
    assert request.path == f"{POD}/eviction"
    assert request.body == {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": "web-1", "namespace": "app"},
        "deleteOptions": {"preconditions": {"uid": "pod-uid"}},
    }


def test_pod_is_done_when_its_uid_is_gone(world: World, executor: EvictExecutor) -> None:
    executor.begin(STEP)
    assert executor.look(STEP).code == "pod-ending"
    world.put_pod("the-next-of-a-stateful-set")
    receipt = executor.look(STEP)
    assert (receipt.verdict, receipt.code) == (Verdict.DONE, "evicted")


@pytest.mark.parametrize(
    ("change", "verdict", "code"),
    [
        ({"metadata": {"uid": "another"}}, "gone", "workload-gone"),
        ({"metadata": {"deletionTimestamp": "x"}}, "under-way", "pod-ending"),
        ({"status": {"phase": "Succeeded"}}, "gone", "workload-ended"),
        ({"spec": {"nodeName": "node-2"}}, "refused", "workload-elsewhere"),
        ({"spec": {"nodeName": None}}, "refused", "workload-elsewhere"),
    ],
)
def test_pod_that_need_not_go_is_left_alone(
    world: World, executor: EvictExecutor, change: Json, verdict: str, code: str
) -> None:
    world.api.change(POD, change)
    receipt = executor.begin(STEP)
    assert (receipt.verdict, receipt.code) == (verdict, code)
    assert executor.probe(STEP) == receipt
    assert world.api.asked("POST") == []


def test_budget_that_is_used_up_is_asked_again_later(world: World, executor: EvictExecutor) -> None:
    world.api.answers = [status(429, "TooManyRequests", "Cannot evict pod", PDB)]
    receipt = executor.begin(STEP)
    assert (receipt.verdict, receipt.code, receipt.retry_after_seconds) == (Verdict.LATER, "disruption-budget", 5.0)
    assert executor.begin(STEP).verdict is Verdict.UNDER_WAY
    assert world.writer.evictions == {"disruption-budget": 1, "eviction-accepted": 1}


def test_failure_hidden_in_a_success(world: World, executor: EvictExecutor) -> None:
    _, failure = status(500, "", "This pod has more than one PodDisruptionBudget, which is not supported.")
    world.api.answers = [(201, failure)]
    receipt = executor.begin(STEP)
    assert (receipt.verdict, receipt.code) == (Verdict.REFUSED, "several-budgets")


def test_eviction_in_the_background_is_followed(world: World, executor: EvictExecutor) -> None:
    world.api.answers = [status(429, "", f"{DENIED}Eviction triggered evacuation of something")]
    assert executor.begin(STEP).code == "evacuating"
    assert executor.look(STEP).verdict is Verdict.UNKNOWN
    world.api.change(POD, {"metadata": {"annotations": {IN_PROGRESS: "true"}}})
    world.clock.now = 10_000.0
    assert executor.look(STEP).code == "eviction-in-background"
    world.api.remove(POD)
    assert executor.look(STEP).verdict is Verdict.DONE


def test_eviction_that_was_not_applied_ends(world: World, executor: EvictExecutor) -> None:
    world.api.answers = [status(504, "Timeout", "conflicts")]
    assert executor.begin(STEP).code == "server-timeout"
    assert executor.look(STEP).verdict is executor.begin(STEP).verdict is Verdict.UNKNOWN
    assert len(world.api.asked("POST")) == 1
    world.clock.now = SETTLES_SECONDS
    receipt = executor.look(STEP)
    assert (receipt.verdict, receipt.code) == (Verdict.FAILED, "not-applied")


def test_pod_that_vanished_after_a_lost_reply_is_done(world: World, executor: EvictExecutor) -> None:
    world.api.lose = "committed"
    assert executor.begin(STEP).verdict is Verdict.UNKNOWN
    world.api.remove(POD)
    assert executor.begin(STEP).verdict is Verdict.DONE
    assert EvictExecutor(world.writer).begin(STEP).verdict is Verdict.GONE
