"""Labels of many objects as one sparse table, and selectors evaluated over all rows at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec
import numpy as np

from ullage.model.arrays import BoolArray, Int32Array, IntArray, frozen

OPERATORS: Final = ("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt")


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
        pair_codes = np.full(len(self.keys), -1, dtype=np.int32)
        vocabulary: dict[str, int] = {}
        for p, (k, v) in enumerate(zip(self.keys, self.values, strict=True)):
            if k == key:
                pair_codes[p] = vocabulary.setdefault(v, len(vocabulary))
        hits = pair_codes[self.pairs]
        rows = np.repeat(np.arange(len(self)), np.diff(self.offsets))
        codes = np.full(len(self), -1, dtype=np.int32)
        codes[rows[hits >= 0]] = hits[hits >= 0]
        codes.flags.writeable = False
        return codes, vocabulary

    def match(self, requirements: Iterable[Requirement]) -> BoolArray:
        """Rows that meet all `requirements`, bool (R,); no requirement is met by all (as Kubernetes has it)."""
        result = np.ones(len(self), dtype=np.bool_)
        for requirement in requirements:
            result &= self.match_one(requirement)
        return result

    def match_one(self, requirement: Requirement) -> BoolArray:
        """Rows that meet one requirement, bool (R,). NotIn and DoesNotExist hold where the label is absent."""
        codes, vocabulary = self.codes(requirement.key)
        operator = requirement.operator
        if operator in ("Exists", "DoesNotExist"):
            present: BoolArray = codes >= 0
            return present if operator == "Exists" else ~present
        if operator in ("In", "NotIn"):
            wanted = [vocabulary[v] for v in requirement.values if v in vocabulary]
            hit: BoolArray = np.isin(codes, wanted)
            return hit if operator == "In" else ~hit
        return _compare(codes, vocabulary, requirement)


def _compare(codes: Int32Array, vocabulary: Mapping[str, int], requirement: Requirement) -> BoolArray:
    bound = _integer(requirement.values[0]) if len(requirement.values) == 1 else None
    ok = np.zeros(len(vocabulary) + 1, dtype=np.bool_)
    if bound is not None and requirement.operator in ("Gt", "Lt"):
        for value, code in vocabulary.items():
            number = _integer(value)
            ok[code] = number is not None and (number > bound if requirement.operator == "Gt" else number < bound)
    return ok[codes]


def _integer(text: str) -> int | None:
    try:
        return int(text) if len(text) <= 20 else None
    except ValueError:
        return None
