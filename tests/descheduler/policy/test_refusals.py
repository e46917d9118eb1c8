from __future__ import annotations

from collections.abc import Callable

import pytest

from descheduler.policy.memory import Memory, Moved
from tests.builders import Cluster
from tests.descheduler.policy.making import configuration, moves, node, notes, plan, refusal, refusals
from ullage.model.codes import CODES, Topic
from ullage.model.state import ClusterState, EvictionStrategy, WorkloadFlag

NOW = 1_000_000.0
REST = ("DaemonSet", "rest")


def two_nodes() -> Cluster:
    return Cluster().node("n1").node("n2")


def vm(**extras) -> Callable[[], Cluster]:
    """A VM that makes its node over and could go to the other one, but for `extras`."""
    return lambda: (
        two_nodes().vm("shop/v", "n1", **({"use_cpu": 6.0} | extras)).pod("shop/rest", "n1", use_cpu=1.5, owner=REST)
    )


def pod(**extras) -> Callable[[], Cluster]:
    return lambda: (
        two_nodes().pod("shop/v", "n1", **({"use_cpu": 6.0} | extras)).pod("shop/rest", "n1", use_cpu=1.5, owner=REST)
    )


FORBIDDEN: tuple[tuple[str, Callable[[], Cluster]], ...] = (
    ("migration-target", vm(flags=WorkloadFlag.MIGRATION_TARGET)),
    ("migrating", vm(flags=WorkloadFlag.MIGRATING)),
    ("daemonset", pod(owner=("DaemonSet", "agent"))),
    ("mirror-pod", pod(flags=WorkloadFlag.MIRROR)),
    ("terminating", vm(flags=WorkloadFlag.TERMINATING)),
    ("pending", vm(flags=WorkloadFlag.PENDING)),
    ("eviction-in-progress", pod(flags=WorkloadFlag.EVICTION_IN_PROGRESS)),
    ("prefer-no-eviction", vm(flags=WorkloadFlag.PREFER_NO_EVICTION)),
    ("critical", pod(flags=WorkloadFlag.CRITICAL)),
    ("bare-pod", pod(owner=None)),
    ("local-storage", pod(flags=WorkloadFlag.LOCAL_STORAGE)),
    ("not-live-migratable", vm(live_migratable=False)),
    ("eviction-strategy", vm(eviction_strategy=EvictionStrategy.NONE)),
    ("eviction-strategy", vm(eviction_strategy=EvictionStrategy.EXTERNAL)),
    ("paused", vm(flags=WorkloadFlag.PAUSED)),
    ("converges-not", vm(dirty_rate="1Gi")),
    ("cooldown", vm(last_moved=NOW - 60)),
    ("no-targeted-migration", lambda: vm(eviction_strategy=EvictionStrategy.UNSET)().kubevirt(version="v1.5.2")),
    ("disruption-budget", lambda: vm()().budget("shop/b", 0, ["shop/v"])),
    ("quota", lambda: vm()().quota("shop/q", {"requests.memory": "20Gi"}, {"requests.memory": "15Gi"})),
    ("quota", lambda: vm()().quota("shop/q", {"memory": "20Gi"}, {"memory": "15Gi"})),
    ("quota", lambda: vm()().quota("shop/q", {"pods": 2}, {"pods": 2})),
    ("quota", lambda: vm()().quota("shop/q", {"count/pods": 2}, {"count/pods": 2})),
    ("quota", lambda: vm(limits={"cpu": 2})().quota("shop/q", {"limits.cpu": 3}, {"limits.cpu": 2})),
    (
        "quota",
        lambda: vm(requests={"example.com/gpu.small": 1})().quota(
            "shop/q", {"requests.example.com/gpu.small": 1}, {"requests.example.com/gpu.small": 1}
        ),
    ),
    ("use-unknown", lambda: unmeasured()),
)


def unmeasured() -> Cluster:
    return (
        Cluster().node("n1", use_cpu=7.5, use_memory="8Gi").node("n2").vm("shop/v", "n1", use_cpu=None, use_memory=None)
    )


