from __future__ import annotations

import threading

from descheduler.leading.election import Clocks, Election, Standing, Timing
from descheduler.leading.lease import Held
from descheduler.leading.runner import PAUSED, Leadership
from tests.descheduler.leading.leases import Line, Store
from ullage.errors import UllageError


class Candidate:
    """A leadership on a clock that stands still."""

    def __init__(self, store: Store, name: str = "a") -> None:
        self.now = 0.0
        self.line = Line(store, lambda: self.now)
        self.changes: list[Standing] = []
        clocks = Clocks(lambda: self.now, lambda: 1_000_000.0 + self.now)
        self.election = Election(self.line, name, Timing(15, 10, 2, 1), clocks)
        self.leadership = Leadership(self.election, self.changes.append, clocks.wall)


def test_it_tells_when_it_leads_and_when_it_does_not_any_more():
    candidate = Candidate(Store())
    assert candidate.leadership.leads_since_seconds is None
    candidate.leadership.step()
    candidate.leadership.step()
    assert (candidate.changes, candidate.leadership.leads_since_seconds) == ([Standing.LEADING], 1_000_000.0)

    def broken(_: str) -> bool:
        raise UllageError("refused")

    candidate.line.fault = broken
    candidate.now = 10
    candidate.leadership.step()
    assert candidate.changes == [Standing.LEADING, Standing.LOST]
    assert candidate.leadership.leads_since_seconds is None
    assert candidate.leadership.error


def test_a_lead_that_ran_out_unnoticed_is_none():
    candidate = Candidate(Store())
    candidate.leadership.step()
    candidate.now = 14.5
    assert candidate.leadership.leads_since_seconds is None
    assert candidate.leadership.why_not(0) == "not-leading"


def test_the_kill_switch_stops_writes_as_soon_as_it_is_seen():
    store = Store()
    candidate = Candidate(store)
    candidate.leadership.step()
    assert candidate.leadership.why_not(5) == ""
    assert store.held is not None
    store.held = Held(store.held.record, "99", {PAUSED: "true"})
    candidate.now = 2
    candidate.leadership.step()
    assert candidate.leadership.why_not(5) == "kill-switch"
    assert candidate.leadership.leads_since_seconds is not None


def test_its_thread_leads_until_it_is_stopped_and_gives_back():
    store, leads = Store(), threading.Event()
    line = Line(store, lambda: 0.0)
    election = Election(line, "a", Timing(15, 10, 2, 1), Clocks(lambda: 0.0, lambda: 0.0))
    leadership = Leadership(election, lambda standing: leads.set(), lambda: 0.0)  # noqa: ARG005
    leadership.start()
    assert leads.wait(10)
    leadership.stop()
    assert store.held is not None
    assert store.held.record.holder_identity == ""
    assert leadership.why_not(0) == "not-leading"
