from __future__ import annotations

import gc

import pytest

from ullage.sources.store.collector import uncollected


def test_the_collector_is_off_for_so_long_and_then_as_before() -> None:
    assert gc.isenabled()
    with uncollected():
        assert not gc.isenabled()
        with uncollected():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()


def test_what_fails_within_leaves_it_on() -> None:
    with pytest.raises(KeyError), uncollected():
        raise KeyError
    assert gc.isenabled()
