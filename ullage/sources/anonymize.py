"""A state whose names tell nothing: for a snapshot that leaves the house.

Everything that bears on a decision stays: figures, order of rows, who matches which selector. Names of nodes, namespaces,
workloads and owners become numbers in the same order, so that a plan for the new state is the plan for the old one with other
names. Label values, and label keys outside of the well-known domains, become salted hashes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import Final

import msgspec

from ullage.model.codes import CODES
from ullage.model.labels import Labels, Requirement
from ullage.model.placement import NodeTerm, Placement, PodTerm, PreferredNode, PreferredPod, Spread, Taint, Toleration
from ullage.model.state import ClusterState, DisruptionBudget, NodeColumns, Note, Owner, Quota, WorkloadColumns

_HOSTNAME: Final = "kubernetes.io/hostname"
_KNOWN: Final = re.compile(r"(?:[a-z0-9.-]+\.)?(?:kubernetes\.io|k8s\.io|kubevirt\.io|openshift\.io|ullage\.dev)/.+")
_PUBLIC_VALUE: Final = re.compile(r"true|false|[+-]?\d{1,9}|amd64|arm64|s390x|ppc64le|linux|windows|")
"""Values that are as good as none: booleans, small numbers (which Gt and Lt compare), architectures."""


class _Names:
    """New names for old ones; what was never seen gets a hash."""

    def __init__(self, salt: bytes) -> None:
        self._salt = salt
        self.nodes: dict[str, str] = {}
        self.namespaces: dict[str, str] = {}

    def hashed(self, text: str, word: str) -> str:
        """``word-`` and a hash of a text."""
        return f"{word}-{blake2b(text.encode(), key=self._salt, digest_size=6).hexdigest()}"

    def node(self, name: str) -> str:
        return self.nodes.get(name) or self.hashed(name, "node")

    def namespace(self, name: str) -> str:
        return self.namespaces.get(name) or self.hashed(name, "namespace")

    def uid(self, uid: str) -> str:
        return self.hashed(uid, "uid") if uid else ""

    def key(self, key: str) -> str:
        return key if not key or _KNOWN.fullmatch(key) else self.hashed(key, "key")

    def value(self, key: str, value: str) -> str:
        if key in (_HOSTNAME, "metadata.name"):
            return self.node(value)
        if key == "kubernetes.io/metadata.name":
            return self.namespace(value)
        return value if _PUBLIC_VALUE.fullmatch(value) else self.hashed(value, "value")

    def requirement(self, of: Requirement) -> Requirement:
        values = tuple(self.value(of.key, v) for v in of.values)
        return Requirement(self.key(of.key), of.operator, tuple(sorted(values)))

    def requirements(self, all_of: Iterable[Requirement]) -> tuple[Requirement, ...]:
        return tuple(map(self.requirement, all_of))

    def selector(self, of: tuple[Requirement, ...] | None) -> tuple[Requirement, ...] | None:
        return None if of is None else self.requirements(of)

    def labels(self, of: Labels) -> Labels:
        """The same table with other words."""
        return Labels.of([{self.key(k): self.value(k, v) for k, v in of.row(row).items()} for row in range(len(of))])


def anonymize(state: ClusterState, salt: bytes) -> ClusterState:
    """`state` with other names.

    Parameters
    ----------
    state
        The cluster.
    salt
        At most 64 bytes, at random: with another salt, hashes of one text differ.
    """
    names = _Names(salt)
    names.nodes = _numbered(state.nodes.name, "node")
    names.namespaces = _numbered(sorted({*state.namespaces, *state.workloads.namespace}), "namespace")
    return replace(
        state,
        nodes=_nodes(state.nodes, names),
        workloads=_workloads(state.workloads, names),
        placements=tuple(_placement(p, names) for p in state.placements),
        owners=_owners(state.owners, names),
        namespaces=tuple(map(names.namespace, state.namespaces)),
        namespace_labels=names.labels(state.namespace_labels),
        budgets=tuple(_budget(b, i, names) for i, b in enumerate(state.budgets)),
        quotas=tuple(_quota(q, i, names) for i, q in enumerate(state.quotas)),
        notes=tuple(Note(n.code, CODES[n.code].meaning if n.code in CODES else "") for n in state.notes),
    )


def _numbered(names: Sequence[str], word: str) -> dict[str, str]:
    """``word-007`` for each name, in the same order."""
    digits = len(str(len(names)))
    return {name: f"{word}-{i:0{digits}d}" for i, name in enumerate(names)}


def _nodes(nodes: NodeColumns, names: _Names) -> NodeColumns:
    return replace(
        nodes,
        name=tuple(map(names.node, nodes.name)),
        uid=tuple(map(names.uid, nodes.uid)),
        taints=tuple(tuple(_taint(t, names) for t in taints) for taints in nodes.taints),
        labels=names.labels(nodes.labels),
    )


def _taint(taint: Taint, names: _Names) -> Taint:
    return Taint(names.key(taint.key), names.value(taint.key, taint.value), taint.effect)


def _workloads(workloads: WorkloadColumns, names: _Names) -> WorkloadColumns:
    renamed = _numbered(sorted(set(workloads.name)), "workload")
    return replace(
        workloads,
        namespace=tuple(map(names.namespace, workloads.namespace)),
        name=tuple(renamed[n] for n in workloads.name),
        uid=tuple(map(names.uid, workloads.uid)),
        pod=tuple(names.hashed(p, "pod") if p != n else renamed[n] for p, n in _pairs(workloads)),
        blocked_reason=tuple(reason.partition(":")[0] for reason in workloads.blocked_reason),
        labels=names.labels(workloads.labels),
    )


def _pairs(workloads: WorkloadColumns) -> Iterable[tuple[str, str]]:
    return zip(workloads.pod, workloads.name, strict=True)


def _owners(owners: Sequence[Owner], names: _Names) -> tuple[Owner, ...]:
    digits = len(str(len(owners)))
    return tuple(Owner(o.kind, names.namespace(o.namespace), f"owner-{i:0{digits}d}") for i, o in enumerate(owners))


def _budget(budget: DisruptionBudget, number: int, names: _Names) -> DisruptionBudget:
    return replace(budget, namespace=names.namespace(budget.namespace), name=f"budget-{number}")


def _quota(quota: Quota, number: int, names: _Names) -> Quota:
    return msgspec.structs.replace(quota, namespace=names.namespace(quota.namespace), name=f"quota-{number}")


def _placement(placement: Placement, names: _Names) -> Placement:
    return msgspec.structs.replace(
        placement,
        node_selector=names.requirements(placement.node_selector),
        node_terms=tuple(tuple(_node_term(t, names) for t in terms) for terms in placement.node_terms),
        preferred_nodes=tuple(PreferredNode(p.weight, _node_term(p.term, names)) for p in placement.preferred_nodes),
        tolerations=tuple(_toleration(t, names) for t in placement.tolerations),
        affinity=_each(placement.affinity, lambda t: _pod_term(t, names)),
        anti_affinity=_each(placement.anti_affinity, lambda t: _pod_term(t, names)),
        preferred_pods=tuple(PreferredPod(p.weight, _pod_term(p.term, names)) for p in placement.preferred_pods),
        spread=tuple(_spread(s, names) for s in placement.spread),
    )


def _each(terms: Iterable[PodTerm], rename: Callable[[PodTerm], PodTerm]) -> tuple[PodTerm, ...]:
    return tuple(map(rename, terms))


def _node_term(term: NodeTerm, names: _Names) -> NodeTerm:
    fields = tuple(
        Requirement(f.key, f.operator, tuple(sorted(names.value(f.key, v) for v in f.values))) for f in term.fields
    )
    return NodeTerm(names.requirements(term.labels), fields)


def _toleration(toleration: Toleration, names: _Names) -> Toleration:
    value = names.value(toleration.key, toleration.value)
    return msgspec.structs.replace(toleration, key=names.key(toleration.key), value=value)


def _pod_term(term: PodTerm, names: _Names) -> PodTerm:
    return PodTerm(
        names.key(term.topology_key),
        names.selector(term.selector),
        tuple(sorted(map(names.namespace, term.namespaces))),
        names.selector(term.namespace_selector),
    )


def _spread(spread: Spread, names: _Names) -> Spread:
    return msgspec.structs.replace(
        spread, topology_key=names.key(spread.topology_key), selector=names.selector(spread.selector)
    )
