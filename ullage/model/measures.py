"""What is measured of a node and of a workload, as an axis: value, age and source of every measure.

The member names, in lower case, are the names in snapshots; they end in the unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from ullage.model.arrays import FloatArray, Int8Array, frozen


class NodeMeasure(IntEnum):
    """Columns of a node's measures. Ratios are 0..1; CPU and memory include all that runs on the node."""

    CPU_MEAN_CORES = 0
    CPU_DEVIATION_CORES = 1
    CPU_PEAK_CORES = 2
    MEMORY_MEAN_BYTES = 3
    """Working set: use less inactive file pages, as the kubelet counts it."""
    MEMORY_DEVIATION_BYTES = 4
    MEMORY_PEAK_BYTES = 5
    MEMORY_AVAILABLE_BYTES = 6
    """``MemAvailable`` of the kernel."""
    MEMORY_ANONYMOUS_BYTES = 7
    MEMORY_CACHE_BYTES = 8
    MEMORY_GROWTH_BYTES_PER_SECOND = 9
    """Robust slope of the working set over the window."""
    MEMORY_GROWTH_DEVIATION_BYTES_PER_SECOND = 10
    SWAP_USED_BYTES = 11
    SWAP_IN_BYTES_PER_SECOND = 12
    SWAP_OUT_BYTES_PER_SECOND = 13
    KSM_SAVED_BYTES = 14
    PSI_CPU_SOME_RATIO = 15
    PSI_CPU_FULL_RATIO = 16
    PSI_MEMORY_SOME_RATIO = 17
    PSI_MEMORY_FULL_RATIO = 18
    PSI_IO_SOME_RATIO = 19
    PSI_IO_FULL_RATIO = 20


class WorkloadMeasure(IntEnum):
    """Columns of a workload's measures: the sum over its containers; of a VM, over its virt-launcher pod."""

    CPU_MEAN_CORES = 0
    CPU_DEVIATION_CORES = 1
    CPU_PEAK_CORES = 2
    MEMORY_MEAN_BYTES = 3
    """Working set."""
    MEMORY_DEVIATION_BYTES = 4
    MEMORY_PEAK_BYTES = 5
    MEMORY_ANONYMOUS_BYTES = 6
    MEMORY_CACHE_BYTES = 7
    SWAP_USED_BYTES = 8
    DIRTY_RATE_BYTES_PER_SECOND = 9
    CPU_THROTTLED_RATIO = 10
    CPU_DELAY_RATIO = 11
    """Share of time that a vCPU was runnable and did not run."""
    PSI_MEMORY_SOME_RATIO = 12


@dataclass(frozen=True, eq=False)
class Measures:
    """Measured values of R rows with the age and source of each.

    Attributes
    ----------
    value
        float64 (R, M), base units; NaN means not measured.
    age_seconds
        float64 (R, M), at the state's `observed_at_seconds`, >= 0; NaN where the value is NaN.
    source
        int8 (R, M), index into the state's `sources`; -1 where the value is NaN.
    """

    value: FloatArray
    age_seconds: FloatArray
    source: Int8Array

    def __post_init__(self) -> None:
        if not self.value.shape == self.age_seconds.shape == self.source.shape:
            raise ValueError(
                f"measures of unlike shapes {self.value.shape}, {self.age_seconds.shape}, {self.source.shape}"
            )

    @classmethod
    def none(cls, rows: int, axis: type[IntEnum]) -> Measures:
        """Measures of `rows` rows of which nothing is known."""
        shape = (rows, len(axis))
        nan = frozen(np.full(shape, np.nan), np.float64)
        return cls(value=nan, age_seconds=nan, source=frozen(np.full(shape, -1), np.int8))

    def column(self, measure: IntEnum) -> FloatArray:
        """Values of one measure, float64 (R,), NaN where it was not measured."""
        return self.value[:, int(measure)]

    def fresh(self, measure: IntEnum, max_age_seconds: float) -> FloatArray:
        """As `column`, with NaN also where the value is older than `max_age_seconds`."""
        old = self.age_seconds[:, int(measure)] > max_age_seconds
        return np.where(old, np.nan, self.value[:, int(measure)])
