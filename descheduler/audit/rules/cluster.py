"""The cluster as a whole: what it bears, what it could lose, and what is reserved for nothing."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Final, NamedTuple

import numpy as np

from descheduler.audit.context import Context, divided
from descheduler.audit.findings import Finding, ObjectRef, Severity
from descheduler.audit.telling import Told, counted, finding, mark, numbers, on_cluster
from descheduler.policy.explain import percent
from ullage.estimation.forecast import swapped_bytes
from ullage.model.arrays import BoolArray, FloatArray, IntArray
from ullage.model.measures import WorkloadMeasure
from ullage.model.quantity import format_bytes
from ullage.model.resources import MEMORY_INDEX
from ullage.model.state import NodeFlag

STEP: Final = 0.2
"""Difference in overcommit that is worth a word."""
TOLERANCE_RATIO: Final = 0.05
HALF: Final = 0.5
"""Less than half of the guests measured says nothing of the whole; use below half of the requests is far below."""
LEAST_UNUSED_RATIO: Final = 0.01
"""Share of the cluster's memory from which on an unused reserve is worth a word."""
TOP: Final = 10


class Bearable(NamedTuple):
    """What overcommit the measured use would bear.

    Attributes
    ----------
    ratio
        ``target x guests / peaks`` over the measured VMs, at least 1; NaN where less than half of the guest memory is measured.
    risky, nodes
        Count of nodes whose peak would pass allocatable memory if they were filled at that overcommit with VMs like those that
        they have (``ratio x peaks / guests > 1``), and of nodes with measured VMs.
    guest_bytes, peak_bytes
        Sums over the measured VMs.
    one_reading
        Neither deviation nor peak of most of them is measured, so that peaks are what was read once.
    """

    ratio: float
    risky: int
    nodes: int
    guest_bytes: float
    peak_bytes: float
    one_reading: bool

    @property
    def risk_ratio(self) -> float:
        """Share of the nodes at risk, 0..1; NaN without any."""
        return self.risky / self.nodes if self.nodes else np.nan


def bearable(given: Context) -> Bearable:
    """The overcommit that fills a node to its target at the measured peaks, and the risk of it."""
    guest = given.state.workloads.guest_memory_bytes
    rows = given.machine & given.forecast.measured & (guest > 0)
    guests, peaks = given.on_nodes(np.where(rows, guest, 0.0)), _peaks(given, rows)
    total, peak = float(guests.sum()), float(peaks.sum())
    if peak <= 0 or total < HALF * float(np.nansum(np.where(given.machine, guest, 0.0))):
        return Bearable(np.nan, 0, 0, total, peak, one_reading=False)
    ratio = max(1.0, given.config.thresholds.memory.target * total / peak)
    risky = ratio * divided(peaks, guests) > 1
    return Bearable(ratio, int(risky.sum()), int((guests > 0).sum()), total, peak, _read_once(given, rows))


def _peaks(given: Context, rows: BoolArray) -> FloatArray:
    """Peak of the VMs of each node together, float64 (N,), with what they have in swap.

    VMs do not peak at the same moment: together they are taken to rise over their mean as their node does, but to no more than
    the sum of their own peaks.
    """
    use = given.forecast.use
    own = given.on_nodes(np.where(rows, use.landing[:, 1], 0.0))
    mean = given.on_nodes(np.where(rows, use.leaving[:, 1] + swapped_bytes(given.state), 0.0))
    return np.fmin(own, mean * divided(given.peak_bytes, given.working_set_bytes))


def _read_once(given: Context, rows: BoolArray) -> bool:
    measures = given.state.workloads.measures
    spread = measures.column(WorkloadMeasure.MEMORY_DEVIATION_BYTES)[rows]
    peak = measures.column(WorkloadMeasure.MEMORY_PEAK_BYTES)[rows]
    return bool((np.isnan(spread) & np.isnan(peak)).mean() > HALF)


def overcommit_room(given: Context) -> Iterator[Finding]:
    """The measured use would bear a clearly higher overcommit than the configured one."""
    found = bearable(given)
    if found.ratio >= given.cluster_overcommit_ratio + STEP:
        yield from on_cluster("overcommit-room", Severity.INFO, _borne(given, found))


def overcommit_too_high(given: Context) -> Iterator[Finding]:
    """Nodes that are filled at the configured overcommit peak above their target."""
    found = bearable(given)
    if found.ratio < given.cluster_overcommit_ratio * (1 - TOLERANCE_RATIO):
        yield from on_cluster("overcommit-too-high", Severity.WARNING, _borne(given, found))


