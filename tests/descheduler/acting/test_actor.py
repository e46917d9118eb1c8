from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from descheduler.acting.breakers import Alerts
from descheduler.acting.course import Phase, PlanPhase
from descheduler.executors.port import Receipt, Verdict
from tests.descheduler.acting.parts import CONFIG, NOW, Acting, Crash, World, approve
from ullage.config import override


def hot() -> World:
    """n1 is over by three small VMs."""
    homes = {f"v{i}": ("n1", 0.9) for i in range(9)}
    return World(homes | {"w": ("n2", 1.0)})


def load(world: World, node: str) -> float:
    return sum(cpu for at, cpu in world.homes.values() if at == node)


def test_an_over_node_is_marked_and_relieved_and_then_it_is_quiet():
    world = hot()
    acting = Acting(world)
    acting.cycle()
    assert list(world.marked) == ["n1"]
    acting.until_quiet()
    assert load(world, "n1") <= 6.4
    assert len(world.moved) == 2
    (plan,) = world.plans.values()
    assert plan.status.phase is PlanPhase.FINISHED
    assert {s.phase for s in plan.status.steps} == {Phase.SUCCEEDED}
    assert plan.status.done == "2/2"
    after = {n.name: n.after for n in plan.status.nodes}
    assert after["n1"].cpu_ratio == pytest.approx(load(world, "n1") / 8)
    for _ in range(30):
        acting.cycle()
        world.tick()
    assert len(world.moved) == 2
    assert world.marked == {}


def test_what_happens_to_a_move_is_told_once():
    acting = Acting(hot())
    acting.until_quiet()
    assert sorted(acting.told) == sorted({(vm, p) for vm, _ in acting.world.moved for p in ("Running", "Succeeded")})


def test_budgets_hold_and_everything_is_done_in_the_end():
    world = World({f"v{i}": ("n1", 0.7) for i in range(12)})
    Acting(world, override(CONFIG, "budgets.inFlightOutPerNode", 1)).until_quiet()
    assert world.most_at_once == 1
    assert load(world, "n1") <= 6.4


def test_a_proposal_waits_for_a_word_and_is_carried_out_then():
    world = hot()
    acting = Acting(world, approves=False)
    for _ in range(3):
        acting.cycle()
        world.tick()
    assert (world.requests, len(world.plans)) == ([], 1)
    approve(world, "Approved")
    acting.until_quiet()
    assert len(world.moved) == 2


def test_a_rejected_proposal_is_ended():
    world = hot()
    acting = Acting(world, approves=False)
    acting.cycle()
    approve(world, "Rejected")
    for _ in range(5):
        acting.cycle()
        world.tick()
    assert [p.status.phase for p in world.plans.values()] == [PlanPhase.REJECTED]
    assert world.requests == []
    world.tick(3600)
    acting.cycle()
    assert [p.status.phase for p in world.plans.values()] == [PlanPhase.REJECTED, PlanPhase.PROPOSED]


def test_a_proposal_of_before_is_carried_out_where_no_word_is_needed():
    world = hot()
    Acting(world, approves=False).cycle()
    Acting(world).until_quiet()
    assert len(world.moved) == 2


def test_a_move_that_never_ends_is_ended():
    world = hot()
    world.takes_cycles = 1000
    acting = Acting(world)
    acting.cycle()
    world.tick(3601)
    acting.cycle()
    (plan,) = world.plans.values()
    assert {s.phase for s in plan.status.steps} == {Phase.CANCELLED}


def test_an_outdated_proposal_makes_room():
    world = hot()
    acting = Acting(world, approves=False)
    acting.cycle()
    (before,) = world.plans
    world.homes["v9"] = ("n1", 0.9)
    world.tick()
    acting.cycle()
    (after,) = world.plans
    assert after != before
    for name in list(world.homes):
        world.homes[name] = ("n1", 0.1)
    world.tick()
    acting.cycle()
    assert world.plans == {}


def test_a_move_that_became_pointless_is_skipped():
    world = World({f"v{i}": ("n1", 0.7) for i in range(12)}, takes_cycles=4)
    acting = Acting(world, override(CONFIG, "budgets.inFlightPerCluster", 1))
    acting.cycle()
    for name in ("v3", "v4", "v5", "v6", "v7"):
        world.homes[name] = (world.homes[name][0], 0.1)
    acting.until_quiet()
    (plan,) = world.plans.values()
    skipped = [s for s in plan.status.steps if s.phase is Phase.SKIPPED]
    assert {s.code for s in skipped} == {"not-needed"}
    assert len(world.moved) + len(skipped) == len(plan.spec.moves)


def test_what_the_server_wants_later_is_asked_again_and_charged_once():
    world = hot()
    answers = iter([Receipt(Verdict.LATER, "disruption-budget")] * 4)
    world.answer = lambda _: next(answers, None)
    Acting(world).until_quiet()
    assert len(world.moved) == 2
    assert len(world.ledger.begun) == 2


def test_a_refused_move_ends_and_the_rest_goes_on():
    world = hot()
    world.answer = lambda step: Receipt(Verdict.REFUSED, "not-live-migratable") if step.number == 1 else None
    acting = Acting(world)
    acting.cycle()
    world.tick()
    (plan,) = world.plans.values()
    assert [s.phase for s in plan.status.steps] == [Phase.REFUSED, Phase.RUNNING]


