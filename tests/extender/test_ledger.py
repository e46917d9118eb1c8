"""The ledger: what is counted, until when, and where plans want pods to land."""

from __future__ import annotations

import threading

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.burst import PLAYS, load, measure, oracle, play, spread
from extender.ledger import Destination, Ledger
from extender.verbs import PodRequest, prioritize
from simulator.generator import generate
from simulator.spec import ClusterSpec
from tests.builders import Cluster
from ullage.config import defaults
from ullage.model.state import Owner
from ullage.scoring.assumed import NOTHING, Assumed
from ullage.scoring.columns import NodeView, Room
from ullage.scoring.view import view

GIB = 2.0**30
POD = PodRequest(
    uid="p1",
    namespace="shop",
    name="web-1",
    owner_kind="ReplicaSet",
    owner_name="web",
    requests_cpu_cores=1,
    requests_memory_bytes=10 * GIB,
)


class Hands:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def now(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Hands:
    return Hands()


@pytest.fixture
def ledger(clock: Hands) -> Ledger:
    return Ledger(defaults(), clock)


def two_nodes() -> Cluster:
    return Cluster().node("a", use_memory="8Gi").node("b", use_memory="8Gi")


@pytest.fixture
def seen() -> NodeView:
    return view(two_nodes().build(), defaults())


def memory(ledger: Ledger, seen: NodeView) -> dict[str, float]:
    """GiB that are assumed, by node."""
    assumed = ledger.assumed(seen)
    amount = assumed.amount[Room.MEMORY_BYTES] / GIB
    return {seen.names[row]: round(float(value), 3) for row, value in zip(assumed.rows, amount, strict=True) if value}


def other(number: int, **given: str) -> PodRequest:
    return msgspec.structs.replace(POD, uid=f"p{number}", name=f"web-{number}", **given)


def test_an_answer_counts_and_a_binding_corrects_it(ledger: Ledger, seen: NodeView) -> None:
    assert ledger.assumed(seen) is NOTHING
    ledger.answered(seen, POD, 0)
    ledger.answered(seen, other(2), 0)
    assert memory(ledger, seen) == {"a": 14.0}
    ledger.bound("p1", "b")
    ledger.bound("not-answered-for", "b")
    assert memory(ledger, seen) == {"a": 7.0, "b": 7.0}
    assert len(ledger) == 2


def test_a_taken_value_never_changes_and_is_one_reference(ledger: Ledger, seen: NodeView) -> None:
    ledger.answered(seen, POD, 0)
    taken = ledger.assumed(seen)
    assert ledger.assumed(seen) is taken
    ledger.answered(seen, other(2), 0)
    assert taken.amount[1].tolist() == [7 * GIB]
    with pytest.raises(ValueError, match="read-only"):
        taken.amount[0] = 0


def test_a_pod_that_asks_again_has_no_node_yet(ledger: Ledger, seen: NodeView) -> None:
    ledger.answered(seen, POD, 0)
    assert ledger.assumed(seen, POD) is NOTHING or not memory(ledger, seen)
    ledger.answered(seen, POD, 1)
    assert memory(ledger, seen) == {"b": 7.0}
    ledger.bound("p1", "b")
    ledger.assumed(seen, POD)
    ledger.answered(seen, POD, 0)
    assert memory(ledger, seen) == {"b": 7.0}, "what is bound stays"
    ledger.forget("p1")
    assert memory(ledger, seen) == {}


def test_pods_leave_when_a_state_holds_them_and_their_node_then_counts_them(ledger: Ledger, seen: NodeView) -> None:
    ledger.answered(seen, POD, 0)
    ledger.answered(seen, other(2), 1)
    later = two_nodes().pod(
        "shop/web-1", "a", requests_memory="10Gi", use_cpu=None, use_memory=None, started_at=999_985.0
    )
    state = later.build()
    ledger.observe(state)
    fresh = view(state, defaults())
    assert memory(ledger, fresh) == {"b": 7.0}
    assert fresh.unshown[:, 1].tolist() == [7 * GIB, 0.0]


def test_a_restart_forgets_nothing_that_a_state_holds(clock: Hands) -> None:
    started = two_nodes().pod(
        "shop/web-1", "b", requests_memory="10Gi", use_cpu=None, use_memory=None, started_at=999_985.0
    )
    seen = view(started.build(), defaults())
    scores = prioritize(seen, other(2), np.array([0, 1], np.int32), Ledger(defaults(), clock).assumed(seen))
    assert scores[0] == 10
    assert scores[1] < 10


def test_entries_expire_and_clock_steps_are_survived(ledger: Ledger, seen: NodeView, clock: Hands) -> None:
    ledger.answered(seen, POD, 0)
    ledger.answered(seen, other(2), 1)
    ledger.bound("p2", "b")
    clock.seconds += 119
    assert memory(ledger, seen) == {"a": 7.0, "b": 7.0}
    clock.seconds += 2
    assert memory(ledger, seen) == {"b": 7.0}
    clock.seconds -= 100_000
    assert memory(ledger, seen) == {"b": 7.0}
    clock.seconds += 601
    assert memory(ledger, seen) == {}
    assert len(ledger) == 0


def test_a_migration_target_counts_where_it_goes_while_its_vm_is_measured_where_it_runs(
    ledger: Ledger,
) -> None:
    def state(**more: str) -> Cluster:
        return (
            Cluster()
            .node("a", memory="64Gi")
            .node("b", memory="64Gi", use_memory="8Gi")
            .vm(
                "shop/db",
                "a",
                guest="10Gi",
                use_memory="9Gi",
                **more,  # type: ignore[arg-type]
            )
        )

    seen = view(state().build(), defaults())
    target = PodRequest(uid="t", namespace="shop", name="virt-launcher-db-2", domain="db", migration_job_uid="m")
    ledger.answered(seen, target, 1)
    assert memory(ledger, seen) == {"b": 9.0}
    assert seen.forecast.node_use[:, 1].tolist() == [9 * GIB, 8 * GIB]
    moving = state(migration_target="b").pod("shop/virt-launcher-db-2", "b", use_cpu=None, use_memory=None).build()
    ledger.observe(moving)
    after = view(moving, defaults())
    assert memory(ledger, after) == {}
    assert after.forecast.node_use[:, 1].tolist() == [9 * GIB, 17 * GIB]


def test_a_vm_s_own_launcher_is_found_by_its_vm(ledger: Ledger) -> None:
    state = two_nodes().vm("shop/db", "a").build()
    seen = view(state, defaults())
    ledger.answered(seen, PodRequest(uid="l", namespace="shop", name="virt-launcher-db-abcde", domain="db"), 0)
    ledger.observe(state)
    assert len(ledger) == 0


def test_nodes_that_a_view_does_not_hold_are_passed_over(ledger: Ledger, seen: NodeView) -> None:
    ledger.answered(seen, POD, 0)
    ledger.bound("p1", "gone")
    assert memory(ledger, seen) == {}
    bigger = view(two_nodes().node("gone").build(), defaults())
    assert memory(ledger, bigger) == {"gone": 7.0}


def test_plans_steer_migrations_and_replacements_once(ledger: Ledger, seen: NodeView, clock: Hands) -> None:
    web = Owner("ReplicaSet", "shop", "web")
    plan = [Destination("vmi-1", "b"), Destination("old-1", "b", web), Destination("old-2", "a", web)]
    ledger.steer(plan)
    ledger.steer(plan)
    target = PodRequest(uid="t", namespace="shop", name="l", domain="db", created_by="vmi-1", migration_job_uid="m")
    assert ledger.assumed(seen, target).destination == 1
    assert [ledger.assumed(seen, other(n)).destination for n in (1, 2, 3, 1)] == [1, 0, -1, 1]
    assert ledger.assumed(seen, other(9, namespace="bank")).destination == -1
    assert ledger.assumed(seen).destination == -1
    clock.seconds += 601
    assert ledger.assumed(seen, other(1)).destination == -1


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(-1, 1), st.booleans()), max_size=30), st.data())
def test_what_changed_between_two_values_is_told(steps: list[tuple[int, int, bool]], data: st.DataObject) -> None:
    seen = view(two_nodes().build(), defaults())
    ledger, taken = Ledger(defaults(), Hands()), [NOTHING]
    for number, row, is_taken in steps:
        ledger.answered(seen, other(number), row)
        if is_taken:
            taken.append(ledger.assumed(seen))
    first, last = sorted(data.draw(st.tuples(*[st.integers(0, len(taken) - 1)] * 2)))
    told = taken[last].changed_since(taken[first])
    differing = (taken[first].spread(3) != taken[last].spread(3)).any(axis=0)
    assert told is None or {each.row for each in told} >= set(np.flatnonzero(differing).tolist())


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(-1, 1)), max_size=30))
def test_what_was_added_and_nothing_else_is_told_apart(steps: list[tuple[int, int]]) -> None:
    seen, ledger, before = view(two_nodes().build(), defaults()), Ledger(defaults(), Hands()), NOTHING
    for number, row in steps:
        ledger.answered(seen, other(number), row)
        now = ledger.assumed(seen)
        for each in now.changed_since(before) or ():
            if each.added is not None:
                held = before.totals.get(each.row, (0.0, 0.0, 0.0))
                assert each.amounts == tuple(a + b for a, b in zip(held, each.added, strict=True))
            before = Assumed.on({**before.totals, each.row: each.amounts})
        before = now
        assert min(min(amounts) for amounts in [*now.totals.values(), (0.0,)]) >= 0


