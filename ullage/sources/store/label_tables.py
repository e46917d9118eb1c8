"""Labels of many rows, of which some were replaced."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable

import numpy as np

from ullage.model.arrays import BoolArray, Int32Array, IntArray
from ullage.model.labels import Labels
from ullage.sources.store.splice import Admission, Splice, admit, sealed


def spliced_labels(old: Labels, fresh: Labels, splice: Splice) -> Labels:
    """Labels of the new table, as `Labels.of` would make them; `old` itself if they are the same.

    Parameters
    ----------
    old, fresh
        Labels of the rows that `splice` cuts and of those that it brings.
    splice
        How the rows change.
    """
    if not splice.size or splice.is_nothing:
        return fresh if len(fresh) else old
    places = [_place(old, pair) for pair in zip(fresh.keys, fresh.values, strict=True)]
    if splice.keeps_order and all(there for _, there in places) and _is_same(old, fresh, splice, places):
        return old
    admission = admit(_used(old, splice), places)
    return _merged(old, fresh, splice, admission)


def _place(labels: Labels, pair: tuple[str, str]) -> tuple[int, bool]:
    first = bisect_left(labels.keys, pair[0])
    last = bisect_right(labels.keys, pair[0], first)
    row = bisect_left(labels.values, pair[1], first, last)
    return row, row < last and labels.values[row] == pair[1]


def _is_same(old: Labels, fresh: Labels, splice: Splice, places: Iterable[tuple[int, bool]]) -> bool:
    """Whether fresh rows carry the labels of those whose place they take."""
    rows = np.array([row for row, _ in places], dtype=np.int64)
    if not np.array_equal(np.diff(fresh.offsets), old.offsets[splice.at + 1] - old.offsets[splice.at]):
        return False
    return np.array_equal(rows[fresh.pairs], old.pairs[_entries(old.offsets, splice.at)])


def _used(old: Labels, splice: Splice) -> BoolArray:
    counts = np.bincount(old.pairs, minlength=len(old.keys))
    gone = np.bincount(old.pairs[_entries(old.offsets, splice.dropped)], minlength=len(old.keys))
    result: BoolArray = counts > gone
    return result


def _entries(offsets: IntArray, rows: IntArray) -> IntArray:
    """Indices of all entries of some rows of a table in compressed sparse rows, row after row."""
    lengths = offsets[rows + 1] - offsets[rows]
    before = np.cumsum(lengths) - lengths
    result: IntArray = np.arange(lengths.sum()) + np.repeat(offsets[rows] - before, lengths)
    return result


def _merged(old: Labels, fresh: Labels, splice: Splice, admission: Admission) -> Labels:
    vocabulary = admission.splice
    lengths = splice.array(np.diff(old.offsets), np.diff(fresh.offsets))
    own = old.pairs if vocabulary.is_nothing else vocabulary.moved.astype(np.int32)[old.pairs]
    return Labels(
        keys=vocabulary.sequence(old.keys, [fresh.keys[i] for i in admission.fresh]),
        values=vocabulary.sequence(old.values, [fresh.values[i] for i in admission.fresh]),
        offsets=sealed(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64, copy=False)),
        pairs=_woven((old.offsets, own), (fresh.offsets, admission.rows.astype(np.int32)[fresh.pairs]), splice),
    )


def _woven(old: tuple[IntArray, Int32Array], fresh: tuple[IntArray, Int32Array], splice: Splice) -> Int32Array:
    if splice.is_appending:
        return sealed(np.concatenate([old[1], fresh[1]]))
    pieces = [np.empty(0, dtype=np.int32)]
    for start, stop, index in splice.runs:
        pieces.append(old[1][old[0][start] : old[0][stop]])
        if index >= 0:
            pieces.append(fresh[1][fresh[0][index] : fresh[0][index + 1]])
    return sealed(np.concatenate(pieces))
