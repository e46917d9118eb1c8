from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ullage.model.labels import Labels
from ullage.sources.store.label_tables import spliced_labels
from ullage.sources.store.splice import Splice, admit, place

TEXTS = st.text("abc", min_size=1, max_size=3)
TABLES = st.dictionaries(TEXTS, st.integers(0, 5), max_size=12)
CHANGES = st.dictionaries(TEXTS, st.none() | st.integers(0, 5), max_size=8)
LABELS = st.dictionaries(st.sampled_from("kl"), st.sampled_from("xyz"), max_size=2)


def _splice(old, changes) -> tuple[Splice, list]:
    names, keys = sorted(old), sorted(changes)
    comes = [changes[key] is not None for key in keys]
    splice = Splice.at_places(len(names), [place(names, key) for key in keys], comes)
    return splice, [key for key in keys if changes[key] is not None]


def _after(old, changes) -> dict:
    return {key: value for key, value in (old | changes).items() if value is not None}


@given(TABLES, CHANGES)
def test_columns_are_those_of_the_new_table(old, changes):
    splice, keys = _splice(old, changes)
    new = _after(old, changes)
    assert splice.sequence(tuple(sorted(old)), keys) == tuple(sorted(new))
    values = splice.array(
        np.array([old[key] for key in sorted(old)], dtype=np.int64),
        np.array([changes[k] for k in keys], dtype=np.int64),
    )
    assert values.tolist() == [new[key] for key in sorted(new)]
    assert splice.new_size == len(new)


@given(TABLES, CHANGES)
def test_rows_are_found_again(old, changes):
    splice, keys = _splice(old, changes)
    names, new = sorted(old), sorted(_after(old, changes))
    stays = [new.index(name) if name not in changes else -1 for name in names]
    assert splice.moved.tolist() == stays
    assert [new[row] for row in splice.fresh.tolist()] == keys


def test_an_unchanged_column_is_the_same_object():
    splice = Splice.of(3, [1], [1])
    column = ("a", "b", "c")
    assert splice.sequence(column, ["b"]) is column
    assert splice.sequence(column, ["x"]) == ("a", "x", "c")
    array = np.arange(3)
    assert Splice.of(3, [], []).array(array, array[:0]) is array
    assert not splice.array(array, np.array([7])).flags.writeable


@given(st.lists(LABELS, max_size=4), st.lists(LABELS, min_size=1, max_size=4))
def test_what_comes_after_all_old_rows_is_put_behind_them(old, fresh):
    splice = Splice.of(len(old), [], [len(old)] * len(fresh))
    assert splice.is_appending
    assert not Splice.of(len(old) + 1, [], [len(old)] * len(fresh)).is_appending
    assert splice.sequence(tuple(range(len(old))), [-1] * len(fresh)) == (*range(len(old)), *[-1] * len(fresh))
    assert splice.array(np.arange(len(old)), np.full(len(fresh), -1)).tolist() == [*range(len(old)), *[-1] * len(fresh)]
    found = spliced_labels(Labels.of(old), Labels.of(fresh), splice)
    assert [found.row(row) for row in range(len(found))] == [*old, *fresh]


@given(st.dictionaries(TEXTS, LABELS, max_size=10), st.dictionaries(TEXTS, st.none() | LABELS, max_size=6))
def test_labels_are_those_of_the_new_rows(old, changes):
    splice, keys = _splice(old, changes)
    before = Labels.of([old[key] for key in sorted(old)])
    found = spliced_labels(before, Labels.of([changes[key] for key in keys]), splice)
    new = _after(old, changes)
    wanted = Labels.of([new[key] for key in sorted(new)])
    assert (found.keys, found.values) == (wanted.keys, wanted.values)
    assert found.offsets.tolist() == wanted.offsets.tolist()
    assert found.pairs.tolist() == wanted.pairs.tolist()
    assert (found.offsets.dtype, found.pairs.dtype) == (wanted.offsets.dtype, wanted.pairs.dtype)


def test_rows_with_the_same_labels_leave_the_table_as_it_is():
    before = Labels.of([{"k": "x"}, {"k": "y"}])
    assert spliced_labels(before, Labels.of([{"k": "y"}]), Splice.of(2, [1], [1])) is before
    assert spliced_labels(before, Labels.of([{"k": "x"}]), Splice.of(2, [1], [1])).values == ("x",)


@given(st.sets(TEXTS), st.sets(TEXTS), st.data())
def test_a_table_keeps_what_is_used_and_admits_what_is_wanted(table, wanted, data):
    old, values = sorted(table), sorted(wanted)
    used = np.array([data.draw(st.booleans()) for _ in old], dtype=np.bool_)
    admission = admit(used, [place(old, value) for value in values])
    new = admission.splice.sequence(tuple(old), [values[row] for row in admission.fresh])
    assert set(new) == {value for value, is_used in zip(old, used, strict=True) if is_used} | wanted
    assert list(new) == sorted(new)
    assert [new[row] for row in admission.rows.tolist()] == values