@pytest.mark.parametrize(("code", "cluster"), FORBIDDEN)
def test_what_may_not_move_says_why_and_stays(code, cluster):
    made = plan(built(cluster()))
    assert "v" not in {m.workload.name for m in made.spec.moves}
    assert refusals(made)["v"] == code
    assert CODES[code].meaning in refusal(made, "v").reason
    assert node(made, "n1").after.node_class == "over"


def built(cluster: Cluster) -> ClusterState:
    return cluster.build(NOW)


@pytest.mark.parametrize("namespace", ["kube-system", "openshift-etcd"])
def test_the_namespaces_of_the_platform_are_left_alone(namespace):
    made = plan(
        two_nodes().vm(f"{namespace}/v", "n1", use_cpu=6).pod("shop/rest", "n1", use_cpu=1.5, owner=REST).build()
    )
    assert refusals(made)["v"] == "excluded-namespace"


@pytest.mark.parametrize("flag", [WorkloadFlag.LOCAL_STORAGE, WorkloadFlag.CRITICAL, WorkloadFlag.PREFER_NO_EVICTION])
def test_an_owner_may_allow_what_a_protection_forbids(flag):
    made = plan(built(pod(flags=flag | WorkloadFlag.EVICT)()))
    assert moves(made) == [("v", "n1", "n2")]


def test_protections_of_pods_are_not_for_vms():
    assert moves(plan(built(vm(flags=WorkloadFlag.LOCAL_STORAGE)()))) == [("v", "n1", "n2")]


def test_a_migratable_vm_moves():
    assert moves(plan(built(vm()()))) == [("v", "n1", "n2")]
    assert moves(plan(built(vm(live_migratable=None)()))) == [("v", "n1", "n2")]


@pytest.mark.parametrize("version", ["v1.6.0", "1.10.1", "", "development"])
def test_a_kubevirt_that_names_destinations_needs_no_eviction_strategy(version):
    cluster = vm(eviction_strategy=EvictionStrategy.UNSET)().kubevirt(version=version)
    assert moves(plan(built(cluster))) == [("v", "n1", "n2")]


def test_without_a_strategy_and_a_version_a_note_says_what_is_safe():
    unset = vm(eviction_strategy=EvictionStrategy.UNSET)
    for cluster, said in ((unset(), True), (unset().kubevirt(version="v1.7.0"), False), (vm()(), False)):
        assert ("eviction-strategy-unknown" in notes(plan(built(cluster)))) == said


def test_kubevirt_says_why_a_vm_cannot_migrate():
    made = plan(built(vm(live_migratable=False, blocked_reason="DisksNotLiveMigratable: PVC is not shared")()))
    assert "DisksNotLiveMigratable: PVC is not shared" in refusal(made, "v").reason


def test_a_quota_with_room_lets_go():
    cluster = vm()().quota("shop/q", {"requests.memory": "64Gi", "count/pods": 1}, {"requests.memory": "15Gi"})
    assert moves(plan(built(cluster.quota("bank/q", {"requests.memory": 1})))) == [("v", "n1", "n2")]


def test_after_its_cooldown_a_vm_moves_again():
    assert moves(plan(built(vm(last_moved=NOW - 3601)()))) == [("v", "n1", "n2")]


def _moved(uid: str, at: float) -> Memory:
    return Memory().after([Moved(uid, at)], at)


def test_a_decision_is_remembered_as_a_cooldown():
    state = built(vm()())
    uid = state.workloads.uid[state.workloads.name.index("v")]
    remembered = _moved(uid, NOW - 60)
    assert refusals(plan(state, memory=remembered))["v"] == "cooldown"
    assert moves(plan(state, memory=_moved(uid, NOW - 7200))) == [("v", "n1", "n2")]


