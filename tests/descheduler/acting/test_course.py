from __future__ import annotations

import pytest

from descheduler.acting.course import ENDED, Course, Intent, Phase, PlanPhase, intents
from descheduler.executors.port import FINAL, Receipt, Verdict
from tests.builders import Cluster
from tests.descheduler.policy.making import plan

NOW = 1_000_000.0


@pytest.fixture
def course() -> Course:
    cluster = Cluster().node("n1").node("n2").node("n3")
    for i in range(3):
        cluster.vm(f"shop/v{i}", "n1", use_cpu=0.5)
    cluster.vm("shop/w", "n1", use_cpu=6.25, live_migratable=False)
    made = plan(cluster.build())
    assert len(made.spec.moves) == 3
    return Course.of("plan-1", made, approved=True)


def test_a_course_that_is_not_approved_is_proposed():
    made = plan(Cluster().node("n1").build())
    assert Course.of("p", made, approved=False).phase is PlanPhase.PROPOSED


def free(number: int, begun) -> str:
    del number, begun
    return ""


def test_a_new_course_waits_for_approval_or_not(course):
    assert course.phase is PlanPhase.APPROVED
    assert course.numbers(Phase.PENDING) == [1, 2, 3]


@pytest.mark.parametrize("verdict", list(Verdict))
def test_what_an_executor_says_gives_the_phase(course, verdict):
    after = course.noting(2, Receipt(verdict, "some-code", "Why."), NOW)
    step = after.steps[1]
    assert (step.phase in ENDED) == (verdict in FINAL)
    assert (step.ended_at_seconds == NOW) == (verdict in FINAL)
    assert step.code == "some-code"
    assert after.steps[0] == course.steps[0]


def test_a_beginning_is_noted_once(course):
    running = course.noting(1, Receipt(Verdict.UNDER_WAY, "accepted"), NOW)
    ended = running.noting(1, Receipt(Verdict.DONE, "moved"), NOW + 30)
    assert (ended.steps[0].began_at_seconds, ended.steps[0].ended_at_seconds) == (NOW, NOW + 30)


def test_a_move_that_may_come_later_stays_pending(course):
    after = course.noting(1, Receipt(Verdict.LATER, "disruption-budget", retry_after_seconds=5), NOW)
    assert after.steps[0].phase is Phase.PENDING
    assert after.steps[0].began_at_seconds is None


def test_it_is_over_when_every_move_ended(course):
    for number in (1, 2):
        course = course.noting(number, Receipt(Verdict.DONE, "moved"), NOW)
    assert not course.is_over
    assert course.skipping(3, "not-needed", "Why.", NOW).is_over


def test_all_that_nothing_holds_back_begins(course):
    assert intents(course, ["", "", ""], free) == [Intent(n, begin=True) for n in (1, 2, 3)]


def test_budgets_hold_back_and_see_what_begins_before(course):
    found = intents(course, ["", "", ""], lambda _, begun: "budget-cluster" if len(begun) >= 2 else "")
    assert [(i.begin, i.code) for i in found] == [(True, ""), (True, ""), (False, "budget-cluster")]


def test_half_open_lets_one_through(course):
    assert [i.begin for i in intents(course, ["", "", ""], free, most=1)] == [True, False, False]


def test_what_became_impossible_is_skipped(course):
    found = intents(course, ["workload-gone", "", "not-needed"], free)
    assert [(i.begin, i.skip, i.code) for i in found] == [
        (False, True, "workload-gone"),
        (True, False, ""),
        (False, True, "not-needed"),
    ]


def test_room_that_an_earlier_move_makes_is_waited_for_and_else_not(course):
    assert [i.skip for i in intents(course, ["", "target-cpu", "target-cpu"], free)] == [False, False, False]
    assert [i.skip for i in intents(course, ["target-cpu"] * 3, free)] == [True, True, True]
    running = course.noting(1, Receipt(Verdict.UNDER_WAY, "accepted"), NOW)
    assert [i.skip for i in intents(running, ["target-cpu", "taint"], free)] == [False, True]


def test_what_a_budget_holds_back_may_still_make_room(course):
    found = intents(course, ["", "target-cpu", "node-use-unknown"], lambda *_: "budget-cluster")
    assert [(i.begin, i.skip) for i in found] == [(False, False)] * 3
    assert [i.skip for i in intents(course, ["target-cpu", "", "target-cpu"], free)] == [True, False, False]


def test_nothing_is_judged_for_good_while_a_move_that_ended_is_not_seen_yet(course):
    codes = ["target-cpu", "node-use-unknown", "taint"]
    assert [i.skip for i in intents(course, codes, free, settling=True)] == [False, False, True]
    assert [i.skip for i in intents(course, codes, free)] == [True, True, True]
