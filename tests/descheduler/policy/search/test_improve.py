from __future__ import annotations

from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest

from descheduler.policy.engines.search.improve import improve
from descheduler.policy.engines.search.product import evenness
from descheduler.policy.goals.balance import descend, price, worth_of
from descheduler.policy.memory import Memory
from descheduler.policy.pace import Pace
from descheduler.policy.plan import NodeClass
from descheduler.policy.problem import Tally
from descheduler.policy.sequence import safe_order
from descheduler.policy.setting import problem, setting
from simulator.generator import generate
from simulator.spec import ClusterSpec
from tests.descheduler.policy.making import configuration


class Full:
    """Balance of a cluster most of whose memory is requested, so that much must leave before something else can come."""

    def __init__(self, seed: int, seconds: float = 3.0) -> None:
        state = generate(ClusterSpec(nodes=22, memory_requested=0.9, hot_share=0.2, seed=seed))
        config = configuration(goal="balance", search_kernel="numpy", search_time_limit_seconds=seconds)
        given = setting(state, Memory(), config, state.observed_at_seconds, must_leave=False)
        self.task = problem(given, given.rows(NodeClass.OVER)[:0])
        self.known, self.worth = given.known(), worth_of(given)
        tally = Tally(self.task)
        descend(given, tally)
        self.start = dict(tally.away)

    def searched(self) -> dict[int, int]:
        return improve(self.task, evenness(self.known, self.worth), self.start)

    def price(self, places: dict[int, int]) -> float:
        return price(self.task, places, self.known, self.worth)


@pytest.mark.parametrize("seed", [3, 5])
def test_places_are_better_and_can_be_brought_about_one_by_one_as_they_stand(seed):
    full = Full(seed)
    found, tally = full.searched(), Tally(full.task)
    for workload, node in found.items():
        assert tally.admits(workload, node)
        tally.move(workload, node)
    assert full.price(found) < 0.9 * full.price(full.start)
    assert safe_order(Tally(full.task), found)[1] == ()


@pytest.mark.parametrize(("seed", "gained"), [(8, 0.05), (13, 0.0)])
def test_others_take_the_place_of_who_has_no_order(monkeypatch, seed, gained):
    """Rounds are the same whatever comes after them, since time is counted in steps; a worse one counts for nothing."""
    full, module = Full(seed), import_module(improve.__module__)
    ends, prices = np.linspace(0.2, 1.0, 9).tolist(), list[float]()
    for count in (1, 3, 9):
        monkeypatch.setattr(module, "_ROUNDS", tuple(ends[:count]))
        prices.append(full.price(full.searched()))
    assert prices == sorted(prices, reverse=True)
    assert prices[-1] <= (1 - gained) * prices[0]


def test_a_round_goes_on_from_what_was_found_before_it(monkeypatch):
    full, module, told = Full(16), import_module(improve.__module__), list[float]()
    full.task = replace(full.task, pace=Pace(tell=lambda progress: told.append(progress.cost)))
    monkeypatch.setattr(module, "_ROUNDS", (0.5,))
    before = full.price(full.searched())
    count = len(told)
    monkeypatch.setattr(module, "_ROUNDS", (0.5, 1.0))
    full.searched()
    later = told[2 * count :]
    assert later
    assert max(later) < before


def test_without_time_needless_moves_are_taken_back_at_least():
    full = Full(3, seconds=0.0)
    found = full.searched()
    assert found.items() < full.start.items()
    assert full.price(found) < full.price(full.start)
