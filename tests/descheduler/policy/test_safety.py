from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from descheduler.policy.plan import Goal, NodeClass, RebalancePlan
from tests.descheduler.policy.checking import Checker, node_use
from tests.descheduler.policy.making import configuration, plan
from tests.strategies import PLAIN, Traits, clusters
from ullage.config.schema import Configuration
from ullage.model.codes import CODES, Topic
from ullage.model.state import ClusterState

few = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])

configurations = st.builds(
    configuration,
    high=st.sampled_from((0.8, 0.7)),
    target=st.sampled_from((0.8, 0.7, 0.6)).map(lambda t: min(t, 0.7)),
    goal=st.sampled_from(("relieve", "relieve", "balance", "consolidate", "evacuate")),
    engine=st.sampled_from(("greedy", "greedy", "exact")),
    minimize=st.sampled_from(("moves", "bytes")),
    max_moves=st.sampled_from((None, None, 0, 1, 2)),
    keep_balancing=st.booleans(),
    rounds=st.just(16),
    exact_time_limit_seconds=st.just(2.0),
)


def made(state: ClusterState, config: Configuration) -> tuple[RebalancePlan, frozenset[str]]:
    """The plan, and the nodes that it empties: the first one, if that is what it is for."""
    closed = state.nodes.name[:1] if config.planning.goal == "evacuate" else ()
    return plan(state, *closed, config=config), frozenset(closed)


@few
@given(clusters(), configurations)
def test_every_prefix_of_every_plan_is_safe(state, config):
    result, closed = made(state, config)
    assert Checker(state, result, config).problems(closed) == []


@few
@given(clusters(PLAIN, nodes=4, workloads=12), configurations)
def test_plans_of_plain_clusters_are_safe(state, config):
    result, closed = made(state, config)
    assert Checker(state, result, config).problems(closed) == []


@few
@given(clusters(Traits(gaps=False, bound=False)), configurations)
def test_plans_of_clusters_full_of_rules_are_safe(state, config):
    result, closed = made(state, config)
    assert Checker(state, result, config).problems(closed) == []


@few
@given(clusters(), configurations)
def test_a_plan_hangs_together(state, config):
    result, closed = made(state, config)
    summary = result.status.summary
    assert summary.moves == len(result.spec.moves)
    assert summary.bytes == sum(m.memory_bytes for m in result.spec.moves)
    after = [n.after.node_class for n in result.status.nodes]
    assert summary.nodes_over_after == after.count(NodeClass.OVER)
    assert summary.nodes_unknown == after.count(NodeClass.UNKNOWN)
    moved = {m.workload for m in result.spec.moves}
    refused = [r.workload for r in result.status.refused]
    assert not moved & set(refused)
    assert len(refused) == len(set(refused))
    subjects = {n.name for n in result.status.nodes if n.before.node_class is NodeClass.OVER}
    subjects = set(closed) if config.planning.goal == "evacuate" else subjects
    if config.planning.goal != "consolidate":
        assert {r.node for r in result.status.refused} <= subjects
        stay = sum(n.before.workloads - n.moves_out for n in result.status.nodes if n.name in subjects)
        assert len(refused) == stay


@few
@given(clusters(), configurations)
def test_every_word_has_a_code_of_its_topic(state, config):
    result, _ = made(state, config)
    assert all(CODES[m.code].topic is Topic.MOVE and m.reason for m in result.spec.moves)
    assert all(CODES[r.code].topic is Topic.REFUSED and r.reason for r in result.status.refused)
    assert all(CODES[n.code].topic is Topic.NOTE and n.text for n in result.status.notes)
    for node in result.status.nodes:
        said = node.after.node_class in (NodeClass.OVER, NodeClass.UNKNOWN)
        assert bool(node.code) is bool(node.reason)
        assert bool(node.code) or not said
        assert not node.code or CODES[node.code].topic is Topic.NODE


@few
@given(clusters(Traits(gaps=False)), configurations)
def test_no_node_gets_over_by_a_plan(state, config):
    result, _ = made(state, config)
    for n in result.status.nodes:
        assert n.after.node_class is not NodeClass.OVER or n.before.node_class is NodeClass.OVER


@few
@given(clusters(), st.sampled_from(("greedy", "exact")))
def test_relief_only_takes_from_nodes_that_are_over(state, engine):
    result = plan(state, engine=engine, rounds=16)
    over = {n.name for n in result.status.nodes if n.before.node_class is NodeClass.OVER}
    codes = {m.code for m in result.spec.moves}
    assert codes <= {Goal.RELIEVE.value, "make-room"}
    assert {m.source for m in result.spec.moves if m.code == Goal.RELIEVE.value} <= over
    aside = [m for m in result.spec.moves if m.code == "make-room"]
    assert over.isdisjoint(m.source for m in aside)
    filled = {m.target for m in result.spec.moves if m.code == Goal.RELIEVE.value}
    assert {m.source for m in aside} <= filled, "a workload steps aside only where one of an over node lands"


@few
@given(clusters())
def test_unknown_nodes_are_neither_source_nor_destination(state):
    config = configuration(keep_balancing=True, rounds=16)
    result = plan(state, config=config)
    unknown = {name for n, name in enumerate(state.nodes.name) if node_use(state, n, config) is None}
    assert unknown == {n.name for n in result.status.nodes if n.before.node_class is NodeClass.UNKNOWN}
    assert not unknown & {name for m in result.spec.moves for name in (m.source, m.target)}
    assert all(n.code == "node-unknown" for n in result.status.nodes if n.name in unknown)
