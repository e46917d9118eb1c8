from __future__ import annotations

import pytest

from tests.builders import Cluster
from tests.descheduler.policy.making import configuration, moves, node, notes, plan, refusal, refusals
from ullage.config.schema import Configuration, Telemetry
from ullage.model.state import WorkloadFlag


def over_node(**other) -> Cluster:
    """n1 is over; of the other two, n2 has more room, but for `other`."""
    cluster = Cluster().node("n1").node("n2", **({"cpu": 16} | other)).node("n3", use_cpu=3)
    return cluster.vm("shop/v", "n1", use_cpu=3, use_memory="2Gi").vm("shop/w", "n1", use_cpu=4)


GAPS = (
    ({"use_cpu": None}, "Its use of CPU was not measured."),
    ({"use_memory": None}, "Its use of memory was not measured."),
    ({"use_cpu": None, "use_memory": None}, "Its use of CPU and memory was not measured."),
    ({"age": 600.0}, "Its use was measured 600 s ago (limit 300 s)."),
    ({"ready": False}, "It is not ready."),
    ({"cpu": None}, "It does not say what it can allocate."),
    ({"memory": None}, "It does not say what it can allocate."),
    ({"cpu": 0}, "It has no CPU or no memory to allocate."),
)


@pytest.mark.parametrize(("gap", "reason"), GAPS)
def test_a_node_that_cannot_be_judged_takes_nothing(gap, reason):
    made = plan(over_node(**gap).build())
    assert moves(made) == [("v", "n1", "n3")]
    assert (node(made, "n2").code, node(made, "n2").reason) == ("node-unknown", reason)
    assert node(made, "n2").before.node_class == "unknown"
    assert notes(made) == {"nodes-without-metrics"} | ({"stale-metrics"} if "age" in gap else set())
    assert made.status.summary.nodes_unknown == 1


@pytest.mark.parametrize(("gap", "reason"), GAPS)
def test_a_node_that_cannot_be_judged_gives_nothing(gap, reason):
    cluster = Cluster().node("n1", **gap).node("n2").vm("shop/v", "n1", use_cpu=7).vm("shop/w", "n1", use_cpu=7)
    for goal in ("relieve", "balance", "consolidate"):
        made = plan(cluster.build(), goal=goal)
        assert made.spec.moves == ()
        assert node(made, "n1").code == "node-unknown"
        assert node(made, "n1").reason == reason


def test_without_any_metrics_there_is_nothing_but_a_note():
    cluster = Cluster().node("n1", use_cpu=None, use_memory=None).node("n2", use_cpu=None, use_memory=None)
    made = plan(cluster.vm("shop/v", "n1", use_cpu=None, use_memory=None).build())
    assert made.spec.moves == ()
    assert notes(made) == {"no-metrics", "workloads-estimated"}
    summary = made.status.summary
    assert (summary.nodes_unknown, summary.nodes_over_before, summary.cpu_deviation_before) == (2, 0, None)


def test_half_of_the_metrics_is_enough_for_the_other_half():
    cluster = Cluster()
    for n in range(8):
        known = {} if n % 2 else {"use_cpu": None, "use_memory": None}
        cluster.node(f"n{n}", **known)
    cluster.vm("shop/a", "n1", use_cpu=4).vm("shop/b", "n1", use_cpu=3)
    cluster.vm("shop/c", "n2", use_cpu=4).vm("shop/d", "n2", use_cpu=3)
    made = plan(cluster.build())
    assert [(m.workload.name, m.source) for m in made.spec.moves] == [("b", "n1")]
    assert made.spec.moves[0].target in ("n3", "n5", "n7")
    (note,) = made.status.notes
    assert (note.code, note.objects) == ("nodes-without-metrics", ("n0", "n2", "n4", "n6"))
    assert note.text.startswith("4 of 8 nodes")


def test_how_old_is_too_old_can_be_set():
    config = Configuration(telemetry=Telemetry(max_age_seconds=900))
    assert moves(plan(over_node(age=600.0).build(), config=config)) == [("v", "n1", "n2")]


@pytest.mark.parametrize("gap", [{"use_cpu": None}, {"use_memory": None}, {"age": 600.0}])
def test_a_workload_of_unknown_use_does_not_move_to_relieve(gap):
    cluster = Cluster().node("n1", use_cpu=7.5, use_memory="20Gi").node("n2")
    made = plan(cluster.vm("shop/v", "n1", **({"use_cpu": 3} | gap)).build())
    assert refusals(made) == {"v": "use-unknown"}
    assert node(made, "n1").code == "node-over-no-victim"
    assert "workloads-estimated" in notes(made)


