"""Each rule by an example whose answer the Kubernetes documentation or the scheduler's source gives."""

from __future__ import annotations

import pytest

from tests.builders import HOSTNAME, ZONE, Cluster, taint
from ullage.model.labels import Requirement, equals
from ullage.model.placement import (
    HostPort,
    NodeTerm,
    Placement,
    PodTerm,
    PreferredNode,
    PreferredPod,
    Spread,
    Toleration,
)
from ullage.model.state import ClusterState, NodeFlag, WorkloadFlag
from ullage.scoring.feasibility import Feasibility

WEB = equals({"app": "web"})
HERE = ("shop",)


def allowed(state: ClusterState, key: str) -> list[str]:
    return names(state, Feasibility(state).allowed(row(state, key)))


def names(state, mask) -> list[str]:
    return [name for name, ok in zip(state.nodes.name, mask, strict=True) if ok]


def row(state: ClusterState, key: str) -> int:
    return [state.workloads.key(i) for i in range(len(state.workloads))].index(key)


def three(**placement) -> Cluster:
    """Nodes a1 and a2 in zone a, b1 in zone b, plain without a zone; shop/me with `placement` on a1."""
    cluster = Cluster()
    for name in ("a1", "a2", "b1"):
        cluster.node(name, zone=name[0])
    return cluster.node("plain").pod("shop/me", "a1", placement=Placement(**placement), labels={"app": "me"})


def test_node_conditions():
    cluster = Cluster().node("cordoned", cordoned=True).node("down", ready=False).node("fine")
    cluster.node("full", flags=NodeFlag.PID_PRESSURE).node("mute", memory=None)
    everything = Placement(tolerations=(Toleration(operator="Exists"),))
    state = cluster.pod("shop/me", "fine", placement=everything).build()
    assert allowed(state, "shop/me") == ["fine"]
    reasons = {code: names(state, mask) for code, mask in Feasibility(state).rejections(0)}
    assert reasons == {
        "same-node": ["fine"],
        "node-not-ready": ["down", "full"],
        "node-unschedulable": ["cordoned"],
        "allocatable": ["mute"],
    }


def test_an_extended_resource_that_is_not_known_closes_no_node():
    state = Cluster().node("n", extra={"nvidia.com/gpu": 0}).pod("shop/me", "n").build()
    assert allowed(state, "shop/me") == ["n"]


@pytest.mark.parametrize(
    ("toleration", "passes"),
    [
        (None, False),
        (Toleration("k", "Equal", "v"), True),
        (Toleration("k", "Equal", "other"), False),
        (Toleration("k", "Exists"), True),
        (Toleration("", "Exists"), True),
        (Toleration("k", "Exists", effect="NoExecute"), False),
        (Toleration("k", "Lt", "v"), False),
    ],
)
def test_taints(toleration, passes):
    placement = Placement(tolerations=() if toleration is None else (toleration,))
    state = Cluster().node("n", taints=("k=v:NoSchedule",)).pod("shop/me", "n", placement=placement).build()
    assert allowed(state, "shop/me") == (["n"] if passes else [])


def test_a_soft_taint_never_rejects():
    state = Cluster().node("n", taints=("k=v:PreferNoSchedule",)).pod("shop/me", "n").build()
    assert allowed(state, "shop/me") == ["n"]


def test_only_vms_need_a_node_of_kubevirt():
    state = Cluster().node("n", vm_schedulable=False).vm("shop/vm", "n").pod("shop/pod", "n").build()
    assert allowed(state, "shop/vm") == []
    assert allowed(state, "shop/pod") == ["n"]


def test_node_terms_are_alternatives_and_lists_of_them_add_up():
    zone = NodeTerm(labels=equals({ZONE: "a"}))
    by_name = NodeTerm(fields=(Requirement("metadata.name", "In", ("b1",)),))
    assert allowed(three(node_terms=((zone, by_name),)).build(), "shop/me") == ["a1", "a2", "b1"]
    assert allowed(three(node_terms=((zone,), (by_name,))).build(), "shop/me") == []
    assert allowed(three(node_terms=((NodeTerm(),),)).build(), "shop/me") == []
    assert allowed(three(node_selector=equals({ZONE: "b"})).build(), "shop/me") == ["b1"]


def test_anti_affinity_keeps_out_of_the_whole_zone():
    term = PodTerm(ZONE, WEB, HERE)
    state = three(anti_affinity=(term,)).pod("shop/web", "b1", labels={"app": "web"}).build()
    assert allowed(state, "shop/me") == ["a1", "a2", "plain"]


