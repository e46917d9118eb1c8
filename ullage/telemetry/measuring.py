"""Measures of the rows of a state, gathered from what is kept of nodes and workloads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType
from typing import Final

import numpy as np

from ullage.model.arrays import BoolArray, FloatArray, Int8Array, IntArray
from ullage.model.measures import Measures, NodeMeasure, WorkloadMeasure
from ullage.telemetry.judging import NODE_USE, WORKLOAD_USE
from ullage.telemetry.readings import NodeReading, WorkloadReading
from ullage.telemetry.tracks import Track
from ullage.telemetry.trend import NORMAL_95, trend

_CPU: Final = (0, 1, 2)  # mean, deviation and peak are the first measures of both axes
_MEMORY: Final = (3, 4, 5)
_GROWTH: Final = (
    int(NodeMeasure.MEMORY_GROWTH_BYTES_PER_SECOND),
    int(NodeMeasure.MEMORY_GROWTH_DEVIATION_BYTES_PER_SECOND),
)


def _same_names(measures: type[IntEnum], readings: type[IntEnum]) -> Mapping[int, int]:
    """Measures that are the newest reading of the same name."""
    return MappingProxyType({int(m): int(readings[m.name]) for m in measures if m.name in readings.__members__})


_NODE_READINGS: Final = MappingProxyType(
    {
        **_same_names(NodeMeasure, NodeReading),
        **dict.fromkeys(_CPU, NODE_USE[0]),
        **dict.fromkeys((*_MEMORY, *_GROWTH), NODE_USE[1]),
    }
)
_WORKLOAD_READINGS: Final = MappingProxyType(
    {
        **_same_names(WorkloadMeasure, WorkloadReading),
        **dict.fromkeys(_CPU, WORKLOAD_USE[0]),
        **dict.fromkeys(_MEMORY, WORKLOAD_USE[1]),
    }
)
"""Reading that age and source of each measure come from, and the value, unless it is made of windows."""


@dataclass(frozen=True, eq=False)
class Summary:
    """Measures of all slots, and of a last one without any; one row per measure.

    Attributes
    ----------
    value, at_seconds
        float64 (M, S + 1), NaN where nothing is known.
    source
        int8 (M, S + 1), -1 where nothing is known.
    """

    value: FloatArray
    at_seconds: FloatArray
    source: Int8Array

    def at(self, slots: IntArray, now_seconds: float) -> Measures:
        """Measures of these slots as observed at `now_seconds`; slot -1 is not known."""
        value, age = np.take(self.value, slots, axis=1), np.take(self.at_seconds, slots, axis=1)
        np.subtract(now_seconds, age, out=age)
        np.maximum(age, 0.0, out=age)  # a sample may be a little ahead of our clock
        source = np.take(self.source, slots, axis=1)
        for array in (value, age, source):
            array.flags.writeable = False
        return Measures(value.T, age.T, source.T)


def of_workloads(track: Track) -> Summary:
    """Measures of workloads."""
    return _summary(track, WorkloadMeasure, _WORKLOAD_READINGS, _windowed(track))


def of_nodes(track: Track, counts: BoolArray) -> Summary:
    """Measures of nodes; those that do not count have no CPU, memory and growth."""
    times, means = track.windows[1].series()
    growth = trend(times - times[-1:], means)
    deviation = (growth.high_bytes_per_second - growth.low_bytes_per_second) / (2 * NORMAL_95)
    columns = {**_windowed(track), _GROWTH[0]: growth.slope_bytes_per_second, _GROWTH[1]: deviation}
    believed = {measure: np.where(counts, column, np.nan) for measure, column in columns.items()}
    return _summary(track, NodeMeasure, _NODE_READINGS, believed)


def _windowed(track: Track) -> dict[int, FloatArray]:
    """Measures that are made of windows, float64 (S,) each."""
    cpu, memory = ((*window.moments()[:2], window.peak()) for window in track.windows)
    return dict(zip((*_CPU, *_MEMORY), (*cpu, *memory), strict=True))


def _summary(
    track: Track, measures: type[IntEnum], readings: Mapping[int, int], columns: Mapping[int, FloatArray]
) -> Summary:
    newest = track.newest
    shape = (len(measures), newest.value.shape[1] + 1)
    value, at, source = np.full(shape, np.nan), np.full(shape, np.nan), np.full(shape, -1, np.int8)
    for measure in range(len(measures)):
        reading = readings[measure]
        found = columns.get(measure, newest.value[reading])
        nothing = np.isnan(found)
        value[measure, :-1] = found
        at[measure, :-1] = np.where(nothing, np.nan, newest.at_seconds[reading])
        source[measure, :-1] = np.where(nothing, -1, newest.source[reading])
    return Summary(value, at, source)
