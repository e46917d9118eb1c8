from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ullage.estimation.reclaim import (
    anonymous_bytes,
    available_bytes,
    guest_untouched_bytes,
    ksm_saved_bytes,
    reclaim,
    reclaimable_cache_bytes,
    zswap_saved_bytes,
)


def test_available_memory_as_the_kernel_estimates_it():
    # Half of a small cache stays, of a large one the low watermark.
    assert float(available_bytes(100, 40, 0, 1000)) == 120
    assert float(available_bytes(100, 40_000, 3_000, 1000)) == 100 + 39_000 + 2_000
    assert float(available_bytes(-50, 0, 0, 10)) == 0
    assert np.isnan(available_bytes(np.nan, 1, 1, 1))


def test_cache_within_the_working_set():
    assert reclaimable_cache_bytes(np.array([100.0, 50.0, np.nan]), np.array([60.0, 70.0, 1.0])).tolist()[:2] == [20, 0]
    assert np.isnan(reclaimable_cache_bytes(np.nan, 1))
    assert float(reclaimable_cache_bytes(100, 60, kept_ratio=0.0)) == 40
    assert float(anonymous_bytes(60, 5)) == 65


def test_ksm_counts_pages():
    assert ksm_saved_bytes(np.array([0.0, 256.0])).tolist() == [0, 2**20]
    assert np.isnan(ksm_saved_bytes(np.nan))


def test_what_guests_have_not_touched_is_no_more_than_they_were_given():
    untouched = guest_untouched_bytes(
        np.array([100.0, 100.0, 100.0]), np.array([40.0, 120.0, 40.0]), [10.0, 0.0, 2.0**64]
    )
    assert untouched[:2].tolist() == [50, 0]
    assert np.isnan(untouched[2])


def test_zswap_gains_what_compression_saves():
    assert zswap_saved_bytes(np.array([100.0, 10.0]), np.array([30.0, 12.0])).tolist() == [70, 0]


def test_only_the_page_cache_is_counted_on():
    result = reclaim(np.array([7.0]), np.array([100.0]), np.array([50.0]))
    assert result.countable.tolist() == [7]
    assert result.at_risk.tolist() == [150]
    assert np.isnan(reclaim(1.0, np.nan, 1.0).at_risk)


size = st.floats(0, 2.0**45)


@given(size, size, size, size)
def test_available_memory_is_bounded(free, file, slab, low):
    available = float(available_bytes(free, file, slab, low))
    assert free <= available * (1 + 1e-9) + 1e-6
    assert available <= (free + file + slab) * (1 + 1e-9)


@given(size, size)
def test_what_is_counted_on_never_exceeds_the_working_set(working_set, anonymous):
    assert 0 <= float(reclaimable_cache_bytes(working_set, anonymous)) <= working_set
