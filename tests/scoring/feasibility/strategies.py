"""Small random clusters in which every rule has something to say."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
from hypothesis import strategies as st

from tests.builders import ZONE, Cluster
from ullage.model.arrays import frozen
from ullage.model.labels import Labels, Requirement
from ullage.model.measures import Measures
from ullage.model.placement import (
    HostPort,
    NodeTerm,
    Placement,
    PodTerm,
    PreferredNode,
    PreferredPod,
    Spread,
    Taint,
    Toleration,
)
from ullage.model.state import ClusterState, NodeFlag, WorkloadFlag

NAMESPACES = ("blue", "green", "red")
NODES = ("n0", "n1", "n2", "n3", "n4")
EFFECTS = ("NoSchedule", "NoExecute", "PreferNoSchedule")
CONDITIONS = (NodeFlag(0), NodeFlag.DISK_PRESSURE, NodeFlag.MEMORY_PRESSURE)
LABELS = ({"app": "a"}, {"app": "a", "tier": "1"}, {"app": "b", "tier": "2"}, {})
KEYS = (ZONE, ZONE, "rack", "kubernetes.io/hostname")


def few(elements: st.SearchStrategy[Any], most: int = 2) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(elements, max_size=most).map(tuple)


def some(elements: st.SearchStrategy[Any], most: int = 2) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(elements, min_size=1, max_size=most).map(tuple)


def rarely(elements: st.SearchStrategy[Any], most: int = 2) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.booleans().flatmap(lambda given: some(elements, most) if given else st.just(()))


def requirements(labels: dict[str, tuple[str, ...]]) -> st.SearchStrategy[Requirement]:
    def of(key: str) -> st.SearchStrategy[Requirement]:
        values = st.lists(st.sampled_from(labels[key]), min_size=1, max_size=2, unique=True).map(
            lambda v: tuple(sorted(v))
        )
        return st.one_of(
            st.builds(Requirement, st.just(key), st.sampled_from(("In", "NotIn")), values),
            st.builds(Requirement, st.just(key), st.sampled_from(("Exists", "DoesNotExist"))),
            st.builds(Requirement, st.just(key), st.sampled_from(("Gt", "Lt")), st.just(("1",))),
        )

    return st.sampled_from(sorted(labels)).flatmap(of)


node_requirements = requirements({ZONE: ("a", "b"), "rack": ("1", "2"), "absent": ("x",)})
pod_requirements = requirements({"app": ("a", "b"), "tier": ("1", "2")})
app = Requirement("app", "In", ("a",))
selectors = st.one_of(st.just((app,)), st.just((app,)), st.none(), few(pod_requirements))
taints = st.builds(
    Taint,
    st.sampled_from(("k", "l", "node.kubernetes.io/unschedulable")),
    st.sampled_from(("", "v")),
    st.sampled_from(EFFECTS),
)
tolerations = st.builds(
    Toleration,
    st.sampled_from(("", "k", "l")),
    st.sampled_from(("Equal", "Exists")),
    st.sampled_from(("", "v")),
    st.sampled_from(("", *EFFECTS)),
)
name_requirements = st.builds(
    Requirement,
    st.sampled_from(("metadata.name", "metadata.name", "metadata.uid")),
    st.sampled_from(("In", "NotIn", "Exists")),
    st.sampled_from(NODES).map(lambda name: (name,)),
)
node_terms = st.builds(NodeTerm, few(node_requirements), rarely(name_requirements, 1))
pod_terms = st.builds(
    PodTerm,
    st.sampled_from(KEYS),
    selectors,
    st.lists(st.sampled_from(NAMESPACES), unique=True, min_size=1, max_size=2).map(lambda names: tuple(sorted(names))),
    st.one_of(st.none(), st.none(), few(requirements({"team": ("x", "y")}), 1)),
)
spreads = st.builds(
    Spread,
    topology_key=st.sampled_from(KEYS),
    max_skew=st.integers(1, 2),
    selector=selectors,
    hard=st.booleans(),
    min_domains=st.integers(1, 3),
    honor_affinity=st.booleans(),
    honor_taints=st.booleans(),
)
ports = st.builds(
    HostPort,
    st.sampled_from((80, 443)),
    st.sampled_from(("TCP", "UDP")),
    st.sampled_from(("0.0.0.0", "10.0.0.1", "10.0.0.2")),  # noqa: S104
)


preferred_pods = st.builds(PreferredPod, st.integers(1, 100) | st.integers(-100, -1), pod_terms)
preferred_nodes = st.builds(PreferredNode, st.integers(1, 100), node_terms)

THEMES: dict[str, st.SearchStrategy[Placement]] = {
    "nodes": st.builds(
        Placement,
        node_selector=rarely(node_requirements, 1),
        node_terms=rarely(few(node_terms)),
        preferred_nodes=few(preferred_nodes),
        tolerations=few(tolerations),
    ),
    "affinity": st.builds(Placement, affinity=some(pod_terms), anti_affinity=rarely(pod_terms, 1)),
    "anti-affinity": st.builds(Placement, anti_affinity=some(pod_terms), preferred_pods=few(preferred_pods)),
    "spread": st.builds(
        Placement,
        spread=some(spreads, 3),
        node_selector=rarely(node_requirements, 1),
        tolerations=few(tolerations, 1),
    ),
    "ports": st.builds(Placement, host_ports=some(ports)),
}
"""Placements that try one family of rules each; a random mix of all would seldom get past the first."""


@st.composite
def clusters(draw: st.DrawFn, theme: str | None = None) -> ClusterState:
    """A state of 1 to 5 nodes and 1 to 8 workloads, with placements of one theme or of all of them."""
    cluster = Cluster()
    for name, labels in (("blue", {"team": "x"}), ("green", {"team": "y"})):
        cluster.namespace(name, labels)
    nodes = NODES[: draw(st.sampled_from((3, 4, 5, 2, 1)))]
    healthy = draw(st.booleans())
    for name in nodes:
        cluster.node(
            name,
            cpu=None if not healthy and draw(st.integers(0, 9)) == 9 else 8,
            zone=draw(st.sampled_from(("a", "b", "b", None))),
            labels={"rack": draw(st.sampled_from(("1", "2")))} if draw(st.booleans()) else {},
            taints=draw(rarely(taints, 1 if healthy else 2)),
            ready=healthy or draw(st.integers(0, 7)) != 7,
            cordoned=not healthy and draw(st.integers(0, 7)) == 7,
            flags=NodeFlag(0) if healthy else draw(st.sampled_from((*CONDITIONS, NodeFlag(0), NodeFlag(0)))),
            vm_schedulable=healthy or draw(st.booleans()),
        )
    home = draw(st.sampled_from(NAMESPACES))
    common = draw(some(st.one_of(*THEMES.values()) if theme is None else THEMES[theme], 3))
    for number in range(draw(st.sampled_from((4, 6, 8, 3, 2, 1)))):
        add = cluster.vm if draw(st.booleans()) else cluster.pod
        add(
            f"{draw(st.sampled_from(NAMESPACES + (home,) * 3))}/w{number}",
            draw(st.sampled_from(nodes)),
            labels=draw(st.sampled_from(LABELS)),
            placement=draw(st.sampled_from(common)),
            flags=draw(st.sampled_from((WorkloadFlag(0),) * 3 + (WorkloadFlag.TERMINATING,))),
        )
    state = cluster.build()
    # "red" is a namespace that the input does not describe.
    known = [i for i, name in enumerate(state.namespaces) if name != "red"]
    return replace(
        state,
        namespaces=tuple(state.namespaces[i] for i in known),
        namespace_labels=Labels.of([state.namespace_labels.row(i) for i in known]),
    )


def permuted(state: ClusterState, nodes: list[int], workloads: list[int]) -> ClusterState:
    """The state with rows in another order (which the contract of states does not allow): row i is row `nodes[i]` of before."""
    position = np.argsort(nodes)
    columns = _reordered(state.workloads, workloads)
    moved = replace(columns, node=frozen(position[columns.node], np.int32))
    return replace(state, nodes=_reordered(state.nodes, nodes), workloads=moved)


def _reordered(columns: Any, order: list[int]) -> Any:
    return replace(columns, **{field.name: _take(getattr(columns, field.name), order) for field in fields(columns)})


def _take(column: Any, order: list[int]) -> Any:
    if isinstance(column, tuple):
        return tuple(column[i] for i in order)
    if isinstance(column, Labels):
        return Labels.of([column.row(i) for i in order])
    if isinstance(column, Measures):
        return Measures(*(getattr(column, f.name)[order] for f in fields(column)))
    return column[order]
