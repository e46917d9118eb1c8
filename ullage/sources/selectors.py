"""Selectors and affinity terms of the wire as values of the model, in one canonical order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ullage.model.labels import Requirement, equals
from ullage.model.placement import NodeTerm, PodTerm, PreferredNode, PreferredPod, Spread
from ullage.sources.objects import (
    Expression,
    LabelSelector,
    NodeSelector,
    NodeSelectorTerm,
    PodAffinityTerm,
    PreferredTerm,
    TopologySpread,
    WeightedPodTerm,
)


def in_order(requirements: Iterable[Requirement]) -> tuple[Requirement, ...]:
    """Requirements sorted, without duplicates, so that equal demands become equal values."""
    return tuple(sorted(set(requirements), key=_order))


def _order(requirement: Requirement) -> tuple[str, str, tuple[str, ...]]:
    return requirement.key, requirement.operator, requirement.values


def requirements(expressions: Sequence[Expression] | None) -> tuple[Requirement, ...]:
    """Requirements of matchExpressions or matchFields."""
    return in_order(_requirement(each) for each in expressions or ())


def _requirement(expression: Expression) -> Requirement:
    values = tuple(expression.values or ())
    if expression.operator in ("In", "NotIn"):
        values = tuple(sorted(set(values)))
    elif expression.operator in ("Exists", "DoesNotExist"):
        values = ()
    return Requirement(expression.key, expression.operator, values)


def selector(wire: LabelSelector | None) -> tuple[Requirement, ...] | None:
    """Requirements of a label selector; ``None`` (matches nothing) if there is none, empty (matches all) if it is empty."""
    if wire is None:
        return None
    return in_order((*equals(wire.match_labels or {}), *requirements(wire.match_expressions)))


def node_term(wire: NodeSelectorTerm) -> NodeTerm:
    """A node selector term."""
    return NodeTerm(labels=requirements(wire.match_expressions), fields=requirements(wire.match_fields))


def node_terms(wire: NodeSelector) -> tuple[NodeTerm, ...]:
    """Terms of a node selector, one of which must hold; none at all matches no node."""
    return tuple(node_term(each) for each in wire.node_selector_terms or ())


def preferred_nodes(wire: Sequence[PreferredTerm] | None) -> tuple[PreferredNode, ...]:
    """Preferred node terms that say something: a weight and a term that is not empty."""
    found = ((each.weight, node_term(each.preference)) for each in wire or () if each.preference and each.weight)
    return tuple(PreferredNode(weight, term) for weight, term in found if term.labels or term.fields)


def pod_term(wire: PodAffinityTerm, namespace: str, labels: Mapping[str, str]) -> PodTerm:
    """A pod affinity term, with its match label keys folded in and its namespaces resolved.

    Parameters
    ----------
    wire
        The term.
    namespace
        The pod's own namespace: what a term looks at that names neither namespaces nor a selector of them.
    labels
        The pod's own labels, from which matchLabelKeys and mismatchLabelKeys take their values.
    """
    is_own = not wire.namespaces and wire.namespace_selector is None
    wanted = with_label_keys(selector(wire.label_selector), "In", wire.match_label_keys, labels)
    return PodTerm(
        topology_key=wire.topology_key,
        selector=with_label_keys(wanted, "NotIn", wire.mismatch_label_keys, labels),
        namespaces=(namespace,) if is_own else tuple(sorted(set(wire.namespaces or ()))),
        namespace_selector=selector(wire.namespace_selector),
    )


def with_label_keys(
    wanted: tuple[Requirement, ...] | None, operator: str, keys: Sequence[str] | None, labels: Mapping[str, str]
) -> tuple[Requirement, ...] | None:
    """`wanted` and, for each of `keys` that `labels` hold, the requirement of that value; a selector of nothing stays so.

    API servers from 1.29 on (1.34 for spread constraints) have folded them in already; twice is the same as once.
    """
    if wanted is None or not keys:
        return wanted
    return in_order((*wanted, *(Requirement(key, operator, (labels[key],)) for key in keys if key in labels)))


def preferred_pods(
    wire: Sequence[WeightedPodTerm] | None, namespace: str, labels: Mapping[str, str], sign: int
) -> tuple[PreferredPod, ...]:
    """Preferred pod terms, their weight times `sign` (-1 for anti-affinity)."""
    found = ((each.weight, each.pod_affinity_term) for each in wire or () if each.weight)
    return tuple(PreferredPod(sign * weight, pod_term(term, namespace, labels)) for weight, term in found if term)


def spread(wire: TopologySpread, labels: Mapping[str, str]) -> Spread:
    """A topology spread constraint."""
    return Spread(
        topology_key=wire.topology_key,
        max_skew=wire.max_skew,
        selector=with_label_keys(selector(wire.label_selector), "In", wire.match_label_keys, labels),
        hard=wire.when_unsatisfiable != "ScheduleAnyway",
        min_domains=wire.min_domains or 1,
        honor_affinity=wire.node_affinity_policy != "Ignore",
        honor_taints=wire.node_taints_policy == "Honor",
    )
