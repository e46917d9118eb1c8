from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from descheduler.report.wire import to_json
from tests.builders import HOSTNAME, Cluster
from tests.descheduler.policy.brute import over
from tests.descheduler.policy.making import configuration, plan
from tests.strategies import PLAIN, Traits, clusters
from ullage.model.labels import Labels
from ullage.model.measures import Measures
from ullage.model.state import ClusterState

few = settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
goals = st.sampled_from(("relieve", "balance", "consolidate"))
engines = st.sampled_from(("greedy", "exact"))
MEASURES = ("value", "age_seconds", "source")
NAME = re.compile(r"\b([nw]\d+)\b")


def longer(text: str) -> str:
    """Names of nodes and workloads with something in front: another name, the same order."""
    return NAME.sub(r"x-\1", text)


def renamed(state: ClusterState) -> ClusterState:
    nodes, workloads = state.nodes, state.workloads
    labels = [nodes.labels.row(n) for n in range(len(nodes))]
    return replace(
        state,
        nodes=replace(
            nodes,
            name=tuple(map(longer, nodes.name)),
            uid=tuple(map(longer, nodes.uid)),
            labels=Labels.of([row | {HOSTNAME: longer(row[HOSTNAME])} for row in labels]),
        ),
        workloads=replace(
            workloads,
            name=tuple(map(longer, workloads.name)),
            pod=tuple(map(longer, workloads.pod)),
            uid=tuple(map(longer, workloads.uid)),
        ),
    )


@few
@given(clusters(), goals, engines, st.sampled_from(("moves", "bytes")))
def test_the_same_input_gives_the_same_bytes(state, goal, engine, minimize):
    settings = {"goal": goal, "engine": engine, "minimize": minimize, "rounds": 16}
    assert to_json(plan(state, **settings)) == to_json(plan(state, **settings))


@few
@given(clusters(), goals)
def test_other_names_in_the_same_order_change_nothing_else(state, goal):
    before, after = (to_json(plan(s, goal=goal, rounds=16)) for s in (state, renamed(state)))
    assert after == longer(before)


@few
@given(st.permutations(range(9)), st.permutations(range(3)))
def test_the_order_of_the_input_does_not_show(workloads, nodes):
    def built(order, places) -> ClusterState:
        cluster = Cluster()
        for n in places:
            cluster.node(f"n{n}")
        for w in order:
            cluster.vm(f"shop/w{w}", f"n{w // 6}", use_cpu=0.5 + 0.25 * w, use_memory=f"{w + 1}Gi")
        return cluster.build()

    assert to_json(plan(built(workloads, nodes))) == to_json(plan(built(range(9), range(3))))


@few
@given(clusters(PLAIN, nodes=4, workloads=10))
def test_one_more_idle_node_never_leaves_a_node_over_that_came_down_without_it(state):
    config = configuration()
    made = plan(state, config=config)
    assume(made.spec.moves and not over(made))
    more = plan(with_idle_node(state), config=config)
    assert over(more) == []
    assert more.status.lower_bound == made.status.lower_bound
    # The search is a heuristic: it may take another way, but not a much longer one.
    assert len(more.spec.moves) <= len(made.spec.moves) + 1


@few
@given(clusters(Traits(rules=False, gaps=False), nodes=3, workloads=6))
def test_an_idle_node_that_takes_nothing_changes_no_move(state):
    closed = with_idle_node(state, cpu=0.001)
    assert plan(closed).spec.moves == plan(state).spec.moves


def with_idle_node(state: ClusterState, cpu: float = 8) -> ClusterState:
    """`state` with an idle node ``n9`` of the usual size."""
    other = Cluster().node("n9", cpu=cpu).build().nodes
    nodes = state.nodes
    joined = {
        name: np.concatenate([getattr(nodes, name), getattr(other, name)])
        for name in ("allocatable", "capacity", "requested", "swap_capacity_bytes", "flags")
    }
    return replace(
        state,
        nodes=replace(
            nodes,
            name=nodes.name + other.name,
            uid=nodes.uid + other.uid,
            taints=nodes.taints + other.taints,
            kubelet_version=nodes.kubelet_version + other.kubelet_version,
            labels=Labels.of([*(nodes.labels.row(n) for n in range(len(nodes))), other.labels.row(0)]),
            measures=Measures(
                *(np.concatenate([getattr(nodes.measures, f), getattr(other.measures, f)]) for f in MEASURES)
            ),
            **joined,
        ),
    )
