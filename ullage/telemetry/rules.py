"""Which values of a reading are believed: age, range, unit and plausibility, one verdict per cell.

A verdict is made of the reading, of what the nodes can allocate and of nothing else, so that the same reading is judged
alike when it is restored. Where several rules are broken, the first of `Fault` that was found stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Final

import msgspec
import numpy as np

from ullage.model.arrays import BoolArray, FloatArray, Int8Array, IntArray
from ullage.telemetry.readings import NodeReading, Problem, Table, WorkloadReading

OVERSHOOT: Final = 1.1
"""A ratio, or use over capacity, is believed up to here: ``rate`` extrapolates to the ends of its window."""

EXAMPLES: Final = 3
"""Most names that a problem carries."""

_PERCENT: Final = 100.0
_KIBI: Final = 1024.0
_LEAST_NODE_BYTES: Final = 128 * 2.0**20  # kernel, kubelet and container runtime use more than this on any node
_STALLED_RATIO: Final = 0.1
_SWAP_IN_BYTES_PER_SECOND: Final = 4 * 2.0**20  # a thousand pages per second: a working set that does not fit

_USE: Final = (NodeReading.CPU_CORES, NodeReading.MEMORY_BYTES)
_OF_RAM: Final = (
    NodeReading.MEMORY_BYTES,
    NodeReading.MEMORY_AVAILABLE_BYTES,
    NodeReading.MEMORY_ANONYMOUS_BYTES,
    NodeReading.MEMORY_CACHE_BYTES,
)


class Fault(IntEnum):
    """Why a cell is not believed; several may share the code of a `Problem`."""

    NONE = 0
    NAN = 1
    INFINITE = 2
    FUTURE = 3
    STALE = 4
    NEGATIVE = 5
    """A rate below 0 is a counter that was reset."""
    RANGE = 6
    UNIT = 7
    DUPLICATE = 8
    ABOVE_CAPACITY = 9
    BELOW_WORKLOADS = 10
    """The node claims less than its workloads use."""
    IDLE_BUT_STALLED = 11
    FROZEN = 12
    NO_USE = 13
    """Exactly 0: kernel, kubelet and container runtime use something on any node."""

    @property
    def code(self) -> str:
        """Code of its problem."""
        return _CODES[self]


_CODES: Final = (
    "",
    "nan",
    "inf",
    "future",
    "stale",
    "range",
    "range",
    "unit",
    "duplicate",
    "implausible",
    "implausible",
    "implausible",
    "frozen",
    "implausible",
)

_MEANINGS: Final = (
    "",
    "not a number",
    "infinite",
    "sampled in the future",
    "sampled too long ago",
    "below 0",
    "out of range",
    "in another unit, it seems",
    "given twice, with values that differ by more than 5 %",
    "above the capacity of the node",
    "less than the workloads of the node use",
    "of nodes that look idle while their tasks wait for memory",
    "bit by bit the same for too many readings",
    "exactly 0, as the use of no running node is",
)


class Limits(msgspec.Struct, frozen=True):
    """Where belief ends.

    Attributes
    ----------
    stale_seconds, future_seconds
        Most that a sample may be older or newer than the moment at which it was asked for.
    unit_factor
        Use of more than this many times the capacity is in another unit.
    implausible_ratio
        Share of a node's capacity that its workloads may use beyond what the node claims.
    idle_ratios
        Share of CPU and memory below both of which a node looks idle.
    """

    stale_seconds: float = 90.0
    future_seconds: float = 30.0
    unit_factor: float = 100.0
    implausible_ratio: float = 0.15
    idle_ratios: tuple[float, float] = (0.5, 0.5)


def cell_faults(table: Table, axis: type[IntEnum], asked_at_seconds: float, limits: Limits) -> Int8Array:
    """What can be said of each cell by itself, int8 (K, M) of `Fault`.

    A cell without value and without time was not read; that is no fault. A value without a time is stale.
    """
    value, at = table.value, table.at_seconds
    has_value, has_time = ~np.isnan(value), ~np.isnan(at)
    is_ratio = np.array([member.name.endswith("_RATIO") for member in axis])
    high = np.where(is_ratio, OVERSHOOT, np.inf)
    return _first(
        value.shape,
        (Fault.NAN, ~has_value & has_time),
        (Fault.INFINITE, np.isinf(value)),
        (Fault.FUTURE, at > asked_at_seconds + limits.future_seconds),
        (Fault.STALE, has_value & ~(at >= asked_at_seconds - limits.stale_seconds)),
        (Fault.NEGATIVE, value < 0),
        (Fault.RANGE, value > high * _PERCENT),
        (Fault.UNIT, value > high),
    )


def workload_faults(value: FloatArray, capacity: FloatArray, limits: Limits) -> Int8Array:
    """What can be said of workloads beside their nodes, int8 (K, M).

    Parameters
    ----------
    value
        float64 (K, M) over `WorkloadReading`.
    capacity
        float64 (K, 2), cores and bytes of the node of each; NaN is not known and refuses nothing.
    """
    use = [WorkloadReading.CPU_CORES, WorkloadReading.MEMORY_BYTES]
    faults = np.zeros(value.shape, np.int8)
    faults[:, use] = _first(
        (len(value), 2),
        (Fault.UNIT, value[:, use] > limits.unit_factor * capacity),
        (Fault.ABOVE_CAPACITY, value[:, use] > OVERSHOOT * capacity),
    )
    return faults


def node_faults(value: FloatArray, capacity: FloatArray, of_workloads: FloatArray, limits: Limits) -> Int8Array:
    """What can be said of nodes beside their capacity and their workloads, int8 (K, M).

    Parameters
    ----------
    value
        float64 (K, M) over `NodeReading`.
    capacity
        float64 (K, 2), cores and bytes; NaN is not known and refuses nothing.
    of_workloads
        float64 (K, 2): what the workloads of each node were seen to use, as far as they were.
    """
    faults = np.zeros(value.shape, np.int8)
    ram = list(_OF_RAM)
    faults[:, ram] = _ram_faults(value[:, ram], value[:, NodeReading.MEMORY_TOTAL_BYTES], capacity[:, 1], limits)
    faults[:, NodeReading.CPU_CORES] = _cpu_faults(value[:, NodeReading.CPU_CORES], capacity, of_workloads, limits)
    use = list(_USE)
    faults[:, use] = either(faults[:, use], _lies(value, capacity, of_workloads, limits))
    return faults


def either(first: Int8Array, second: Int8Array) -> Int8Array:
    """The first fault of each cell, else the second."""
    return np.where(first > 0, first, second)


def accepted(value: FloatArray, faults: Int8Array, axis: type[IntEnum]) -> FloatArray:
    """Values without those that are not believed (NaN); ratios that overshoot are 1."""
    most = np.where([member.name.endswith("_RATIO") for member in axis], 1.0, np.inf)
    return np.where(faults > 0, np.nan, np.minimum(value, most))


def problems(keys: Sequence[str], faults: Int8Array, axis: type[IntEnum]) -> list[Problem]:
    """One problem per fault that was found, with numbers and a few names."""
    found = []
    for fault in np.unique(faults[faults > 0]):
        rows, columns = np.nonzero(faults == fault)
        names = [member.name.lower() for member in axis if int(member) in set(columns.tolist())]
        concerned: IntArray = np.unique(rows)
        text = (
            f"{len(rows):,} values of {len(concerned):,} objects are {_MEANINGS[fault]}: {', '.join(names[:EXAMPLES])}."
        )
        shown = tuple(sorted(keys[row] for row in concerned[:EXAMPLES]))
        found.append(Problem(Fault(fault).code, text, len(rows), shown))
    return found


def _cpu_faults(cpu: FloatArray, capacity: FloatArray, of_workloads: FloatArray, limits: Limits) -> Int8Array:
    # More than the kubelet found at its start is believed where other measures agree: cores can be added to a machine.
    is_seen_below = of_workloads[:, 0] >= cpu - limits.implausible_ratio * capacity[:, 0]
    return _first(
        cpu.shape,
        (Fault.UNIT, cpu > limits.unit_factor * capacity[:, 0]),
        (Fault.ABOVE_CAPACITY, (cpu > OVERSHOOT * capacity[:, 0]) & ~is_seen_below),
    )


def _ram_faults(value: FloatArray, total: FloatArray, capacity: FloatArray, limits: Limits) -> Int8Array:
    scale = total / capacity
    is_scaled = (scale * _KIBI / 2 < 1) | (scale > _KIBI / 2)
    least = np.minimum(capacity / _KIBI, _LEAST_NODE_BYTES)
    is_small = np.zeros(value.shape, np.bool_)
    is_small[:, 0] = (value[:, 0] > 0) & (value[:, 0] < least)
    return _first(
        value.shape,
        (Fault.UNIT, is_scaled[:, None] | is_small | (value > limits.unit_factor * capacity[:, None])),
        (Fault.ABOVE_CAPACITY, value > OVERSHOOT * capacity[:, None]),
    )


def _lies(value: FloatArray, capacity: FloatArray, of_workloads: FloatArray, limits: Limits) -> Int8Array:
    """Nodes that claim less than can be, in CPU and memory: int8 (K, 2)."""
    use = value[:, list(_USE)]
    hidden = of_workloads - use
    # Pages that KSM shares stand in every guest and once in the node.
    hidden[:, 1] -= np.nan_to_num(value[:, NodeReading.KSM_SAVED_BYTES])
    looks_idle = (use < np.array(limits.idle_ratios) * capacity).all(axis=1)
    # Stalls on CPU are no sign: a container that its own limit throttles counts as waiting on an idle node, too.
    is_stalled = (value[:, NodeReading.PSI_MEMORY_FULL_RATIO] >= _STALLED_RATIO) | (
        value[:, NodeReading.SWAP_IN_BYTES_PER_SECOND] >= _SWAP_IN_BYTES_PER_SECOND
    )
    return _first(
        use.shape,
        (Fault.NO_USE, use == 0),
        (Fault.BELOW_WORKLOADS, hidden > limits.implausible_ratio * capacity),
        (Fault.IDLE_BUT_STALLED, np.repeat((looks_idle & is_stalled)[:, None], 2, axis=1)),
    )


def _first(shape: tuple[int, ...], *rules: tuple[Fault, BoolArray]) -> Int8Array:
    faults = np.zeros(shape, np.int8)
    for fault, broken in reversed(rules):
        faults[broken] = int(fault)
    return faults
