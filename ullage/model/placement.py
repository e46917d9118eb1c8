"""What a workload demands of the node that it lands on, as hashable values.

Two workloads with equal `Placement` have equal answers, so masks are computed once per distinct value ("signature").
"""

from __future__ import annotations

import msgspec

from ullage.model.labels import Requirement


class Taint(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A node's taint; `effect` is NoSchedule, PreferNoSchedule or NoExecute."""

    key: str
    value: str = ""
    effect: str = "NoSchedule"


class Toleration(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A toleration; empty `key` with Exists tolerates all keys, empty `effect` all effects."""

    key: str = ""
    operator: str = "Equal"
    value: str = ""
    effect: str = ""

    def tolerates(self, taint: Taint) -> bool:
        """Whether it tolerates `taint` (``k8s.io/api/core/v1/toleration.go`` ToleratesTaint)."""
        if self.effect and self.effect != taint.effect:
            return False
        if self.key and self.key != taint.key:
            return False
        if self.operator == "Exists":
            return True
        return self.operator in ("", "Equal") and bool(self.key) and self.value == taint.value


class NodeTerm(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One node selector term: all of `labels` and all of `fields` (only ``metadata.name`` exists) must hold.

    A term with neither matches no node (as Kubernetes has it).
    """

    labels: tuple[Requirement, ...] = ()
    fields: tuple[Requirement, ...] = ()


class PreferredNode(msgspec.Struct, frozen=True, gc=False):
    """A preferred node term with its weight 1..100."""

    weight: int
    term: NodeTerm


class PodTerm(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A pod affinity or anti-affinity term.

    Attributes
    ----------
    topology_key
        Node label whose value names the domain.
    selector
        Requirements on the other pods' labels; ``None`` matches no pod, empty matches all.
    namespaces
        Names of the namespaces looked at, sorted; resolved from the term's list, or the workload's own if it names none.
    namespace_selector
        Requirements on namespace labels; ``None`` selects none in addition; empty selects all namespaces.
    """

    topology_key: str
    selector: tuple[Requirement, ...] | None = None
    namespaces: tuple[str, ...] = ()
    namespace_selector: tuple[Requirement, ...] | None = None


class PreferredPod(msgspec.Struct, frozen=True, gc=False):
    """A preferred pod term with its weight 1..100; of anti-affinity it is -100..-1."""

    weight: int
    term: PodTerm


class Spread(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A topology spread constraint; it counts pods of the workload's own namespace.

    Attributes
    ----------
    topology_key, max_skew, selector
        As in the pod spec; ``matchLabelKeys`` are already folded into `selector`.
    hard
        DoNotSchedule; else ScheduleAnyway, which is a preference.
    min_domains
        Fewer eligible domains than this make the global minimum 0.
    honor_affinity, honor_taints
        nodeAffinityPolicy (default Honor) and nodeTaintsPolicy (default Ignore).
    """

    topology_key: str
    max_skew: int
    selector: tuple[Requirement, ...] | None = None
    hard: bool = True
    min_domains: int = 1
    honor_affinity: bool = True
    honor_taints: bool = False


class HostPort(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, order=True):
    """A port of the node; address 0.0.0.0 conflicts with every address."""

    port: int
    protocol: str = "TCP"
    address: str = "0.0.0.0"  # noqa: S104 - the wire's own wildcard, nothing is bound here


class Placement(msgspec.Struct, frozen=True, omit_defaults=True):
    """All placement demands of a workload.

    Of a VM they come from the VirtualMachineInstance, not from its virt-launcher pod, whose node selector may still name
    the node of an earlier directed migration.

    Attributes
    ----------
    node_selector
        All must hold.
    node_terms
        AND of ORs: of each inner tuple at least one term must hold. Node affinity is one inner tuple, every bound volume
        with node affinity or zone labels another.
    preferred_nodes, preferred_pods
        Scores, never filters.
    tolerations, affinity, anti_affinity, spread, host_ports
        As in the pod spec.
    virtual_machine
        Needs a node that KubeVirt calls schedulable.
    """

    node_selector: tuple[Requirement, ...] = ()
    node_terms: tuple[tuple[NodeTerm, ...], ...] = ()
    preferred_nodes: tuple[PreferredNode, ...] = ()
    tolerations: tuple[Toleration, ...] = ()
    affinity: tuple[PodTerm, ...] = ()
    anti_affinity: tuple[PodTerm, ...] = ()
    preferred_pods: tuple[PreferredPod, ...] = ()
    spread: tuple[Spread, ...] = ()
    host_ports: tuple[HostPort, ...] = ()
    virtual_machine: bool = False
