from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.builders import Cluster
from tests.descheduler.policy.brute import over
from tests.descheduler.policy.making import deviation, moves, node, notes, plan, refusals
from tests.strategies import Traits, clusters
from ullage.errors import UsageError
from ullage.model.labels import Requirement
from ullage.model.placement import Placement, PodTerm
from ullage.model.state import WorkloadFlag

few = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
GIB = 2**30


def test_relieve_takes_the_smallest_vm_that_is_enough():
    cluster = Cluster().node("n1").node("n2")
    for name, cores in (("a", 0.25), ("b", 1.0), ("c", 2.0), ("d", 4.0)):
        cluster.vm(f"shop/{name}", "n1", use_cpu=cores, use_memory=cores * GIB)
    made = plan(cluster.build())
    assert moves(made) == [("b", "n1", "n2")]
    assert made.status.lower_bound.moves == 1
    assert made.spec.moves[0].code == "relieve"
    assert made.spec.moves[0].reason == (
        "Takes 1 cores and 1Gi off: CPU of n1 from 90.6% to 78.1%; n2 comes to 12.5% CPU and 1.6% memory."
    )


def test_relieve_does_nothing_below_the_threshold():
    made = plan(Cluster().node("n1").node("n2").vm("shop/v", "n1", use_cpu=6.4).build())
    assert (made.spec.moves, made.status.refused) == ((), ())
    assert made.status.lower_bound.moves == 0


def test_a_source_comes_down_to_the_target_not_to_the_threshold():
    cluster = Cluster().node("n1").node("n2")
    for i in range(14):
        cluster.vm(f"shop/v{i:02}", "n1", use_cpu=0.5, use_memory="1Gi")
    made = plan(cluster.build(), high=0.8, target=0.55)
    assert len(made.spec.moves) == 6
    assert [n.after.cpu_ratio for n in made.status.nodes] == [0.5, 0.375]


def test_one_large_among_many_small_vms_moves_at_most_once():
    cluster = Cluster().node("n0", cpu=64, memory="192Gi", pods=500)
    for n in range(1, 4):
        cluster.node(f"n{n}", cpu=64, memory="100Gi", pods=500)
    for i in range(144):
        cluster.vm(f"shop/small-{i:03}", "n0", guest="1Gi", use_cpu=0.05, use_memory="1Gi")
    made = plan(cluster.vm("shop/large", "n0", guest="64Gi", use_cpu=1, use_memory="64Gi").build())
    assert over(made) == []
    assert moves(made) == [("large", "n0", made.spec.moves[0].target)]
    assert made.status.lower_bound.moves == 1


def test_the_small_ones_move_where_the_large_one_fits_nowhere():
    cluster = Cluster().node("n0", cpu=64, memory="192Gi", pods=500)
    for n in range(1, 4):
        cluster.node(f"n{n}", cpu=64, memory="70Gi", pods=500)
    for i in range(144):
        cluster.vm(f"shop/small-{i:03}", "n0", guest="1Gi", use_cpu=0.05, use_memory="1Gi")
    made = plan(cluster.vm("shop/large", "n0", guest="64Gi", use_cpu=1, use_memory="64Gi").build())
    assert over(made) == []
    assert "large" not in {m.workload.name for m in made.spec.moves}
    assert len(made.spec.moves) == 55  # 208 Gi are to become less than 153.6


def test_one_vm_too_big_for_any_node_is_explained_and_left():
    cluster = Cluster().node("n1").node("n2").node("n3")
    made = plan(cluster.vm("shop/big", "n1", use_cpu=7.5, use_memory="60Gi", guest="60Gi").build())
    assert made.spec.moves == ()
    assert refusals(made) == {"big": "no-destination"}
    assert node(made, "n1").code == "node-over-no-room"


