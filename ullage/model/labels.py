"""Labels of many objects as one sparse table, and selectors evaluated over all rows at once."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec
import numpy as np

from ullage.model.arrays import BoolArray, Int32Array, IntArray, frozen

OPERATORS: Final = ("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt")
_INTEGER: Final = re.compile("[+-]?[0-9]{1,63}")


class Requirement(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One ``matchExpressions`` entry of a label or node selector.

    Attributes
    ----------
    key
        Label key.
    operator
        One of `OPERATORS`; an unknown one matches nothing.
    values
        Sorted and without duplicates for In and NotIn; one integer text for Gt and Lt; else empty.
    """

    key: str
    operator: str
    values: tuple[str, ...] = ()


def equals(labels: Mapping[str, str]) -> tuple[Requirement, ...]:
    """Requirements of a ``matchLabels`` or ``nodeSelector`` map, in order of key."""
    return tuple(Requirement(k, "In", (v,)) for k, v in sorted(labels.items()))


@dataclass(frozen=True, eq=False)
class Labels:
    """Labels of R rows in compressed sparse rows over a vocabulary of (key, value) pairs.

    Attributes
    ----------
    keys, values
        The vocabulary: pair p is ``keys[p]=values[p]``; sorted, without duplicates.
    offsets
        int64 (R + 1,): row r holds ``pairs[offsets[r]:offsets[r + 1]]``.
    pairs
        int32 (nnz,), indices into the vocabulary, ascending within a row.
    """

    keys: tuple[str, ...]
    values: tuple[str, ...]
    offsets: IntArray
    pairs: Int32Array
    _codes: dict[str, tuple[Int32Array, dict[str, int]]] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, rows: Sequence[Mapping[str, str]]) -> Labels:
        """Table of the label maps `rows`."""
        vocabulary = sorted({pair for row in rows for pair in row.items()})
        index = {pair: i for i, pair in enumerate(vocabulary)}
        ids = [sorted(index[pair] for pair in row.items()) for row in rows]
        return cls(
            keys=tuple(k for k, _ in vocabulary),
            values=tuple(v for _, v in vocabulary),
            offsets=frozen(np.cumsum([0, *map(len, ids)]), np.int64),
            pairs=frozen([i for row in ids for i in row], np.int32),
        )

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def row(self, index: int) -> dict[str, str]:
        """Label map of one row."""
        pairs = self.pairs[self.offsets[index] : self.offsets[index + 1]]
        return {self.keys[p]: self.values[p] for p in pairs}

    def codes(self, key: str) -> tuple[Int32Array, dict[str, int]]:
        """Values of `key` over all rows.

        Returns
        -------
        codes
            int32 (R,), a code per distinct value; -1 where the row has no such label.
        vocabulary
            The code of each value.
        """
        found = self._codes.get(key)
        if found is None:
            found = self._codes[key] = self._encode(key)
        return found

    def _encode(self, key: str) -> tuple[Int32Array, dict[str, int]]:
        first, last = bisect_left(self.keys, key), bisect_right(self.keys, key)
        hits = np.flatnonzero((self.pairs >= first) & (self.pairs < last))
        codes = np.full(len(self), -1, dtype=np.int32)
        codes[np.searchsorted(self.offsets, hits, side="right") - 1] = self.pairs[hits] - first
        codes.flags.writeable = False
        return codes, {value: code for code, value in enumerate(self.values[first:last])}

    def match(self, requirements: Iterable[Requirement], rows: IntArray | Int32Array | None = None) -> BoolArray:
        """Rows that meet all `requirements`; no requirement is met by all (as Kubernetes has it).

        Parameters
        ----------
        requirements
            All must hold.
        rows
            Look at these K rows only; default all.

        Returns
        -------
        BoolArray
            bool (R,), or (K,) in the order of `rows`.
        """
        result = np.ones(len(self) if rows is None else len(rows), dtype=np.bool_)
        for requirement in requirements:
            codes, holds = self._verdicts(requirement)
            result &= holds[codes if rows is None else codes[rows]]
        return result

    def match_one(self, requirement: Requirement) -> BoolArray:
        """Rows that meet one requirement, bool (R,). NotIn and DoesNotExist hold where the label is absent."""
        codes, holds = self._verdicts(requirement)
        result: BoolArray = holds[codes]
        return result

    def _verdicts(self, requirement: Requirement) -> tuple[Int32Array, BoolArray]:
        """Codes of the key, and whether the requirement holds per code; code -1, the last, is the absent label."""
        codes, vocabulary = self.codes(requirement.key)
        holds = np.zeros(len(vocabulary) + 1, dtype=np.bool_)
        if requirement.operator in ("Exists", "DoesNotExist"):
            holds[:-1] = True
        elif requirement.operator in ("In", "NotIn"):
            holds[[vocabulary[v] for v in requirement.values if v in vocabulary]] = True
        elif requirement.operator in ("Gt", "Lt"):
            holds[_beyond(vocabulary, requirement)] = True
        return codes, ~holds if requirement.operator in ("NotIn", "DoesNotExist") else holds


def _beyond(vocabulary: Mapping[str, int], requirement: Requirement) -> list[int]:
    bound = _integer(requirement.values[0]) if len(requirement.values) == 1 else None
    if bound is None:
        return []
    numbers = ((_integer(value), code) for value, code in vocabulary.items())
    above = requirement.operator == "Gt"
    return [code for number, code in numbers if number is not None and number != bound and (number > bound) == above]


def _integer(text: str) -> int | None:
    """Signed 64-bit integer as Go's ``strconv.ParseInt`` reads it: no underscores, no blanks."""
    number = int(text) if _INTEGER.fullmatch(text) else None
    return number if number is not None and -(2**63) <= number < 2**63 else None
