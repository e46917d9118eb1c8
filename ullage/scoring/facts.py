"""The facts of a generation's nodes, as rows of the matrix that pods are held against."""

from __future__ import annotations

from typing import Final

import numpy as np

from ullage.config import Configuration
from ullage.estimation.danger import swap_left_of, swap_used_bytes, worst_case_of
from ullage.estimation.exhaustion import NORMAL_95
from ullage.estimation.forecast import Forecast
from ullage.estimation.swap import swap_needed_bytes
from ullage.model.arrays import FloatArray
from ullage.model.measures import NodeMeasure
from ullage.model.resources import CPU_INDEX, MEMORY_INDEX
from ullage.model.state import ClusterState, WorkloadKind
from ullage.scoring.columns import Column, Room

IMPOSSIBLE: Final = 1e30
"""Above any amount, and within float32: such a number says nothing."""

_BOTH: Final = [CPU_INDEX, MEMORY_INDEX]


class Facts:
    """Facts of N nodes in float64; NaN where nothing is known.

    Parameters
    ----------
    state, config, expected
        The cluster, the limits, and what is foreseen.
    unshown
        float64 (N, 2), cores and bytes to add to what is foreseen.
    """

    def __init__(self, state: ClusterState, config: Configuration, expected: Forecast, unshown: FloatArray) -> None:
        self._state, self._config, self._expected = state, config, expected
        self._peak = np.maximum(expected.node_use, 0.0) + unshown
        limits = config.scoring.limits
        allocatable = state.nodes.allocatable[:, _BOTH]
        self._allocatable = np.where(allocatable > 0, allocatable, np.nan)
        self._most = self._allocatable * np.array([limits.cpu, limits.memory])
        self._virtual = self._allocatable[:, 1] + np.nan_to_num(state.nodes.swap_capacity_bytes)
        self._commit = self._committed()

    def matrix(self) -> FloatArray:
        """float64 (C, N) over `Column`."""
        nodes = self._state.nodes
        values = np.full((len(Column), len(nodes)), np.nan)
        values[Column.CPU_SHARE : Column.MEMORY_SHARE + 1] = (self._peak / self._most).T
        values[Column.CPU_SHARE_PER_CORE : Column.MEMORY_SHARE_PER_BYTE + 1] = 1 / self._most.T
        over = np.stack([self._allocatable[:, 1], self._virtual])
        values[Column.COMMIT_OVER_RAM : Column.COMMIT_OVER_VIRTUAL + 1] = self._commit / over
        values[Column.PER_RAM_BYTE : Column.PER_VIRTUAL_BYTE + 1] = 1 / over
        values[Column.GROWTH_SHARE] = self._growth() / self._most[:, 1]
        values[Column.CPU_ALLOCATABLE_CORES : Column.MEMORY_ALLOCATABLE_BYTES + 1] = self._allocatable.T
        capacity = nodes.capacity[:, _BOTH]
        values[Column.CPU_CAPACITY_CORES : Column.MEMORY_CAPACITY_BYTES + 1] = np.where(
            capacity > 0, capacity, np.nan
        ).T
        values[Column.CPU_REQUESTED_CORES : Column.MEMORY_REQUESTED_BYTES + 1] = nodes.requested[:, _BOTH].T
        values[Column.CPU_LIMITS_CORES : Column.MEMORY_LIMITS_BYTES + 1] = self._limits()
        self._measures(values)
        self._swap(values)
        return np.where(np.abs(values) < IMPOSSIBLE, values, np.nan)

    def room(self) -> FloatArray:
        """float64 (3, N) over `Room`: infinite where unknown, and where no worst case is enforced."""
        room = np.full((len(Room), len(self._state.nodes)), np.inf)
        room[: Room.COMMIT_BYTES] = (self._most - self._peak).T
        ratio = self._config.memory.worst_case_limit_ratio
        if ratio is not None:
            room[Room.COMMIT_BYTES] = self._virtual * ratio - self._commit
        room[~(np.abs(room) < IMPOSSIBLE)] = np.inf
        return room

    def _fresh(self, measure: NodeMeasure) -> FloatArray:
        return self._state.nodes.measures.fresh(measure, self._config.telemetry.max_age_seconds)

    def _measures(self, values: FloatArray) -> None:
        columns = {
            Column.CPU_MEAN_CORES: NodeMeasure.CPU_MEAN_CORES,
            Column.MEMORY_MEAN_BYTES: NodeMeasure.MEMORY_MEAN_BYTES,
            Column.CPU_DEVIATION_CORES: NodeMeasure.CPU_DEVIATION_CORES,
            Column.MEMORY_DEVIATION_BYTES: NodeMeasure.MEMORY_DEVIATION_BYTES,
            Column.PSI_CPU_SOME_RATIO: NodeMeasure.PSI_CPU_SOME_RATIO,
            Column.PSI_MEMORY_SOME_RATIO: NodeMeasure.PSI_MEMORY_SOME_RATIO,
            Column.PSI_MEMORY_FULL_RATIO: NodeMeasure.PSI_MEMORY_FULL_RATIO,
        }
        for column, measure in columns.items():
            values[column] = np.maximum(self._fresh(measure), 0.0)

    def _swap(self, values: FloatArray) -> None:
        capacity, age = self._state.nodes.swap_capacity_bytes, self._config.telemetry.max_age_seconds
        ratio = self._state.kubevirt.memory_overcommit_ratio if self._state.kubevirt else 1.0
        needed = swap_needed_bytes(self._state.nodes.capacity[:, MEMORY_INDEX], ratio) if ratio > 1 else capacity
        values[Column.SWAP_LEFT_BYTES] = np.where(capacity == 0, 0.0, swap_left_of(self._state, age))
        values[Column.SWAP_NEEDED_BYTES] = needed
        used = swap_used_bytes(self._state, age)
        values[Column.SWAP_USED_RATIO] = np.divide(used, capacity, out=np.full_like(used, np.nan), where=capacity > 0)

    def _growth(self) -> FloatArray:
        """Bytes that a significant growth takes within the horizon, 0 where it is not significant."""
        slope = self._fresh(NodeMeasure.MEMORY_GROWTH_BYTES_PER_SECOND)
        deviation = np.nan_to_num(self._fresh(NodeMeasure.MEMORY_GROWTH_DEVIATION_BYTES_PER_SECOND))
        steady = np.where(slope - NORMAL_95 * deviation > 0, slope, np.where(np.isnan(slope), np.nan, 0.0))
        result: FloatArray = steady * self._config.scoring.growth_horizon_seconds
        return result

    def _limits(self) -> FloatArray:
        """Sums of the limits of the workloads on each node, each at least its request: float64 (2, N)."""
        workloads, count = self._state.workloads, len(self._state.nodes)
        most = np.fmax(workloads.limits[:, _BOTH], workloads.requests[:, _BOTH])
        return np.stack([np.bincount(workloads.node, weights=most[:, r], minlength=count) for r in (0, 1)])

    def _committed(self) -> FloatArray:
        """Use if every guest were full, with those that a migration in flight brings: float64 (N,), NaN where unknown."""
        workloads = self._state.workloads
        coming = (workloads.migration_target >= 0) & (workloads.kind == WorkloadKind.VMI)
        guest = np.nan_to_num(workloads.guest_memory_bytes[coming]) + np.nan_to_num(workloads.overhead_bytes[coming])
        target = workloads.migration_target[coming]
        arriving = np.bincount(target, weights=guest, minlength=len(self._state.nodes))
        result: FloatArray = worst_case_of(self._state, self._expected) + arriving
        return result
