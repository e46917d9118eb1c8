from __future__ import annotations

import gc
import weakref

from ullage.sources.pool import ByIdentity, Pool


def test_equal_values_are_one():
    pool = Pool[list[int]]()
    first = [1]
    assert pool.share("k", first) is first
    assert pool.share("k", [1]) is first
    assert pool.get("other") is None


def test_what_is_not_used_is_forgotten_and_what_is_used_stays():
    pool = Pool[int](2)
    for number in range(50):
        pool.share(number, number)
        assert pool.share("often", -1) == -1
    assert pool.get(0) is None
    assert pool.get("often") == -1
    assert sum(pool.get(number) is not None for number in range(50)) <= 4


class _Part:
    """Something that can be watched going."""


def test_the_very_same_parts_have_their_value_and_equal_ones_have_not():
    found = ByIdentity[str]()
    part: list[int] = [1]
    assert found.put((part, None, "x"), "value") == "value"
    assert found.get((part, None, "x")) == "value"
    assert found.get(([1], None, "x")) is None
    assert found.get((part, None)) is None


def test_parts_live_as_long_as_their_value_so_that_no_other_object_takes_their_place():
    found = ByIdentity[str]()
    part = _Part()
    watch = weakref.ref(part)
    found.put((part,), "value")
    del part
    gc.collect()
    held = watch()
    assert held is not None
    assert found.get((held,)) == "value"