def test_nodes_of_unlike_sizes_are_relieved():
    cluster = (
        Cluster()
        .node("n1", cpu=48, memory="256Gi")
        .node("n2", cpu=24, memory="256Gi")
        .node("n3", cpu=24, memory="256Gi")
    )
    for name, cores, count in (("n1", 32.16, 12), ("n2", 19.68, 12), ("n3", 20.16, 12)):
        for i in range(count):
            cluster.vm(f"shop/{name}-{i:02}", name, use_cpu=cores / count, use_memory="2Gi", guest="2Gi")
    made = plan(cluster.build())
    assert [n.before.cpu_ratio for n in made.status.nodes] == [0.67, 0.82, 0.84]
    assert over(made) == []
    assert {(m.source, m.target) for m in made.spec.moves} == {("n2", "n1"), ("n3", "n1")}
    assert len(made.spec.moves) == 2 == made.status.lower_bound.moves


def dashboard() -> Cluster:
    """Six workers at a mean of 45.6 %; on the fullest stands one VM of 12.5 %."""
    cluster = Cluster()
    for n, percent in enumerate((35.8, 44.85, 45.35, 46.35, 46.85, 54.4)):
        cluster.node(f"w{n}", cpu=100, memory="64Gi")
        rest = percent - 12.5 if n == 5 else percent
        cluster.pod(f"shop/rest-{n}", f"w{n}", use_cpu=rest, use_memory="8Gi", owner=("DaemonSet", f"rest-{n}"))
    return cluster.vm("shop/v", "w5", use_cpu=12.5, use_memory=0, guest="4Gi")


def test_balance_finds_the_one_move_of_the_dashboard():
    made = plan(dashboard().build(), goal="balance")
    assert moves(made) == [("v", "w5", "w0")]
    assert made.spec.moves[0].code == "balance"
    assert made.status.summary.cpu_deviation_before == pytest.approx(0.0542, abs=1e-4)
    assert made.status.summary.cpu_deviation_after == pytest.approx(deviation(made), abs=1e-6)
    assert made.status.summary.cpu_deviation_after == pytest.approx(0.02, abs=1e-3)


def test_relieve_leaves_the_dashboard_alone_unless_it_is_to_go_on():
    assert moves(plan(dashboard().build())) == []
    assert moves(plan(dashboard().build(), keep_balancing=True)) == [("v", "w5", "w0")]


def test_balance_leaves_noise_alone():
    cluster = Cluster()
    for n in range(12):
        cluster.node(f"w{n:02}", cpu=100, memory="64Gi")
        for i in range(8):
            wobble = 0.2 * ((7 * n + 5 * i) % 11 - 5)
            cluster.vm(f"shop/v{n:02}-{i}", f"w{n:02}", use_cpu=6 + wobble, use_memory="2Gi")
    made = plan(cluster.build(), goal="balance")
    assert 0 < made.status.summary.cpu_deviation_before < 0.03
    assert moves(made) == []


def test_balance_asks_for_a_gain_even_where_the_configuration_asks_for_none():
    cluster = Cluster().node("n1", use_cpu=1).node("n2").vm("shop/idle", "n1", use_cpu=0, use_memory=0)
    assert moves(plan(cluster.build(), goal="balance", balance_minimum_gain=0.0)) == []


@few
@given(clusters(Traits(gaps=False)), st.sampled_from((None, 1, 2)))
def test_balance_never_makes_nodes_less_alike(state, limit):
    made = plan(state, goal="balance", max_moves=limit)

    def spread(when: str) -> float:
        views = [getattr(n, when) for n in made.status.nodes if n.before.node_class != "unknown"]
        parts = [[getattr(v, r) for v in views] for r in ("cpu_ratio", "memory_ratio")]
        return sum(sum((x - sum(p) / len(p)) ** 2 for x in p) for p in parts if p)

    assert spread("after") <= spread("before") + 1e-6


