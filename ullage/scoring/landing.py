"""A pod on every node that is asked about: what scorers and filters read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Final, TypeAlias

import numpy as np

from ullage.model.arrays import BoolArray, Int32Array, IntArray, frozen
from ullage.scoring.columns import Column, Float32Array, NodeView, Room
from ullage.scoring.demand import Demand

Rows: TypeAlias = Int32Array | slice


@dataclass(frozen=True, eq=False)
class Assumed:
    """What recently answered and bound pods add to nodes, beyond what the state holds. Immutable.

    Attributes
    ----------
    rows
        int64 (K,), node rows, ascending and unique.
    amount
        float32 (3, K) over `Room`: cores, bytes, committed bytes; >= 0.
    destination
        Row of the node that a plan chose for the pod that is asked about; -1 without one.
    """

    rows: IntArray
    amount: Float32Array
    destination: int = -1


NOTHING: Final = Assumed(frozen((), np.int64), frozen(np.zeros((3, 0)), np.float32))
"""Nothing is assumed."""


class Landing:
    """A demand on n rows of a view.

    Parameters
    ----------
    view
        The nodes.
    demand
        What the pod brings.
    assumed
        What other pods add that no measure shows.
    rows
        int32 (n,) with -1 for names that are not known, or a slice of the N + 1 columns; default all N + 1.
    """

    def __init__(self, view: NodeView, demand: Demand, assumed: Assumed = NOTHING, rows: Rows = slice(None)) -> None:
        self.view = view
        self.demand = demand
        self.assumed = assumed
        self._rows = rows

    def column(self, column: Column) -> Float32Array:
        """One fact, float32 (n,), not to be written."""
        return _at(self.view.matrix[column], self._rows)

    def pair(self, first: Column) -> Float32Array:
        """`first` and the column after it, float32 (2, n), not to be written."""
        return _at(self.view.matrix[first : first + 2], self._rows)

    def raw(self, column: Column) -> Float32Array:
        """As `column`, with NaN where nothing is known."""
        return _at(self.view.raw[column], self._rows)

    @cached_property
    def size(self) -> int:
        """N."""
        rows = self._rows
        return len(range(*rows.indices(len(self.view) + 1))) if isinstance(rows, slice) else len(rows)

    @cached_property
    def extra(self) -> Float32Array | None:
        """What other pods add, float32 (3, n) over `Room`; ``None`` if nothing is assumed on these rows."""
        rows, amount = self.assumed.rows, self.assumed.amount
        if not len(rows):
            return None
        if not isinstance(self._rows, slice):
            slot = np.zeros(len(self.view) + 1, dtype=np.intp)
            slot[rows] = np.arange(1, len(rows) + 1)
            padded = np.concatenate([np.zeros((len(Room), 1), dtype=np.float32), amount], axis=1)
            return padded.take(slot.take(self._rows, mode="wrap"), axis=1)
        start = self._rows.indices(len(self.view) + 1)[0]
        first, last = np.searchsorted(rows, (start, start + self.size))
        if first == last:
            return None
        result = np.zeros((len(Room), self.size), dtype=np.float32)
        where = rows[first:last] - start
        for kind in Room:
            # a scatter per row is three times as fast as one over both axes
            result[kind][where] = amount[kind, first:last]
        return result

    @cached_property
    def share(self) -> Float32Array:
        """Predicted CPU and memory peak after the landing over the hard limit, float32 (2, n), 0..1: cut at the limit."""
        per_unit = self.pair(Column.CPU_SHARE_PER_CORE)
        wanted = np.array([[self.demand.cpu_cores], [self.demand.memory_bytes]], dtype=np.float32)
        share = np.multiply(per_unit, wanted)
        share += self.pair(Column.CPU_SHARE)
        if self.extra is not None:
            share += self.extra[: Room.COMMIT_BYTES] * per_unit
        return np.minimum(share, 1.0, out=share)

    @cached_property
    def commit(self) -> Float32Array:
        """Use if every guest were full, over RAM, and over RAM and swap: float32 (2, n), >= 0."""
        per_byte = self.pair(Column.PER_RAM_BYTE)
        commit = np.multiply(per_byte, float(self.demand.committed_bytes))
        commit += self.pair(Column.COMMIT_OVER_RAM)
        if self.extra is not None:
            commit += self.extra[Room.COMMIT_BYTES] * per_byte
        return commit

    def with_mean(self, cpu_cores: float, memory_bytes: float) -> Float32Array:
        """Measured mean use with a pod of that size and the assumed ones, cores and bytes: float32 (2, n)."""
        use = self.pair(Column.CPU_MEAN_CORES) + np.array([[cpu_cores], [memory_bytes]], dtype=np.float32)
        if self.extra is not None:
            use += self.extra[: Room.COMMIT_BYTES]
        return use

    def extra_on(self, position: int) -> tuple[float, float, float]:
        """What other pods add on one of the n rows: cores, bytes, committed bytes."""
        if self.extra is None:
            return 0.0, 0.0, 0.0
        cpu, memory, commit = self.extra[:, position].tolist()
        return cpu, memory, commit

    def left(self, kind: Room, position: int) -> float:
        """What would be left below a hard limit on one of the n rows; negative beyond it, infinite where it is not known."""
        room = float(_at(self.view.room[kind], self._rows)[position])
        return room - self.demand.amounts[kind] - self.extra_on(position)[kind]

    def exceeds(self, kind: Room) -> BoolArray:
        """Whether the landing would pass a hard limit, bool (n,); False where it is not known."""
        if self.view.least[kind] == np.inf:
            return np.zeros(self.size, dtype=np.bool_)
        room, wanted = _at(self.view.room[kind], self._rows), float(self.demand.amounts[kind])
        result: BoolArray = room < (wanted if self.extra is None else self.extra[kind] + wanted)
        return result


Score: TypeAlias = Callable[[Landing, Float32Array | None], Float32Array]
"""From a landing to [0, 1] per row, float32 (n,), higher is better; written into the second argument if one is given."""


@dataclass(frozen=True)
class Scorer:
    """A registered scorer.

    Attributes
    ----------
    name
        As in the configuration (``scoring.weights``), with underscores.
    score
        The formula. It reads and never writes what it is given, and has no NaN in its result.
    is_fixed
        Does not depend on the pod: computed once per generation.
    is_monotone
        No node's score rises with the node's load, in whatever resource.
    """

    name: str
    score: Score
    is_fixed: bool = False
    is_monotone: bool = True


@dataclass(frozen=True)
class Filter:
    """A registered filter.

    Attributes
    ----------
    code
        The code of `ullage.model.codes` that a rejection carries.
    rejects
        Rows that it rejects on fresh proof, bool (n,); a fact that is not known never rejects.
    reason
        Sentence with the numbers for one row of a landing.
    is_resolvable
        Whether evicting other pods would help.
    is_fixed
        Does not depend on the pod: computed once per generation.
    """

    code: str
    rejects: Callable[[Landing], BoolArray]
    reason: Callable[[Landing, int], str]
    is_resolvable: bool = True
    is_fixed: bool = False


def _at(values: Float32Array, rows: Rows) -> Float32Array:
    if isinstance(rows, slice):
        part: Float32Array = values[..., rows]
        return part
    # take wraps -1 around to the median node, and is faster than an index
    return values.take(rows, axis=-1, mode="wrap")
