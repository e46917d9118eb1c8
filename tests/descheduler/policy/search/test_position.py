from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.reassignment_checker import cost
from benchmarks.reassignment_instance import Model, columns
from descheduler.policy.engines.search.anneal import Habit
from descheduler.policy.engines.search.columns import among, nearby
from descheduler.policy.engines.search.exchange import disjoint
from descheduler.policy.engines.search.mix import Mix
from descheduler.policy.engines.search.needless import take_back
from descheduler.policy.engines.search.position import go, position, restart
from descheduler.policy.engines.search.rules import allows, carry, may_return
from descheduler.policy.engines.search.schedule import Scale, Schedule, mean_fee, scale
from tests.descheduler.policy.search.instances import instance
from tests.descheduler.policy.search.running import differences, solved

NOTHING = np.zeros(0, dtype=np.int64)
SCALE = Scale(swing=1000.0, hot=100.0, cold=2.0, icy=0.1, rent=0.5)


def model(**changes) -> Model:
    """Two machines with room for 10, and one process each: one of 8 where nothing is safe, one of 2 where all is."""
    plain = Model(
        transient=np.array([1]),
        load_weight=np.array([1]),
        neighbourhood=np.array([0, 1]),
        location=np.array([0, 1]),
        capacity=np.array([[10], [10]]),
        safety=np.array([[0], [10]]),
        travel=np.zeros((2, 2), dtype=np.int64),
        spread=np.array([1, 1]),
        needs=(NOTHING, NOTHING),
        service=np.array([0, 1]),
        requirement=np.array([[8], [2]]),
        move_cost=np.array([1, 1]),
        balances=np.zeros((0, 4), dtype=np.int64),
        process_weight=1,
        service_weight=0,
        machine_weight=1,
    )
    return replace(plain, **changes)


HOME = np.array([0, 1], dtype=np.int32)


@pytest.mark.parametrize(
    ("changes", "least"),
    [
        ({}, 1.0),  # 8 goes to 2
        ({"capacity": np.array([[10], [9]])}, 8.0),  # held at both ends there is no room for an exchange
        ({"capacity": np.array([[10], [9]]), "transient": np.array([0])}, 4.0),  # exchanged: 2 above nothing, two moves
        ({"travel": np.array([[0, 5], [5, 0]])}, 6.0),
        ({"needs": (np.array([1]), NOTHING), "neighbourhood": np.array([0, 0])}, 1.0),
        ({"service": np.array([0, 0]), "spread": np.array([1]), "needs": (NOTHING,)}, 8.0),  # never on one machine
        ({"spread": np.array([2]), "service": np.array([0, 0]), "needs": (NOTHING,)}, 8.0),
    ],
)
def test_small_cases_by_hand(changes, least):
    given = model(**changes)
    assert solved(given, HOME, "numpy", share=0.5).cost == least


def test_a_position_at_home_is_what_the_start_says():
    given, initial = instance(5, 30, 6)
    at = position(columns(given, initial), initial)
    use = np.zeros_like(given.capacity)
    np.add.at(use, initial, given.requirement)
    assert at.cost() == cost(given, initial, initial)
    assert (at.sums.slack[:, : len(given.transient)] == given.capacity - use).all()


def test_what_moved_in_vain_is_taken_back():
    given, initial = instance(8, 40, 6)
    c = columns(replace(given, load_weight=0 * given.load_weight, balances=given.balances[:0]), initial)
    place = solved(given, initial, "numpy", share=0.2).place
    assert (place != initial).any()
    at = position(c, place)
    assert take_back(c, at) == (place != initial).sum()
    assert at.place.tolist() == initial.tolist()
    assert at.cost() == 0


def test_what_is_of_use_is_not_taken_back():
    given, initial = instance(8, 40, 6)
    c, place = columns(given, initial), solved(given, initial, "numpy").place
    at = position(c, place)
    assert take_back(c, at) == 0


def test_one_goes_where_it_costs_no_more_than_allowed_and_no_limit_breaks():
    tight, home = model(capacity=np.array([[10], [9]])), np.array([0, 1], dtype=np.int32)
    c = columns(tight, home)
    at = position(c, home.copy())
    swapped, both = np.array([1, 0], dtype=np.int32), np.array([1, 1], dtype=np.int32)
    roomy = columns(model(capacity=np.array([[99], [99]])), home)
    free = position(roomy, home.copy())
    dear = position(roomy, swapped).cost()
    assert not go(roomy, free, swapped, dear - 1)
    assert free.place.tolist() == [0, 1]
    assert differences(roomy, free) == []
    assert go(roomy, free, swapped, dear)
    assert free.place.tolist() == [1, 0]
    assert not go(c, at, both, np.inf)  # 10 where 9 have room
    assert at.place.tolist() == [0, 1]
    restart(c, at, both)
    assert go(c, at, both, at.cost())  # which is no worse than now
    assert go(c, at, home, np.inf)
    assert at.place.tolist() == [0, 1]


