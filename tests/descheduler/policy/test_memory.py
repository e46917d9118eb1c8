from __future__ import annotations

from descheduler.policy.decide import decide
from descheduler.policy.memory import Memory, Moved
from tests.builders import Cluster
from tests.descheduler.policy.making import configuration, moves, refusals, rows
from ullage.model.changes import apply

NOW = 1_000_000.0
HOURS = 3600.0


def cluster() -> Cluster:
    return Cluster().node("n1").node("n2").vm("shop/v", "n1", use_cpu=2, use_memory="2Gi").vm("shop/w", "n1", use_cpu=5)


def moved(uid: str, at: float) -> Moved:
    return Moved(uid, at)


def test_a_plan_is_remembered_for_the_next_decision():
    state, config = cluster().build(), configuration()
    first, remembered = decide(state, Memory(), config, NOW)
    assert moves(first) == [("v", "n1", "n2")]
    assert remembered.moves == (Moved("uid-vmi-shop-v", NOW, "n1", "n2", "shop"),)
    # The state does not show the move yet: nothing else is sent after it, and it is not sent again.
    again, later = decide(state, remembered, config, NOW + 60)
    assert refusals(again)["v"] == "cooldown"
    assert "v" not in {m.workload.name for m in again.spec.moves}
    assert later.moved_at_seconds()["uid-vmi-shop-v"] == NOW


def test_a_plan_without_moves_leaves_memory_as_it_is():
    state = Cluster().node("n1").build()
    before = Memory((moved("uid-of-old", NOW - 5),))
    assert decide(state, before, configuration(), NOW)[1] == before


def test_memory_is_a_value():
    before = Memory()
    after = before.after([moved("a", 7.0), moved("b", 7.0)], 7.0)
    assert before.moves == ()
    assert after.after([moved("b", 9.0)], 9.0).moved_at_seconds() == {"a": 7.0, "b": 9.0}


def test_moves_of_long_ago_are_forgotten():
    after = Memory((moved("a", 0.0), moved("b", 10 * HOURS))).after([], 48 * HOURS)
    assert after.moves == (moved("b", 10 * HOURS),)


def test_moves_of_the_last_hour_are_counted():
    memory = Memory((moved("a", 0.0), moved("b", 0.5 * HOURS), moved("c", HOURS)))
    assert memory.within_an_hour(1.25 * HOURS) == 2


def test_a_cooldown_doubles_with_every_move_up_to_six_hours():
    state = cluster().build()
    uid = state.workloads.uid[0]
    rests = [Memory(tuple(moved(uid, t) for t in range(n))).cooldowns_seconds(state, HOURS).tolist() for n in range(6)]
    assert [r[0] / HOURS for r in rests] == [1, 1, 2, 4, 6, 6]
    assert {r[1] / HOURS for r in rests} == {1.0}


def test_a_state_is_not_touched_by_what_is_remembered():
    state = cluster().build()
    assert Memory().remember(state) is state
    seen = Memory((moved("uid-vmi-shop-v", 3.0),)).remember(state)
    assert seen.workloads.last_moved_at_seconds[0] == 3.0
    assert state.workloads.last_moved_at_seconds[0] != 3.0


def test_a_plan_that_was_carried_out_leaves_nothing_to_do():
    state, config = cluster().build(), configuration()
    first, remembered = decide(state, Memory(), config, NOW)
    second, _ = decide(apply(state, rows(state, first)), remembered, config, NOW + 60)
    assert second.spec.moves == ()
    assert second.status.summary.nodes_over_before == 0


def test_one_that_watches_remembers_nodes_and_one_out_of_the_blue_does_not():
    state, config = cluster().build(), configuration()
    assert decide(state, Memory(), config, NOW)[1].over_since_seconds is None
    plan, memory = decide(state, Memory.watching(), config, NOW)
    assert plan.spec.moves == ()
    assert memory.over_since_seconds == {"n1": NOW}
    plan, memory = decide(state, memory, config, NOW + 180)
    assert moves(plan) == [("v", "n1", "n2")]
    assert memory.over_since_seconds == {"n1": NOW}
    assert memory.touched_at_seconds() == {"n1": NOW + 180, "n2": NOW + 180}
