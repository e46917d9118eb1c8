"""Who is far is supposed to be home, and what that breaks is mended, or nothing happens."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.reassignment_checker import cost, faults
from benchmarks.reassignment_instance import Model, columns
from descheduler.policy.engines.search.anneal import Best, Habit
from descheduler.policy.engines.search.columns import Columns, dearer
from descheduler.policy.engines.search.position import Position, position
from descheduler.policy.engines.search.run import mover
from descheduler.policy.engines.search.schedule import mean_fee
from descheduler.policy.engines.search.supposing import Supposing
from tests.descheduler.policy.search.instances import instance
from tests.descheduler.policy.search.running import differences, moved, unruled

NOTHING = np.zeros(0, dtype=np.int64)


def supposing(c: Columns, at: Position, best: Best, seed: int = 1, price: float = 100.0) -> Supposing:
    dear = dearer(c, price)
    return Supposing(c, at, dear, mover("numpy", dear, at, seed), best, 10.0, np.random.default_rng(seed))


def test_everything_stays_true_and_hardly_dearer_than_the_best():
    homeward = 0
    for seed in range(8):
        model, initial, c, at = moved(seed, 30, 8)
        far = c.absence.travel[c.home, at.place] > 0
        best = Best(at)
        steps = supposing(c, at, best, seed)
        for _ in range(12):
            before = at.cost()
            steps.bring_home()
            assert differences(c, at) == []
            assert faults(model, initial, at.place) == []
            assert cost(model, initial, at.place) == round(at.cost())
            assert at.cost() <= max(before, best.cost + mean_fee(c)) + 1e-6
            best.take(at)
        homeward += int((at.place == c.home)[far].any())
    assert homeward > 2


def roomy() -> tuple[Model, np.ndarray]:
    """Room for all at all nodes, which are two sites, and no loads that cost."""
    model, initial = instance(2, 40, 8)
    site = np.arange(8) // 4
    return replace(
        unruled(model),
        capacity=model.capacity + 10_000,
        safety=model.safety + 10_000,
        balances=model.balances[:0],
        travel=np.not_equal.outer(site, site).astype(np.int64),
        service=np.arange(40),
        spread=np.ones(40, dtype=np.int64),
        needs=(NOTHING,) * 40,
    ), initial


def test_who_is_far_comes_home_where_nothing_stands_in_the_way():
    model, initial = roomy()
    c = columns(model, initial)
    place = initial.copy()
    place[:5] = (initial[:5] + 4) % 8
    at = position(c, place)
    steps = supposing(c, at, Best(at))
    for _ in range(5):
        if (c.absence.travel[c.home, at.place] > 0).any():
            assert steps.bring_home() > 0
    assert not (c.absence.travel[c.home, at.place] > 0).any()
    assert steps.bring_home() == 0


def test_who_does_not_fit_at_home_stays_where_it_is():
    """And so does everybody else."""
    model, initial = roomy()
    room = model.capacity.copy()
    room[initial[0]] = model.requirement[initial == initial[0]].sum(axis=0) - model.requirement[0]
    c = columns(replace(model, capacity=room), initial)
    fixed = c._replace(by_size=np.zeros(1, dtype=np.int32), kin=np.zeros(1, dtype=np.int32))
    place = initial.copy()
    place[0] = (initial[0] + 4) % 8
    at = position(fixed, place)
    dear = dearer(fixed, 100.0)
    still = Supposing(fixed, at, dear, mover("numpy", dear, at, 1), Best(at), 0.0, np.random.default_rng(1))
    for _ in range(5):
        still.bring_home()
        assert at.place.tolist() == place.tolist()
        assert differences(fixed, at) == []


@pytest.mark.parametrize(("better", "goes"), [(0.0, True), (10.0, False)])
def test_it_goes_sideways_but_not_farther_from_the_best_than_a_fee(better, goes):
    """To be home costs a little more than to be far, everybody else stays, and there is no way back."""
    model, initial = roomy()
    node, far, load = initial[0], (initial[0] + 4) % 8, 9
    need, safety, room = model.requirement.copy(), model.safety.copy(), model.capacity.copy()
    need[0, 0] += load
    safety[node, 0] = need[initial == node, 0].sum() - load
    room[far] = need[initial == far].sum(axis=0)
    model = replace(
        model,
        capacity=room,
        requirement=need,
        safety=safety,
        load_weight=np.eye(need.shape[1], dtype=np.int64)[0],
        move_cost=0 * model.move_cost,
        travel=8 * (1 - np.eye(8, dtype=np.int64)),
        machine_weight=1,
        service_weight=0,
    )
    c = columns(model, initial)
    one, open_to = np.zeros(1, dtype=np.int32), np.zeros_like(c.open_to)
    open_to[:, far] = True
    c = c._replace(by_size=one, kin=one, open_to=open_to)
    place = initial.copy()
    place[0] = far
    at = position(c, place)
    before, best = at.cost(), Best(at)
    best.cost -= better
    supposing(c, at, best, price=1.0).bring_home()
    assert (at.place[0] == node) == goes
    assert at.cost() - before == pytest.approx(float(goes))
    assert differences(c, at) == []


class Still:
    """A mover that moves nobody, and remembers among whom it was to, and how often."""

    name, chunk, tries, habit = "still", 1, 1.0, Habit()

    def __init__(self) -> None:
        self.some = np.zeros(0, dtype=np.bool_)
        self.times = 0

    def advance(self, steps: int, heat: float, factor: float) -> int:
        del steps, heat, factor
        self.times += 1
        return 0

    def among(self, some: np.ndarray) -> Still:
        self.some = some
        return self


@pytest.mark.parametrize(("load", "times"), [(0, 8), (10, 8), (14, 8), (28, 7), (50, 5), (1000, 2)])
def test_it_gives_up_once_there_is_too_much_left_to_mend(load, times):
    """Coming home saves 9, or 18 with high fees, and costs `load`; after k of 8 temperatures 18 + 72 (1 - k / 8) is borne."""
    model, initial = roomy()
    c = columns(replace(model, move_cost=0 * model.move_cost, machine_weight=9, service_weight=0), initial)
    c.absence.fee[:] = 0.0
    home = initial[0]
    c.lanes.hinge[:], c.lanes.threshold[:] = 0.0, 1e9
    lane = int(np.flatnonzero(c.lanes.leaving[0] > 0)[0])
    c.lanes.hinge[home, lane] = load / c.lanes.leaving[0, lane] if load else 0.0
    c.lanes.threshold[home, lane] = c.lanes.start[home, lane] - c.lanes.leaving[0, lane]
    place = initial.copy()
    place[0] = (home + 4) % 8
    at, still = position(c, place), Still()
    before = at.cost()
    steps = Supposing(c, at, dearer(c, 2.0), still, Best(at), 1.0, np.random.default_rng(1))
    assert steps.bring_home() > 0
    assert still.times == times
    assert (at.place[0] == home) == (load <= before + mean_fee(c))
    assert at.cost() == (load if at.place[0] == home else before)
    assert differences(c, at) == []


def test_those_take_part_whose_home_is_at_either_end_and_those_who_are_there():
    """Nodes in a row, one from each end of it at the same node: whoever comes home, the other one takes part."""
    model, initial = roomy()
    row = np.arange(8)
    c = columns(replace(model, travel=np.abs(np.subtract.outer(row, row))), initial)
    place, still = initial.copy(), Still()
    two = [int(np.flatnonzero(initial == node)[0]) for node in (0, 6)]
    place[two] = 3
    at = position(c, place)
    Supposing(c, at, dearer(c, 2.0), still, Best(at), 1.0, np.random.default_rng(1)).bring_home()
    assert sorted(at.place[two].tolist()) in ([0, 3], [3, 6])
    assert still.some[two].all()
    assert still.some[initial == 3].all()
    assert not still.some.all()


def test_nobody_is_supposed_where_rules_of_a_group_forbid():
    """Two that stand apart: the one who is far, and one at its home."""
    model, initial = roomy()
    service = np.arange(40)
    service[1] = 0
    other = initial.copy()
    other[1] = initial[0] + 1 if initial[0] % 4 == 0 else initial[0] - 1
    c = columns(replace(model, service=service), other)
    place = other.copy()
    place[0], place[1] = (other[0] + 4) % 8, other[0]
    at = position(c, place)
    assert Supposing(c, at, c, Still(), Best(at), 1.0, np.random.default_rng(1)).bring_home() == 0
    assert at.place.tolist() == place.tolist()
