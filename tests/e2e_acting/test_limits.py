"""What holds moves back: disruption budgets, VMs that an eviction would kill, failures, migrations of others."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from tests.controlplane.plane import ControlPlane
from tests.controlplane.rest import Rest
from tests.controlplane.waiting import until
from tests.e2e_acting import scene
from tests.e2e_acting.history import History
from tests.e2e_acting.oracle import Watcher
from tests.e2e_acting.replicas import Replicas, configuration
from tests.e2e_acting.test_modes import cycles
from tests.e2e_acting.test_relief import at_rest
from tests.standin.clock import Clock
from tests.standin.cluster import StandIn
from tests.standin.kubevirt import names
from tests.standin.kubevirt.outcomes import Outcome
from tests.standin.kubevirt.settings import KubeVirtSettings
from tests.standin.wire import Json, Key, is_going, key_of, phase_of, status_of

pytestmark = pytest.mark.xdist_group("acting")
FAST: Final = Clock(speed=50)
PATIENT: Final = Clock(speed=5)
"""A target that cannot start is given up after a quarter of an hour; here that lasts three minutes."""
SECONDS: Final = 120.0
PER_HOUR: Final = 2


def test_pods_of_a_budget_go_one_at_a_time_and_two_in_an_hour(
    admin: Rest, space: str, control_plane: ControlPlane, watcher: Watcher, tmp_path: Path
) -> None:
    watcher.rules.per_hour = PER_HOUR
    config = configuration(tmp_path / "config.yaml", budgets={"movesPerHour": PER_HOUR})
    replicas = Replicas(control_plane, tmp_path, config)
    with StandIn(admin, scene.nodes(4), clock=FAST) as standin:
        budget = {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "web"}}}
        body = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "web"}, "spec": budget}
        admin.post(f"/apis/policy/v1/namespaces/{space}/poddisruptionbudgets", body)
        spec = {"terminationGracePeriodSeconds": 2}
        standin.create_replicaset("web", 13, namespace=space, node="node-0001", cores=0.5, use=scene.USE, spec=spec)
        standin.settle()
        assert scene.over(standin) == ["node-0001"]
        with replicas.run() as replica:
            until(lambda: done(watcher) == PER_HOUR, "two evictions", seconds=SECONDS)
            cycles(replica)
            assert replica.loop.metric('ullage_descheduler_budget_remaining{scope="hour"}') == 0
        standin.settle(bound=True)
        # A node that was relieved must rise by three points to be over again.
        assert scene.over(standin, scene.HIGH + 0.03) == []
        assert len(admin.list(f"/api/v1/namespaces/{space}/pods")) == 13
    assert [move.kind for move in watcher.history().ours] == ["evict"] * PER_HOUR
    assert most_at_once(watcher.history()) == 1


def done(watcher: Watcher) -> int:
    return sum(move.phase == "Succeeded" for move in watcher.history().ours)


def most_at_once(history: History) -> int:
    return max(sum(other.flies(move.began) for other in history.ours) for move in history.ours)


def test_a_vm_that_an_eviction_would_kill_is_not_touched(
    admin: Rest, space: str, replicas: Replicas, watcher: Watcher
) -> None:
    old = KubeVirtSettings(version="1.5.0")
    with StandIn(admin, scene.nodes(4), clock=FAST, kubevirt=old) as standin:
        names_ = sorted(standin.nodes.shapes)
        kept = scene.some(standin, space, "kept", names_[0], 10, eviction_strategy="None")
        free = scene.some(standin, space, "free", names_[0], 3)
        standin.settle()
        uids = {key: admin.get(names.machine_path(key))["metadata"]["uid"] for key in (*kept, *free)}
        with replicas.run():
            until(lambda: at_rest(admin, watcher), "rest", seconds=SECONDS)
        homes = {key: status_of(admin.get(names.machine_path(key)))["nodeName"] for key in (*kept, *free)}
        assert {homes[key] for key in kept} == {names_[0]}
        assert names_[0] not in {homes[key] for key in free}
        assert uids == {key: admin.get(names.machine_path(key))["metadata"]["uid"] for key in (*kept, *free)}
        assert {phase_of(admin.get(names.machine_path(key))) for key in uids} == {"Running"}


def test_failing_migrations_open_the_breaker(admin: Rest, space: str, replicas: Replicas, watcher: Watcher) -> None:
    with StandIn(admin, scene.nodes(6), clock=FAST) as standin:
        for key in scene.fill(standin, space, 13, 13, 4, 4, 4, 4):
            standin.order(key, Outcome(fail_at=0.1, times=99))
        with replicas.run() as replica:
            breaker = 'ullage_descheduler_breaker_open{name="moves-fail"}'
            until(lambda: replica.loop.metric(breaker) == 1, "the breaker", seconds=SECONDS)
            begun = len(watcher.history().ours)
            cycles(replica)
            assert begun == len(watcher.history().ours) <= 5
            assert {move.phase for move in watcher.history().ours} == {"Failed"}
            assert replica.loop.metric(breaker) == 1


def test_migrations_of_others_count(admin: Rest, space: str, replicas: Replicas, watcher: Watcher) -> None:
    with StandIn(admin, scene.nodes(6), clock=PATIENT) as standin:
        keys = scene.fill(standin, space, 13, 4, 4, 4, 4, 4)
        others = [keys[13 + 4 * node] for node in range(5)]
        for key in others:
            standin.order(key, Outcome(hold_target=True))
            admin.post(f"{names.API}/namespaces/{space}/virtualmachineinstancemigrations", _migration(key))
        until(lambda: _scheduling(admin, space) == len(others), "five migrations under way")
        with replicas.run() as replica:
            until(lambda: any(each.get("moves") for each in replica.cycles()), "a plan", seconds=SECONDS)
            cycles(replica)
            assert watcher.history().ours == []
            assert replica.loop.metric('ullage_descheduler_budget_remaining{scope="cluster"}') == 0
            _call_off(admin, space)
            until(lambda: not scene.over(standin), "relief", seconds=SECONDS)
            until(lambda: at_rest(admin, watcher), "rest", seconds=SECONDS)


def _migration(machine: Key) -> dict[str, object]:
    head = {"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachineInstanceMigration"}
    return {**head, "metadata": {"name": f"others-{machine[1]}"}, "spec": {"vmiName": machine[1]}}


def _scheduling(admin: Rest, namespace: str) -> int:
    return sum(phase_of(each) == "Scheduling" for each in _migrations(admin, namespace))


def _call_off(admin: Rest, namespace: str) -> None:
    for each in _migrations(admin, namespace):
        if each["metadata"]["name"].startswith("others-") and not is_going(each):
            admin.delete(names.migration_path(key_of(each)))


def _migrations(admin: Rest, namespace: str) -> list[Json]:
    return admin.list(f"{names.API}/namespaces/{namespace}/virtualmachineinstancemigrations")
