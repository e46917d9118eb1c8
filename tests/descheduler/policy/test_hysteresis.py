from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from descheduler.policy.hysteresis import judge
from descheduler.policy.memory import Memory, Moved
from tests.builders import Cluster
from tests.descheduler.policy.making import node, plan
from ullage.config.schema import Hysteresis

RULES = Hysteresis(persistence_seconds=180, leave_ratio=0.03, reenter_ratio=0.03, settle_seconds=3600)


def run(*steps: tuple[float, float], since: float | None = None, relieved: float | None = None) -> list[bool]:
    """Whether one node is due at each of `steps` (time, excess)."""
    moves = (Moved("u", relieved, "n"),) if relieved is not None else ()
    memory = Memory(moves, {} if since is None else {"n": since})
    found = []
    for now, excess in steps:
        judged = judge(["n"], np.array([excess]), memory, RULES, now)
        memory = memory.seeing(judged.over_since_seconds)
        found.append(bool(judged.due[0]))
    return found


def test_out_of_the_blue_all_that_is_over_counts():
    judged = judge(["a", "b", "c"], np.array([0.01, 0.0, np.nan]), Memory(), RULES, 0.0)
    assert judged.due.tolist() == [True, False, False]
    assert judged.over_since_seconds == {}


def test_a_node_counts_after_it_was_over_for_long_enough():
    assert run((0, 0.1), (60, 0.1), (179, 0.1), (180, 0.1)) == [False, False, False, True]


def test_a_reading_below_the_threshold_is_no_break_but_a_visible_fall_is():
    assert run((0, 0.1), (60, -0.02), (120, 0.1), (180, 0.1)) == [False, False, False, True]
    assert run((0, 0.1), (60, -0.04), (120, 0.1), (180, 0.1), (300, 0.1)) == [False, False, False, False, True]


def test_a_node_in_the_band_is_not_due():
    assert run((0, 0.1), (200, -0.01)) == [False, False]


def test_a_node_of_unknown_use_begins_anew():
    assert run((0, 0.1), (100, float("nan")), (200, 0.1), (380, 0.1)) == [False, False, False, True]


def test_after_it_was_relieved_a_node_must_rise_visibly():
    assert run((260, 0.02), (3700, 0.02), (3799, 0.02), since=0, relieved=200) == [False, False, False]
    assert run((260, 0.04), since=0, relieved=200) == [True]
    assert run((260, 0.02), (300, 0.04), (480, 0.04), since=0, relieved=200) == [False, False, True]


def test_a_node_that_took_something_in_must_rise_visibly():
    memory = Memory((Moved("u", 200.0, "elsewhere", "n"),), {"n": 0.0})
    due = [bool(judge(["n"], np.array([excess]), memory, RULES, 260.0).due[0]) for excess in (0.02, 0.04)]
    assert due == [False, True]


def test_after_it_settled_a_node_counts_as_ever():
    assert run((3800, 0.01), (3980, 0.01), relieved=200) == [False, True]


@given(st.lists(st.floats(-0.2, 0.2), min_size=1, max_size=30), st.floats(0, 400))
def test_nothing_is_due_that_is_not_over_or_not_for_long(excesses, persistence):
    rules = Hysteresis(persistence_seconds=persistence)
    memory = Memory.watching()
    for step, excess in enumerate(excesses):
        judged = judge(["n"], np.array([excess]), memory, rules, 60.0 * step)
        if judged.due[0]:
            assert excess > 0
            assert 60.0 * step - judged.over_since_seconds["n"] >= persistence
        memory = memory.seeing(judged.over_since_seconds)


def test_the_plan_says_that_a_node_is_not_due_yet():
    state = Cluster().node("n1").node("n2").vm("shop/v", "n1", use_cpu=2).vm("shop/w", "n1", use_cpu=4.5).build()
    memory = Memory(over_since_seconds={"n1": state.observed_at_seconds - 60})
    status = node(plan(state, memory=memory), "n1")
    assert (status.before.cpu_ratio, status.code) == (0.8125, "node-over-not-due")
    assert "for 60 s; it counts after 180 s" in status.reason
    memory = Memory((Moved("u", state.observed_at_seconds - 60, "n1"),), {})
    assert (
        "it was relieved a while ago, and is above by less than 3.0%" in node(plan(state, memory=memory), "n1").reason
    )