def test_one_goes_home_only_where_rules_of_its_group_let_it():
    """Two of a group that stands apart: the first is away, and the second at its home or not."""
    c = columns(model(service=np.array([0, 0]), spread=np.array([1])), np.array([0, 1], dtype=np.int32))
    assert may_return(c, position(c, np.array([1, 0], dtype=np.int32)), 0) is False
    alone = columns(model(), np.array([0, 1], dtype=np.int32))
    assert may_return(alone, position(alone, np.array([1, 0], dtype=np.int32)), 0) is True


def test_among_some_order_and_ranks_are_those_of_the_others():
    c = columns(*instance(3, 30, 6))
    some = np.random.default_rng(3).random(30) < 0.5
    few = among(c, some)
    assert few.by_size.tolist() == [w for w in c.by_size.tolist() if some[w]]
    assert few.kin.tolist() == [w for w in c.kin.tolist() if some[w]]
    assert few.kin_rank[few.kin].tolist() == list(range(len(few.kin)))
    assert (c.kin_rank[c.kin] == np.arange(len(c.kin))).all()  # the whole is what it was


def test_pairs_that_share_a_node_are_not_made_at_once():
    here, there = np.array([0, 1, 2, 4]), np.array([1, 2, 3, 5])
    assert disjoint(np.array([1, 0, 2, 3]), here, there, 6).tolist() == [1, 3]
    assert disjoint(np.array([0, 1, 2, 3]), here, there, 6).tolist() == [0, 3]


def test_rules_of_groups_look_at_the_place_that_is_left_and_the_one_that_is_entered():
    given, initial = instance(4, 30, 8)
    c = columns(given, initial)
    at = position(c, initial)
    ruled = np.flatnonzero(c.groups.of >= 0)[:10]
    for w in ruled.tolist():
        group, home = int(c.groups.of[w]), int(initial[w])
        before = [field.copy() for field in at.members]
        for node in range(len(given.capacity)):
            if node == home or not allows(c.groups, at.members, group, home, node):
                continue
            carry(c.groups, at.members, group, home, node)
            moved = initial.copy()
            moved[w] = node
            fresh = position(c, moved)
            assert all((one == two).all() for one, two in zip(at.members, fresh.members, strict=True))
            carry(c.groups, at.members, group, node, home)
        assert all((one == two).all() for one, two in zip(at.members, before, strict=True))


def test_it_cools_down_and_freezes():
    cooling = Schedule(100.0, 1.0, frozen=0.5, rent=2.0, free=0.8)
    assert [cooling.heat(p) for p in (0.0, 0.25, 0.5, 1.0)] == pytest.approx([100.0, 10.0, 0.0, 0.0])
    assert [cooling.factor(p) for p in (0.0, 0.4, 0.8, 1.0)] == pytest.approx([2.0, 1.0, 0.0, 0.0])
    assert Schedule(0.0, 0.0).heat(0.2) == 0.0


def test_reheats_take_the_second_half_of_the_long_anneal():
    (share, alone), (half, first), *again = (
        *Habit().schedules(SCALE),
        *Habit(2.0, 3.0, 0.5, reheats=2).schedules(SCALE),
    )
    assert (share, half, [s for s, _ in again]) == (1.0, 0.5, [0.25, 0.25])
    assert alone == Schedule(100.0, 2.0, rent=0.5)
    assert first == Schedule(100.0, 1.0, rent=1.5, free=0.5)
    assert all(first.last == s.last < s.first < first.first and 0 < s.rent < first.rent for _, s in again)


def test_who_tries_more_begins_hotter():
    given, initial = instance(4, 60, 6)
    c = columns(given, initial)
    little, much = scale(c, 1e4), scale(c, 1e8)
    assert much.hot > little.hot > little.cold > little.icy


def test_bounds_of_a_mix_are_shares_of_all_steps():
    mix = Mix(home=0.25, swap=0.5, replace=0.125, kin=0.5, window=0.1, kin_window=8, near=0.75)
    assert mix.integers(100).tolist() == [768, 512, 256, 10, 8, 640, 768]
    assert Mix(kin_window=8).integers(3).tolist()[3:5] == [1, 2]


def test_near_is_where_it_costs_least_to_go():
    given, initial = instance(4, 60, 6)
    c = columns(replace(given, travel=np.abs(np.subtract.outer(np.arange(6), np.arange(6)))), initial)
    c = c._replace(open_to=np.array([[True, True, True, True, True, False]]))
    near = nearby(c)
    stands = near.open_to[near.place_class]
    assert (stands == ((np.abs(np.arange(6) - c.home[:, None]) <= 1) & (np.arange(6) < 5))).all()
    assert 0 < mean_fee(near) < mean_fee(c)
    assert near.home is c.home


def test_everything_is_near_where_all_ways_cost_the_same():
    given, initial = instance(4, 60, 6)
    for travel in (np.zeros((6, 6), dtype=np.int64), 7 * (1 - np.eye(6, dtype=np.int64))):
        c = columns(replace(given, travel=travel), initial)
        assert nearby(c) is c
    free = c._replace(absence=c.absence._replace(travel=np.zeros((0, 0))))
    assert nearby(free) is free
