from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from descheduler.leading.election import Clocks, Election, Standing, Timing
from descheduler.leading.lease import Held, Record
from tests.descheduler.leading.leases import Line, Store
from ullage.errors import ConfigError, UllageError

TIMING = Timing(15, 10, 2, 1)


@dataclass
class World:
    """True time, the Lease, and any number of candidates whose clocks start anywhere and run at their own rate."""

    now: float = 0.0
    store: Store = field(default_factory=Store)

    def candidate(self, name: str, offset: float = 0.0, rate: float = 1.0) -> tuple[Election, Line]:
        line = Line(self.store, lambda: self.now)
        clocks = Clocks(lambda: offset + rate * self.now, lambda: 1_000_000.0 - offset + self.now)
        return Election(line, name, TIMING, clocks), line


def broken(_: str) -> bool:
    raise UllageError("connection refused")


def test_the_first_one_takes_a_lease_that_is_not_there():
    world = World()
    a, _ = world.candidate("a")
    assert a.step() is Standing.LEADING
    assert world.store.held is not None
    record = world.store.held.record
    assert (record.holder_identity, record.lease_duration_seconds, record.lease_transitions) == ("a", 15, 0)
    assert a.permit.allows(5)
    assert a.permit.left_seconds() == pytest.approx(14)


def test_another_waits_as_long_as_it_sees_renewals_whatever_its_clock_says():
    world = World()
    (a, _), (b, _) = world.candidate("a"), world.candidate("b", offset=1e6)
    a.step()
    for _ in range(60):
        world.now += 2
        assert a.step() is Standing.LEADING
        assert b.step() is Standing.FOLLOWING
    assert b.holder == "a"


def test_it_takes_over_once_nothing_changed_for_the_whole_lease():
    world = World()
    (a, _), (b, _) = world.candidate("a"), world.candidate("b")
    a.step()
    world.now = 1
    b.step()
    world.now = 15.9
    assert b.step() is Standing.FOLLOWING
    world.now = 16
    assert b.step() is Standing.LEADING
    assert world.store.held is not None
    assert world.store.held.record.lease_transitions == 1
    assert not a.permit.allows(0)


def test_a_leader_that_cannot_renew_stops_before_others_may_begin():
    world = World()
    a, line = world.candidate("a")
    a.step()
    line.fault = broken
    standings = []
    for _ in range(6):
        world.now += 2
        standings.append(a.step())
    assert standings == [Standing.LEADING] * 4 + [Standing.LOST, Standing.FOLLOWING]
    assert not a.permit.allows(0)
    assert "refused" in a.error


def test_while_it_cannot_renew_its_permit_runs_out_by_itself():
    world = World()
    a, _ = world.candidate("a")
    a.step()
    world.now = 8.9
    assert a.permit.allows(5)
    world.now = 9
    assert not a.permit.allows(5)  # 9 + 5 + 1 is when someone else may lead


def test_after_an_error_a_renewal_goes_on():
    world = World()
    a, line = world.candidate("a")
    a.step()
    world.now, line.fault = 2, broken
    a.step()
    world.now, line.fault = 4, lambda _: False
    assert a.step() is Standing.LEADING
    assert a.permit.left_seconds() == pytest.approx(14)


def test_a_lost_reply_is_no_lost_lease():
    world = World()
    a, line = world.candidate("a")
    line.fault = lambda verb: verb == "create"
    assert a.step() is Standing.FOLLOWING
    line.fault = lambda _: False
    world.now = 2
    assert a.step() is Standing.LEADING
    line.fault = lambda verb: verb == "replace"
    world.now = 4
    assert a.step() is Standing.LEADING
    line.fault = lambda _: False
    world.now = 6
    assert a.step() is Standing.LEADING
    assert a.transitions == 1


def test_a_write_of_something_else_into_the_lease_is_no_obstacle():
    world = World()
    a, line = world.candidate("a")
    a.step()
    world.store.annotate()
    world.now, line.calls = 2, []
    assert a.step() is Standing.LEADING
    assert line.calls == ["replace", "read", "replace"]
    assert world.store.held is not None
    assert world.store.held.annotations


