"""A pod on every node that is asked about: what scorers and filters read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np

from ullage.model.arrays import BoolArray, FloatArray, Int16Array, Int32Array, IntArray
from ullage.scoring.assumed import LANDS, NOTHING, Assumed
from ullage.scoring.columns import Column, Float32Array, NodeView, Room
from ullage.scoring.demand import Demand

Rows: TypeAlias = Int32Array | IntArray | slice


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
        # take turns indices of any other type into this one, each time
        self._rows = rows if isinstance(rows, slice) else rows.astype(np.intp, copy=False)

    @classmethod
    def beside(cls, view: NodeView, demand: Demand, rows: IntArray, amounts: FloatArray) -> Landing:
        """A landing on rows on which other pods add these amounts, float64 (n, 3) over `Room`."""
        at = cls(view, demand, NOTHING, rows)
        at.__dict__["_spread"] = amounts.T.astype(np.float32).take(LANDS, axis=0)
        return at

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
    def _spread(self) -> Float32Array | None:
        """What other pods add, float32 (4, n) over `LANDS`; ``None`` if nothing is assumed on any node."""
        return _at(self.assumed.spread(len(self.view) + 1), self._rows) if self.assumed.logged else None

    @property
    def extra(self) -> Float32Array | None:
        """What other pods add, float32 (3, n) over `Room`; ``None`` if nothing is assumed on any node."""
        return None if self._spread is None else self._spread[: len(Room)]

    @cached_property
    def _facts(self) -> Float32Array:
        """The facts that every pod needs, float32 (9, n): one gather costs less than several."""
        return _at(self.view.matrix[: Column.GROWTH_SHARE + 1], self._rows)

    @cached_property
    def _after(self) -> Float32Array:
        """Shares and commitments after the landing, float32 (4, n)."""
        brought = self.demand.brought
        if self._spread is not None:
            brought = self._spread + brought
        after: Float32Array = np.multiply(self._facts[Column.CPU_SHARE_PER_CORE : Column.GROWTH_SHARE], brought)
        after += self._facts[: Column.CPU_SHARE_PER_CORE]
        return after

    @cached_property
    def share(self) -> Float32Array:
        """Predicted CPU and memory peak after the landing over the hard limit, float32 (2, n), 0..1: cut at the limit."""
        share = self._after[: Column.COMMIT_OVER_RAM]
        return np.minimum(share, 1.0, out=share)

    @cached_property
    def commit(self) -> Float32Array:
        """Use if every guest were full, over RAM, and over RAM and swap: float32 (2, n), >= 0."""
        commit: Float32Array = self._after[Column.COMMIT_OVER_RAM :]
        return commit

    @property
    def growth(self) -> Float32Array:
        """What the node's growth takes of memory within the horizon, as a share: float32 (n,), not to be written."""
        growth: Float32Array = self._facts[Column.GROWTH_SHARE]
        return growth

    @property
    def fixed(self) -> Float32Array:
        """Weighted sum of the scorers that do not depend on the pod, float32 (n,), not to be written."""
        return _at(self.view.fixed, self._rows)

    @property
    def trouble(self) -> Int16Array:
        """What filters say that do not depend on the pod, int16 (n,), not to be written."""
        rows = self._rows
        return self.view.trouble[rows] if isinstance(rows, slice) else self.view.trouble.take(rows, mode="wrap")

    def with_mean(self, cpu_cores: float, memory_bytes: float) -> Float32Array:
        """Measured mean use with a pod of that size and the assumed ones, cores and bytes: float32 (2, n)."""
        use = self.pair(Column.CPU_MEAN_CORES) + np.array([[cpu_cores], [memory_bytes]], dtype=np.float32)
        if self.extra is not None:
            use += self.extra[: Room.COMMIT_BYTES]
        return use

    def fact(self, column: Column, position: int) -> float:
        """One fact of one of the n rows; NaN where it is not known."""
        return float(self.view.raw[column, self._row(position)])

    def extra_on(self, position: int) -> tuple[float, float, float]:
        """What other pods add on one of the n rows: cores, bytes, committed bytes."""
        if self._spread is None:
            return 0.0, 0.0, 0.0
        cpu, memory, commit, _ = self._spread[:, position].tolist()
        return cpu, memory, commit

    def left(self, kind: Room) -> FloatArray:
        """What would be left below a hard limit, float64 (n,); negative beyond it, infinite where it is not known."""
        left = _at(self.view.room[kind], self._rows) - np.float64(self.demand.amounts[kind])
        return left if self.extra is None else left - self.extra[kind]

    def exceeds(self, kind: Room) -> BoolArray:
        """Whether the landing would pass a hard limit, bool (n,), not to be written; False where it is not known."""
        result: BoolArray = self._over[kind]
        return result

    @cached_property
    def _over(self) -> BoolArray:
        """Which hard limits would be passed, bool (3, n)."""
        limited = len(Room) if self.view.least[Room.COMMIT_BYTES] < np.inf else int(Room.COMMIT_BYTES)
        over: BoolArray = np.zeros((len(Room), self.size), dtype=np.bool_)
        wanted = self.demand.brought[:limited]
        if self._spread is not None:
            wanted = self._spread[:limited] + wanted
        np.less(_at(self.view.room[:limited], self._rows), wanted, out=over[:limited])
        return over

    def _row(self, position: int) -> int:
        rows = self._rows
        return int(rows[position]) if not isinstance(rows, slice) else rows.indices(len(self.view) + 1)[0] + position


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
    reasons
        For each row of a landing, none of which may be unknown, a sentence with the numbers.
    is_resolvable
        Whether evicting other pods would help.
    is_fixed
        Does not depend on the pod: computed once per generation.
    """

    code: str
    rejects: Callable[[Landing], BoolArray]
    reasons: Callable[[Landing], list[str]]
    is_resolvable: bool = True
    is_fixed: bool = False


def _at(values: Float32Array, rows: Rows) -> Float32Array:
    if isinstance(rows, slice):
        part: Float32Array = values[..., rows]
        return part
    # take wraps -1 around to the median node, and is faster than an index
    return values.take(rows, axis=-1, mode="wrap")
