from __future__ import annotations

import re

import pytest

from descheduler.policy.decide import decide
from descheduler.policy.memory import Memory
from tests.builders import Cluster
from ullage.config import defaults
from ullage.model.state import ClusterState
from ullage.sources.anonymize import anonymize
from ullage.sources.inputs import load
from ullage.sources.snapshot import decode, encode

SALT = b"salt"


@pytest.fixture(scope="module")
def example() -> ClusterState:
    return load(["examples/cluster.json.gz"])


def words(state: ClusterState) -> set[str]:
    """Names that tell something: of nodes, namespaces, workloads, owners, pods and uids."""
    w = state.workloads
    named = {*state.nodes.name, *w.namespace, *w.name, *w.uid, *w.pod, *(o.name for o in state.owners)}
    return {name for name in named if name} - {"kubevirt"}  # which is also a part of a label key


def test_no_name_is_left(example):
    text = encode(anonymize(example, SALT)).decode()
    assert not [name for name in words(example) if re.search(rf"\b{re.escape(name)}\b", text)]


def test_the_plan_is_the_same_but_for_names(example):
    other = anonymize(example, SALT)
    renamed = dict(zip(example.nodes.name, other.nodes.name, strict=True))
    uid = dict(zip(example.workloads.uid, other.workloads.uid, strict=True))
    plans = [decide(s, Memory(), defaults(), s.observed_at_seconds)[0] for s in (example, other)]
    moves, others = ([(m.workload.uid, m.source, m.target, m.code) for m in p.spec.moves] for p in plans)
    assert moves
    assert [(uid[u], renamed[s], renamed[t], c) for u, s, t, c in moves] == others
    assert [r.code for r in plans[0].status.refused] == [r.code for r in plans[1].status.refused]


def test_it_is_a_snapshot_like_any_other(example):
    other = anonymize(example, SALT)
    assert encode(decode(encode(other), "x")) == encode(other)


def test_selectors_match_what_they_matched(example):
    other = anonymize(example, SALT)
    for before, after in zip(example.placements, other.placements, strict=True):
        for terms in zip(before.node_terms, after.node_terms, strict=True):
            for old, new in zip(*terms, strict=True):
                assert example.nodes.labels.match(old.labels).tolist() == other.nodes.labels.match(new.labels).tolist()
        for old, new in zip(before.anti_affinity, after.anti_affinity, strict=True):
            old_rows, new_rows = (s.workloads.labels.match(t.selector or ()) for s, t in ((example, old), (other, new)))
            assert old_rows.tolist() == new_rows.tolist()


def test_another_salt_gives_other_hashes(example):
    first, second = anonymize(example, b"a"), anonymize(example, b"b")
    assert not set(first.workloads.uid) & set(second.workloads.uid)
    assert first.nodes.name == second.nodes.name


def test_taints_keep_being_tolerated():
    state = Cluster().node("n1", taints=["team=blue:NoSchedule"]).node("n2").pod("shop/p", "n1").build()
    other = anonymize(state, SALT)
    (taint,) = other.nodes.taints[0]
    assert (taint.key, taint.value) != ("team", "blue")
    assert taint.effect == "NoSchedule"
