"""The cluster as kube-scheduler's extender reads it: a float32 matrix with a row per fact and a column per node.

A generation is turned into this once (`ullage.scoring.view`), so that a pod costs a few passes over contiguous memory. The
last column of the matrix is no node: it holds the median of every fact. Row index -1, which stands for a name that is not
known, falls on it, so such a node is scored as the median node; facts that were not measured hold the median, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from ullage.config import Configuration
from ullage.estimation.forecast import Forecast
from ullage.model.arrays import BoolArray, FloatArray, Int16Array
from ullage.model.state import ClusterState, Owner

if TYPE_CHECKING:
    from ullage.scoring.demand import Demand
    from ullage.scoring.judged import Judged
    from ullage.scoring.landing import Scorer

Float32Array: TypeAlias = npt.NDArray[np.float32]


class Column(IntEnum):
    """Rows of the matrix. A share is of the hard limit: predicted use over ``allocatable * limit``."""

    CPU_SHARE = 0
    """Predicted CPU peak, with what is not shown yet, as a share."""
    MEMORY_SHARE = 1
    COMMIT_OVER_RAM = 2
    """Use if every guest were full, over allocatable memory."""
    COMMIT_OVER_VIRTUAL = 3
    """The same over allocatable memory and swap."""
    CPU_SHARE_PER_CORE = 4
    """From here on, by what a unit of the pod raises the four before."""
    MEMORY_SHARE_PER_BYTE = 5
    PER_RAM_BYTE = 6
    PER_VIRTUAL_BYTE = 7
    GROWTH_SHARE = 8
    """Memory that the node's growth takes within the horizon, as a share; 0 where growth is not significant."""
    CPU_MEAN_CORES = 9
    MEMORY_MEAN_BYTES = 10
    CPU_DEVIATION_CORES = 11
    MEMORY_DEVIATION_BYTES = 12
    CPU_ALLOCATABLE_CORES = 13
    MEMORY_ALLOCATABLE_BYTES = 14
    CPU_CAPACITY_CORES = 15
    MEMORY_CAPACITY_BYTES = 16
    CPU_REQUESTED_CORES = 17
    MEMORY_REQUESTED_BYTES = 18
    CPU_LIMITS_CORES = 19
    """Sum of the limits, each at least the request."""
    MEMORY_LIMITS_BYTES = 20
    SWAP_LEFT_BYTES = 21
    SWAP_NEEDED_BYTES = 22
    """Swap that the configured overcommit asks for; the node's swap where nothing is overcommitted."""
    SWAP_USED_RATIO = 23
    PSI_CPU_SOME_RATIO = 24
    PSI_MEMORY_SOME_RATIO = 25
    PSI_MEMORY_FULL_RATIO = 26


class Room(IntEnum):
    """What a node can still take before a hard limit is reached: cores, bytes, bytes; infinite where it is not known."""

    CPU_CORES = 0
    MEMORY_BYTES = 1
    COMMIT_BYTES = 2


@dataclass(frozen=True, eq=False)
class NodeView:
    """One generation, made ready for pods. Immutable; N nodes.

    Attributes
    ----------
    state, config, forecast
        What it was made from.
    names, index
        Node names, and the row of each.
    matrix
        float32 (C, N + 1) over `Column`, no NaN; column N is the median node.
    raw
        float32 (C, N + 1), the same with NaN where nothing is known, and in column N.
    room
        float32 (3, N + 1) over `Room`, >= or < 0, no NaN; infinite where unknown and for the median node.
    least
        Minimum of each row of `room`.
    trouble
        int16 (N + 1,): index into `codes` of the first filter that rejects the node whatever the pod; 0 is none.
    codes
        Codes of the filters in their order, after "" for a node that is kept.
    known
        bool (N,): CPU and memory use is known and fresh, and the node is ready.
    unshown
        float64 (N, 2): cores and bytes of workloads that the node's measures do not show yet (already in the shares).
    siblings
        float64 (O, 4) per owner: mean over its measured workloads of predicted cores and bytes, and of the deviations of both;
        NaN without any.
    owners
        Row of `siblings` by owner.
    terms, weights
        Scorers that depend on the pod, and their weights, float32 (T,), as shares of all weights.
    fixed
        float32 (N + 1,): weighted sum of the scorers that do not depend on the pod.
    demands
        Demands that were estimated on this view, by what they depend on: a memory of `ullage.scoring.demand.estimate`.
    judged
        What demands come to on every node: a memory of `ullage.scoring.judged`. These two are the members that change; no
        result depends on what is in them.
    """

    state: ClusterState
    config: Configuration
    forecast: Forecast
    names: tuple[str, ...]
    index: Mapping[str, int]
    matrix: Float32Array
    raw: Float32Array
    room: Float32Array
    least: tuple[float, ...]
    trouble: Int16Array
    codes: tuple[str, ...]
    known: BoolArray
    unshown: FloatArray
    siblings: FloatArray
    owners: Mapping[Owner, int]
    terms: tuple[Scorer, ...]
    weights: Float32Array
    fixed: Float32Array
    demands: dict[tuple[object, ...], Demand] = field(default_factory=dict, init=False, repr=False)
    judged: dict[Demand, Judged] = field(default_factory=dict, init=False, repr=False)

    def __len__(self) -> int:
        return len(self.names)
