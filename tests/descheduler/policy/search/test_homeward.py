"""Who is far comes home: fees that are dearer for a while, steps that stay near, and all of it one after the other."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from importlib.util import find_spec

import numpy as np
import pytest

from benchmarks.reassignment_checker import cost, faults
from benchmarks.reassignment_instance import Model, columns
from descheduler.policy.engines.search.anneal import Best
from descheduler.policy.engines.search.columns import Columns, dearer
from descheduler.policy.engines.search.homeward import Homeward, only_far
from descheduler.policy.engines.search.mix import Mix
from descheduler.policy.engines.search.pairs import Pairs
from descheduler.policy.engines.search.position import Position, fees, position
from descheduler.policy.engines.search.run import mover
from descheduler.policy.engines.search.schedule import scale
from descheduler.policy.pace import Steps
from tests.descheduler.policy.search.instances import instance
from tests.descheduler.policy.search.running import differences, moved, unruled

pytest.importorskip("highspy")

compiled = pytest.mark.skipif(find_spec("numba") is None, reason="only the compiled kernel knows a mix")
NOTHING = np.zeros(0, dtype=np.int64)


def test_dearer_fees_are_dearer_everywhere_and_loads_are_not():
    charged = 0
    for seed in range(20):
        _, initial, c, at = moved(seed, 20, 5)
        dear, rng = dearer(c, 3.0), np.random.default_rng(seed)
        for place in (initial, at.place, rng.integers(5, size=20).astype(np.int32)):
            now, then = position(c, place), position(dear, place)
            assert fees(dear, place) == pytest.approx(3 * fees(c, place))
            assert then.sums.price.tolist() == now.sums.price.tolist()
            assert then.totals[1] == now.totals[1]
        charged += fees(c, at.place) > 0
    assert charged > 10


def roomy(seed: int, workloads: int = 200) -> tuple[Model, np.ndarray]:
    """Twelve nodes in a row with room for all, and ways that cost what they are long."""
    model, initial = instance(seed, workloads, 12)
    return replace(
        unruled(model),
        capacity=model.capacity + 10_000,
        safety=model.safety + 10_000,
        balances=model.balances[:0],
        travel=np.abs(np.subtract.outer(np.arange(12), np.arange(12))),
        service=np.arange(workloads),
        spread=np.ones(workloads, dtype=np.int64),
        needs=(NOTHING,) * workloads,
    ), initial


@compiled
@pytest.mark.parametrize(("swap", "steps"), [(0.0, 300), (1.0, 30)])
def test_who_prefers_what_is_near_goes_less_far(swap, steps):
    """Who changes places a second time may come to be anywhere, so there are few swaps."""
    far, near = (
        np.concatenate(
            [ways(seed, Mix(home=0.0, swap=swap, replace=0.0, kin=0.0, near=near), steps) for seed in range(4)]
        )
        for near in (0.0, 0.9)
    )
    assert min(len(far), len(near)) > 100
    assert near.mean() < 0.9 * far.mean()


def ways(seed: int, mix: Mix, steps: int) -> np.ndarray:
    """How far from home those are who were moved when everything is bearable."""
    model, initial = roomy(seed)
    at = position(c := columns(model, initial), initial, seed)
    mover("numba", c, at, seed, mix).advance(steps, np.inf, 0.0)
    away = np.flatnonzero(at.place != c.home)
    return c.absence.travel[c.home[away], at.place[away]]


@compiled
@pytest.mark.parametrize("heat", [0.0, 30.0, 1e9])
def test_columns_stay_what_places_make_them_near_home(heat):
    for seed in range(12):
        model, initial = instance(seed, 30, 1 + seed % 8, 1 + seed % 3)
        at = position(c := columns(model, initial), initial, seed)
        mover("numba", c, at, seed, Mix(near=0.9)).advance(400, heat, 0.5)
        assert differences(c, at) == []
        assert faults(model, initial, at.place) == []
        assert cost(model, initial, at.place) == round(at.cost())


@compiled
def test_where_ways_cost_nothing_all_nodes_are_near():
    model, initial = instance(3, 30, 6)
    c = columns(model, initial)
    c = c._replace(absence=c.absence._replace(travel=np.zeros((0, 0))))
    at = position(c, initial, 3)
    assert mover("numba", c, at, 3, Mix(near=1.0)).advance(400, 1e9, 0.0) > 0
    assert differences(c, at) == []


def begun_homeward(seed: int) -> tuple[Model, np.ndarray, Columns, Position, Best]:
    """What a whole end of a search makes of an instance, from home, in counted steps."""
    model, initial = instance(seed, 60, 8)
    model = replace(unruled(model), travel=np.not_equal.outer(np.arange(8) // 4, np.arange(8) // 4).astype(np.int64))
    c = columns(model, initial)
    at = position(c, initial.copy(), seed)
    best = Best(at)
    movers = partial(mover, "numpy", at=at, seed=seed)
    Homeward(c, at, best, movers, scale(c, 0.0), seed, Steps(1500)).run(initial)
    return model, initial, c, at, best


def test_going_home_keeps_everything_true_and_its_best_is_the_best():
    better = 0
    for seed in range(6):
        model, initial, c, at, best = begun_homeward(seed)
        assert differences(c, at) == []
        assert faults(model, initial, best.place) == []
        assert cost(model, initial, best.place) == round(best.cost) <= best.first
        better += best.cost < best.first
    assert better > 2


class Counted(Pairs):
    """A mover that counts how often only some are to move."""

    narrowed = 0

    def among(self, some: np.ndarray) -> Pairs:
        Counted.narrowed += 1
        return super().among(some)


def test_going_home_takes_suppositions_as_well_as_exact_steps(monkeypatch):
    """Where loads cost so much that somebody has to be far."""
    monkeypatch.setattr(Counted, "narrowed", 0)
    model, initial = instance(2, 60, 8)
    travel = np.not_equal.outer(np.arange(8) // 4, np.arange(8) // 4).astype(np.int64)
    c = columns(replace(unruled(model), load_weight=1000 * model.load_weight, travel=travel), initial)
    at = position(c, initial.copy(), 2)
    Homeward(c, at, Best(at), lambda of: Counted(of, at, 2), scale(c, 0.0), 2, Steps(3000)).run(initial)
    assert Counted.narrowed > 0


def test_seed_and_number_of_steps_decide_who_comes_home():
    ends = [begun_homeward(seed)[-1].place.tolist() for seed in (1, 1)]
    assert ends[0] == ends[1]


def test_only_far_ways_are_left_where_loads_are_even_and_somebody_is_far():
    model, initial = roomy(1)
    c = columns(model, initial)
    best = Best(position(c, initial.copy()))
    assert not only_far(c, best)  # nobody is away
    away = initial.copy()
    away[0] = (initial[0] + 5) % 12
    best.place[:] = away
    assert only_far(c, best)
    safety = np.where(np.arange(12)[:, None] > 0, model.safety, 0)
    uneven = columns(replace(model, safety=safety, load_weight=model.load_weight + 1), initial)
    assert not only_far(uneven, best)  # the first node pays for what any other could bear


@pytest.mark.parametrize(("workloads", "left"), [(240, True), (241, False)])
def test_where_many_stand_on_each_node_exact_steps_are_left_alone(workloads, left):
    model, initial = roomy(1, workloads)
    c = columns(model, initial)
    best = Best(position(c, initial.copy()))
    best.place[0] = (initial[0] + 5) % 12
    assert only_far(c, best) == left


def test_a_round_begins_at_the_best_place_where_the_last_one_ended_much_worse():
    model, initial = roomy(2)
    c = columns(model, initial)
    best = Best(position(c, initial.copy()))
    away = initial.copy()
    away[0] = (initial[0] + 5) % 12
    at = position(c, away)
    assert at.cost() > best.cost
    going = Homeward(c, at, best, partial(mover, "numpy", at=at, seed=1), scale(c, 0.0), 1, Steps(1))
    going._return(at.cost() - best.cost)
    assert at.place.tolist() == away.tolist()
    going._return(0.5 * (at.cost() - best.cost))
    assert at.place.tolist() == initial.tolist()
    assert differences(c, at) == []
