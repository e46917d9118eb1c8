"""What each mode may write, and the kill switch that stops all of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pytest

from tests.controlplane.plane import ControlPlane
from tests.controlplane.rest import Rest
from tests.controlplane.waiting import until
from tests.e2e_acting import scene
from tests.e2e_acting.oracle import Watcher
from tests.e2e_acting.replicas import LEASE_PATH, PLANS, Replica, Replicas
from tests.e2e_acting.test_relief import at_rest, marks
from tests.e2e_live.commands import offline
from tests.standin.clock import Clock
from tests.standin.cluster import StandIn
from tests.standin.wire import NODES, Json, status_of
from ullage.model.codes import CODES

pytestmark = pytest.mark.xdist_group("acting")
CYCLES: Final = 6
SECONDS: Final = 60.0


@pytest.fixture
def standin(admin: Rest, space: str, watcher: Watcher) -> Iterator[StandIn]:
    """One of four nodes has two VMs too many."""
    del watcher  # it must have seen them come
    with StandIn(admin, scene.nodes(4), clock=Clock(speed=50)) as standin:
        scene.fill(standin, space, 12, 5, 5, 5)
        yield standin
        assert standin.failures == []


def plan_in(admin: Rest, phase: str) -> Json:
    """The one plan, once it is in a phase."""

    def found() -> Json | None:
        plans = admin.list(PLANS)
        return next((each for each in plans if status_of(each).get("phase") == phase), None)

    return until(found, f"a plan that is {phase}", seconds=SECONDS)


def cycles(replica: Replica, count: int = CYCLES) -> None:
    """Let it make some more cycles."""
    before = len(replica.cycles())
    until(lambda: len(replica.cycles()) >= before + count, f"{count} cycles", seconds=SECONDS)


def test_predictive_writes_nothing(standin: StandIn, replicas: Replicas, watcher: Watcher) -> None:
    watcher.rules.writes = False
    with replicas.run(mode="Predictive") as replica:
        until(lambda: any(each.get("moves") for each in replica.cycles()), "a plan with moves", seconds=SECONDS)
        cycles(replica)
    assert scene.over(standin) == ["node-0001"]
    assert [e for e in watcher.history().entries if e.who == watcher.history().user and e.is_write] == []


def test_manual_waits_for_a_word(
    standin: StandIn, admin: Rest, replicas: Replicas, watcher: Watcher, control_plane: ControlPlane
) -> None:
    with replicas.run(mode="Manual") as replica:
        name = plan_in(admin, "Proposed")["metadata"]["name"]
        cycles(replica)
        assert watcher.history().ours == []
        assert marks(watcher.history())[1] == {"node-0001"}
        offline("plans", "approve", name, "--kubeconfig", str(control_plane.admin))
        until(lambda: at_rest(admin, watcher), "rest", seconds=SECONDS)
    assert scene.over(standin) == []
    assert {move.plan for move in watcher.history().ours} == {name}


def test_what_was_rejected_is_not_made(
    standin: StandIn, admin: Rest, replicas: Replicas, watcher: Watcher, control_plane: ControlPlane
) -> None:
    with replicas.run(mode="Manual") as replica:
        name = plan_in(admin, "Proposed")["metadata"]["name"]
        offline("plans", "reject", name, "--kubeconfig", str(control_plane.admin))
        plan_in(admin, "Rejected")
        cycles(replica)
    assert watcher.history().ours == []
    assert scene.over(standin) == ["node-0001"]


def test_off_takes_the_marks_away(standin: StandIn, admin: Rest, replicas: Replicas, watcher: Watcher) -> None:
    foreign = {"key": "example.org/mine", "value": "x", "effect": "PreferNoSchedule"}
    left = {"key": "ullage.dev/overutilized", "value": "1", "effect": "PreferNoSchedule"}
    admin.patch(f"{NODES}/node-0003", {"spec": {"taints": [foreign, left]}})
    with replicas.run(mode="Off") as replica:
        until(lambda: not marks(watcher.history())[1], "the end of the mark", seconds=SECONDS)
        cycles(replica)
    assert admin.get(f"{NODES}/node-0003")["spec"]["taints"] == [foreign]
    assert admin.list(PLANS) == []
    assert scene.over(standin) == ["node-0001"]


def test_the_kill_switch_stops_everything_at_once(
    standin: StandIn, admin: Rest, replicas: Replicas, watcher: Watcher
) -> None:
    with replicas.run() as replica:
        until(lambda: watcher.history().ours, "the first move", seconds=SECONDS)
        admin.patch(LEASE_PATH, {"metadata": {"annotations": {"ullage.dev/paused": "true"}}})
        cycles(replica)
        (pause,) = watcher.history().pauses
        late = [e for e in watcher.history().asked if e.received > pause[0] + watcher.rules.pause_seconds]
        assert late == []
        assert replica.cycles()[-1]["heldBack"] == CODES["kill-switch"].meaning
        assert replica.loop.metric("ullage_descheduler_held_back") == 1
        admin.patch(LEASE_PATH, {"metadata": {"annotations": {"ullage.dev/paused": None}}})
        until(lambda: at_rest(admin, watcher), "rest", seconds=SECONDS)
    assert scene.over(standin) == []
    assert len(watcher.history().ours) == 2
