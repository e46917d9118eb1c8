"""Tables in ascending order, of which some rows go and others come: every column is cut at the same places."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from ullage.model.arrays import BoolArray, IntArray, Scalar
from ullage.model.state import Owner

Value = TypeVar("Value")
Ordered = TypeVar("Ordered", str, Owner)


def sealed(array: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
    """`array` itself, which nobody else holds, read-only from now on."""
    array.flags.writeable = False
    return array


@dataclass(frozen=True, eq=False)
class Splice:
    """How a table of `size` rows becomes the next one.

    Attributes
    ----------
    size
        Rows of the old table.
    dropped
        int64 (D,), rows of it that go; ascending.
    at
        int64 (F,), for each fresh row the old row that it comes before (`size` for the end); ascending.
    """

    size: int
    dropped: IntArray
    at: IntArray

    @classmethod
    def of(cls, size: int, dropped: Sequence[int], at: Sequence[int]) -> Splice:
        """Splice from plain numbers."""
        return cls(size, np.array(dropped, dtype=np.int64), np.array(at, dtype=np.int64))

    @classmethod
    def at_places(cls, size: int, places: Sequence[tuple[int, bool]], comes: Sequence[bool]) -> Splice:
        """Splice that replaces what stands at some places.

        Parameters
        ----------
        size
            Rows of the old table.
        places
            For each key that changes, in ascending order: as `place` gives it.
        comes
            Whether there is a fresh row of the key.
        """
        dropped = [row for row, is_there in places if is_there]
        return cls.of(size, dropped, [row for (row, _), is_fresh in zip(places, comes, strict=True) if is_fresh])

    @property
    def is_nothing(self) -> bool:
        """No row goes or comes."""
        return not len(self.dropped) and not len(self.at)

    @cached_property
    def keeps_order(self) -> bool:
        """Every fresh row takes the place of a dropped one: no other row moves."""
        return np.array_equal(self.dropped, self.at)

    @cached_property
    def is_appending(self) -> bool:
        """All old rows stay where they are, and the fresh ones follow them."""
        return not len(self.dropped) and bool((self.at == self.size).all())

    @property
    def new_size(self) -> int:
        """Rows of the new table."""
        return self.size - len(self.dropped) + len(self.at)

    @cached_property
    def kept(self) -> BoolArray:
        """Old rows that stay, bool (size,)."""
        kept = np.ones(self.size, dtype=np.bool_)
        kept[self.dropped] = False
        return kept

    @cached_property
    def moved(self) -> IntArray:
        """New row of each old one, int64 (size,); -1 for one that goes."""
        if self.keeps_order:
            result = np.arange(self.size)
        else:
            come = np.bincount(self.at, minlength=self.size + 1)[: self.size]
            result = np.cumsum(self.kept) - 1 + np.cumsum(come)
        result[self.dropped] = -1
        return result

    @cached_property
    def fresh(self) -> IntArray:
        """New row of each fresh one, int64 (F,)."""
        gone = np.searchsorted(self.dropped, self.at)
        return self.at - gone + np.arange(len(self.at))

    @cached_property
    def take(self) -> IntArray:
        """For each new row its row among the old ones followed by the fresh ones, int64 (new_size,)."""
        result = np.empty(self.new_size, dtype=np.int64)
        result[self.fresh] = np.arange(self.size, self.size + len(self.at))
        stays = np.ones(self.new_size, dtype=np.bool_)
        stays[self.fresh] = False
        result[stays] = np.flatnonzero(self.kept)
        return result

    @cached_property
    def runs(self) -> list[tuple[int, int, int]]:
        """Old rows ``start:stop`` that stay together, each run with the fresh row that follows it; -1 for none."""
        goes = [(row, 1, -1) for row in self.dropped.tolist()]
        cuts = sorted(goes + [(row, 0, index) for index, row in enumerate(self.at.tolist())])
        runs, start = [], 0
        for row, skipped, fresh in cuts:
            runs.append((start, row, fresh))
            start = row + skipped
        return [*runs, (start, self.size, -1)]

    def array(self, old: npt.NDArray[Scalar], fresh: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
        """Column of the new table, read-only; rows are the first axis."""
        if self.is_nothing:
            return old
        if self.is_appending:
            return sealed(np.concatenate([old, fresh]))
        if not self.keeps_order:
            return sealed(np.concatenate([old, fresh])[self.take])
        result = old.copy()
        result[self.at] = fresh
        return sealed(result)

    def sequence(self, old: tuple[Value, ...], fresh: Sequence[Value]) -> tuple[Value, ...]:
        """As `array`, of a tuple; the old one itself if it says the same."""
        if self.keeps_order and all(old[row] == value for row, value in zip(self.at.tolist(), fresh, strict=True)):
            return old
        if self.is_appending:
            return (*old, *fresh)
        return tuple(chain.from_iterable(self._pieces(old, fresh)))

    def _pieces(self, old: tuple[Value, ...], fresh: Sequence[Value]) -> Iterator[Iterable[Value]]:
        # One pass over the values: to touch the counts of a hundred thousand objects is what this costs.
        rest = iter(old)
        place = 0
        for start, stop, index in self.runs:
            yield islice(rest, start - place, stop - place)
            place = stop
            if index >= 0:
                yield (fresh[index],)


@dataclass(frozen=True, eq=False)
class Admission:
    """A sorted table of distinct values after some were dropped and others came.

    Attributes
    ----------
    splice
        How the table changed.
    rows
        Row in the new table of each value that was asked for.
    fresh
        Which of these were not in the old table.
    """

    splice: Splice
    rows: IntArray
    fresh: tuple[int, ...]


def admit(used: BoolArray, places: Iterable[tuple[int, bool]]) -> Admission:
    """Splice for a sorted table that shall hold what is still used and some values more.

    Parameters
    ----------
    used
        bool (V,), values of the table that its old users still need.
    places
        For each value asked for, in ascending order: where it stands in the old table or would be put, and whether it is
        there.
    """
    found = list(places)
    rows = np.array([place for place, _ in found], dtype=np.int64)
    is_there = np.array([there for _, there in found], dtype=np.bool_)
    needed = used.copy()
    needed[rows[is_there]] = True
    splice = Splice(len(used), np.flatnonzero(~needed), rows[~is_there])
    result = np.empty(len(found), dtype=np.int64)
    result[is_there] = splice.moved[rows[is_there]]
    result[~is_there] = splice.fresh
    return Admission(splice, result, tuple(np.flatnonzero(~is_there).tolist()))


def place(table: Sequence[Ordered], value: Ordered) -> tuple[int, bool]:
    """Where `value` stands in a sorted table, or would be put, and whether it is there."""
    row = bisect_left(table, value)
    return row, row < len(table) and table[row] == value
