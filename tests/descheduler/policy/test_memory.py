from __future__ import annotations

from descheduler.policy.decide import decide
from descheduler.policy.memory import Memory
from tests.builders import Cluster
from tests.descheduler.policy.making import configuration, moves, refusals, rows
from ullage.model.changes import apply


def cluster() -> Cluster:
    return Cluster().node("n1").node("n2").vm("shop/v", "n1", use_cpu=2, use_memory="2Gi").vm("shop/w", "n1", use_cpu=5)


def test_a_plan_is_remembered_for_the_next_decision():
    state, config = cluster().build(), configuration()
    first, remembered = decide(state, Memory(), config, 1_000_000.0)
    assert moves(first) == [("v", "n1", "n2")]
    assert remembered.moved_at_seconds == {"uid-vmi-shop-v": 1_000_000.0}
    # The state does not show the move yet: nothing else is sent after it, and it is not sent again.
    again, later = decide(state, remembered, config, 1_000_060.0)
    assert refusals(again)["v"] == "cooldown"
    assert "v" not in {m.workload.name for m in again.spec.moves}
    assert later.moved_at_seconds["uid-vmi-shop-v"] == 1_000_000.0


def test_a_plan_without_moves_leaves_memory_as_it_is():
    state = Cluster().node("n1").build()
    before = Memory({"uid-of-old": 5.0})
    assert decide(state, before, configuration(), 1_000_000.0)[1].moved_at_seconds == {"uid-of-old": 5.0}


def test_memory_is_a_value():
    before = Memory()
    after = before.after(("a", "b"), 7.0)
    assert before.moved_at_seconds == {}
    assert after.after(("b",), 9.0).moved_at_seconds == {"a": 7.0, "b": 9.0}
    assert after == Memory({"a": 7.0, "b": 7.0})


def test_a_state_is_not_touched_by_what_is_remembered():
    state = cluster().build()
    assert Memory().remember(state) is state
    seen = Memory({"uid-vmi-shop-v": 3.0}).remember(state)
    assert seen.workloads.last_moved_at_seconds[0] == 3.0
    assert state.workloads.last_moved_at_seconds[0] != 3.0


def test_a_plan_that_was_carried_out_leaves_nothing_to_do():
    state, config = cluster().build(), configuration()
    first, remembered = decide(state, Memory(), config, 1_000_000.0)
    second, _ = decide(apply(state, rows(state, first)), remembered, config, 1_000_060.0)
    assert second.spec.moves == ()
    assert second.status.summary.nodes_over_before == 0
