from __future__ import annotations

from collections.abc import Callable

import pytest

from descheduler.policy.plan import RebalancePlan
from tests.builders import ZONE, Cluster
from tests.descheduler.policy.making import configuration, moves, plan, refusal
from ullage.model.codes import CODES, Topic
from ullage.model.labels import Requirement
from ullage.model.measures import NodeMeasure
from ullage.model.placement import HostPort, NodeTerm, Placement, PodTerm, Spread
from ullage.model.state import NodeFlag

APP = (Requirement("app", "In", ("a",)),)
HOST = "kubernetes.io/hostname"
ZONED = (Requirement(ZONE, "In", ("b",)),)


def cluster(placement: Placement | None = None, **target) -> Cluster:
    """One over node; its VM could go to n2 but for what is said of the two."""
    return (
        Cluster()
        .node("n1", zone="b")
        .node("n2", **({"zone": "a"} | target))
        .vm("shop/v", "n1", use_cpu=6, use_memory="4Gi", placement=placement, labels={"app": "a"})
        .pod("shop/w", "n1", use_cpu=1, owner=("DaemonSet", "w"), labels={"app": "a"})
    )


def beside(placement: Placement, **target) -> Cluster:
    return cluster(placement, **target).pod("shop/x", "n2", labels={"app": "a"}, placement=placement)


REJECTING: tuple[tuple[str, Callable[[], Cluster]], ...] = (
    ("node-not-ready", lambda: cluster(flags=NodeFlag.MEMORY_PRESSURE)),
    ("node-unschedulable", lambda: cluster(cordoned=True)),
    ("node-use-unknown", lambda: cluster(use_cpu=None)),
    ("node-use-unknown", lambda: cluster(ready=False)),
    ("taint", lambda: cluster(taints=("dedicated:NoSchedule",))),
    ("kubevirt-node", lambda: cluster(vm_schedulable=False)),
    ("node-selector", lambda: cluster(Placement(node_selector=ZONED))),
    ("node-affinity", lambda: cluster(Placement(node_terms=((NodeTerm(labels=ZONED),),)))),
    ("host-port", lambda: beside(Placement(host_ports=(HostPort(80),)))),
    ("pod-affinity", lambda: cluster(Placement(affinity=(PodTerm(ZONE, APP, ("shop",)),)))),
    ("pod-anti-affinity", lambda: beside(Placement(anti_affinity=(PodTerm(HOST, APP, ("shop",)),)))),
    (
        "topology-spread",
        lambda: beside(Placement(spread=(Spread(HOST, 1, APP),))).pod("shop/y", "n2", labels={"app": "a"}),
    ),
    ("allocatable", lambda: cluster(memory="7Gi")),
    ("allocatable", lambda: cluster(pods=0)),
    ("target-cpu", lambda: cluster(cpu=7)),
    ("target-memory", lambda: cluster(use_memory="50Gi")),
)


@pytest.mark.parametrize(("code", "given"), REJECTING)
def test_the_one_other_node_says_why_it_does_not_take_it(code, given):
    made = plan(given().build())
    assert made.spec.moves == ()
    assert refusal(made, "v").code == "no-destination"
    assert refusal(made, "v").reason.endswith(f": 1 {code}.")


def test_committed_memory_binds_only_where_it_is_limited():
    state = cluster(memory="16Gi", swap="2Gi").vm(
        "shop/big", "n2", guest="12Gi", use_cpu=0, use_memory="1Gi", requests_memory=1
    )
    assert moves(plan(state.build())) == [("v", "n1", "n2")]
    made = plan(state.build(), config=configuration(worst_case=1.0))
    assert refusal(made, "v").reason.endswith("1 worst-case-memory.")
    assert moves(plan(state.build(), config=configuration(worst_case=1.2))) == [("v", "n1", "n2")]


def test_a_node_that_is_emptied_is_no_destination():
    made = plan(cluster(cpu=7).build(), "n1", "n2")
    assert made.spec.moves == ()
    assert refusal(made, "v").reason.endswith(": 1 node-excluded.")


def test_every_code_of_a_destination_is_tried_here():
    tried = {code for code, _ in REJECTING} | {"worst-case-memory", "node-excluded"}
    rest = {c.name for c in CODES.values() if c.topic is Topic.DESTINATION} - tried
    # The limit-... codes are those of scheduling, not of the planner.
    assert {name for name in rest if not name.startswith("limit-")} == {"same-node"}


def test_a_node_with_room_takes_it():
    assert moves(plan(cluster().build())) == [("v", "n1", "n2")]


def test_swapped_pages_come_back_at_the_destination():
    def made(swap: str) -> RebalancePlan:
        cluster = Cluster().node("n1").node("n2", cpu=16, memory="20Gi")
        cluster.vm("shop/v", "n1", use_cpu=7, use_memory="9Gi", guest="16Gi", swap_used=swap)
        return plan(cluster.build())

    fits = made("6Gi")
    assert moves(fits) == [("v", "n1", "n2")]
    assert fits.spec.moves[0].memory_bytes == 15 * 2**30
    assert [n.after.memory_ratio for n in fits.status.nodes] == [0.0, 0.75]
    assert refusal(made("8Gi"), "v").reason.endswith("1 target-memory.")


def test_a_peak_counts_where_it_lands_and_the_mean_where_it_leaves():
    state = (
        Cluster()
        .node("n1", cpu=8, measures={NodeMeasure.CPU_PEAK_CORES: 7})
        .node("n2", cpu=8)
        .vm("shop/v", "n1", use_cpu=4)
    )
    made = plan(state.build())
    assert moves(made) == [("v", "n1", "n2")]
    assert [n.after.cpu_ratio for n in made.status.nodes] == [0.375, 0.5]


def test_no_cpu_anywhere_does_not_open_a_node_that_has_none_left():
    # No workload uses CPU, so that only the host's own use is in the way.
    state = (
        Cluster()
        .node("n1", use_cpu=1)
        .node("n2", use_cpu=7.5)
        .vm("shop/v", "n1", use_cpu=0, use_memory="55Gi", guest="1Gi")
    )
    made = plan(state.build())
    assert made.spec.moves == ()
    assert "1 target-cpu" in refusal(made, "v").reason
