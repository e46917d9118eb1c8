"""Names, uids and label tables of made-up objects, in the order that rows must have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from ullage.model.arrays import IntArray, frozen
from ullage.model.labels import Labels

_ALPHABET: Final = "2456789bcdfghjklmnpqrstvwxz"
"""The letters of generated names in Kubernetes (no vowels, no 0, 1 and 3), in their order."""
_SUFFIXES: Final = len(_ALPHABET) ** 5


def padded(prefix: str, count: int, width: int) -> list[str]:
    """``prefix-00001`` and so on, at least `width` digits, so that the order of names is the order of numbers."""
    width = max(width, len(str(count)))
    return [f"{prefix}-{i:0{width}d}" for i in range(1, count + 1)]


def suffixes(numbers: IntArray) -> list[str]:
    """Five-letter suffixes whose order is that of `numbers`, int64 0..27^5 - 1."""
    powers = len(_ALPHABET) ** np.arange(4, -1, -1)
    letters = np.array(list(_ALPHABET))[(numbers[:, None] // powers) % len(_ALPHABET)]
    return np.ascontiguousarray(letters).view("U5").ravel().tolist()


def random_suffixes(rng: np.random.Generator, count: int) -> list[str]:
    """Five-letter suffixes in no order."""
    return suffixes(rng.integers(0, _SUFFIXES, count))


def rising_suffixes(rng: np.random.Generator, positions: IntArray, counts: IntArray) -> list[str]:
    """Suffixes that rise with the `positions` 0.. of the members of groups of `counts` members."""
    stride = _SUFFIXES // np.maximum(counts, 1)
    return suffixes(positions * stride + rng.integers(0, stride))


def uids(rng: np.random.Generator, count: int) -> list[str]:
    """Random uids (RFC 9562 version 4)."""
    text = rng.bytes(16 * count).hex()
    raw = (text[i : i + 32] for i in range(0, 32 * count, 32))
    return [f"{t[:8]}-{t[8:12]}-4{t[13:16]}-8{t[17:20]}-{t[20:]}" for t in raw]


@dataclass(frozen=True)
class LabelColumn:
    """One label key: rows `rows` have the values ``values[codes]``; `values` ascend without duplicates."""

    rows: IntArray
    values: Sequence[str]
    codes: IntArray

    @classmethod
    def of(cls, rows: IntArray, texts: Sequence[str]) -> LabelColumn:
        """Column of any texts, one for each of `rows`."""
        values, codes = np.unique(np.array(texts, dtype=np.str_), return_inverse=True)
        return cls(rows, values.tolist(), codes)

    @classmethod
    def constant(cls, rows: IntArray, value: str) -> LabelColumn:
        """Column with the same value in all `rows`."""
        return cls(rows, [value], np.zeros(len(rows), dtype=np.int64))


def label_table(count: int, columns: Mapping[str, LabelColumn]) -> Labels:
    """Labels of `count` rows from one column for each key."""
    keys: list[str] = []
    values: list[str] = []
    rows, pairs = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for key, column in sorted(columns.items()):
        if len(column.rows):
            rows.append(column.rows)
            pairs.append(column.codes + len(keys))
            keys += [key] * len(column.values)
            values += column.values
    row, pair = np.concatenate(rows), np.concatenate(pairs)
    offsets = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=count))])
    return Labels(
        keys=tuple(keys),
        values=tuple(values),
        offsets=frozen(offsets, np.int64),
        pairs=frozen(pair[np.lexsort((pair, row))], np.int32),
    )
