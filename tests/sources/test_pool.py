from __future__ import annotations

from ullage.sources.pool import Pool


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