def test_relief_and_balance_have_codes_of_their_own():
    cluster = (
        Cluster().node("n1").node("n2").node("n3", cpu=8).vm("shop/a", "n1", use_cpu=5).vm("shop/b", "n1", use_cpu=2)
    )
    cluster.vm("shop/c", "n2", use_cpu=2.5).vm("shop/d", "n2", use_cpu=2.5)
    made = plan(cluster.build(), keep_balancing=True)
    assert {m.code for m in made.spec.moves} == {"relieve", "balance"}
    assert len({m.workload for m in made.spec.moves}) == len(made.spec.moves)


def test_evacuate_empties_a_node_but_for_what_belongs_to_it():
    cluster = Cluster().node("n1").node("n2").node("n3").vm("shop/v", "n1").pod("shop/p", "n1").vm("shop/w", "n2")
    cluster.pod("shop/agent", "n1", owner=("DaemonSet", "agent"))
    made = plan(cluster.pod("shop/static", "n1", flags=WorkloadFlag.MIRROR).build(), "n1")
    assert {m.workload.name for m in made.spec.moves} == {"v", "p"}
    assert {m.source for m in made.spec.moves} == {"n1"}
    assert {m.code for m in made.spec.moves} == {"evacuate"}
    assert refusals(made) == {"agent": "daemonset", "static": "mirror-pod"}
    assert (node(made, "n1").code, node(made, "n1").after.workloads) == ("", 2)
    assert made.status.lower_bound.moves == 2
    assert made.status.summary.nodes_emptied == 1


def test_evacuate_says_what_cannot_leave():
    cluster = Cluster().node("n1").node("n2").vm("shop/v", "n1").vm("shop/stuck", "n1", live_migratable=False)
    made = plan(cluster.build(), "n1")
    assert moves(made) == [("v", "n1", "n2")]
    assert refusals(made) == {"stuck": "not-live-migratable"}
    assert (node(made, "n1").code, node(made, "n1").reason) == (
        "node-not-emptied",
        "1 of its workloads stay: 1 not-live-migratable.",
    )
    assert made.status.summary.relief_possible is None
    assert "relief-impossible" not in notes(made)


def test_evacuate_moves_what_it_can_where_not_all_fits():
    cluster = Cluster().node("n1").node("n2").vm("shop/a", "n1", use_cpu=4).vm("shop/b", "n1", use_cpu=2)
    made = plan(cluster.vm("shop/c", "n1", use_cpu=1.5).build(), "n1")
    assert {m.workload.name for m in made.spec.moves} in ({"b", "c"}, {"a", "b"}, {"a", "c"})
    assert len(refusals(made)) == 1
    assert node(made, "n1").code == "node-not-emptied"


def test_evacuating_two_nodes_uses_neither():
    cluster = Cluster().node("n1").node("n2").node("n3", cpu=32).vm("shop/v", "n1").vm("shop/w", "n2")
    made = plan(cluster.build(), "n2", "n1")
    assert sorted(moves(made)) == [("v", "n1", "n3"), ("w", "n2", "n3")]
    assert plan(cluster.build(), "n1", "n2", "n1") == made


@few
@given(clusters(Traits(spread=False)))
def test_evacuate_leaves_nothing_unexplained(state):
    made = plan(state, state.nodes.name[0], rounds=8)
    stay = node(made, state.nodes.name[0]).before.workloads - len(made.spec.moves)
    assert len(made.status.refused) == stay
    assert {r.code for r in made.status.refused} <= CODES_OF_STAYING


CODES_OF_STAYING = {
    *("daemonset", "mirror-pod", "terminating", "pending", "eviction-in-progress", "prefer-no-eviction", "critical"),
    *("bare-pod", "local-storage", "migrating", "not-live-migratable", "eviction-strategy", "no-targeted-migration"),
    *("paused", "converges-not", "cooldown", "disruption-budget", "no-destination"),
}


@pytest.mark.parametrize(
    ("goal", "nodes", "message"),
    [
        ("evacuate", (), "needs nodes"),
        ("relieve", ("n1",), "takes no nodes"),
        ("evacuate", ("n1", "n7"), "no node n7 in the input"),
    ],
)
def test_goals_and_nodes_must_go_together(goal, nodes, message):
    with pytest.raises(UsageError, match=message):
        plan(Cluster().node("n1").node("n2").build(), *nodes, goal=goal)


