"""Programs of a few nodes say what the search says."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest

from benchmarks.reassignment_checker import cost, faults
from benchmarks.reassignment_instance import columns
from descheduler.policy.engines import milp
from descheduler.policy.engines.search.columns import Columns
from descheduler.policy.engines.search.position import Position, position
from descheduler.policy.engines.search.reopened import Reopened, reopen
from descheduler.policy.engines.search.rules import allows
from tests.descheduler.policy.search.instances import instance, optimum
from tests.descheduler.policy.search.running import moved, unruled

pytest.importorskip("highspy")

EXACTLY = {"mip_abs_gap": 1e-6}
"""Costs are whole numbers."""
CROWDED = (7, 12, 26)
"""Seeds of instances in which more are away at the optimum than two, and than one of a crew."""


def answered(program: Reopened, at: Position) -> tuple[milp.Answer, np.ndarray]:
    """The best that a program says, and its places."""
    answer = milp.solve(program.program, program.hint, EXACTLY)
    assert answer.proven
    return answer, program.places(at.place, answer.values)


def plans(at: Position, nodes: list[int]) -> Iterator[np.ndarray]:
    """All places of those who stand on `nodes`, among these."""
    who = np.flatnonzero(np.isin(at.place, nodes))
    for choice in product(nodes, repeat=len(who)):
        place = at.place.copy()
        place[who] = choice
        yield place


def some_nodes(seed: int, machines: int, count: int) -> np.ndarray:
    return np.sort(np.random.default_rng(seed).permutation(machines)[:count])


def misses(program: Reopened, values: np.ndarray) -> float:
    """By how much values miss the rows and bounds of a program at worst."""
    p = program.program
    left = np.bincount(p.entries.row, p.entries.value * values[p.entries.column], minlength=len(p.right))
    short = np.concatenate([left - p.right, (p.right - left)[: p.equal], p.least - values, values - p.most])
    return float(short.max())


@pytest.mark.parametrize("seed", range(12))
def test_with_all_nodes_open_a_program_finds_the_optimum(seed):
    model, initial = instance(seed, 6, 4, 1 + seed % 3)
    model = unruled(model)
    at = position(c := columns(model, initial), initial)
    _, place = answered(reopen(c, at, np.arange(4)), at)
    assert faults(model, initial, place) == []
    assert cost(model, initial, place) == optimum(model, initial)


def test_from_anywhere_a_program_finds_the_best_for_its_nodes():
    better = 0
    for seed in range(14):
        model, initial, c, at = moved(seed, 9, 5, free=True)
        nodes = some_nodes(seed, 5, 3 if (at.place < 3).sum() < 7 else 2)
        every = [cost(model, initial, p) for p in plans(at, nodes.tolist()) if not faults(model, initial, p)]
        _, place = answered(reopen(c, at, nodes), at)
        assert faults(model, initial, place) == []
        assert cost(model, initial, place) == min(every)
        better += min(every) < at.cost()
    assert better > 2


def test_whatever_rules_there_are_answers_keep_them_and_cost_no_more():
    better = 0
    for seed in range(25):
        model, initial, c, at = moved(seed, 24, 6)
        _, place = answered(reopen(c, at, some_nodes(seed, 6, 4)), at)
        assert faults(model, initial, place) == []
        assert cost(model, initial, place) <= round(at.cost())
        better += cost(model, initial, place) < round(at.cost())
    assert better > 4


def test_what_stands_elsewhere_stays_and_what_is_placed_anew_stays_on_the_nodes():
    went = 0
    for seed in range(20):
        _, _, c, at = moved(seed, 24, 6)
        nodes = some_nodes(seed, 6, 3)
        _, place = answered(reopen(c, at, nodes), at)
        assert (np.isin(place, nodes) == np.isin(at.place, nodes)).all()
        assert np.isin(at.place[place != at.place], nodes).all()
        went += (place != at.place).sum()
    assert went > 5


def test_prices_of_a_program_change_as_costs_do():
    for seed in range(20):
        model, initial, c, at = moved(seed, 24, 6)
        program = reopen(c, at, some_nodes(seed, 6, 4))
        answer, place = answered(program, at)
        change = program.program.cost @ (answer.values - program.hint)
        assert change == pytest.approx(cost(model, initial, place) - at.cost(), abs=1e-4)


def test_the_present_places_solve_a_program():
    for seed in range(25):
        _, _, c, at = moved(seed, 24, 6)
        for stay in (False, True):
            program = reopen(c, at, some_nodes(seed, 6, 4), stay=stay)
            assert misses(program, program.hint) < 1e-9
            assert program.places(at.place, program.hint).tolist() == at.place.tolist()
            assert set(program.hint[: len(program.node)].tolist()) <= {0.0, 1.0}


def test_a_node_that_is_beyond_its_limit_need_not_come_down():
    """Nor may it rise: what was allowed before is allowed again, and what is worse is not."""
    for seed in range(10):
        _, _, c, at = moved(seed, 12, 4, free=True)
        short = c._replace(lanes=c.lanes._replace(limit=c.lanes.limit - 5.0))
        now = position(short, at.place)
        program = reopen(short, now, np.arange(4))
        assert misses(program, program.hint) < 1e-9
        after = position(short, answered(program, now)[1])
        assert (after.sums.slack >= np.minimum(now.sums.slack, 0.0) - 1e-6).all()


@pytest.mark.parametrize("seed", CROWDED)
def test_only_so_many_of_a_crew_and_in_all_may_be_away(seed):
    model, initial = instance(seed, 6, 4, 2)
    model = unruled(model)
    c = columns(model, initial)
    quota = np.ones_like(c.absence.quota)
    for absence in (c.absence._replace(most=np.array([2])), c.absence._replace(quota=quota)):
        bound = c._replace(absence=absence)
        at = position(bound, initial)
        least = min(
            cost(model, initial, place)
            for place in plans(at, [0, 1, 2, 3])
            if few(bound, place) and not faults(model, initial, place)
        )
        _, place = answered(reopen(bound, at, np.arange(4)), at)
        assert few(bound, place)
        assert cost(model, initial, place) == least > optimum(model, initial)


def few(c: Columns, place: np.ndarray) -> bool:
    """Whether no more are away than may be."""
    away = place != c.home
    crews = np.bincount(c.absence.crew[away], minlength=len(c.absence.quota))
    return bool((crews <= c.absence.quota).all() and away.sum() <= c.absence.most[0])


def test_who_stays_goes_no_farther_from_home():
    """Though others would, if they might."""
    farther, came = 0, 0
    for seed in range(22):
        model, initial, c, at = moved(seed, 20, 5)
        nodes, travel = some_nodes(seed, 5, 4), c.absence.travel
        _, near = answered(reopen(c, at, nodes, stay=True), at)
        _, place = answered(reopen(c, at, nodes), at)
        assert (travel[c.home, near] <= travel[c.home, at.place]).all()
        assert faults(model, initial, near) == []
        assert cost(model, initial, place) <= cost(model, initial, near) <= round(at.cost())
        farther += (travel[c.home, place] > travel[c.home, at.place]).any()
        came += (travel[c.home, near] < travel[c.home, at.place]).any()
    assert min(farther, came) > 2


def sent_home(c: Columns, at: Position, seed: int) -> np.ndarray | None:
    """Places with one home who may be by the rules of groups, whatever limits and thresholds say."""
    for w in np.random.default_rng(seed).permutation(np.flatnonzero(at.place != c.home)).tolist():
        group = int(c.groups.of[w])
        if group < 0 or allows(c.groups, at.members, group, int(at.place[w]), int(c.home[w])):
            place = at.place.copy()
            place[w] = c.home[w]
            return place
    return None


def test_what_is_repaired_keeps_all_limits_and_costs_no_more_load_than_before():
    """From places that break limits, or that are worse for loads."""
    over_limits, uneven = 0, 0
    for seed in range(40):
        model, initial, c, at = moved(seed, 20, 5)
        place = sent_home(c, at, seed)
        if place is None:
            continue
        broken = position(c, place)
        program = reopen(c, broken, np.arange(5), before=at, stay=True)
        answer = milp.solve(program.program, None, {})
        if not answer.found:
            continue
        repaired = position(c, program.places(place, answer.values))
        assert faults(model, initial, repaired.place) == []
        assert repaired.sums.price.sum() <= at.sums.price.sum() + 1e-6
        over_limits += bool(faults(model, initial, place))
        uneven += broken.sums.price.sum() > at.sums.price.sum()
    assert min(over_limits, uneven) > 2


def test_a_repair_is_found_if_there_is_one():
    """Places as they were before are one, where nothing else is asked."""
    for seed in range(20):
        _, _, c, at = moved(seed, 16, 4, free=True)
        if (place := sent_home(c, at, seed)) is None:
            continue
        program = reopen(c, position(c, place), np.arange(4), before=at)
        answer = milp.solve(program.program, None, {})
        assert answer.found
        assert (answer.infeasible, answer.proven) == (False, True)


def test_who_stands_apart_does_not_join_one_that_cannot_move():
    """Though it would pay, and does where that one may move away."""
    joined = 0
    for seed in range(60):
        model, initial = instance(seed, 8, 3)
        c = columns(unruled(model), initial)
        group = c.groups.of.astype(np.int64)
        at = position(c, initial)
        for w in np.flatnonzero(group >= 0).tolist():
            alone = c._replace(by_size=np.array([w], dtype=np.int32))
            program = reopen(alone, at, np.arange(3))
            taken = np.isin(program.node, initial[(group == group[w]) & (np.arange(8) != w)])
            assert not taken.any()
            every = reopen(c, at, np.arange(3))
            joined += len(every.node[every.workload == w]) > len(program.node)
    assert joined > 10
