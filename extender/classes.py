"""How each node stands to its thresholds, for clients that watch the state."""

from __future__ import annotations

from typing import Final

import numpy as np

from ullage.model.arrays import FloatArray, Int8Array
from ullage.model.measures import NodeMeasure
from ullage.model.resources import CPU_INDEX, MEMORY_INDEX
from ullage.scoring.columns import NodeView

UNKNOWN: Final = 0
UNDER: Final = 1
FIT: Final = 2
OVER: Final = 3

_NEEDED: Final = (NodeMeasure.CPU_MEAN_CORES, NodeMeasure.MEMORY_MEAN_BYTES)


def classes(view: NodeView) -> Int8Array:
    """Class of each node by its predicted use, int8 (N,), values of ``NodeClass`` of the API.

    Over: above `high` in some resource; under: below `low` in all; unknown: not measured, or too long ago.
    """
    allocatable = view.state.nodes.allocatable[:, [CPU_INDEX, MEMORY_INDEX]]
    bands = (view.config.thresholds.cpu, view.config.thresholds.memory)
    ratio = np.divide(
        view.forecast.node_use, allocatable, out=np.full(allocatable.shape, np.nan), where=allocatable > 0
    )
    known = ~np.isnan(ratio).any(axis=1)
    over = (ratio > [band.high for band in bands]).any(axis=1)
    under = (ratio < [band.low for band in bands]).all(axis=1)
    found: Int8Array = np.select([~known, over, under], [UNKNOWN, OVER, UNDER], FIT).astype(np.int8)
    return found


def measure_ages(view: NodeView) -> FloatArray:
    """Age in seconds of the older one of CPU and memory use, float64 (N,); NaN if one of them was not measured."""
    measures = view.state.nodes.measures
    ages: FloatArray = measures.age_seconds[:, _NEEDED].max(axis=1)
    return np.where(np.isnan(measures.value[:, _NEEDED]).any(axis=1), np.nan, ages)