def test_consolidate_empties_whole_nodes_and_keeps_targets():
    cluster = Cluster()
    for n in range(4):
        cluster.node(f"n{n}").vm(f"shop/a{n}", f"n{n}", use_cpu=1.5, use_memory="4Gi")
        cluster.vm(f"shop/b{n}", f"n{n}", use_cpu=1.5, use_memory="4Gi")
    made = plan(cluster.build(), goal="consolidate")
    after = [n.after.workloads for n in made.status.nodes]
    assert sorted(after) == [0, 0, 4, 4]
    assert made.status.summary.nodes_emptied == 2
    assert all(n.after.cpu_ratio <= 0.8 for n in made.status.nodes)
    assert {m.code for m in made.spec.moves} == {"consolidate"}


def test_consolidate_leaves_a_node_that_cannot_be_emptied():
    cluster = Cluster().node("n1").node("n2").vm("shop/v", "n1").vm("shop/stuck", "n1", live_migratable=False)
    made = plan(cluster.vm("shop/w", "n2").build(), goal="consolidate")
    assert moves(made) == [("w", "n2", "n1")]


def test_consolidate_fills_no_empty_node():
    cluster = Cluster().node("n1").node("n2").node("n3").vm("shop/v", "n1").vm("shop/w", "n2")
    made = plan(cluster.build(), goal="consolidate")
    assert len(made.spec.moves) == 1
    assert node(made, "n3").after.workloads == 0


@few
@given(clusters(), st.sampled_from((None, 1, 3)))
def test_consolidate_moves_all_of_a_node_or_nothing(state, limit):
    made = plan(state, goal="consolidate", max_moves=limit)
    for n in made.status.nodes:
        assert not (n.moves_in and n.moves_out)
    emptied = {m.source for m in made.spec.moves}
    left = dict.fromkeys(emptied, 0)
    moved = {m.workload.uid for m in made.spec.moves}
    workloads = state.workloads
    stays = workloads.has(WorkloadFlag.DAEMONSET) | workloads.has(WorkloadFlag.MIRROR)
    for w, uid in enumerate(workloads.uid):
        name = state.nodes.name[workloads.node[w]]
        if name in left and uid not in moved and not stays[w]:
            left[name] += 1
    assert set(left.values()) <= {0}


def test_consolidate_gives_a_node_up_that_only_half_of_could_follow():
    apart = Placement(
        anti_affinity=(PodTerm("kubernetes.io/hostname", (Requirement("app", "In", ("a",)),), ("shop",)),)
    )
    cluster = Cluster().node("n1").node("n2").vm("shop/w", "n2", use_cpu=4, placement=apart, labels={"app": "a"})
    cluster.vm("shop/u", "n1", use_cpu=0.5).vm("shop/v", "n1", use_cpu=0.5, placement=apart, labels={"app": "a"})
    assert moves(plan(cluster.build(), goal="consolidate")) == []


def test_a_workload_steps_aside_where_nothing_else_helps():
    cluster = Cluster().node("n1", cpu=10).node("n2", cpu=10).node("n3", cpu=4)
    cluster.vm("shop/big", "n1", use_cpu=4).vm("shop/stays", "n1", use_cpu=5, live_migratable=False)
    cluster.vm("shop/small", "n2", use_cpu=3).vm("shop/other", "n2", use_cpu=3, live_migratable=False)
    made = plan(cluster.build())
    assert [(m.workload.name, m.source, m.target, m.code) for m in made.spec.moves] == [
        ("small", "n2", "n3", "make-room"),
        ("big", "n1", "n2", "relieve"),
    ]
    assert "steps aside" in made.spec.moves[0].reason
    assert made.status.summary.nodes_over_after == 0
