from __future__ import annotations

import pytest

from descheduler.loop.cycle import Clocks, Cycles, Result
from tests.builders import Cluster
from tests.descheduler.loop.sources import GivenSource, Time, at
from tests.descheduler.policy.making import moves, node
from ullage.config import defaults

NOW = 1_000_000.0


@pytest.fixture
def state():
    return Cluster().node("n1").node("n2").vm("shop/v", "n1", use_cpu=2).vm("shop/w", "n1", use_cpu=5).build()


def cycles(source: GivenSource, time: Time) -> Cycles:
    return Cycles(source, Clocks(time, time), max_age_seconds=120)


def test_before_the_first_state_there_is_no_verdict():
    assert cycles(GivenSource(), Time(NOW)).next(defaults()).result is Result.UNSYNCED


def test_a_state_that_is_too_old_is_not_judged(state):
    time, source = Time(NOW), GivenSource(at(state, NOW))
    made = cycles(source, time)
    time.now = NOW + 120
    assert made.next(defaults()).result is Result.PLANNED
    time.now = NOW + 121
    late = made.next(defaults())
    assert (late.result, late.plan) == (Result.STALE, None)


def test_moves_are_proposed_once_a_node_was_over_for_a_while_and_again_until_they_are_made(state):
    time, source = Time(NOW), GivenSource()
    made = cycles(source, time)
    proposed = []
    for step in range(6):
        time.now = NOW + 60 * step
        source.state = at(state, time.now)
        plan = made.next(defaults()).plan
        assert plan is not None
        proposed.append(moves(plan))
    assert proposed == [[], [], [], [("v", "n1", "n2")], [("v", "n1", "n2")], [("v", "n1", "n2")]]


def test_a_gap_in_what_is_known_of_a_node_begins_the_wait_anew(state):
    blind = Cluster().node("n1", use_cpu=None).node("n2").vm("shop/v", "n1", use_cpu=2).build()
    time, source = Time(NOW), GivenSource()
    made = cycles(source, time)
    codes = []
    for step, seen in enumerate((state, state, blind, state, state)):
        time.now = NOW + 60 * step
        source.state = at(seen, time.now)
        plan = made.next(defaults()).plan
        assert plan is not None
        codes.append(node(plan, "n1").code)
    assert codes == ["node-over-not-due", "node-over-not-due", "node-unknown", "node-over-not-due", "node-over-not-due"]