def test_anti_affinity_of_the_one_that_is_there_counts_too():
    term = PodTerm(ZONE, equals({"app": "me"}), HERE)
    state = three().pod("shop/loner", "b1", placement=Placement(anti_affinity=(term,))).build()
    feasibility = Feasibility(state)
    assert feasibility.dynamic().tolist() == [True, True]
    assert allowed(state, "shop/me") == ["a1", "a2", "plain"]


def test_a_selector_that_is_not_there_matches_nothing_and_an_empty_one_all():
    nothing = three(anti_affinity=(PodTerm(HOSTNAME, None, HERE),)).pod("shop/x", "a2").build()
    everything = three(anti_affinity=(PodTerm(HOSTNAME, (), HERE),)).pod("shop/x", "a2").build()
    assert allowed(nothing, "shop/me") == ["a1", "a2", "b1", "plain"]
    assert allowed(everything, "shop/me") == ["a1", "b1", "plain"]


def test_terms_look_at_their_namespaces_only():
    def with_term(namespaces, selector):
        term = PodTerm(HOSTNAME, WEB, namespaces, selector)
        return (
            three(anti_affinity=(term,))
            .namespace("bank", {"team": "x"})
            .pod("bank/web", "a2", labels={"app": "web"})
            .pod("shop/web", "b1", labels={"app": "web"})
            .build()
        )

    assert allowed(with_term(("shop",), None), "shop/me") == ["a1", "a2", "plain"]
    assert allowed(with_term((), equals({"team": "x"})), "shop/me") == ["a1", "b1", "plain"]
    assert allowed(with_term((), ()), "shop/me") == ["a1", "plain"]


def test_affinity_needs_company_and_the_topology_key():
    term = PodTerm(ZONE, WEB, HERE)
    state = three(affinity=(term,)).pod("shop/web", "b1", labels={"app": "web"}).build()
    assert allowed(state, "shop/me") == ["b1"]
    assert allowed(three(affinity=(term,)).build(), "shop/me") == []


def test_the_first_of_a_group_that_has_affinity_to_itself_may_go_anywhere_with_the_key():
    state = three(affinity=(PodTerm(ZONE, equals({"app": "me"}), HERE),)).build()
    assert allowed(state, "shop/me") == ["a1", "a2", "b1"]


def test_company_must_meet_all_terms_at_once():
    terms = (PodTerm(ZONE, WEB, HERE), PodTerm(HOSTNAME, equals({"tier": "1"}), HERE))
    half = (
        three(affinity=terms).pod("shop/web", "a2", labels={"app": "web"}).pod("shop/tier", "a2", labels={"tier": "1"})
    )
    assert allowed(half.build(), "shop/me") == []
    whole = three(affinity=terms).pod("shop/both", "a2", labels={"app": "web", "tier": "1"})
    assert allowed(whole.build(), "shop/me") == ["a2"]


@pytest.mark.parametrize(
    ("mine", "theirs", "free"),
    [
        (HostPort(80), HostPort(80), False),
        (HostPort(80), HostPort(81), True),
        (HostPort(80), HostPort(80, "UDP"), True),
        (HostPort(80, address="10.0.0.1"), HostPort(80, address="10.0.0.2"), True),
        (HostPort(80, address="10.0.0.1"), HostPort(80), False),
        (HostPort(80, address="10.0.0.1"), HostPort(80, address="10.0.0.1"), False),
    ],
)
def test_host_ports(mine, theirs, free):
    state = three(host_ports=(mine,)).pod("shop/x", "a2", placement=Placement(host_ports=(theirs,))).build()
    assert ("a2" in allowed(state, "shop/me")) == free
    assert "a1" in allowed(state, "shop/me"), "its own port does not count against it"


def spread_over_zones(**spread) -> Cluster:
    """Two web pods in zone a, one in b; shop/web-1, on a1, is the one that is looked at."""
    constraint = Spread(ZONE, 1, WEB, **spread)
    placement = Placement(spread=(constraint,))
    cluster = three()
    for name, node in (("shop/web-1", "a1"), ("shop/web-2", "a2"), ("shop/web-3", "b1")):
        cluster.pod(name, node, labels={"app": "web"}, placement=placement)
    return cluster


def test_spread_counts_without_the_one_that_moves_and_needs_the_key():
    state = spread_over_zones().build()
    assert allowed(state, "shop/web-1") == ["a1", "a2", "b1"]
    assert allowed(state, "shop/web-3") == ["b1"]


def test_a_terminating_pod_is_not_counted():
    cluster = spread_over_zones().pod("shop/old", "b1", labels={"app": "web"}, flags=WorkloadFlag.TERMINATING)
    assert allowed(cluster.build(), "shop/web-1") == ["a1", "a2", "b1"]
    more = spread_over_zones().pod("shop/new", "b1", labels={"app": "web"})
    assert allowed(more.build(), "shop/web-1") == ["a1", "a2"]