def test_failing_moves_open_the_breaker_and_after_a_while_one_is_tried():
    world = World({f"v{i}": ("n1", 0.7) for i in range(12)})
    acting = Acting(world, override(CONFIG, "eligibility.cooldownSeconds", 0))
    broken = {"on": True}

    def answer(_):
        return Receipt(Verdict.UNDER_WAY, "accepted") if broken["on"] else None

    world.answer = answer  # accepted, and never seen again: looking says that it failed
    for _ in range(3):
        acting.cycle()
        world.tick()
    acted = acting.cycle()
    assert [o.code for o in acted.open] == ["moves-fail"]
    begun = len(world.ledger.begun)
    for _ in range(5):
        world.tick()
        acting.cycle()
    assert len(world.ledger.begun) == begun
    broken["on"] = False
    world.tick(900)
    acting.cycle()
    assert len(world.ledger.begun) == begun + 1


def test_before_it_has_settled_nothing_begins():
    world = hot()
    acting = Acting(world, override(CONFIG, "breakers.settleSeconds", 300))
    acted = acting.cycle(since=NOW - 100)
    assert [o.code for o in acted.open] == ["settling"]
    assert (world.requests, world.plans) == ([], {})
    assert list(world.marked) == ["n1"]


def test_a_migration_of_others_counts():
    world = hot()
    world.under_way["theirs"] = ("w", "n3", 5)
    acting = Acting(world, override(CONFIG, "budgets.inFlightPerCluster", 1))
    acted = acting.cycle()
    assert world.requests == []
    assert acted.left["cluster"] == 0


POINTS = ["before taints", "before create", "after create", "before ledger", "after ledger", "before begin", "after begin",
          "before update", "after update"]  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(POINTS), st.integers(0, 5)), max_size=6))
def test_whenever_it_dies_another_one_goes_on_and_nothing_is_lost_or_done_twice(deaths):
    world = World({f"v{i}": ("n1", 0.7) for i in range(12)})
    waiting = list(deaths)
    seen = {"count": 0}

    def crash(point: str) -> None:
        if waiting and point.startswith(waiting[0][0]):
            seen["count"] += 1
            if seen["count"] > waiting[0][1]:
                waiting.pop(0)
                seen["count"] = 0
                raise Crash

    world.crash = crash
    for _ in range(len(deaths) + 1):
        try:
            Acting(world).until_quiet()
            break
        except Crash:
            world.tick()
    assert load(world, "n1") <= 6.4
    assert len(world.moved) == len(set(world.moved)) == 3
    assert world.most_at_once <= 2
    assert len(world.ledger.begun) == 3
    assert all(p.status.phase is PlanPhase.FINISHED for p in world.plans.values())


def test_what_a_dry_run_refuses_is_not_begun_and_charges_nothing():
    world = hot()
    world.probed = lambda step: Receipt(Verdict.REFUSED, "rejected", "A policy.") if step.number == 1 else None
    acting = Acting(world)
    acting.cycle()
    (plan,) = world.plans.values()
    assert [(s.phase, s.code) for s in plan.status.steps] == [(Phase.REFUSED, "rejected"), (Phase.RUNNING, "accepted")]
    assert len(world.requests) == len(world.ledger.begun) == 1


@pytest.mark.parametrize("verdict", [Verdict.LATER, Verdict.UNKNOWN])
def test_what_a_dry_run_does_not_let_through_yet_is_held_back_with_its_code(verdict):
    world = hot()
    said = Receipt(verdict, "disruption-budget", "None may go.")
    world.probed = lambda _: said
    acting = Acting(world)
    acted = acting.cycle()
    (plan,) = world.plans.values()
    assert {(s.phase, s.code) for s in plan.status.steps} == {(Phase.PENDING, "disruption-budget")}
    assert acted.waiting == ("disruption-budget",) * 2
    assert (world.requests, world.ledger.begun) == ([], ())
    world.probed = lambda _: None
    acting.until_quiet()
    assert len(world.moved) == 2


def test_a_move_that_may_have_begun_is_not_probed_again():
    """The probe of a migration that is there is refused, since there is one."""
    world = hot()

    def crash(where: str) -> None:
        if where.startswith("after begin"):
            world.crash = lambda _: None
            world.probed = lambda step: Receipt(Verdict.REFUSED, "migrating") if step.number == 1 else None
            raise Crash

    world.crash = crash
    with pytest.raises(Crash):
        Acting(world).cycle()
    Acting(world).until_quiet()
    assert len(world.moved) == 2


def test_an_alert_stops_what_was_not_begun_and_lets_the_rest_end():
    world = hot()
    acting = Acting(world, override(CONFIG, "budgets.inFlightPerCluster", 1))
    acting.cycle()
    world.alerts = Alerts(("NodeDown",))
    for _ in range(5):
        world.tick()
        acted = acting.cycle()
    assert [each.code for each in acted.open] == ["alerts-firing"]
    assert len(world.moved) == len(world.requests) == 1
    world.alerts = Alerts()
    acting.until_quiet()
    assert len(world.moved) == 2


def test_a_cycle_says_what_it_did_once():
    world = hot()
    acting = Acting(world, override(CONFIG, "budgets.inFlightPerCluster", 1))
    first = acting.cycle()
    assert (first.planned, first.marked, first.marks_changed) == (2, 1, ("added",))
    assert [(h.executor, h.phase, h.source) for h in first.happened] == [("fake", Phase.RUNNING, "n1")]
    assert first.waiting == ("budget-cluster",)
    world.tick()
    second = acting.cycle()
    assert (second.planned, second.happened, second.marks_changed) == (0, (), ())
    world.tick()
    third = acting.cycle()
    ended = [h for h in third.happened if h.phase is Phase.SUCCEEDED]
    assert [(h.code, h.seconds) for h in ended] == [("moved", 120.0)]
