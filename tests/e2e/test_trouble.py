"""The extender fails, and the scheduler goes on: without it where it may be ignored, else once it is back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from typing import TypeAlias

import pytest

from tests.controlplane.processes import reserved_ports
from tests.e2e import scene
from tests.e2e.extenders import Launcher
from tests.e2e.late import late
from tests.e2e.scene import EMPTY_BY_REQUESTS, EMPTY_BY_USE, HOT
from tests.e2e.schedulers import Schedulers, configuration
from tests.e2e.workloads import Pods

pytestmark = [pytest.mark.xdist_group("control-plane"), pytest.mark.usefixtures("contradiction")]
NODES = scene.NODES
PODS = 2
LATE_SECONDS = 0.8
NOT_IGNORABLE = {"ignorable: true": "ignorable: false"}
TIMED_OUT = "context deadline exceeded"

Trouble: TypeAlias = Callable[[Launcher], AbstractContextManager[None]]


def stopped(launcher: Launcher) -> AbstractContextManager[None]:
    """Nothing listens."""
    del launcher
    return nullcontext()


@contextmanager
def hung(launcher: Launcher) -> Iterator[None]:
    """It takes connections and does nothing."""
    with launcher.run() as extender, extender.hung():
        yield


@contextmanager
def answers_late(launcher: Launcher) -> Iterator[None]:
    """It answers, later than the scheduler waits."""
    with (
        reserved_ports(1) as (behind,),
        replace(launcher, port=behind).run() as extender,
        late(launcher.port, behind, LATE_SECONDS),
    ):
        yield
        assert extender.answers("scored") + extender.answers("scored", "prioritize") > 0
        assert extender.value("exceptions_total") == 0


@contextmanager
def back(launcher: Launcher) -> Iterator[None]:
    """It runs, as behind a Service: nobody asks it before it is ready."""
    with reserved_ports(1) as (behind,), replace(launcher, port=behind).run(), late(launcher.port, behind, 0.0):
        yield


TROUBLES: dict[Trouble, str] = {stopped: "connection refused", hung: TIMED_OUT, answers_late: TIMED_OUT}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_an_extender_that_may_be_ignored_is(
    schedulers: Schedulers, launcher: Launcher, pods: Pods, port: int, trouble: Trouble
) -> None:
    schedulers.use(configuration("filter-and-score", port))
    with trouble(launcher):
        pods.create(PODS, "during")
        assert set(pods.landed("during")) <= EMPTY_BY_REQUESTS
    assert pods.events("during-0") == []
    with launcher.run():
        pods.create(PODS, "after")
        assert set(pods.landed("after")) <= EMPTY_BY_USE


@pytest.mark.parametrize("trouble", TROUBLES)
def test_for_one_that_must_not_be_ignored_pods_wait(
    schedulers: Schedulers, launcher: Launcher, pods: Pods, port: int, trouble: Trouble
) -> None:
    schedulers.use(configuration("filter-and-score", port, changes=NOT_IGNORABLE))
    with trouble(launcher):
        pods.create(PODS)
        verdict = pods.verdict("pod-0", TROUBLES[trouble])
        assert verdict["reason"] == "SchedulerError"
        assert not any(each["spec"].get("nodeName") for each in pods.all())
    with back(launcher):
        assert HOT.name not in pods.landed()


def test_one_that_hung_for_a_while_is_asked_again(
    schedulers: Schedulers, launcher: Launcher, pods: Pods, port: int
) -> None:
    schedulers.use(configuration("filter-and-score", port))
    with launcher.run() as extender:
        with extender.hung():
            pods.create(1, "during")
            pods.landed("during")
        pods.create(PODS, "after")
        assert set(pods.landed("after")) <= EMPTY_BY_USE
        assert extender.value("exceptions_total") == 0


def test_scores_that_come_late_are_left_out_even_where_the_extender_must_not_be_ignored(
    schedulers: Schedulers, launcher: Launcher, pods: Pods, port: int
) -> None:
    schedulers.use(configuration("score-only", port, changes=NOT_IGNORABLE))
    with answers_late(launcher):
        pods.create(1)
        assert set(pods.landed()) <= EMPTY_BY_REQUESTS
