"""Nodes whose figures promise more than there is, and who would pay for it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from descheduler.audit.context import Context
from descheduler.audit.findings import Finding, Severity
from descheduler.audit.telling import Told, numbers, on_nodes
from ullage.estimation.danger import exempt
from ullage.estimation.oom import DEFAULT_HARD
from ullage.estimation.swap import plausible
from ullage.model.arrays import FloatArray
from ullage.model.measures import NodeMeasure
from ullage.model.quantity import format_bytes
from ullage.model.resources import HUGEPAGES_PREFIX, MEMORY_INDEX

SYSTEM_MARGIN_RATIO = 0.01
"""Share of RAM by which the system may pass its reserve: node and pods are not measured at the same moment."""


def ksm_debt(given: Context) -> Iterator[Finding]:
    """Use plus what KSM saves, against allocatable memory."""
    saved = plausible(given.measure(NodeMeasure.KSM_SAVED_BYTES))
    without = given.working_set_bytes + saved

    def tell(node: int) -> Told:
        room = given.allocatable_bytes[node]
        text = f"KSM saves {format_bytes(saved[node])}; without it {format_bytes(without[node])}"
        return f"{text} of {format_bytes(room)} allocatable would be in use.", numbers(
            ksm_saved_bytes=saved[node], without_ksm_bytes=without[node], allocatable_bytes=room
        )

    mask = (saved > 0) & (without > given.allocatable_bytes)
    return on_nodes(given, mask, "ksm-debt", Severity.WARNING, tell)


def system_reserved_small(given: Context) -> Iterator[Finding]:
    """What is kept from pods, against what the system uses; or nothing at all is kept.

    The system uses the node's working set less that of its workloads: known only where all of them are measured. Hugepages are
    kept from pods, too, but not for the system.
    """
    reserved = given.capacity_bytes - given.allocatable_bytes - _hugepages(given)
    system = given.working_set_bytes - given.pods_bytes
    none = reserved < DEFAULT_HARD.bytes_of(given.capacity_bytes)
    over = system > reserved + SYSTEM_MARGIN_RATIO * given.capacity_bytes

    def tell(node: int) -> Told:
        uses = "" if np.isnan(system[node]) else f"; the system uses {format_bytes(max(system[node], 0.0))}"
        size = format_bytes(max(reserved[node], 0.0)) if reserved[node] > 0 else "No memory"
        verb = "is" if reserved[node] <= 0 else "are"
        return f"{size} {verb} reserved for the system{uses}.", numbers(
            reserved_bytes=reserved[node], system_bytes=system[node]
        )

    return on_nodes(given, none | over, "system-reserved-small", Severity.WARNING, tell)


def _hugepages(given: Context) -> FloatArray:
    columns = [i for i, name in enumerate(given.state.resources) if name.startswith(HUGEPAGES_PREFIX)]
    total: FloatArray = np.nan_to_num(given.state.nodes.capacity[:, columns]).sum(axis=1)
    return total


def high_priority_first(given: Context) -> Iterator[Finding]:
    """The kubelet's first victim is a VM above its request, although workloads of lower priority are there."""
    workloads, lowest = given.state.workloads, _lowest_priority(given)
    first = np.array([rows[0] if rows else -1 for rows in given.dies_next], dtype=np.int64)
    if not len(workloads):
        return
    priority = workloads.priority[first]
    mask = (first >= 0) & given.machine[first] & (priority > 0) & (priority > lowest)
    over = given.memory_ratio > given.config.thresholds.memory.high

    def tell(node: int) -> Told:
        row = int(first[node])
        excess = given.use_bytes[row] - workloads.requests[row, MEMORY_INDEX]
        text = (
            f"{workloads.key(row)} (priority {workloads.priority[row]}) is evicted first: it is {format_bytes(excess)}"
        )
        return f"{text} above its request; the lowest priority there is {lowest[node]:.0f}.", numbers(
            priority=int(workloads.priority[row]), lowest_priority=int(lowest[node]), excess_bytes=excess
        )

    yield from on_nodes(given, mask & over, "high-priority-first", Severity.WARNING, tell)
    yield from on_nodes(given, mask & ~over, "high-priority-first", Severity.INFO, tell)


def _lowest_priority(given: Context) -> FloatArray:
    """Lowest priority of what may be evicted on each node; infinity without any."""
    workloads = given.state.workloads
    rows = ~exempt(given.state)
    lowest = np.full(len(given.state.nodes), np.inf)
    np.minimum.at(lowest, workloads.node[rows], workloads.priority[rows])
    return lowest
