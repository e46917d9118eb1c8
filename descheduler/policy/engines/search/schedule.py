"""How a search cools down, calibrated from the columns and from how much it can try."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from descheduler.policy.engines.search.columns import Columns, Lanes
from ullage.model.arrays import FloatArray

_HOT: Final = 0.05
_TRIES: Final = 4000.0
_GROWTH: Final = 0.7
_HOTTEST: Final = 3.0
"""First temperature over the mean swing: so much at so many tries per workload, and growing with this power of them. Who tries
little begins near the end; who tries much can afford to melt everything first."""
_COLD: Final = 0.2
_FINER: Final = 1.35
"""Last temperature of loads over the mean swing, times this power of the workloads per node: with many small workloads on a
node, what is left to gain is finer."""
_ICY: Final = 0.01
"""Last temperature over the mean fee, or over that of loads where there are no fees."""
RENT: Final = 0.5
"""Rents at the start, over what being away takes of the room that is held."""


@dataclass(frozen=True)
class Schedule:
    """Temperatures and rents by progress.

    Attributes
    ----------
    first, last
        Temperatures in units of cost; in between it falls by the same ratio in the same time.
    frozen
        Share of the time at the end in which only what costs no more is accepted.
    rent
        Factor on the rents at the start.
    free
        Progress after which there are no rents any more; the factor falls evenly until then.
    """

    first: float
    last: float
    frozen: float = 0.03
    rent: float = 0.0
    free: float = 0.97

    def heat(self, progress: float) -> float:
        """Temperature at `progress`, 0..1."""
        end = 1.0 - self.frozen
        if progress >= end or not self.last > 0:
            return 0.0
        return float(self.first * (self.last / self.first) ** (progress / end))

    def factor(self, progress: float) -> float:
        """Factor on rents at `progress`."""
        return self.rent * max(0.0, 1.0 - progress / self.free)


@dataclass(frozen=True)
class Scale:
    """Temperatures of an instance.

    Attributes
    ----------
    swing
        Mean price of a workload that lands where every lane costs.
    hot, cold
        Between these, loads find their places.
    icy
        Below `cold`, down to here, fees of moves do.
    rent
        Factor on rents at the start.
    """

    swing: float
    hot: float
    cold: float
    icy: float
    rent: float = RENT


def lane_prices(lanes: Lanes) -> FloatArray:
    """What one more unit of each lane costs where it costs, float64 (K,): the mean over the nodes.

    For squares it is the price at the mean distance at the start.
    """
    charged = (lanes.hinge != 0) | (lanes.square != 0)
    distance = np.where(lanes.square != 0, lanes.start - lanes.threshold, 0.0)
    price = np.abs(lanes.hinge) + 2 * np.abs(lanes.square * distance)
    prices: FloatArray = price.sum(axis=0) / np.maximum(1, charged.sum(axis=0))
    return prices


def mean_swing(columns: Columns) -> float:
    """Mean price of a movable workload that lands where every lane costs: the scale of all temperatures."""
    landing = columns.lanes.landing[columns.by_size]
    return float((np.abs(landing) @ lane_prices(columns.lanes)).mean()) if len(landing) else 0.0


def mean_fee(columns: Columns) -> float:
    """Mean cost of being away for a movable workload: the scale of the last temperatures; 0 if it costs nothing."""
    absence = columns.absence
    fee = float(absence.fee[columns.by_size].mean()) if len(columns.by_size) else 0.0
    if not len(absence.travel):
        return fee
    home, which = np.unique(np.stack([columns.home, columns.place_class])[:, columns.by_size], axis=1)
    return fee + float(absence.travel[home].mean(where=columns.open_to[which]))


def scale(columns: Columns, tries: float) -> Scale:
    """Temperatures for `tries` steps in all, in the units of a compiled kernel.

    The constants were chosen on half of the instances of `benchmarks.machine_reassignment`.
    """
    swing, fee = mean_swing(columns), mean_fee(columns)
    workloads, nodes = max(1, len(columns.by_size)), max(1, len(columns.lanes.start))
    hot = min(_HOTTEST, _HOT * max(1.0, tries / workloads / _TRIES) ** _GROWTH)
    cold = min(0.3 * hot, _COLD * (nodes / workloads) ** _FINER)
    icy = min(_ICY * fee if fee > 0 else _ICY * cold * swing, 0.5 * cold * swing)
    return Scale(swing, hot * swing, cold * swing, icy)
