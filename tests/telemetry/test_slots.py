from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ullage.telemetry.slots import Newest, Slots

names = st.lists(st.text("abcdef", min_size=1, max_size=2), unique=True, max_size=20)


@given(st.lists(names, min_size=1, max_size=8))
def test_a_key_keeps_its_slot_while_it_is_seen_and_shares_it_with_none(rounds):
    slots, held = Slots(), {}
    for now, keys in enumerate(rounds):
        found = dict(zip(keys, slots.take(keys, float(now)).tolist(), strict=True))
        gone = set(slots.forget(now - 1.0).tolist())
        held = {key: slot for key, slot in {**held, **found}.items() if slot not in gone}
        assert all(held[key] == slot for key, slot in found.items())
        assert len(set(held.values())) == len(held)
        assert max(held.values(), default=-1) < slots.size
        assert slots.find(list(held)).tolist() == list(held.values())


def test_slots_of_the_gone_are_used_again():
    slots = Slots()
    first = slots.take([f"a{i}" for i in range(100)], 0.0)
    assert sorted(slots.forget(1.0).tolist()) == sorted(first.tolist())
    assert slots.find(["a0"]).tolist() == [-1]
    size = slots.size
    slots.take([f"b{i}" for i in range(100)], 2.0)
    assert slots.size == size


def test_only_newer_values_are_taken():
    newest = Newest(2)
    newest.resize(3)
    at = np.array([[10.0, 10.0]])
    assert newest.update(np.array([1]), np.array([[1.0, np.nan]]), at, 0).tolist() == [[True, False]]
    assert newest.update(np.array([1]), np.array([[2.0, 5.0]]), at, 1).tolist() == [[False, True]]
    assert newest.value[:, 1].tolist() == [1.0, 5.0]
    assert newest.source.tolist() == [[-1, 0, -1], [-1, 1, -1]]
    newest.clear(np.array([1]))
    assert np.isnan(newest.value).all()