def test_a_lease_that_was_taken_by_force_is_given_up_at_once():
    world = World()
    a, _ = world.candidate("a")
    a.step()
    world.store.held = Held(Record(holder_identity="b"), "99")
    world.now = 2
    assert a.step() is Standing.LOST
    assert not a.permit.allows(0)


def test_a_lease_that_was_deleted_is_made_anew():
    world = World()
    a, _ = world.candidate("a")
    a.step()
    world.store.held = None
    world.now = 2
    assert a.step() is Standing.LEADING
    assert world.store.held is not None


def test_a_released_lease_is_free_at_once():
    world = World()
    (a, _), (b, _) = world.candidate("a"), world.candidate("b")
    a.step()
    b.step()
    a.release()
    assert not a.permit.allows(0)
    assert b.step() is Standing.LEADING
    assert a.step() is Standing.FOLLOWING


def test_a_lease_is_released_though_its_annotations_have_changed_since():
    world = World()
    (a, _), (b, _) = world.candidate("a"), world.candidate("b")
    a.step()
    world.store.annotate()
    a.release()
    assert a.error == ""
    assert b.step() is Standing.LEADING
    a.release()
    assert b.step() is Standing.LEADING


def test_a_follower_releases_nothing():
    world = World()
    (a, _), (b, line) = world.candidate("a"), world.candidate("b")
    a.step()
    b.step()
    line.calls.clear()
    b.release()
    assert line.calls == []
    assert a.step() is Standing.LEADING


def test_followers_scatter_and_leaders_do_not():
    world = World()
    (a, _), (b, _) = world.candidate("a"), world.candidate("b")
    a.step()
    b.step()
    assert a.wait_seconds() == 2
    waits = {b.wait_seconds() for _ in range(20)}
    assert len(waits) == 20
    assert all(2 <= w <= 2.4 for w in waits)


@pytest.mark.parametrize("timing", [Timing(10, 10, 2), Timing(15, 2, 2), Timing(15, 10, 0)])
def test_times_that_cannot_work_are_refused(timing):
    with pytest.raises(ConfigError, match="cannot work"):
        Election(Line(Store(), lambda: 0.0), "a", timing, Clocks(lambda: 0.0, lambda: 0.0))


ACTIONS = st.tuples(
    st.integers(0, 2),
    st.sampled_from(["step", "step", "step", "release", "pass"]),
    st.floats(0.01, 12),
    st.sampled_from(["", "", "refused before", "lost after", "slow"]),
)


@settings(max_examples=400, deadline=None)
@given(
    st.lists(ACTIONS, max_size=80),
    st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(0.98, 1.02)), min_size=3, max_size=3),
)
def test_never_may_two_of_them_write(actions, clocks):
    """Three candidates, any clocks within the margin's drift, any order of steps, pauses, faults and lost replies."""
    world = World()
    candidates = [world.candidate(name, *clock) for name, clock in zip("abc", clocks, strict=True)]
    for who, what, seconds, fault in actions:
        election, line = candidates[who]

        def faulty(verb: str, kind: str = fault, wait: float = seconds) -> bool:
            if kind == "refused before":
                raise UllageError("refused")
            if kind == "slow":
                world.now += min(wait, 5)
            return kind == "lost after" and verb != "read"

        line.fault = faulty
        if what == "pass":
            world.now += seconds
        elif what == "release":
            election.release()
        else:
            world.now += seconds / 4
            election.step()
        allowed = [e for e, _ in candidates if e.permit.allows(0)]
        assert len(allowed) <= 1


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 5))
def test_failover_takes_at_most_the_lease_and_two_retries(count):
    world = World()
    candidates = [world.candidate(name)[0] for name in "abcdef"[: count + 1]]
    for each in candidates:
        each.step()
    due = {i: world.now + e.wait_seconds() for i, e in enumerate(candidates) if i}
    died = world.now
    while not any(e.leads for e in candidates[1:]):
        first = min(due, key=lambda i: due[i])
        world.now = due[first]
        candidates[first].step()
        due[first] += candidates[first].wait_seconds()
        assert world.now - died <= 21