def test_the_later_of_what_is_remembered_and_what_is_seen_counts():
    state = built(vm(last_moved=NOW - 60)())
    uid = state.workloads.uid[state.workloads.name.index("v")]
    assert refusals(plan(state, memory=_moved(uid, NOW - 7200)))["v"] == "cooldown"


def test_what_need_not_move_says_so():
    made = plan(built(two_nodes().vm("shop/v", "n1", use_cpu=6).vm("shop/u", "n1", use_cpu=1.5, use_memory="2Gi")))
    assert moves(made) == [("u", "n1", "n2")]
    assert refusals(made) == {"v": "not-needed"}
    assert "the node reaches its target without this move" in refusal(made, "v").reason


def test_the_limit_on_moves_is_a_reason():
    made = plan(built(vm()()), max_moves=0)
    assert made.spec.moves == ()
    assert refusals(made) == {"v": "move-budget", "rest": "daemonset"}
    assert node(made, "n1").code == "node-over-budget"


def test_too_big_for_every_node_says_what_is_in_the_way():
    state = two_nodes().vm("shop/v", "n1", use_cpu=7.5).build(NOW)
    made = plan(state)
    assert refusal(made, "v").code == "no-destination"
    assert "1 target-cpu" in refusal(made, "v").reason
    assert node(made, "n1").code == "node-over-no-room"


def test_one_node_has_no_other():
    made = plan(Cluster().node("n1").vm("shop/v", "n1", use_cpu=7.5).build(NOW))
    assert refusal(made, "v").reason == "There is no other node."
    assert node(made, "n1").code == "node-over-no-room"
    assert notes(made) == {"relief-impossible"}


def test_what_brings_no_relief_is_not_worth_a_move():
    cluster = two_nodes().vm("shop/v", "n1", use_cpu=0, use_memory="1Gi")
    made = plan(cluster.pod("shop/agent", "n1", use_cpu=7, owner=("DaemonSet", "agent")).build(NOW))
    assert refusals(made) == {"agent": "daemonset", "v": "no-gain"}
    assert node(made, "n1").code == "node-over-not-attributed"
    assert made.status.summary.relief_possible


def test_a_node_whose_use_is_not_that_of_its_workloads_stays_over():
    made = plan(Cluster().node("n1", use_cpu=7, use_memory=0).node("n2").build(NOW))
    assert node(made, "n1").code == "node-over-not-attributed"
    assert made.status.summary.relief_possible is False


def test_a_node_of_workloads_that_may_not_move_has_no_victim():
    made = plan(built(vm(live_migratable=False)()), config=configuration(high=0.5, target=0.5))
    assert node(made, "n1").code == "node-over-no-victim"
    assert "1 not-live-migratable" in node(made, "n1").reason
    assert "CPU 93.8% (threshold 50.0%)" in node(made, "n1").reason


@pytest.mark.parametrize("goal", ["balance", "consolidate"])
def test_another_goal_does_not_pretend_to_have_tried(goal):
    made = plan(two_nodes().vm("shop/v", "n1", use_cpu=7.5).build(NOW), goal=goal)
    assert made.spec.moves == ()
    assert node(made, "n1").code == "node-over-other-goal"
    assert "not-needed" not in refusals(made).values()


def test_every_code_of_eligibility_is_tried_here():
    said = {code for code, _ in FORBIDDEN} | {"excluded-namespace", "not-needed", "move-budget", "no-destination"}
    rest = {c.name for c in CODES.values() if c.topic is Topic.REFUSED} - said
    assert rest == {"no-gain"}


def test_a_full_quota_holds_no_pod_that_is_evicted_before_its_replacement_comes():
    cluster = Cluster().node("n1", cpu=10).node("n2", cpu=10)
    cluster.pod("shop/web", "n1", requests_cpu=1, use_cpu=5).pod("shop/db", "n1", requests_cpu=1, use_cpu=4)
    cluster.quota("shop/all", {"requests.cpu": 2.0}, {"requests.cpu": 2.0})
    made = plan(cluster.build())
    assert [m.workload.name for m in made.spec.moves] == ["db"]
