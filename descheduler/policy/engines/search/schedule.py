"""How a search cools down, calibrated from the columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from descheduler.policy.engines.search.columns import Columns, Lanes
from ullage.model.arrays import FloatArray


@dataclass(frozen=True)
class Schedule:
    """Temperatures and rents by progress.

    Attributes
    ----------
    hot, cold
        First and last temperature, in units of cost; in between it falls by the same ratio in the same time.
    frozen
        Share of the time at the end in which only what costs no more is accepted.
    rent
        Factor on the rents at the start.
    rent_until
        Share of the time after which there are no rents any more; the factor falls evenly until then.
    """

    hot: float
    cold: float
    frozen: float = 0.03
    rent: float = 0.5
    rent_until: float = 0.8

    def heat(self, progress: float) -> float:
        """Temperature at `progress`, 0..1."""
        moving = 1.0 - self.frozen
        if progress >= moving or not self.hot > 0:
            return 0.0
        return float(self.hot * (self.cold / self.hot) ** (progress / moving))

    def factor(self, progress: float) -> float:
        """Factor on rents at `progress`."""
        return self.rent * max(0.0, 1.0 - progress / self.rent_until)


def lane_prices(lanes: Lanes) -> FloatArray:
    """What one more unit of each lane costs where it costs, float64 (K,); for squares at the mean distance at the start."""
    distance = np.sqrt(((lanes.start - lanes.threshold) ** 2).mean(axis=0))
    prices: FloatArray = np.abs(lanes.hinge) + 2 * np.abs(lanes.square) * distance
    return prices


def mean_swing(columns: Columns) -> float:
    """Mean price of a movable workload that lands where every lane costs: the scale of all temperatures."""
    landing = columns.lanes.landing[columns.by_size]
    return float((np.abs(landing) @ lane_prices(columns.lanes)).mean()) if len(landing) else 0.0
