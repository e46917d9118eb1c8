"""A first look at all exchanges of many pairs of nodes at once, in float32: prices, and whether limits bear them."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from descheduler.policy.engines.search.columns import Columns, Lanes
from descheduler.policy.engines.search.position import Position
from ullage.model.arrays import BoolArray, FloatArray, IntArray

Float32Array: TypeAlias = npt.NDArray[np.float32]
_SIZE: Final = 270_000
"""Numbers per array of a round: large enough that calls do not count, small enough for a cache."""
_NEVER: Final = np.float32(1e38)
"""Price of what limits do not bear. It is added, since numpy takes ten times as long to write through a mask."""
_FEWEST, _MOST = 4, 19
_MARGIN: Final = 1 + 1e-6
"""On limits, since float32 rounds; what passes is judged exactly afterwards."""


@dataclass(frozen=True, eq=False)
class Drawn:
    """Workloads of E = 2 P nodes, the first of all pairs and then the second of all pairs.

    Attributes
    ----------
    node, other
        int64 (E,), where they are and the other node of the pair.
    who
        int64 (D, E), -1 for nobody.
    leaves, returns
        bool (D, E), whether they are at home, and whether the other node is.
    """

    node: IntArray
    other: IntArray
    who: IntArray
    leaves: BoolArray
    returns: BoolArray


class Screen:
    """Lanes in float32, one after the other in memory, and buffers that are used again and again."""

    def __init__(self, columns: Columns) -> None:
        lanes = columns.lanes
        self._columns = columns
        charged, limited = _charged(lanes), _limited(lanes)
        self._used = np.flatnonzero(charged | limited)
        self._charged, self._limited = _among(self._used, charged), _among(self._used, limited)
        self._priced, self._bound = np.flatnonzero(charged), np.flatnonzero(limited)
        self._held = np.flatnonzero(lanes.frees[limited] == 0)
        self._hinge, self._square = (self._rates(x) for x in (lanes.hinge, lanes.square))
        self._landing = self._by_lane(lanes.landing)
        self._leaving = self._landing if lanes.leaving is lanes.landing else self._by_lane(lanes.leaving)
        self._buffer = np.empty(0, dtype=np.float32)

    @property
    def holds(self) -> bool:
        """Whether room is held at home."""
        return len(self._held) > 0

    def _rates(self, rate: FloatArray) -> Float32Array:
        """Float32 (lanes,) if all nodes have the same, else (lanes, N)."""
        rates = rate[:, self._priced].T.astype(np.float32)
        return rates[:, 0].copy() if (rates == rates[:, :1]).all() else rates

    def _by_lane(self, demand: FloatArray) -> Float32Array:
        """Float32 (lanes, W + 1); the last workload is nobody."""
        by_lane = np.zeros((len(self._used), len(demand) + 1), dtype=np.float32)
        by_lane[:, :-1] = demand[:, self._used].T
        return by_lane

    def draws(self) -> int:
        """How many workloads to draw from each node."""
        pairs = max(1, len(self._columns.lanes.start) // 2)
        most = int((_SIZE / (pairs * max(1, len(self._priced)))) ** 0.5)
        return min(_MOST, max(_FEWEST, most - 1))

    def changes(self, at: Position, drawn: Drawn) -> Float32Array:
        """What the lanes of both nodes cost more after each exchange, float32 (D, D, P); `_NEVER` if limits bar it."""
        out = self._demand(drawn.who, drawn.leaves)
        into = out if self._leaving is self._landing else self._demand(drawn.who, drawn.returns)
        over = at.sums.over[:, self._priced].T.astype(np.float32)[:, drawn.node]
        price = self._price(_there(into[self._charged]) + _halves(over[:, None]), out[self._charged], drawn.node)
        slack = np.maximum(at.sums.slack[:, self._bound].T * _MARGIN, 0.0).astype(np.float32)[:, drawn.node]
        short = _short(_there(self._room(into, drawn.returns)) - _halves(slack[:, None]), self._room(out, drawn.leaves))
        pairs = len(drawn.node) // 2
        change: Float32Array = price[..., :pairs] + price[..., pairs:].swapaxes(0, 1)
        change -= change[0, 0].copy()
        change += np.multiply(short[..., :pairs] | short[..., pairs:].swapaxes(0, 1), _NEVER, dtype=np.float32)
        return change

    def _demand(self, who: IntArray, home: BoolArray) -> Float32Array:
        """What each workload brings, or takes off, float32 (lanes, D, E)."""
        demand = np.take(self._landing, who, axis=1, mode="wrap")
        if self._leaving is not self._landing:
            demand[:, home] = self._leaving[:, who[home]]
        return demand

    def _room(self, demand: Float32Array, home: BoolArray) -> Float32Array:
        """Room that each demand takes or frees, in the lanes with limits; at home, room may be held anyway."""
        room = demand[self._limited]
        if len(self._held):
            room = room.copy()
            room[self._held] *= ~home
        return room

    def _price(self, comes: Float32Array, out: Float32Array, node: IntArray) -> Float32Array:
        """Price of ``comes - out``, both of D workloads and E nodes, on each `node`, float32 (D, D, E).

        What is above 0 in a difference is what the larger of both is above the second: this takes one step less.
        """
        comes, minus = comes.reshape(out.shape)[:, None], out[:, :, None]
        shape = np.broadcast_shapes(comes.shape, minus.shape)
        if self._buffer.size < prod(shape):
            self._buffer = np.empty(prod(shape), dtype=np.float32)
        over = self._buffer[: prod(shape)].reshape(shape)
        price = _weighed(self._hinge, np.maximum(comes, minus, out=over), node)
        price -= _weighed(self._hinge, out, node)[:, None]
        if self._columns.lanes.curved:
            np.subtract(comes, minus, out=over)
            over *= over
            price += _weighed(self._square, over, node)
        return price


def _charged(lanes: Lanes) -> BoolArray:
    charged: BoolArray = np.logical_or.reduce((lanes.hinge != 0) | (lanes.square != 0), axis=0)
    return charged


def _limited(lanes: Lanes) -> BoolArray:
    limited: BoolArray = np.logical_or.reduce(np.isfinite(lanes.limit), axis=0)
    return limited


def _among(used: IntArray, chosen: BoolArray) -> IntArray | slice:
    """Where the chosen lanes stand among the used ones; a slice if they are all of them."""
    return slice(None) if chosen[used].all() else np.flatnonzero(chosen[used])


def _short(lacks: Float32Array, out: Float32Array) -> BoolArray:
    """Whether some lane `lacks` more than `out` frees, (lanes, D, E) both, bool (D, D, E)."""
    short: BoolArray = np.logical_or.reduce(lacks.reshape(out.shape)[:, None] > out[:, :, None], axis=0)
    return short


def _halves(ends: Float32Array) -> Float32Array:
    """The last axis as two: first and second nodes, and pairs."""
    return ends.reshape(*ends.shape[:-1], 2, ends.shape[-1] // 2)


def _there(ends: Float32Array) -> Float32Array:
    """The same, but of the other node of each pair."""
    return _halves(ends)[..., ::-1, :]


def _weighed(rates: Float32Array, over: Float32Array, node: IntArray) -> Float32Array:
    """Sum over lanes of rates times `over`, float32 (lanes, ..., E) to (..., E)."""
    if rates.ndim == 1:
        flat: Float32Array = rates @ over.reshape(len(over), prod(over.shape[1:]))
        return flat.reshape(over.shape[1:])
    weighed: Float32Array = np.einsum("kp,k...p->...p", rates[:, node], over)
    return weighed
