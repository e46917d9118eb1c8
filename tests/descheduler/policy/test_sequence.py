"""The order of moves: strict by default, and what can never get to its place goes elsewhere if that is asked."""

from __future__ import annotations

from descheduler.policy.memory import Memory
from descheduler.policy.plan import NodeClass
from descheduler.policy.problem import Tally
from descheduler.policy.sequence import has_order, safe_order
from descheduler.policy.setting import problem, setting
from tests.builders import Cluster
from ullage.config import defaults
from ullage.model.changes import Move


def tally() -> Tally:
    """Two VMs that fill a node each, so that neither can take the other's place first; n3 is free."""
    cluster = Cluster().node("n1", cpu=10).node("n2", cpu=10).node("n3", cpu=10)
    state = cluster.vm("shop/a", "n1", use_cpu=6).vm("shop/b", "n2", use_cpu=6).build()
    given = setting(state, Memory(), defaults(), state.observed_at_seconds, must_leave=False)
    return Tally(problem(given, given.rows(NodeClass.OVER)))


def test_a_swap_without_room_is_left_out():
    assert safe_order(tally(), {0: 1, 1: 0}) == ((), (0, 1))


def test_what_never_gets_to_its_place_goes_elsewhere_if_that_is_asked():
    moves, left_out = safe_order(tally(), {0: 1, 1: 0}, elsewhere=True)
    assert moves == (Move(0, 0, 2), Move(1, 1, 0))
    assert left_out == ()


def test_a_move_waits_for_the_one_that_makes_its_room():
    moves, left_out = safe_order(tally(), {0: 1, 1: 2})
    assert moves == (Move(1, 1, 2), Move(0, 0, 1))
    assert left_out == ()


def jam() -> Tally:
    """Of `a` and `c` only one fits on n2 before `b` has left, which needs the room of `c`; `e` and `f` fill a node each."""
    cluster = Cluster()
    for n in range(5):
        cluster.node(f"n{n + 1}", cpu=10)
    for name, node, cores in (("a", 1, 3), ("b", 2, 4), ("c", 3, 3), ("d", 3, 3), ("e", 4, 6), ("f", 5, 6)):
        cluster.vm(f"shop/{name}", f"n{node}", use_cpu=cores)
    state = cluster.build()
    given = setting(state, Memory(), defaults(), state.observed_at_seconds, must_leave=False)
    return Tally(problem(given, given.rows(NodeClass.OVER)))


def test_another_order_is_found_where_one_that_comes_too_early_is_in_the_way():
    found, places = jam(), {0: 1, 1: 2, 2: 1}
    assert safe_order(found, places, in_turn=True) == ((Move(2, 2, 1), Move(1, 1, 2), Move(0, 0, 1)), ())
    found.restore(places)
    assert not has_order(found)  # only the first is tried


def test_the_order_that_leaves_out_fewest_counts():
    found = jam()
    moves, left_out = safe_order(found, {0: 1, 1: 2, 2: 1, 4: 4, 5: 3}, in_turn=True)
    assert moves == (Move(2, 2, 1), Move(1, 1, 2), Move(0, 0, 1))
    assert set(left_out) == {4, 5}
    assert found.away == {2: 1, 1: 2, 0: 1}


def test_what_relieves_most_comes_first_or_what_is_given_first():
    cluster = Cluster().node("n1", cpu=10).node("n2", cpu=10)
    for name, cores in (("a", 1), ("b", 2), ("c", 3)):
        cluster.vm(f"shop/{name}", "n1", use_cpu=cores)
    state = cluster.build()
    given = setting(state, Memory(), defaults(), state.observed_at_seconds, must_leave=False)
    places = {0: 1, 2: 1, 1: 1}
    found = [
        safe_order(Tally(problem(given, given.rows(NodeClass.OVER))), places, in_turn=turn)[0] for turn in (False, True)
    ]
    assert [[move.workload for move in moves] for moves in found] == [[2, 1, 0], [0, 2, 1]]


def test_places_that_have_no_order_are_known_before():
    found = tally()
    found.move(0, 1)
    assert has_order(found)
    found.move(1, 0)
    assert not has_order(found)
