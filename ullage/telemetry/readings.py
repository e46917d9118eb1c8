"""One reading of a cluster's use: instant values with the time of each sample, by the names that their source uses.

Readings are what a source of measures gives; windows make the measures of a `ClusterState` of them (mean, deviation, peak).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

import msgspec
import numpy as np

from ullage.model.arrays import FloatArray, frozen

NodeKey: TypeAlias = str
PodKey: TypeAlias = tuple[str, str]
"""Namespace and name of a pod, or of a VirtualMachineInstance."""


class NodeReading(IntEnum):
    """What can be read of a node now. Ratios are 0..1; rates are per second over the last few scrapes."""

    CPU_CORES = 0
    MEMORY_BYTES = 1
    """Working set: use less inactive file pages, as the kubelet counts it."""
    MEMORY_TOTAL_BYTES = 2
    MEMORY_AVAILABLE_BYTES = 3
    MEMORY_ANONYMOUS_BYTES = 4
    MEMORY_CACHE_BYTES = 5
    MEMORY_COMMITTED_BYTES = 6
    SWAP_TOTAL_BYTES = 7
    SWAP_USED_BYTES = 8
    SWAP_IN_BYTES_PER_SECOND = 9
    SWAP_OUT_BYTES_PER_SECOND = 10
    KSM_SAVED_BYTES = 11
    PSI_CPU_SOME_RATIO = 12
    PSI_CPU_FULL_RATIO = 13
    PSI_MEMORY_SOME_RATIO = 14
    PSI_MEMORY_FULL_RATIO = 15
    PSI_IO_SOME_RATIO = 16
    PSI_IO_FULL_RATIO = 17
    MAJOR_FAULTS_PER_SECOND = 18


class WorkloadReading(IntEnum):
    """What can be read of a pod (the sum over its containers) or of a VMI now."""

    CPU_CORES = 0
    MEMORY_BYTES = 1
    """Working set."""
    MEMORY_ANONYMOUS_BYTES = 2
    """RSS."""
    MEMORY_CACHE_BYTES = 3
    SWAP_USED_BYTES = 4
    DIRTY_RATE_BYTES_PER_SECOND = 5
    CPU_THROTTLED_RATIO = 6
    CPU_DELAY_RATIO = 7
    PSI_MEMORY_SOME_RATIO = 8
    BALLOON_BYTES = 9
    MIGRATED_RATIO = 10
    """Share of the guest's memory that a migration in flight has copied."""


@dataclass(frozen=True, eq=False)
class Table:
    """Values of K rows.

    Attributes
    ----------
    keys
        K names, each once.
    value
        float64 (K, M) over `NodeReading` or `WorkloadReading`, base units; NaN means that it was not read.
    at_seconds
        float64 (K, M), unix time at which each value was sampled (not asked for); NaN where the value is NaN.
    """

    keys: tuple[NodeKey, ...] | tuple[PodKey, ...]
    value: FloatArray
    at_seconds: FloatArray

    def __post_init__(self) -> None:
        if self.value.shape != self.at_seconds.shape or len(self.value) != len(self.keys):
            raise ValueError(f"{len(self.keys)} keys, values {self.value.shape}, times {self.at_seconds.shape}")

    @classmethod
    def empty(cls, axis: type[IntEnum]) -> Table:
        """Nothing was read."""
        nothing = frozen(np.empty((0, len(axis))), np.float64)
        return cls((), nothing, nothing)


class Problem(msgspec.Struct, frozen=True, gc=False):
    """Something that a source gave and that cannot be used.

    Attributes
    ----------
    code
        ``nan | inf | range | stale | future | missing | duplicate | unit | implausible | frozen | unknown-object | partial``.
    text
        One sentence with numbers.
    count
        How many values it concerns.
    objects
        A few names, as examples.
    """

    code: str
    text: str
    count: int = 1
    objects: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Readings:
    """What one source said at one moment.

    Attributes
    ----------
    source
        Name of the source, such as ``prometheus`` or ``metrics.k8s.io``.
    asked_at_seconds
        Unix time at which it was asked, by our clock.
    nodes
        By node name, over `NodeReading`.
    pods, machines
        By namespace and name of the pod, and of the VMI, over `WorkloadReading`.
    problems
        What could not be used.
    """

    source: str
    asked_at_seconds: float
    nodes: Table
    pods: Table
    machines: Table
    problems: tuple[Problem, ...] = ()