def test_a_migration_target_is_counted():
    cluster = spread_over_zones().pod("shop/target", "b1", labels={"app": "web"}, flags=WorkloadFlag.MIGRATION_TARGET)
    assert allowed(cluster.build(), "shop/web-1") == ["a1", "a2"]


def test_too_few_domains_make_the_minimum_zero():
    assert allowed(spread_over_zones(min_domains=3).build(), "shop/web-1") == []


def test_an_empty_spread_selector_counts_nothing():
    placement = Placement(spread=(Spread(ZONE, 1, ()),))
    cluster = Cluster().node("a1", zone="a").node("b1", zone="b")
    for number in range(4):
        cluster.pod(f"shop/p{number}", "a1", placement=placement)
    assert allowed(cluster.build(), "shop/p0") == ["a1", "b1"]


def test_taints_close_a_domain_only_if_the_constraint_says_so():
    def with_policy(*, honor):
        placement = Placement(spread=(Spread(ZONE, 1, WEB, honor_taints=honor),))
        cluster = Cluster().node("a1", zone="a").node("b1", zone="b", taints=("k:NoSchedule",))
        for name in ("shop/web-1", "shop/web-2"):
            cluster.pod(name, "a1", labels={"app": "web"}, placement=placement)
        return cluster.build()

    assert allowed(with_policy(honor=True), "shop/web-1") == ["a1"]
    assert allowed(with_policy(honor=False), "shop/web-1") == []


def test_moves_change_what_is_allowed():
    term = PodTerm(HOSTNAME, WEB, HERE)
    state = three(anti_affinity=(term,)).pod("shop/web", "b1", labels={"app": "web"}).build()
    feasibility = Feasibility(state)
    me, web = row(state, "shop/me"), row(state, "shop/web")
    assert names(state, feasibility.allowed(me)) == ["a1", "a2", "plain"]
    feasibility.move(web, state.nodes.name.index("a2"))
    assert names(state, feasibility.allowed(me)) == ["a1", "b1", "plain"]
    assert names(state, feasibility.allowed(web)) == ["a2", "b1", "plain"], "web does not go where it is kept away from"


def preference(state: ClusterState, key: str) -> dict[str, float]:
    found = Feasibility(state).preference(row(state, key))
    return dict(zip(state.nodes.name, found.tolist(), strict=True))


def test_no_preference_is_one_half():
    assert set(preference(three().build(), "shop/me").values()) == {0.5}


def test_preferred_nodes_by_weight():
    zone = PreferredNode(30, NodeTerm(labels=equals({ZONE: "a"})))
    name = PreferredNode(10, NodeTerm(labels=equals({HOSTNAME: "a2"})))
    found = preference(three(preferred_nodes=(zone, name)).build(), "shop/me")
    assert found == {"a1": 0.75, "a2": 1.0, "b1": 0.0, "plain": 0.0}


def test_preferred_pods_by_weight():
    near = PreferredPod(60, PodTerm(ZONE, WEB, HERE))
    apart = PreferredPod(-20, PodTerm(HOSTNAME, WEB, HERE))
    state = three(preferred_pods=(near, apart)).pod("shop/web", "a2", labels={"app": "web"}).build()
    assert preference(state, "shop/me") == {"a1": 1.0, "a2": 0.75, "b1": 0.25, "plain": 0.25}


def test_soft_taints_and_soft_spread():
    tainted = Cluster().node("n1", taints=(taint("k:PreferNoSchedule"), "l:PreferNoSchedule")).node("n2")
    assert preference(tainted.pod("shop/me", "n2").build(), "shop/me") == {"n1": pytest.approx(1 / 3), "n2": 1.0}
    found = preference(spread_over_zones(hard=False).build(), "shop/web-3")
    assert found == {"a1": pytest.approx(1 / 3), "a2": pytest.approx(1 / 3), "b1": 1.0, "plain": 0.0}


def test_soft_spread_is_at_most_one_where_a_domain_does_not_count():
    placement = Placement(node_selector=equals({ZONE: "a"}), spread=(Spread(ZONE, 1, WEB, hard=False),))
    cluster = Cluster().node("a1", zone="a").node("b1", zone="b").pod("shop/me", "a1", placement=placement)
    for number in range(2):
        cluster.pod(f"shop/web-{number}", "a1", labels={"app": "web"})
    assert preference(cluster.build(), "shop/me") == {"a1": 1.0, "b1": 1.0}
