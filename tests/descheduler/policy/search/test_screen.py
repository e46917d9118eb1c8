from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from descheduler.policy.engines.search.exchange import Exchanges
from descheduler.policy.engines.search.screen import Drawn, Screen
from tests.descheduler.policy.search.instances import instances
from tests.descheduler.policy.search.running import begun


def _drawn(c, at, rng, draws=4):
    """Random workloads of the nodes of random pairs, some of them nobody."""
    order = rng.permutation(len(at.sums.price))
    half = len(order) // 2
    node, other = order[: 2 * half], np.roll(order[: 2 * half], half)
    who = np.full((draws, 2 * half), -1)
    for e, n in enumerate(node.tolist()):
        here = np.flatnonzero(at.place == n)
        chosen = rng.permutation(here)[: draws - 1]
        who[1 : 1 + len(chosen), e] = chosen
    home, there = c.home[who], who >= 0
    return Drawn(node, other, who, (home == node) & there, (home == other) & there)


@settings(max_examples=60, deadline=None)
@given(instances(), st.integers(0, 9))
def test_the_first_look_says_what_the_exact_one_says(given_instance, seed):
    """Prices to the accuracy of float32, and exactly whether limits bear it: all numbers are small integers."""
    c, at, mover = begun(*given_instance, "numpy")
    mover.advance(5, 30.0, 0.0)
    drawn = _drawn(c, at, np.random.default_rng(seed))
    first = Screen(c).changes(at, drawn)
    pairs = len(drawn.node) // 2
    i, j, pair = (x.ravel() for x in np.indices(first.shape))
    exact = Exchanges(c, at, drawn.who[i, pair], drawn.who[j, pair + pairs], drawn.node[pair], drawn.other[pair])
    fees = exact.mine.fee() + exact.yours.fee()
    fits = (first < 1e30).ravel()
    assert fits.tolist() == exact.fit().tolist()
    assert first.ravel()[fits] == pytest.approx((exact.change() - fees)[fits], rel=1e-4, abs=0.05)
