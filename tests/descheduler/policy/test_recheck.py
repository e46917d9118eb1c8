from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from descheduler.policy.memory import Memory, Moved
from descheduler.policy.plan import Goal
from descheduler.policy.recheck import Flight, recheck
from tests.builders import Cluster
from tests.descheduler.policy.making import configuration, plan

UID = "uid-vmi-shop-v"


def cluster(**changes: object) -> Cluster:
    return (
        Cluster()
        .node("n1")
        .node("n2")
        .vm("shop/v", "n1", **{"use_cpu": 2, "use_memory": "2Gi", **changes})
        .vm("shop/w", "n1", use_cpu=5, live_migratable=False)
    )


@pytest.fixture
def moves():
    made = plan(cluster().build()).spec.moves
    assert [(m.workload.uid, m.source, m.target) for m in made] == [(UID, "n1", "n2")]
    return made


def code(state, moves, memory=None, flights=(), goal=Goal.RELIEVE) -> str:
    (found,) = recheck(state, memory or Memory(), configuration(), state.observed_at_seconds, goal, moves, flights)
    return found


def test_on_the_state_of_the_plan_the_plan_may_be_made(moves):
    assert code(cluster().build(), moves) == ""


def test_a_workload_that_is_gone_or_was_made_anew_is_not_moved(moves):
    assert code(Cluster().node("n1").node("n2").build(), moves) == "workload-gone"
    state = cluster().build()
    uids = tuple(u if u != UID else "another" for u in state.workloads.uid)
    assert code(replace(state, workloads=replace(state.workloads, uid=uids)), moves) == "workload-gone"


def test_a_workload_that_is_elsewhere_is_not_moved(moves):
    state = Cluster().node("n1").node("n2").node("n3").vm("shop/v", "n3", use_cpu=2).build()
    assert code(state, moves) == "workload-elsewhere"


def test_a_destination_that_is_gone_full_or_unknown_gets_nothing(moves):
    gone = Cluster().node("n1").vm("shop/v", "n1", use_cpu=2).vm("shop/w", "n1", use_cpu=5).build()
    assert code(gone, moves) == "node-gone"
    assert code(cluster().vm("shop/x", "n2", use_cpu=5).build(), moves) == "target-cpu"
    blind = Cluster().node("n1").node("n2", use_cpu=None).vm("shop/v", "n1", use_cpu=2).vm("shop/w", "n1", use_cpu=5)
    assert code(blind.build(), moves) == "node-use-unknown"


def test_what_may_not_move_any_more_stays(moves):
    assert code(cluster(live_migratable=False).build(), moves) == "not-live-migratable"
    state = cluster().build()
    moved = Memory((Moved(UID, state.observed_at_seconds - 60),))
    assert code(state, moves, moved) == "cooldown"


def test_a_node_that_came_down_by_itself_is_left_alone(moves):
    cool = Cluster().node("n1").node("n2").vm("shop/v", "n1", use_cpu=2).vm("shop/w", "n1", use_cpu=1).build()
    assert code(cool, moves) == "not-needed"


def test_what_is_under_way_counts_at_its_destination(moves):
    state = cluster().node("n3").vm("shop/x", "n3", use_cpu=5).build()
    assert code(state, moves) == ""
    assert code(state, moves, flights=[Flight("uid-vmi-shop-x", "n3", "n2")]) == "target-cpu"


def test_moves_are_looked_at_downstream_of_each_other():
    cluster = Cluster().node("n1").node("n2").vm("shop/w", "n1", use_cpu=6, live_migratable=False)
    for name in "abc":
        cluster.vm(f"shop/{name}", "n1", use_cpu=0.5)
    state = cluster.vm("shop/x", "n2", use_cpu=5.75).build()
    made = plan(state).spec.moves
    assert len(made) >= 1
    wanted = [replace_move(made[0], f"uid-vmi-shop-{name}") for name in "abc"]
    found = recheck(state, Memory(), configuration(), state.observed_at_seconds, Goal.BALANCE, wanted, ())
    assert found == ["", "target-cpu", "target-cpu"]


def replace_move(move, uid):
    import msgspec

    workload = msgspec.structs.replace(move.workload, uid=uid)
    return msgspec.structs.replace(move, workload=workload, code="balance")


def test_a_move_that_makes_room_for_another_is_needed_although_its_node_is_not_over(moves):
    """v leaves n1, which is at 70 %, so that u may come there from n3."""
    state = (
        Cluster()
        .node("n1")
        .node("n2")
        .node("n3")
        .vm("shop/v", "n1", use_cpu=2, use_memory="2Gi")
        .vm("shop/w", "n1", use_cpu=3.6, live_migratable=False)
        .vm("shop/u", "n3", use_cpu=2.5)
        .vm("shop/x", "n3", use_cpu=5, live_migratable=False)
        .build()
    )
    other = msgspec.structs.replace(moves[0].workload, name="u", uid="uid-vmi-shop-u")
    into = msgspec.structs.replace(moves[0], workload=other, source="n3", target="n1")
    now = state.observed_at_seconds
    assert recheck(state, Memory(), configuration(), now, Goal.RELIEVE, [*moves, into], ()) == ["", ""]
    assert recheck(state, Memory(), configuration(), now, Goal.RELIEVE, moves, ()) == ["not-needed"]
    assert recheck(state, Memory(), configuration(), now, Goal.RELIEVE, [into], ()) == ["target-cpu"]
