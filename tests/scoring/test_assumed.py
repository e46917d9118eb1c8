"""What is assumed, as the changes that led there."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ullage.scoring.assumed import NOTHING, Assumed, Change

ratios = st.sampled_from([0.0, 0.1, 0.3])
totals = st.dictionaries(st.integers(0, 9), st.tuples(ratios, ratios, ratios))


def test_it_is_what_the_log_says_last_of_each_row_up_to_there() -> None:
    log = [Change(7, (1.0, 2.0, 3.0)), Change(2, (4.0, 5.0, 6.0))]
    early = Assumed(log, len(log))
    log.append(Change(7, (1.5, 2.5, 3.5), (0.5, 0.5, 0.5)))
    late = Assumed(log, len(log))
    assert early.rows.tolist() == late.rows.tolist() == [2, 7]
    assert early.amount.tolist() == [[4, 1], [5, 2], [6, 3]]
    assert late.amount.tolist() == [[4, 1.5], [5, 2.5], [6, 3.5]]
    assert late.spread(9)[:, 7].tolist() == [1.5, 2.5, 3.5, 3.5]
    assert late.spread(8).shape == (4, 8)
    assert late.changed_since(early) == [Change(7, (1.5, 2.5, 3.5), (0.5, 0.5, 0.5))]
    with pytest.raises(ValueError, match="read-only"):
        late.amount[0] = 0


def test_of_nothing_there_is_nothing() -> None:
    assert NOTHING.rows.tolist() == []
    assert NOTHING.amount.shape == (3, 0)
    assert not NOTHING.spread(4).any()
    assert Assumed.on({3: (1.0, 0.0, 0.0)}).changed_since(NOTHING) == [Change(3, (1.0, 0.0, 0.0))]


@given(totals, totals)
def test_what_changed_from_one_log_to_another_is_what_differs(
    first: dict[int, tuple[float, float, float]], last: dict[int, tuple[float, float, float]]
) -> None:
    before, after = Assumed.on(first), Assumed.on(last)
    changed = after.changed_since(before)
    if changed is None:
        assert first.keys() - last.keys()
        return
    differing = np.flatnonzero((before.spread(11) != after.spread(11)).any(axis=0)).tolist()
    assert changed == [Change(row, last[row]) for row in differing]
