from __future__ import annotations

import pytest

from tests.sources.dumps import container, launcher, node, note, pod, state_of, vmi
from ullage.model.labels import Requirement
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

HOST, ZONE = "kubernetes.io/hostname", "topology.kubernetes.io/zone"
REQUIRED, PREFERRED = (
    "requiredDuringSchedulingIgnoredDuringExecution",
    "preferredDuringSchedulingIgnoredDuringExecution",
)


def placement(*others, labels=None, owner="ReplicaSet", **spec) -> Placement:
    meta = {"labels": labels or {}, "ownerReferences": [{"kind": owner, "name": "o", "uid": "o", "controller": True}]}
    state = state_of(node("n1"), pod("p", metadata=meta, spec=spec), *others)
    return state.placements[state.workloads.placement[0]]


def expression(key, operator, *values):
    return {"key": key, "operator": operator, "values": list(values)}


def test_no_demand_at_all():
    assert placement() == Placement()


def test_node_selector_in_order_of_key():
    found = placement(nodeSelector={"b": "2", "a": "1"}).node_selector
    assert found == (Requirement("a", "In", ("1",)), Requirement("b", "In", ("2",)))


def test_node_affinity():
    terms = [
        {"matchExpressions": [expression("z", "In", "b", "a", "b"), expression("g", "Gt", "5")]},
        {"matchFields": [expression("metadata.name", "In", "n1")]},
        {"matchExpressions": [expression("x", "Exists")]},
    ]
    preferred = [
        {"weight": 7, "preference": {"matchExpressions": [expression("ssd", "DoesNotExist")]}},
        {"weight": 9, "preference": {}},
    ]
    found = placement(affinity={"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": terms}, PREFERRED: preferred}})
    assert found.node_terms == (
        (
            NodeTerm(labels=(Requirement("g", "Gt", ("5",)), Requirement("z", "In", ("a", "b")))),
            NodeTerm(fields=(Requirement("metadata.name", "In", ("n1",)),)),
            NodeTerm(labels=(Requirement("x", "Exists"),)),
        ),
    )
    assert found.preferred_nodes == (PreferredNode(7, NodeTerm(labels=(Requirement("ssd", "DoesNotExist"),))),)


def test_node_affinity_without_terms_matches_no_node():
    assert placement(affinity={"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": []}}}).node_terms == ((),)


