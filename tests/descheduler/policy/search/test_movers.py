from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.reassignment_checker import cost, faults
from benchmarks.reassignment_instance import columns
from benchmarks.reassignment_runs import judged
from descheduler.policy.engines.search.anneal import Best, Habit
from descheduler.policy.engines.search.columns import Columns
from descheduler.policy.engines.search.needless import take_back
from descheduler.policy.engines.search.pairs import Pairs
from descheduler.policy.engines.search.position import AWAY, PEAK, Position, position
from descheduler.policy.engines.search.run import Style, _Counted, _Search, search
from descheduler.policy.engines.search.schedule import Scale, scale
from descheduler.policy.pace import Steps
from tests.descheduler.policy.search.instances import instance, instances, optimum
from tests.descheduler.policy.search.running import STEPS, begun, differences, solved

KERNELS = ("numpy", "numba") if find_spec("numba") else ("numpy",)
some = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize("kernel", KERNELS)
@some
@given(instances(), st.integers(1, 400), st.sampled_from((0.0, 1.0, 30.0, 1e9)), st.sampled_from((0.0, 0.5)))
def test_columns_stay_what_places_make_them(kernel, given_instance, steps, heat, factor):
    model, initial = given_instance
    c, at, mover = begun(model, initial, kernel)
    mover.advance(steps if kernel == "numba" else 1 + steps // 10, heat, factor)
    assert differences(c, at) == []
    assert faults(model, initial, at.place) == []
    assert cost(model, initial, at.place) == round(at.cost())


@pytest.mark.parametrize("kernel", KERNELS)
def test_among_some_nobody_else_moves_and_who_draws_goes_on(kernel):
    seen = 0
    for seed in range(6):
        model, initial = instance(seed, 40, 8)
        c, at, mover = begun(model, initial, kernel, seed)
        some_of_them = np.random.default_rng(seed).random(40) < 0.3
        few = mover.among(some_of_them)
        for heat in (1e9, 30.0):
            few.advance(300 if kernel == "numba" else 30, heat, 0.0)
            assert differences(c, at) == []
            assert faults(model, initial, at.place) == []
        assert not (at.place != initial)[~some_of_them].any()
        seen += int((at.place != initial).sum())
        mover.advance(300 if kernel == "numba" else 30, 1e9, 0.0)
        seen += int((at.place != initial)[~some_of_them].any())
    assert seen > 12


@some
@given(instances(), st.integers(1, 60))
def test_taking_back_keeps_all_rules_and_makes_nothing_dearer(given_instance, steps):
    model, initial = replace(given_instance[0], service_weight=0), given_instance[1]
    c, at, mover = begun(model, initial, "numpy")
    mover.advance(steps, 1e9, 0.0)
    place, before = at.place.copy(), at.cost()
    assert take_back(c, at) == (place != at.place).sum()
    assert (at.place == np.where(place != at.place, initial, place)).all()
    assert faults(model, initial, at.place) == []
    assert cost(model, initial, at.place) == round(at.cost()) <= round(before)
    assert take_back(c, at) == 0


@pytest.mark.skipif("numba" not in KERNELS, reason="the kernel counts who is away at every step")
@some
@given(instances(), st.integers(1, 400))
def test_the_kernel_counts_who_is_away(given_instance, steps):
    c, at, mover = begun(*given_instance, "numba")
    mover.advance(steps, 20.0, 0.1)
    fresh = position(c, at.place.copy())
    assert at.gone.counts[[PEAK, AWAY]].tolist() == fresh.gone.counts[[PEAK, AWAY]].tolist()
    assert at.gone.of_crew.tolist() == fresh.gone.of_crew.tolist()
    assert at.totals.tolist() == pytest.approx(fresh.totals.tolist())


@pytest.mark.parametrize("kernel", KERNELS)
def test_without_heat_nothing_gets_dearer(kernel):
    first, last = 0.0, 0.0
    for seed in range(5):
        model, initial = instance(seed, 40, 8)
        _, at, mover = begun(replace(model, service_weight=0), initial, kernel, seed)
        costs = [at.cost()]
        for _ in range(20):
            mover.advance(8, 0.0, 0.0)
            costs.append(at.cost())
        assert costs == sorted(costs, reverse=True)
        first, last = first + costs[0], last + costs[-1]
    assert last < 0.99 * first


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("seed", range(6))
def test_small_instances_are_solved_to_the_optimum(kernel, seed):
    model, initial = instance(seed, 6, 4)
    best = solved(model, initial, kernel)
    assert faults(model, initial, best.place) == []
    assert cost(model, initial, best.place) == round(best.cost)
    assert round(best.cost) == optimum(model, initial)


@pytest.mark.parametrize("kernel", KERNELS)
def test_every_improvement_is_feasible_and_costs_what_is_said(kernel):
    """Room that is held at both ends included; the checker shares nothing with the search."""
    told = 0
    for seed in range(4):
        model, initial = instance(seed, 80, 10, 3)
        costs, wrong = [], []

        def tell(place, found, model=model, initial=initial, costs=costs, wrong=wrong):
            costs.append(found)
            wrong += judged(model, initial, place, found)

        best = search(columns(model, initial), initial, lambda: Steps(STEPS[kernel]), Style(kernel, seed), tell)
        assert wrong == []
        assert costs == sorted(costs, reverse=True)
        assert min(costs, default=best.cost) == best.cost
        told += len(costs)
    assert told > 6


@pytest.mark.parametrize("kernel", KERNELS)
@settings(max_examples=15, deadline=None)
@given(instances(processes=5, machines=3), st.integers(0, 9))
def test_nothing_is_better_than_the_optimum(kernel, given_instance, seed):
    model, initial = given_instance
    best = solved(model, initial, kernel, seed=seed, share=0.1)
    assert optimum(model, initial) <= round(best.cost) <= cost(model, initial, initial)


@pytest.mark.parametrize("kernel", KERNELS)
def test_steps_and_seed_decide_everything(kernel):
    model, initial = instance(3, 120, 12, 3)
    first, again, other = (solved(model, initial, kernel, seed=seed, share=0.1).place for seed in (1, 1, 2))
    assert first.tolist() == again.tolist()
    assert first.tolist() != other.tolist()


@pytest.mark.skipif("numba" not in KERNELS, reason="one kernel only")
def test_both_kernels_come_to_much_the_same():
    model, initial = instance(11, 150, 12, 3)
    start = cost(model, initial, initial)
    one, other = (solved(model, initial, kernel, share=0.5).cost for kernel in KERNELS)
    assert one < start
    assert abs(one - other) < 0.05 * start


@pytest.mark.skipif("numba" not in KERNELS, reason="numpy has no time for it")
def test_who_need_not_go_far_stays_near():
    """Two sites of three nodes each, and ways between them that no load is worth."""
    model, initial = instance(0, 10, 6)
    near = np.equal.outer(np.arange(6) // 3, np.arange(6) // 3)
    model = replace(model, travel=np.where(near, 0, 1), machine_weight=10_000, load_weight=np.array([1, 1]))
    tried = list[Columns]()

    def scaling(c: Columns, tries: float) -> Scale:
        tried.append(c)
        return scale(c, tries)

    c, budget = columns(model, initial), Steps(STEPS["numba"])
    best = search(c, initial, lambda: budget, Style("numba", 1, scaling))
    assert best.cost < cost(model, initial, initial)
    assert near[initial, best.place].all()
    (only_near,) = (other for other in tried if other is not c)
    assert (only_near.open_to[only_near.place_class] == near[c.home]).all()


@pytest.mark.skipif("numba" not in KERNELS, reason="numpy has no time for it")
@pytest.mark.parametrize(("share", "of_all"), [(1.0, 0.28 / 0.64), (0.1, 1.0)])
def test_a_long_one_is_as_hot_as_its_own_tries_allow(share, of_all):
    """Where there is much time there are three of them."""
    model, initial = instance(0, 10, 6)
    tried = list[float]()

    def scaling(c: Columns, tries: float) -> Scale:
        tried.append(tries)
        return scale(c, tries)

    budget = Steps(int(STEPS["numba"] * share))
    search(columns(model, initial), initial, lambda: budget, Style("numba", 1, scaling))
    assert max(tried) == pytest.approx(of_all * STEPS["numba"] * share, rel=0.01)


class Beginnings(Pairs):
    """A mover that notes, whenever it gets hotter, how hot, and whether everybody is at home."""

    def __init__(self, c: Columns, at: Position) -> None:
        super().__init__(c, at, 1)
        self.tries, self.habit = 1e9, Habit()  # so that there is much time
        self._home, self._place, self._heat = c.home, at.place, 0.0
        self.noted = list[tuple[float, bool]]()

    def advance(self, steps: int, heat: float, factor: float) -> int:
        if heat > self._heat:
            self.noted.append((heat, (self._place == self._home).all()))
        self._heat = heat
        return super().advance(steps, heat, factor)


def test_where_there_is_much_time_three_long_ones_follow_and_the_later_begin_at_home():
    model, initial = instance(0, 20, 6)
    c = columns(replace(model, travel=0 * model.travel), initial)
    at = position(c, initial.copy(), 1)
    moves = Beginnings(c, at)
    _Search(c, at, moves, Best(at), _Counted(Steps(20_000))).run(Style())
    hottest = max(heat for heat, _ in moves.noted)
    long = [home for heat, home in moves.noted if heat > hottest / 2]
    assert len(long) == 3
    assert long[1:] == [True, True]
    assert not moves.noted[-1][1]