def test_a_long_log_begins_anew(ledger: Ledger, seen: NodeView) -> None:
    ledger.answered(seen, other(0), 0)
    first = ledger.assumed(seen)
    for number in range(3000):
        ledger.answered(seen, other(1), number % 2)
        last = ledger.assumed(seen)
    assert len(last.log) < 2000
    changed = last.changed_since(first)
    assert changed is not None
    assert [each.row for each in changed] == [1]


def test_many_threads_leave_sums_that_add_up(ledger: Ledger, seen: NodeView) -> None:
    def ask(first: int) -> None:
        for number in range(first, first + 50):
            ledger.assumed(seen, other(number))
            ledger.answered(seen, other(number), number % 2)
            ledger.bound(f"p{number}", "ab"[number % 2])

    threads = [threading.Thread(target=ask, args=(first,)) for first in (100, 200, 300, 400)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert memory(ledger, seen) == {"a": 700.0, "b": 700.0}


@pytest.mark.parametrize("seed", [1, 2])
def test_a_burst_with_frozen_metrics_spreads_as_if_every_placement_were_known(seed: int) -> None:
    spec = ClusterSpec(nodes=40, seed=seed, hot_share=0.1, missing_share=0.0, cordoned_share=0.0)
    ours, unseen, herd = measure(generate(spec), PLAYS[:3])
    assert ours.ratio <= 1.3
    assert unseen.ratio <= 1.3, "bindings that are not observed do not matter while the winner is taken"
    assert herd.ratio > 3, "without the ledger they would pile up"


def test_a_burst_onto_alike_nodes_is_as_even_as_it_can_be() -> None:
    cluster = Cluster()
    for i in range(20):
        cluster.node(f"n{i:02}", cpu=64, memory="256Gi", use_cpu=16, use_memory="64Gi")
    seen = view(cluster.build(), defaults())
    placed = play(seen, PLAYS[0])
    assert np.bincount(placed, minlength=20).tolist() == [10] * 20
    assert spread(load(seen, placed), placed) == pytest.approx(spread(load(seen, oracle(seen)), placed), abs=1e-6)


def test_who_asks_again_at_once_finds_what_was_assumed_before(ledger: Ledger) -> None:
    seen = view(two_nodes().build(), defaults())
    ledger.answered(seen, msgspec.structs.replace(POD, uid="other"), 0)
    before = ledger.assumed(seen)
    ledger.answered(seen, POD, 1)
    assert ledger.assumed(seen, POD) is before
    ledger.answered(seen, POD, 1)
    both = ledger.assumed(seen)
    assert both.rows.tolist() == [0, 1]
    np.testing.assert_allclose(both.amount[:, 0], both.amount[:, 1])
    without = ledger.assumed(seen, POD)
    np.testing.assert_array_equal(without.spread(3), before.spread(3))
    ledger.answered(seen, POD, 1)
    assert len(ledger.assumed(view(two_nodes().build(), defaults())).rows) == 2
