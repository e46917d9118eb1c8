"""Feasibility object by object, slow and plain: what the masks must say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ullage.model.labels import Requirement
from ullage.model.placement import HostPort, NodeTerm, Placement, PodTerm, Spread
from ullage.model.state import ClusterState, NodeFlag, WorkloadFlag

Labels = dict[str, str]
PRESSURES = (
    NodeFlag.MEMORY_PRESSURE,
    NodeFlag.DISK_PRESSURE,
    NodeFlag.PID_PRESSURE,
    NodeFlag.NETWORK_UNAVAILABLE,
)


def meets(labels: Labels, requirement: Requirement) -> bool:
    found = labels.get(requirement.key)
    if requirement.operator == "In":
        return found in requirement.values
    if requirement.operator == "NotIn":
        return found not in requirement.values
    if requirement.operator == "Exists":
        return found is not None
    if requirement.operator == "DoesNotExist":
        return found is None
    if requirement.operator in ("Gt", "Lt"):
        if found is None or not found.isdigit():
            return False
        bound = int(requirement.values[0])
        return int(found) > bound if requirement.operator == "Gt" else int(found) < bound
    return False


def selects(selector: Sequence[Requirement] | None, labels: Labels) -> bool:
    return selector is not None and all(meets(labels, r) for r in selector)


@dataclass
class Pod:
    row: int
    namespace: str
    labels: Labels
    node: int
    placement: Placement
    terminating: bool


@dataclass
class Node:
    row: int
    name: str
    labels: Labels


class Reference:
    """The rules for one workload at a time; `bindings` may differ from those of the state."""

    def __init__(self, state: ClusterState, bindings: Sequence[int] | None = None) -> None:
        self.state = state
        w = state.workloads
        nodes = w.node.tolist() if bindings is None else list(bindings)
        self.pods = [
            Pod(
                row,
                w.namespace[row],
                w.labels.row(row),
                nodes[row],
                state.placements[int(w.placement[row])],
                bool(w.flags[row] & WorkloadFlag.TERMINATING),
            )
            for row in range(len(w))
        ]
        self.nodes = [Node(row, state.nodes.name[row], state.nodes.labels.row(row)) for row in range(len(state.nodes))]
        self.namespaces = {name: state.namespace_labels.row(i) for i, name in enumerate(state.namespaces)}

    def static(self, workload: int) -> list[bool]:
        placement = self.pods[workload].placement
        return [not any(code for code in self.node_codes(node, placement)) for node in self.nodes]

    def allowed(self, workload: int) -> list[bool]:
        return [not any(self.codes(workload, node)) for node in self.nodes]

    def codes(self, workload: int, node: Node) -> Iterator[str]:
        pod = self.pods[workload]
        others = [other for other in self.pods if other.row != workload]
        yield from self.node_codes(node, pod.placement)
        here = [other for other in others if other.node == node.row]
        if any(clash(p, q) for other in here for p in pod.placement.host_ports for q in other.placement.host_ports):
            yield "host-port"
        if not self.has_company(pod, others, node):
            yield "pod-affinity"
        if self.is_shunned(pod, others, node):
            yield "pod-anti-affinity"
        hard = [spread for spread in pod.placement.spread if spread.hard]
        if not all(self.is_even(pod, others, node, spread, hard) for spread in hard):
            yield "topology-spread"

    def node_codes(self, node: Node, placement: Placement) -> Iterator[str]:
        flags = NodeFlag(int(self.state.nodes.flags[node.row]))
        if NodeFlag.READY not in flags or any(p in flags for p in PRESSURES):
            yield "node-not-ready"
        taints = self.state.nodes.taints[node.row]
        cordon = [t for t in taints if t.key == "node.kubernetes.io/unschedulable" and t.effect != "PreferNoSchedule"]
        if NodeFlag.UNSCHEDULABLE in flags or cordon:
            yield "node-unschedulable"
        cpu, memory, pods = self.state.nodes.allocatable[node.row, :3]
        if cpu != cpu or memory != memory or pods != pods:
            yield "allocatable"
        if not self.tolerated(node, placement):
            yield "taint"
        if placement.virtual_machine and NodeFlag.VM_SCHEDULABLE not in flags:
            yield "kubevirt-node"
        if not selects(placement.node_selector, node.labels):
            yield "node-selector"
        if not self.has_affinity(node, placement):
            yield "node-affinity"

    def tolerated(self, node: Node, placement: Placement) -> bool:
        hard = [t for t in self.state.nodes.taints[node.row] if t.effect in ("NoSchedule", "NoExecute")]
        return all(any(toleration.tolerates(t) for toleration in placement.tolerations) for t in hard)

    def has_affinity(self, node: Node, placement: Placement) -> bool:
        return all(any(self.meets_term(node, term) for term in terms) for terms in placement.node_terms)

    def meets_term(self, node: Node, term: NodeTerm) -> bool:
        if not term.labels and not term.fields:
            return False
        fields = {"metadata.name": node.name}
        known = all(r.key in fields and r.operator in ("In", "NotIn") for r in term.fields)
        return known and selects(term.labels, node.labels) and selects(term.fields, fields)

    def picks(self, term: PodTerm, pod: Pod) -> bool:
        by_label = selects(term.namespace_selector, self.namespaces.get(pod.namespace, {}))
        return (pod.namespace in term.namespaces or by_label) and selects(term.selector, pod.labels)

    def has_company(self, pod: Pod, others: list[Pod], node: Node) -> bool:
        terms = pod.placement.affinity
        if any(term.topology_key not in node.labels for term in terms):
            return False
        company = [other for other in others if all(self.picks(term, other) for term in terms)]
        pairs = {
            (term.topology_key, self.nodes[other.node].labels[term.topology_key])
            for other in company
            for term in terms
            if term.topology_key in self.nodes[other.node].labels
        }
        if all((term.topology_key, node.labels[term.topology_key]) in pairs for term in terms):
            return True
        return not pairs and all(self.picks(term, pod) for term in terms)

    def is_shunned(self, pod: Pod, others: list[Pod], node: Node) -> bool:
        for other in others:
            there = self.nodes[other.node].labels
            keys = [t.topology_key for t in pod.placement.anti_affinity if self.picks(t, other)]
            keys += [t.topology_key for t in other.placement.anti_affinity if self.picks(t, pod)]
            if any(key in there and there[key] == node.labels.get(key) for key in keys):
                return True
        return False

    def counting(self, pod: Pod, spread: Spread, spreads: list[Spread]) -> list[Node]:
        return [
            node
            for node in self.nodes
            if all(s.topology_key in node.labels for s in spreads)
            and not (spread.honor_taints and not self.tolerated(node, pod.placement))
            and not (
                spread.honor_affinity
                and not (selects(pod.placement.node_selector, node.labels) and self.has_affinity(node, pod.placement))
            )
        ]

    def spread_counts(self, pod: Pod, others: list[Pod], spread: Spread, spreads: list[Spread]) -> dict[str, int]:
        counts: dict[str, int] = {}
        for node in self.counting(pod, spread, spreads):
            domain = node.labels[spread.topology_key]
            counts.setdefault(domain, 0)
            for other in others:
                if other.node == node.row and other.namespace == pod.namespace and not other.terminating:
                    counts[domain] += bool(spread.selector) and selects(spread.selector, other.labels)
        return counts

    def least(self, counts: dict[str, int], spread: Spread) -> int:
        return min(counts.values()) if counts and len(counts) >= spread.min_domains else 0

    def is_even(self, pod: Pod, others: list[Pod], node: Node, spread: Spread, spreads: list[Spread]) -> bool:
        if spread.topology_key not in node.labels:
            return False
        counts = self.spread_counts(pod, others, spread, spreads)
        self_match = int(selects(spread.selector, pod.labels))
        there = counts.get(node.labels[spread.topology_key], 0)
        return there + self_match - self.least(counts, spread) <= spread.max_skew

    def preference(self, workload: int) -> list[float]:
        return [self.preference_for(workload, node) for node in self.nodes]

    def preference_for(self, workload: int, node: Node) -> float:
        pod = self.pods[workload]
        others = [other for other in self.pods if other.row != workload]
        parts = []
        if any(self.soft_taints(n, pod.placement) for n in self.nodes):
            parts.append((3.0, 1 / (1 + self.soft_taints(node, pod.placement))))
        nodes = pod.placement.preferred_nodes
        if nodes:
            met = sum(p.weight for p in nodes if self.meets_term(node, p.term))
            parts.append((2.0, met / sum(p.weight for p in nodes)))
        if pod.placement.preferred_pods:
            wishes = [
                (abs(p.weight), self.is_near(p.term, others, node) == (p.weight > 0))
                for p in pod.placement.preferred_pods
            ]
            parts.append(
                (2.0, sum(weight for weight, granted in wishes if granted) / sum(weight for weight, _ in wishes))
            )
        soft = [spread for spread in pod.placement.spread if not spread.hard]
        if soft:
            parts.append((2.0, sum(self.evenness(pod, others, node, s, soft) for s in soft) / len(soft)))
        return sum(w * v for w, v in parts) / sum(w for w, _ in parts) if parts else 0.5

    def soft_taints(self, node: Node, placement: Placement) -> int:
        soft = [t for t in self.state.nodes.taints[node.row] if t.effect == "PreferNoSchedule"]
        return sum(not any(toleration.tolerates(t) for toleration in placement.tolerations) for t in soft)

    def is_near(self, term: PodTerm, others: list[Pod], node: Node) -> bool:
        key = term.topology_key
        return key in node.labels and any(
            self.picks(term, other) and self.nodes[other.node].labels.get(key) == node.labels[key] for other in others
        )

    def evenness(self, pod: Pod, others: list[Pod], node: Node, spread: Spread, spreads: list[Spread]) -> float:
        if spread.topology_key not in node.labels:
            return 0.0
        counts = self.spread_counts(pod, others, spread, spreads)
        there = counts.get(node.labels[spread.topology_key], 0)
        return min((1 + self.least(counts, spread)) / (1 + there), 1.0)


def clash(one: HostPort, other: HostPort) -> bool:
    wildcard = "0.0.0.0" in (one.address, other.address)  # noqa: S104
    return one.port == other.port and one.protocol == other.protocol and (one.address == other.address or wildcard)
