"""The ledger holds each outcome once, whoever writes it down again."""

from __future__ import annotations

import msgspec
import pytest

from descheduler.acting.breakers import Ended
from descheduler.acting.ledger import Ledger

FIRST = Ended(10.0, succeeded=False, plan="p", step=1)
SECOND = Ended(20.0, succeeded=True, plan="p", step=2)


def test_an_outcome_that_a_dead_replica_wrote_down_is_not_written_again() -> None:
    ledger = Ledger().ending([FIRST])
    again = msgspec.structs.replace(FIRST, at_seconds=15.0)
    assert ledger.ending([again]) is ledger
    assert ledger.ending([again, SECOND]).ended == (FIRST, SECOND)
    assert ledger.ending([]) is ledger


@pytest.mark.parametrize("other", [Ended(11.0, succeeded=False, plan="q", step=1), Ended(11.0, succeeded=False)])
def test_outcomes_of_other_plans_count(other: Ended) -> None:
    assert Ledger().ending([FIRST]).ending([other]).ending([SECOND]).ended == (FIRST, other, SECOND)


def test_the_last_ones_stay_and_a_text_without_steps_is_read() -> None:
    many = [Ended(float(at), succeeded=True, plan="p", step=at) for at in range(1, 9)]
    assert [each.step for each in Ledger().ending(many).ended] == [3, 4, 5, 6, 7, 8]
    old = '[[],[{"at_seconds":10.0,"succeeded":false}]]'
    assert Ledger.read(old).ended == (Ended(10.0, succeeded=False),)
    assert Ledger.read(Ledger().ending([FIRST]).text()).ended == (FIRST,)
