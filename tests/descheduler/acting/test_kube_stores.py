"""The ledger in the Lease: renewals in between are no obstacle, and nobody writes who may not."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from descheduler.acting.kube_stores import LeaseLedger
from descheduler.acting.ledger import ANNOTATION, Ledger
from descheduler.executors.writer import HeldBackError
from descheduler.leading.lease import Held, LeaseChangedError, Record
from descheduler.policy.memory import Moved
from ullage.errors import UllageError

MOVE = Moved("uid-1", 1000.0, "n1", "n2", "shop", "plan")


class Lease:
    """A Lease that someone renews so many times between a look and a write."""

    def __init__(self, renewals: int = 0) -> None:
        self.held: Held | None = Held(Record("someone"), "1")
        self.renewals, self.writes = renewals, 0

    def read(self, timeout_seconds: float) -> Held | None:
        assert timeout_seconds > 0
        return self.held

    def annotate(self, annotations: Mapping[str, str], before: Held, timeout_seconds: float) -> Held:
        assert timeout_seconds > 0
        self.writes += 1
        if self.renewals:
            self.renewals -= 1
            self.held = Held(before.record, f"{before.version}+", before.annotations)
            raise LeaseChangedError("409 Conflict")
        self.held = Held(before.record, f"{before.version}!", {**before.annotations, **annotations})
        return self.held


def ledger(lease: Lease, why_not: str = "") -> LeaseLedger:
    return LeaseLedger(lease, lambda _: why_not)  # type: ignore[arg-type]


def test_what_is_kept_is_found_again() -> None:
    lease = Lease(renewals=3)
    ledger(lease).write(Ledger().beginning(MOVE))
    assert ledger(lease).read().begun == (MOVE,)
    assert lease.writes == 4


def test_who_does_not_lead_any_more_writes_nothing_over_what_its_successor_has_begun() -> None:
    lease = Lease()
    ledger(lease).write(Ledger().beginning(MOVE))
    kept = lease.held
    with pytest.raises(HeldBackError) as caught:
        ledger(lease, "not-leading").write(Ledger())
    assert caught.value.code == "not-leading"
    assert lease.held is kept


def test_a_lease_that_is_gone_or_changes_all_the_time_is_an_error() -> None:
    lease = Lease(renewals=99)
    with pytest.raises(UllageError, match="could not be kept"):
        ledger(lease).write(Ledger())
    lease.held = None
    with pytest.raises(UllageError, match="could not be kept"):
        ledger(lease).write(Ledger())


def test_an_annotation_that_cannot_be_read_is_an_empty_ledger() -> None:
    lease = Lease()
    lease.held = Held(Record(), "1", {ANNOTATION: "{"})
    assert ledger(lease).read() == Ledger()
