"""A first look at all exchanges of many pairs of nodes at once, in float32: prices, and whether limits bear them."""

from __future__ import annotations

from math import prod
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from descheduler.policy.engines.search.columns import Columns, Lanes
from descheduler.policy.engines.search.position import Position
from ullage.model.arrays import BoolArray, FloatArray, IntArray

Float32Array: TypeAlias = npt.NDArray[np.float32]
_SIZE: Final = 60_000
"""Numbers per array of a round: large enough that calls do not count, small enough for a cache."""
_FEWEST, _MOST = 4, 19
_MARGIN: Final = 1 + 1e-6
"""On limits, since float32 rounds; what passes is judged exactly afterwards."""


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

    def changes(self, at: Position, here: IntArray, there: IntArray, mine: IntArray, yours: IntArray) -> Float32Array:
        """What the lanes of both nodes cost more after each exchange, float32 (D, D, P); inf if limits do not bear it."""
        over = at.sums.over[:, self._priced].T.astype(np.float32)
        out, back = self._demand(mine, here), self._demand(yours, there)
        same = self._leaving is self._landing
        into, comes = (out, back) if same else (self._demand(mine, there), self._demand(yours, here))
        priced = self._charged
        price = self._price((over[:, None, here] + comes[priced])[:, None], out[priced][:, :, None], here)
        price += self._price((over[:, None, there] + into[priced])[:, :, None], back[priced][:, None], there)
        price -= price[0, 0].copy()
        slack = np.maximum(at.sums.slack[:, self._bound].T * _MARGIN, 0.0).astype(np.float32)
        short = _short(slack[:, here], self._room(out, mine, here), self._room(comes, yours, here))
        short |= _short(slack[:, there], self._room(back, yours, there), self._room(into, mine, there)).swapaxes(0, 1)
        price[short] = np.inf
        return price

    def _demand(self, who: IntArray, node: IntArray) -> Float32Array:
        """What each workload brings to a node, or takes off it, float32 (lanes, D, P)."""
        demand = np.take(self._landing, who, axis=1, mode="wrap")
        if self._leaving is not self._landing:
            at_home = self._at_home(who, node)
            demand[:, at_home] = self._leaving[:, who[at_home]]
        return demand

    def _room(self, demand: Float32Array, who: IntArray, node: IntArray) -> Float32Array:
        """Room that each demand takes or frees on a node, in the lanes with limits; at home, room may be held anyway."""
        room = demand[self._limited]
        if len(self._held):
            room = room.copy()
            room[self._held] *= ~self._at_home(who, node)
        return room

    def _at_home(self, who: IntArray, node: IntArray) -> BoolArray:
        at_home: BoolArray = (self._columns.home[who] == node) & (who >= 0)
        return at_home

    def _price(self, plus: Float32Array, minus: Float32Array, node: IntArray) -> Float32Array:
        """Price of ``plus - minus`` on each `node`, float32 (D, D, P)."""
        shape = np.broadcast_shapes(plus.shape, minus.shape)
        if self._buffer.size < prod(shape):
            self._buffer = np.empty(prod(shape), dtype=np.float32)
        over = self._buffer[: prod(shape)].reshape(shape)
        np.subtract(plus, minus, out=over)
        price = _weighed(self._square, over * over, node) if self._columns.lanes.curved else np.float32(0.0)
        np.maximum(over, 0, out=over)
        return _weighed(self._hinge, over, node) + price


def _charged(lanes: Lanes) -> BoolArray:
    charged: BoolArray = np.logical_or.reduce((lanes.hinge != 0) | (lanes.square != 0), axis=0)
    return charged


def _limited(lanes: Lanes) -> BoolArray:
    limited: BoolArray = np.logical_or.reduce(np.isfinite(lanes.limit), axis=0)
    return limited


def _among(used: IntArray, chosen: BoolArray) -> IntArray | slice:
    """Where the chosen lanes stand among the used ones; a slice if they are all of them."""
    return slice(None) if chosen[used].all() else np.flatnonzero(chosen[used])


def _short(slack: Float32Array, out: Float32Array, into: Float32Array) -> BoolArray:
    """Whether some lane has less room than `into` takes and `out` does not free, bool (out, into, P)."""
    short: BoolArray = np.logical_or.reduce((into - slack[:, None])[:, None] > out[:, :, None], axis=0)
    return short


def _weighed(rates: Float32Array, over: Float32Array, node: IntArray) -> Float32Array:
    """Sum over lanes of rates times `over`, float32 (lanes, D, D, P) to (D, D, P)."""
    if rates.ndim == 1:
        flat: Float32Array = rates @ over.reshape(len(over), prod(over.shape[1:]))
        return flat.reshape(over.shape[1:])
    weighed: Float32Array = np.einsum("kp,kabp->abp", rates[:, node], over)
    return weighed