def test_daemonset_pods_share_one_placement():
    def of(name):
        terms = [{"matchFields": [expression("metadata.name", "In", name)]}]
        return {"affinity": {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": terms}}}, "nodeSelector": {"os": "linux"}}

    found = placement(owner="DaemonSet", **of("n1"))
    assert found == placement(owner="DaemonSet", **of("n2"))
    assert (found.node_terms, len(found.node_selector)) == ((), 1)
    assert placement(**of("n1")).node_terms


def test_tolerations():
    found = placement(
        tolerations=[{"key": "a", "value": "b", "effect": "NoSchedule", "tolerationSeconds": 5}, {"operator": "Exists"}]
    )
    assert found.tolerations == (Toleration("a", "Equal", "b", "NoSchedule"), Toleration(operator="Exists"))


class TestPodTerms:
    def term(self, labels=None, **over) -> PodTerm:
        wire = {"topologyKey": HOST, "labelSelector": {"matchLabels": {"app": "a"}}, **over}
        return placement(affinity={"podAntiAffinity": {REQUIRED: [wire]}}, labels=labels).anti_affinity[0]

    def test_namespaces(self):
        assert self.term().namespaces == ("ns",)
        assert self.term(namespaces=["z", "b", "z"]).namespaces == ("b", "z")
        selected = self.term(namespaceSelector={"matchLabels": {"team": "x"}})
        assert (selected.namespaces, selected.namespace_selector) == ((), (Requirement("team", "In", ("x",)),))
        assert self.term(namespaceSelector={}).namespace_selector == ()
        assert self.term().namespace_selector is None

    def test_selectors(self):
        assert self.term(labelSelector=None).selector is None
        assert self.term(labelSelector={}).selector == ()
        both = {"matchLabels": {"b": "1"}, "matchExpressions": [expression("a", "NotIn", "y", "x")]}
        assert self.term(labelSelector=both).selector == (
            Requirement("a", "NotIn", ("x", "y")),
            Requirement("b", "In", ("1",)),
        )

    def test_label_keys_take_the_pods_own_values(self):
        keys = {"matchLabelKeys": ["hash", "none"], "mismatchLabelKeys": ["tenant"]}
        found = self.term(labels={"hash": "h", "tenant": "t"}, **keys).selector
        assert found == (
            Requirement("app", "In", ("a",)),
            Requirement("hash", "In", ("h",)),
            Requirement("tenant", "NotIn", ("t",)),
        )

    def test_label_keys_that_the_api_server_has_merged_stay_single(self):
        merged = {"matchLabels": {"app": "a"}, "matchExpressions": [expression("hash", "In", "h")]}
        found = self.term(labels={"hash": "h"}, labelSelector=merged, matchLabelKeys=["hash"]).selector
        assert found == (Requirement("app", "In", ("a",)), Requirement("hash", "In", ("h",)))

    def test_preferred_ones_carry_a_sign(self):
        def weighted(weight):
            return {PREFERRED: [{"weight": weight, "podAffinityTerm": {"topologyKey": ZONE, "labelSelector": {}}}]}

        found = placement(affinity={"podAffinity": weighted(3), "podAntiAffinity": weighted(5)})
        term = PodTerm(ZONE, (), ("ns",))
        assert found.preferred_pods == (PreferredPod(3, term), PreferredPod(-5, term))
        assert (found.affinity, found.anti_affinity) == ((), ())

    def test_pods_with_other_labels_or_namespaces_do_not_share_what_depends_on_them(self):
        wire = {"topologyKey": HOST, "labelSelector": {}, "matchLabelKeys": ["h"]}
        spec = {"affinity": {"podAffinity": {REQUIRED: [wire]}}}
        state = state_of(
            node("n1"),
            pod("a", metadata={"labels": {"h": "1"}}, spec=spec),
            pod("b", metadata={"labels": {"h": "2"}}, spec=spec),
            pod("c", namespace="other", metadata={"labels": {"h": "1"}}, spec=spec),
        )
        terms = [state.placements[row].affinity[0] for row in state.workloads.placement]
        assert [each.namespaces for each in terms] == [("ns",), ("ns",), ("other",)]
        assert [each.selector for each in terms] == [(Requirement("h", "In", (value,)),) for value in "121"]


def test_topology_spread():
    wire = [
        {"maxSkew": 2, "topologyKey": ZONE, "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {}, "matchLabelKeys": ["v"],
         "minDomains": 3, "nodeAffinityPolicy": "Ignore", "nodeTaintsPolicy": "Honor"},
        {"maxSkew": 1, "topologyKey": HOST, "whenUnsatisfiable": "ScheduleAnyway"},
    ]  # fmt: skip
    assert placement(topologySpreadConstraints=wire, labels={"v": "1"}).spread == (
        Spread(ZONE, 2, (Requirement("v", "In", ("1",)),), min_domains=3, honor_affinity=False, honor_taints=True),
        Spread(HOST, 1, None, hard=False),
    )


def test_host_ports():
    ports = [
        {"containerPort": 80, "hostPort": 8080},
        {"containerPort": 53, "hostPort": 53, "protocol": "UDP", "hostIP": "10.0.0.1"},
        {"containerPort": 9},
    ]
    spec = {"containers": [container(ports=ports), container("b", ports=ports[:1])]}
    assert placement(**spec).host_ports == (HostPort(53, "UDP", "10.0.0.1"), HostPort(8080))
    assert HostPort(9) in placement(**spec, hostNetwork=True).host_ports


def test_equal_demands_are_one_placement():
    tolerations = [{"operator": "Exists"}]
    same = [pod(f"p{i}", spec={"tolerations": tolerations, "nodeSelector": {"a": "1", "b": "2"}}) for i in range(5)]
    other_order = pod("q", spec={"tolerations": tolerations, "nodeSelector": {"b": "2", "a": "1"}})
    state = state_of(node("n1"), *same, other_order, pod("r"))
    assert state.workloads.placement.tolist() == [0] * 6 + [1]
    assert len(state.placements) == 2


MOUNTED = {"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "claim"}}]}
CLAIM = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "claim", "namespace": "ns"},
    "spec": {"volumeName": "pv"},
}


class TestVolumes:
    def volume(self, labels=None, **spec):
        return {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": "pv", "labels": labels or {}},
            "spec": spec,
        }

    def local(self, name="n1", **more):
        terms = [{"matchExpressions": [expression(HOST, "In", name)]}]
        return self.volume(nodeAffinity={"required": {"nodeSelectorTerms": terms}}, **more)

    def test_a_local_volume_ties_to_its_node(self):
        found = placement(CLAIM, self.local(), **MOUNTED)
        assert found.node_terms == ((NodeTerm(labels=(Requirement(HOST, "In", ("n1",)),)),),)

    def test_next_to_node_affinity_it_is_an_entry_of_its_own(self):
        affinity = {
            "nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [{"matchExpressions": [expression("a", "Exists")]}]}}
        }
        assert len(placement(CLAIM, self.local(), affinity=affinity, **MOUNTED).node_terms) == 2

    def test_zone_labels_split_and_let_nodes_without_zones_pass(self):
        volume = self.volume({"failure-domain.beta.kubernetes.io/zone": "b__a", "topology.kubernetes.io/region": "r"})
        (entry,) = placement(CLAIM, volume, **MOUNTED).node_terms
        assert entry[0].labels == (
            Requirement("topology.kubernetes.io/region", "In", ("r",)),
            Requirement(ZONE, "In", ("a", "b")),
        )
        assert {each.operator for each in entry[1].labels} == {"DoesNotExist"}
        assert len(entry[1].labels) == 4

    def test_the_volume_says_its_claim_if_the_claim_is_not_there(self):
        assert placement(self.local(claimRef={"namespace": "ns", "name": "claim"}), **MOUNTED).node_terms
        assert not placement(self.local(claimRef={"namespace": "other", "name": "claim"}), **MOUNTED).node_terms

    def test_generic_ephemeral_volumes(self):
        own = {"volumes": [{"name": "scratch", "ephemeral": {"volumeClaimTemplate": {}}}]}
        assert placement(self.local(claimRef={"namespace": "ns", "name": "p-scratch"}), **own).node_terms

    @pytest.mark.parametrize("others", [(), ("claim",)])
    def test_what_is_not_known_ties_nothing(self, others):
        assert placement(*(CLAIM for _ in others), **MOUNTED).node_terms == ()

    def test_a_claim_without_its_volume_is_noted_if_it_could_matter(self):
        def noted(*objects):
            return note(state_of(node("n1"), *objects), "volume-unknown")

        found = noted(pod("p", spec=MOUNTED), CLAIM)
        assert found is not None
        assert found.objects == ("ns/claim",)
        assert noted(pod("p", spec=MOUNTED), CLAIM, self.volume()) is None
        machine = [launcher("vm", spec=MOUNTED), vmi("vm", spec=MOUNTED, status={"conditions": []})]
        assert noted(*machine) is not None
        machine[1]["status"]["conditions"] = [{"type": "LiveMigratable", "status": "True"}]
        assert noted(*machine) is None