def test_a_vm_of_unknown_use_is_evacuated_as_if_its_guest_were_full():
    def made(guest: str):
        cluster = Cluster().node("n1", use_cpu=1, use_memory="10Gi").node("n2", memory="40Gi")
        return plan(
            cluster.vm("shop/v", "n1", guest=guest, overhead="1Gi", use_memory=None, requests_memory="1Gi").build(),
            "n1",
        )

    assert moves(made("30Gi")) == [("v", "n1", "n2")]
    assert made("30Gi").spec.moves[0].memory_bytes == 31 * 2**30
    assert node(made("30Gi"), "n2").after.memory_ratio == pytest.approx(31 / 40)
    assert node(made("30Gi"), "n1").after.memory_ratio == pytest.approx(10 / 64)
    assert refusal(made("31.1Gi"), "v").reason.endswith("1 target-memory.")


def test_a_pod_of_unknown_use_is_taken_for_what_its_siblings_use():
    cluster = Cluster().node("n1", use_cpu=1, use_memory="10Gi").node("n2", memory="64Gi")
    owner = ("ReplicaSet", "web")
    cluster.pod("shop/web-0", "n2", owner=owner, use_cpu=1, use_memory="8Gi")
    cluster.pod("shop/web-1", "n2", owner=owner, use_cpu=3, use_memory="16Gi")
    cluster.pod("shop/web-2", "n1", owner=owner, use_cpu=None, use_memory=None, requests_memory="1Gi")
    made = plan(cluster.build(), "n1")
    assert moves(made) == [("web-2", "n1", "n2")]
    assert (made.spec.moves[0].cpu_cores, made.spec.moves[0].memory_bytes) == (2.0, 12 * 2**30)


def test_a_node_of_unknown_use_can_be_evacuated():
    cluster = Cluster().node("n1", ready=False, use_cpu=None, use_memory=None).node("n2")
    made = plan(cluster.vm("shop/v", "n1", use_cpu=None, use_memory=None).build(), "n1")
    assert moves(made) == [("v", "n1", "n2")]
    assert node(made, "n1").after.workloads == 0
    assert node(made, "n1").code == "node-unknown"


def test_a_vm_that_arrives_counts_before_it_is_there():
    def made(target: str | None):
        cluster = Cluster().node("n1").node("n2").node("n3", use_cpu=6)
        cluster.vm("shop/v", "n1", use_cpu=3, use_memory="2Gi").vm("shop/w", "n1", use_cpu=4)
        flags = WorkloadFlag.MIGRATING if target else WorkloadFlag(0)
        return plan(cluster.vm("shop/far", "n3", use_cpu=4, migration_target=target, flags=flags).build())

    assert moves(made(None)) == [("v", "n1", "n2")]
    assert refusal(made("n2"), "v").reason.endswith("2 target-cpu.")
    assert node(made("n2"), "n2").before.cpu_ratio == 0.5


def test_a_workload_that_started_after_the_measure_counts_with_its_requests():
    now = 1_000_000.0

    def ratio(started: float) -> float | None:
        cluster = Cluster().node("n1", age=60, use_cpu=1, use_memory=0)
        cluster.pod("shop/new", "n1", use_cpu=None, use_memory=None, requests_cpu=2, started_at=started)
        return node(plan(cluster.build(now)), "n1").before.cpu_ratio

    assert ratio(now - 30) == 0.375
    assert ratio(now - 90) == 0.125


@pytest.mark.parametrize("goal", ["relieve", "balance", "consolidate"])
@pytest.mark.parametrize(
    "cluster",
    [
        Cluster(),
        Cluster().node("n1"),
        Cluster().node("n1").node("n2"),
        Cluster().node("n1", cpu=0, memory=0, pods=0, storage=0).vm("shop/v", "n1"),
        Cluster()
        .node("n1", use_cpu=8, use_memory="64Gi")
        .node("n2")
        .vm("shop/v", "n1", use_cpu=0, use_memory=0, requests_cpu=0, requests_memory=0),
        Cluster().node("n1").node("n2").vm("shop/v", "n1", live_migratable=False),
        Cluster()
        .node("n1", cpu=1e6, memory=1e18, pods=1e6)
        .node("n2", cpu=1e-3, memory=1)
        .vm("shop/v", "n1", use_cpu=9e5, use_memory=9e17),
    ],
    ids=["empty", "one node", "no workloads", "nothing allocatable", "no use", "nothing movable", "large numbers"],
)
def test_odd_clusters_get_a_plan_without_moves(cluster, goal):
    for engine in ("greedy", "exact"):
        made = plan(cluster.build(), config=configuration(goal=goal, engine=engine, keep_balancing=True))
        assert made.spec.moves == ()
        assert made.status.summary.nodes == len(made.status.nodes)
