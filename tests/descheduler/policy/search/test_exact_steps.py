"""Exact steps bring home who need not be far, spread what is uneven, and keep everything true."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations, pairwise, product

import numpy as np
import pytest

from benchmarks.reassignment_checker import cost, faults
from benchmarks.reassignment_instance import Model, columns
from descheduler.policy.engines.search.anneal import Best
from descheduler.policy.engines.search.columns import Columns
from descheduler.policy.engines.search.exact_steps import ExactSteps, applicable, unevenness
from descheduler.policy.engines.search.position import Position, position
from descheduler.policy.pace import Steps
from tests.descheduler.policy.search.running import differences, moved

pytest.importorskip("highspy")

NOTHING = np.zeros(0, dtype=np.int64)
EFFORT = 250
"""Steps of a budget for one unit of effort."""


def stepped(c: Columns, at: Position, effort: int, seed: int = 1) -> Best:
    """Homecomings that cost so much effort, or a little more."""
    best = Best(at)
    ExactSteps(c, at, best, np.random.default_rng(seed), timed=False).bring_home(Steps(EFFORT * effort))
    return best


def tidied(c: Columns, at: Position, effort: int, seed: int = 1) -> Best:
    """The same of tidyings."""
    best = Best(at)
    ExactSteps(c, at, best, np.random.default_rng(seed), timed=False).tidy(Steps(EFFORT * effort))
    return best


def test_exact_steps_keep_everything_true_and_nothing_gets_dearer():
    better = 0
    for seed in range(8):
        model, initial, c, at = moved(seed, 30, 8)
        costs = [at.cost()]
        for part in range(3):
            best = (stepped, stepped, tidied)[part](c, at, 10, part)
            costs.append(at.cost())
            assert differences(c, at) == []
            assert faults(model, initial, at.place) == []
            assert cost(model, initial, at.place) == round(at.cost()) == round(best.cost)
            assert best.place.tolist() == at.place.tolist() or best.cost == at.cost()
        assert costs == sorted(costs, reverse=True)
        better += costs[-1] < costs[0]
    assert better > 2


def test_seed_and_number_of_exact_steps_decide_everything():
    ends = []
    for seed in (1, 1, 2):
        _, _, c, at = moved(5, 40, 8)
        stepped(c, at, 15, seed)
        ends.append(at.place.tolist())
    assert ends[0] == ends[1]
    assert ends[0] != ends[2]


def test_others_have_their_turn_and_what_they_spend_counts():
    _, _, c, at = moved(5, 40, 8)
    turns = []
    budget = Steps(40 * EFFORT)

    def otherwise() -> int:
        turns.append(budget.spent)
        return 3 * EFFORT - 1

    ExactSteps(c, at, Best(at), np.random.default_rng(1), timed=False).bring_home(budget, otherwise)
    assert turns
    assert all(after - before >= 3 * EFFORT for before, after in pairwise(turns))


def two_sites(resources: int = 4) -> tuple[Model, np.ndarray, np.ndarray]:
    """Homes, and places in which one is across who could be home if two pairs changed places, one at each site.

    Nodes 0 to 2 are one site, 3 to 5 the other. Who is across is the first, of size 3 in both resources. At home there is no
    room in the first resource until the second (5) and the fourth (4) have changed places. Where it is, loads in the second
    resource are even, and would not be without it until the last but two (4) and the last but one (5) have changed places.
    """
    need = np.array([[3, 3], [5, 0], [3, 0], [4, 0], [4, 0], [0, 4], [0, 5], [0, 3]])
    room, safe = np.array([10, 9, 0, 99, 99, 0]), np.array([0, 0, 0, 5, 6, 0])
    idle = np.zeros((8, resources - 2), dtype=np.int64)
    home = np.array([0, 1, 0, 0, 1, 4, 3, 4], dtype=np.int32)
    place = np.array([3, 0, 0, 1, 1, 3, 4, 4], dtype=np.int32)
    site = np.repeat([0, 1], 3)
    model = Model(
        transient=np.zeros(resources, dtype=np.int64),
        load_weight=np.arange(resources) == 1,
        neighbourhood=np.zeros(6, dtype=np.int64),
        location=np.zeros(6, dtype=np.int64),
        capacity=_table(room, 99, resources, 0),
        safety=_table(safe, 99, resources, 1),
        travel=np.not_equal.outer(site, site).astype(np.int64),
        spread=np.ones(8, dtype=np.int64),
        needs=(NOTHING,) * 8,
        service=np.arange(8),
        requirement=np.hstack([need, idle]),
        move_cost=np.zeros(8, dtype=np.int64),
        balances=np.zeros((0, 4), dtype=np.int64),
        process_weight=1,
        service_weight=0,
        machine_weight=1,
    )
    return model, home, place


def _table(column: np.ndarray, rest: int, width: int, which: int) -> np.ndarray:
    table = np.full((len(column), width), rest)
    table[:, which] = column
    return table


def shifts_and_swaps(place: np.ndarray, nodes: int) -> Iterator[np.ndarray]:
    for w, node in product(range(len(place)), range(nodes)):
        after = place.copy()
        after[w] = node
        yield after
    for w, v in combinations(range(len(place)), 2):
        after = place.copy()
        after[[w, v]] = place[[v, w]]
        yield after


LEAST = 15 - 11
"""Loads of the two sites less what is safe: no places cost less."""


@pytest.mark.parametrize("resources", [2, 4])
def test_one_step_brings_home_who_is_far_though_no_single_move_is_worth_anything(resources):
    """Lanes that are there to fill a vector register, two of four, make no difference."""
    model, home, place = two_sites(resources)
    assert faults(model, home, place) == []
    assert cost(model, home, place) == LEAST + 1
    around = [cost(model, home, p) for p in shifts_and_swaps(place, 6) if not faults(model, home, p)]
    assert min(around) == LEAST + 1
    c = columns(model, home)
    at = position(c, place)
    stepped(c, at, 1)
    assert faults(model, home, at.place) == []
    assert cost(model, home, at.place) == at.cost() == LEAST


def test_who_cannot_be_home_is_left_where_it_is():
    """Without the room that a change of places would make."""
    model, home, place = two_sites()
    tight = replace(model, capacity=model.capacity - (model.capacity == 10))
    c = columns(tight, home)
    at = position(c, place)
    stepped(c, at, 30)
    assert faults(model, home, at.place) == []
    assert at.cost() == LEAST + 1
    assert at.place[0] >= 3


def test_uneven_loads_are_mended():
    """Some at the first site are above what is safe, where others could bear more; all ways cost the same."""
    model, home, place = two_sites()
    safety = _table(np.array([0, 0, 0, 5, 4, 6]), 99, 4, 1)
    model = replace(model, travel=np.zeros((6, 6), dtype=np.int64), safety=safety, capacity=0 * safety + 99)
    place[5:] = 4
    c = columns(model, home)
    at = position(c, place)
    assert unevenness(c, at).sum() > 0
    stepped(c, at, 20)
    assert unevenness(c, at).sum() == 0
    assert at.cost() == 0


def test_loads_are_spread_though_somebody_must_go_farther():
    """Which no homecoming and no tidying does: two of size 4 at home, where 4 are safe, and somebody who cannot go home."""
    model, _, _ = two_sites(2)
    nodes, count = 2, 3
    model = replace(
        model,
        neighbourhood=np.zeros(nodes, dtype=np.int64),
        location=np.zeros(nodes, dtype=np.int64),
        capacity=np.array([[9, 99], [0, 99]]),
        safety=np.full((nodes, 2), 4),
        travel=1 - np.eye(nodes, dtype=np.int64),
        spread=np.ones(count, dtype=np.int64),
        needs=(NOTHING,) * count,
        service=np.arange(count),
        requirement=np.array([[0, 4], [0, 4], [1, 0]]),
        move_cost=np.zeros(count, dtype=np.int64),
    )
    c = columns(model, np.array([0, 0, 1], dtype=np.int32))
    at = position(c, np.array([0, 0, 0], dtype=np.int32))
    before = at.cost()
    stepped(c, at, 30)
    assert unevenness(c, at).sum() == 0
    assert sorted(at.place[:2].tolist()) == [0, 1]
    assert at.cost() == before - 4 + 1


def test_who_is_away_for_nothing_goes_home():
    model, home, _ = two_sites()
    c = columns(replace(model, move_cost=np.ones(8, dtype=np.int64)), home)
    at = position(c, np.array([0, 1, 1, 0, 1, 3, 4, 4], dtype=np.int32))
    tidied(c, at, 60)
    assert at.place.tolist() == home.tolist()


def test_loads_cost_a_bound_and_what_they_are_uneven():
    """The bound is what they cost when all that is below thresholds is used before anything above them is."""
    even, uneven, below, above = 0, 0, 0, 0
    for seed in range(24):
        model, initial, c, at = moved(seed, 20, 2 + seed % 4)
        if seed % 3 == 0:  # all nodes are above what is safe
            model = replace(model, safety=0 * model.safety, balances=model.balances[:0])
            at = position(c := columns(model, initial), at.place)
        elif seed % 3 == 1:  # together they are below it
            model = replace(model, safety=2 * model.safety + 3)
            at = position(c := columns(model, initial), at.place)
        over = np.where(np.isfinite(at.sums.over), at.sums.over, 0.0)
        bound = (c.lanes.hinge.max(axis=0) * np.maximum(over.sum(axis=0), 0.0)).sum()
        shares = unevenness(c, at)
        assert (shares >= 0).all()
        assert at.sums.price.sum() == pytest.approx(bound + shares.sum())
        even, uneven = even + (shares.sum() == 0), uneven + (shares.sum() > 0)
        charged = c.lanes.hinge.max(axis=0) > 0
        below, above = below + (over.sum(axis=0) < 0)[charged].any(), above + (over.sum(axis=0) > 0)[charged].any()
    assert min(even, uneven, below, above) > 3


def test_exact_steps_need_ways_that_cost_something_and_straight_prices():
    model, home, _ = two_sites()
    c = columns(model, home)
    assert applicable(c)
    assert not applicable(c._replace(absence=c.absence._replace(travel=np.zeros((0, 0)))))
    assert not applicable(c._replace(lanes=c.lanes._replace(curved=(0,))))


def test_what_breaks_a_limit_is_not_followed_though_it_costs_less():
    """A solver may be content with a little less than all limits."""
    model, home, place = two_sites()
    c = columns(model, home)
    at = position(c, place)
    beyond = place.copy()
    beyond[0] = home[0]
    steps = ExactSteps(c, at, Best(at), np.random.default_rng(1))
    assert not steps._go(beyond)
    assert at.place.tolist() == place.tolist()
    assert differences(c, at) == []
