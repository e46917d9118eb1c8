from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest

from benchmarks.reassignment_checker import cost
from benchmarks.reassignment_instance import terms
from descheduler.policy.engines.search.draft import Draft, Quantity, enter_all
from descheduler.policy.engines.search.position import position
from descheduler.policy.engines.search.run import mover
from descheduler.policy.engines.search.terms.apart import Apart
from descheduler.policy.engines.search.terms.capacity import Capacity
from descheduler.policy.engines.search.terms.company import Company
from descheduler.policy.engines.search.terms.crews import Crews, MostAway
from descheduler.policy.engines.search.terms.evenness import Evenness
from descheduler.policy.engines.search.terms.journey import Leaving
from descheduler.policy.engines.search.terms.load import Load
from descheduler.policy.engines.search.terms.openness import Openness
from descheduler.policy.engines.search.terms.sites import Sites
from tests.descheduler.policy.search.instances import instance

KERNELS = ("numpy", "numba") if find_spec("numba") else ("numpy",)
NODES = 6
HOME = np.repeat(np.arange(NODES), 5)
SIZE = np.arange(1.0, 31.0)


def columns_with(model, initial, chosen):
    return enter_all(chosen, Draft(initial.astype(np.int64), len(model.capacity), model.service, len(model.spread)))


def anywhere(model, initial, seed):
    rng = np.random.default_rng(seed)
    return rng.integers(len(model.capacity), size=len(initial)).astype(np.int32)


@pytest.mark.parametrize("seed", range(8))
def test_costs_of_terms_add_up_in_any_order(seed):
    model, initial = instance(seed, 30, 6, 3)
    place, chosen = anywhere(model, initial, seed), list(terms(model, initial))
    shuffled = [chosen[i] for i in np.random.default_rng(seed).permutation(len(chosen))]
    expected = cost(model, initial, place)
    assert position(columns_with(model, initial, chosen), place).cost() == pytest.approx(expected)
    assert position(columns_with(model, initial, shuffled), place).cost() == pytest.approx(expected)
    alone = [position(columns_with(model, initial, [term]), place).cost() for term in chosen]
    assert sum(alone) == pytest.approx(expected)
    rules = (Capacity, Apart, Sites, Company)
    assert [c for c, term in zip(alone, chosen, strict=True) if isinstance(term, rules)] == [0.0] * sum(
        isinstance(term, rules) for term in chosen
    )


def test_evenness_is_the_squared_distance():
    quantity = Quantity.counted(SIZE, HOME, NODES)
    weight = np.arange(NODES) / 10
    c = enter_all([Evenness(quantity, np.full(NODES, 70.0), weight)], draft())
    sums = np.bincount(HOME, weights=SIZE)
    assert position(c, HOME.astype(np.int32)).cost() == pytest.approx(float((weight * (sums - 70) ** 2).sum()))


def draft():
    return Draft(HOME, NODES, np.full(len(HOME), -1), 0)


def uneven():
    """A cost that makes everything move."""
    return Load(Quantity.counted(SIZE, HOME, NODES), np.full(NODES, 60.0), 1.0)


def wandered(kernel, *chosen):
    """Columns, and where a hot search has gone with these terms, looked at again and again."""
    c = enter_all([uneven(), *chosen], draft())
    at = position(c, HOME.astype(np.int32), 3)
    moves = mover(kernel, c, at, 3)
    for _ in range(40):
        moves.advance(4 if kernel == "numpy" else 200, 20.0, 0.0)
        yield at.place.copy()


@pytest.mark.parametrize("kernel", KERNELS)
def test_closed_nodes_stay_closed(kernel):
    open_to = np.ones((2, NODES), dtype=np.bool_)
    open_to[1, :3] = False
    kind = np.arange(len(HOME)) % 2
    away = 0
    for place in wandered(kernel, Openness(kind, open_to)):
        gone = place != HOME
        assert open_to[kind[gone], place[gone]].all()
        away += gone.sum()
    assert away > 100


@pytest.mark.parametrize("kernel", KERNELS)
def test_quotas_and_the_limit_on_moves_hold(kernel):
    crew, quota = np.arange(len(HOME)) % 3, np.array([0, 1, 4])
    away = 0
    for place in wandered(kernel, Crews(crew, 3, quota), MostAway(4)):
        gone = np.flatnonzero(place != HOME)
        assert len(gone) <= 4
        assert (np.bincount(crew[gone], minlength=3) <= quota).all()
        away += len(gone)
    assert away > 40


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("held", [True, False])
def test_limits_hold_with_what_is_held(kernel, held):
    quantity = Quantity.counted(SIZE, HOME, NODES)
    limit = np.bincount(HOME, weights=SIZE) + 12.0
    moved = 0
    for place in wandered(kernel, Capacity(quantity, limit, held=held)):
        use = np.bincount(place, weights=SIZE, minlength=NODES)
        gone = place != HOME
        use += np.bincount(HOME[gone], weights=SIZE[gone], minlength=NODES) * held
        assert (use <= limit + 1e-9).all()
        moved += gone.sum()
    assert moved > 40


def test_a_fee_is_paid_for_who_is_away():
    fee = np.arange(30.0)
    c = enter_all([Leaving(fee), Leaving(2 * fee)], draft())
    place = HOME.astype(np.int32)
    place[[3, 7]] = 5
    assert position(c, place).cost() == 3 * (3 + 7)