def _borne(given: Context, found: Bearable) -> Told:
    target = given.config.thresholds.memory.target
    configured = given.cluster_overcommit_ratio
    once = " Each VM was read only once: peaks may be higher." if found.one_reading else ""
    text = (
        f"The measured use would bear an overcommit of {100 * found.ratio:.0f}% (target {mark(target)} x guests "
        f"{format_bytes(found.guest_bytes)} / peaks {format_bytes(found.peak_bytes)}); {100 * configured:.0f}% is configured. "
        f"Risk: {found.risky} of {counted(found.nodes, 'node')}, filled so, would pass allocatable memory.{once}"
    )
    return text, numbers(
        bearable_overcommit_ratio=found.ratio,
        overcommit_ratio=configured,
        risk_ratio=found.risk_ratio,
        nodes_at_risk=found.risky,
        guest_bytes=found.guest_bytes,
        peak_bytes=found.peak_bytes,
        target_ratio=target,
    )


def no_spare_node(given: Context) -> Iterator[Finding]:
    """Expected memory of all nodes against what is left without the largest one.

    A node of unknown use counts with its room and without use: what is found then is certain.
    """
    nodes = given.state.nodes
    host = nodes.has(NodeFlag.VM_SCHEDULABLE) | ~nodes.has(NodeFlag.CONTROL_PLANE)
    host &= nodes.has(NodeFlag.READY) & ~nodes.has(NodeFlag.UNSCHEDULABLE) & (given.allocatable_bytes > 0)
    rows = np.flatnonzero(host)
    if len(rows) < 2:
        return
    largest = int(rows[np.argmax(given.allocatable_bytes[rows])])
    peak = float(np.nansum(given.peak_bytes[rows]))
    left = float(given.allocatable_bytes[rows].sum() - given.allocatable_bytes[largest])
    high = given.config.thresholds.memory.high
    if peak > high * left:
        name = nodes.name[largest]
        text = f"Without {name} the memory in use at peak, {format_bytes(peak)}, would be {percent(peak / left)}"
        text += f" of the {format_bytes(left)} left (threshold {mark(high)})."
        told = text, numbers(peak_bytes=peak, left_bytes=left, memory_ratio=peak / left, threshold_ratio=high)
        yield from on_cluster("no-spare-node", Severity.WARNING, told, [name])


def over_reserved(given: Context) -> Iterator[Finding]:
    """Namespaces whose measured workloads use less than half of what they request, the worst ten."""
    workloads = given.state.workloads
    requests = np.where(given.forecast.measured, workloads.requests[:, MEMORY_INDEX], 0.0)
    peaks = np.where(given.forecast.measured, given.forecast.use.landing[:, 1], 0.0)
    least = LEAST_UNUSED_RATIO * float(np.nansum(given.allocatable_bytes))
    found = []
    for namespace, group in groupby(range(len(workloads)), key=workloads.namespace.__getitem__):
        rows = np.fromiter(group, dtype=np.int64)
        request, peak = float(requests[rows].sum()), float(peaks[rows].sum())
        if peak < HALF * request and request - peak >= least:
            found.append((peak - request, namespace, rows))
    for _, namespace, rows in sorted(found, key=lambda each: each[:2])[:TOP]:
        told = _unused(given, rows, requests[rows], peaks[rows])
        yield finding("over-reserved", Severity.INFO, ObjectRef("Namespace", "", namespace), told)


def _unused(given: Context, rows: IntArray, requests: FloatArray, peaks: FloatArray) -> Told:
    request, peak = float(requests.sum()), float(peaks.sum())
    known = int(given.forecast.measured[rows].sum())
    asks, peaks_at = ("requests", "peaks") if known == 1 else ("request", "peak")
    text = f"{counted(known, 'workload')} {asks} {format_bytes(request)} and {peaks_at} at {format_bytes(peak)}"
    text += f" ({percent(peak / request)}): {format_bytes(request - peak)} unused."
    most = ", ".join(f"{name} {format_bytes(size)}" for name, size in _by_owner(given, rows, requests - peaks)[:3])
    return f"{text} Most: {most}.", numbers(
        workloads=known,
        requested_bytes=request,
        peak_bytes=peak,
        unused_bytes=request - peak,
        used_ratio=peak / request,
    )


def _by_owner(given: Context, rows: IntArray, unused: FloatArray) -> list[tuple[str, float]]:
    """Unused bytes of each owner that leaves some, the largest first."""
    workloads, owners = given.state.workloads, given.state.owners
    sums: dict[str, float] = {}
    for row, size in zip(rows.tolist(), unused.tolist(), strict=True):
        owner = int(workloads.owner[row])
        name = owners[owner].name if owner >= 0 else workloads.name[row]
        sums[name] = sums.get(name, 0.0) + size
    left = [(name, size) for name, size in sums.items() if size > 0]
    return sorted(left, key=lambda item: (-item[1], item[0]))
