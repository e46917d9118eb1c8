"""NodeMetrics and PodMetrics (``metrics.k8s.io``) as measures of nodes and workloads."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import IntEnum
from typing import Final

import msgspec
import numpy as np

from ullage.model.arrays import FloatArray, frozen
from ullage.model.measures import Measures, NodeMeasure, WorkloadMeasure
from ullage.model.resources import CPU, MEMORY
from ullage.sources.notes import NoteBook
from ullage.sources.objects import ContainerMetrics, NodeMetrics, PodMetrics, Quantities
from ullage.sources.wire_values import amount, seconds

SOURCE: Final = "metrics.k8s.io"
"""Name of this source of measures."""

MAX_AHEAD_SECONDS: Final = 3600.0
"""A sample this much newer than the median of all has a clock that is wrong."""

MAX_USE_RATIO: Final = 100.0
"""Use of more than this many times the node's capacity cannot be true."""

_NAMES: Final = (CPU, MEMORY, "swap")
_NODE_AXIS: Final = (NodeMeasure.CPU_MEAN_CORES, NodeMeasure.MEMORY_MEAN_BYTES, NodeMeasure.SWAP_USED_BYTES)
_POD_AXIS: Final = (WorkloadMeasure.CPU_MEAN_CORES, WorkloadMeasure.MEMORY_MEAN_BYTES, WorkloadMeasure.SWAP_USED_BYTES)


class Samples(msgspec.Struct, frozen=True, gc=False):
    """Use of some rows.

    Attributes
    ----------
    names
        What was measured, for notes.
    rows
        S rows of nodes or workloads, each at most once.
    at_seconds
        S unix times; NaN where the sample does not say.
    use
        S triples of CPU in cores, working set in bytes and swap in bytes, >= 0; NaN where not measured.
    """

    names: tuple[str, ...]
    rows: tuple[int, ...]
    at_seconds: tuple[float, ...]
    use: tuple[tuple[float, float, float], ...]


def node_samples(metrics: Iterable[NodeMetrics], nodes: Mapping[str, int], notes: NoteBook) -> Samples:
    """Samples of known nodes; `nodes` gives the row of each."""
    found = []
    for each in metrics:
        name, row = f"node {each.name}", nodes.get(each.name)
        if row is None:
            notes.add("metrics-of-unknown", name)
        else:
            found.append((name, row, seconds(each.timestamp), _use(each.usage, _noting(notes, name))))
    return _samples(found)


def pod_samples(
    metrics: Iterable[PodMetrics], workloads: Mapping[tuple[str, str], int | None], notes: NoteBook
) -> Samples:
    """Samples of known pods, summed over their containers.

    Parameters
    ----------
    metrics
        What was measured.
    workloads
        Row of each workload by namespace and name of its pod; ``None`` for a pod that is known and has no row.
    notes
        Takes what cannot be used.
    """
    found = []
    for each in metrics:
        name, key = f"pod {each.key}", (each.namespace, each.name)
        if key not in workloads:
            notes.add("metrics-of-unknown", name)
            continue
        row = workloads[key]
        if row is not None and each.containers:
            found.append((name, row, seconds(each.timestamp), _sum(each.containers, _noting(notes, name))))
    return _samples(found)


def _noting(notes: NoteBook, name: str) -> Callable[[str], None]:
    return lambda message: notes.add("bad-measure", name, message)


def _samples(found: Sequence[tuple[str, int, float, tuple[float, float, float]]]) -> Samples:
    names, rows, at, use = zip(*found, strict=True) if found else ((), (), (), ())
    return Samples(names, rows, at, use)


def _use(usage: Quantities | None, complain: Callable[[str], None]) -> tuple[float, float, float]:
    usage = usage or {}
    for name in _NAMES:
        if name in usage and math.isnan(amount(usage[name])):
            complain(f"{name} cannot be {usage[name]!r}")
    return amount(usage.get(_NAMES[0])), amount(usage.get(_NAMES[1])), amount(usage.get(_NAMES[2]))


def _sum(containers: Sequence[ContainerMetrics], complain: Callable[[str], None]) -> tuple[float, float, float]:
    # NaN in one container makes the sum NaN, as it must: the rest alone would look like all of it.
    cpu, memory, swap = zip(*(_use(each.usage, complain) for each in containers), strict=True)
    return sum(cpu), sum(memory), sum(swap)


def observed_at_seconds(samples: Sequence[Samples]) -> float:
    """Newest time among samples, but for clocks that run ahead; NaN if no sample says its time."""
    at = _times(samples)
    return float(at[at <= _latest(at)].max()) if len(at) else math.nan


def _times(samples: Sequence[Samples]) -> FloatArray:
    at = np.array([time for each in samples for time in each.at_seconds], dtype=np.float64)
    return at[~np.isnan(at)]


def _latest(at: FloatArray) -> float:
    return float(np.median(at)) + MAX_AHEAD_SECONDS


def measures(
    samples: tuple[Samples, Samples], nodes: FloatArray, workloads: FloatArray, now: float, notes: NoteBook
) -> tuple[Measures, Measures]:
    """Measures of nodes and of workloads.

    Parameters
    ----------
    samples
        Of nodes and of workloads.
    nodes, workloads
        float64 (rows, 2), capacity in cores and bytes of each node, and of each workload's node; NaN if unknown.
    now
        Unix time that ages are counted from.
    notes
        Takes measures that cannot be true: from a clock that runs ahead, or beyond `MAX_USE_RATIO` of the capacity.
    """
    at = _times(samples)
    latest = _latest(at) if len(at) else math.inf
    of_nodes = _measures(samples[0], nodes, (now, latest), _NODE_AXIS, notes)
    return of_nodes, _measures(samples[1], workloads, (now, latest), _POD_AXIS, notes)


def _measures(
    samples: Samples, capacity: FloatArray, time: tuple[float, float], axis: Sequence[IntEnum], notes: NoteBook
) -> Measures:
    now, latest = time
    rows = np.array(samples.rows, dtype=np.intp)
    at = np.array(samples.at_seconds, dtype=np.float64)
    use = np.array(samples.use, dtype=np.float64).reshape(-1, len(_NAMES))
    most = MAX_USE_RATIO * capacity[rows][:, [0, 1, 1]]
    is_ahead, is_too_much = at > latest, (use > most) | np.isinf(use)
    _note_bad(samples, is_ahead.tolist(), [bool(each.any()) for each in is_too_much], notes)
    use = np.where(is_too_much | is_ahead[:, None], np.nan, use)
    shape = (len(capacity), len(type(axis[0])))
    value, age = np.full(shape, np.nan), np.full(shape, np.nan)
    ages = np.where(np.isnan(at), 0.0, now - at)
    for column, measure in enumerate(axis):
        value[rows, int(measure)] = use[:, column]
        age[rows, int(measure)] = np.where(np.isnan(use[:, column]), np.nan, ages)
    source = np.where(np.isnan(value), -1, 0)
    return Measures(frozen(value, np.float64), frozen(age, np.float64), frozen(source, np.int8))


def _note_bad(samples: Samples, ahead: Sequence[bool], too_much: Sequence[bool], notes: NoteBook) -> None:
    for name, is_ahead, is_too_much in zip(samples.names, ahead, too_much, strict=True):
        if is_ahead:
            notes.add("bad-measure", name, f"its time is more than {MAX_AHEAD_SECONDS / 3600:.0f} h ahead of the rest")
        elif is_too_much:
            notes.add("bad-measure", name, f"more than {MAX_USE_RATIO:.0f} times the node's capacity")
