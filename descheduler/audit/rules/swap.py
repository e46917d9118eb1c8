"""Whether swap is there, is large enough, and covers what guests may take."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from descheduler.audit.context import Context
from descheduler.audit.findings import Finding, Severity
from descheduler.audit.telling import Told, counted, in_namespaces, machines, numbers, on_cluster, on_nodes
from descheduler.policy.explain import percent
from ullage.estimation.swap import swap_needed_bytes
from ullage.model.arrays import BoolArray, FloatArray, IntArray
from ullage.model.quantity import format_bytes
from ullage.model.state import NodeFlag, WorkloadFlag

OVERCOMMITTED: Final = 1.01
"""Guests over requests above which memory counts as overcommitted: rounding alone does not make it."""

ENOUGH: Final = 0.95
"""Swap is sized in whole gigabytes and partitions: one twentieth less is enough."""


def worst_case_unfit(given: Context) -> Iterator[Finding]:
    """Guests and overhead of all VMs against RAM and swap."""
    room, ratio = given.virtual_bytes, given.worst_case_ratio

    def tell(node: int) -> Told:
        commit = given.committed_bytes[node]
        text = f"In the worst case {format_bytes(commit)} are used; allocatable RAM and swap are {format_bytes(room[node])}"
        return f"{text} ({percent(ratio[node])}).", numbers(
            committed_bytes=commit, virtual_bytes=room[node], worst_case_ratio=ratio[node]
        )

    return on_nodes(given, (ratio > 1) & (given.machines > 0), "worst-case-unfit", Severity.WARNING, tell)


def swap_missing(given: Context) -> Iterator[Finding]:
    """Nodes with overcommitted VMs that report a swap of 0."""
    return on_nodes(
        given,
        (given.swap_bytes == 0) & _overcommitted(given),
        "swap-missing",
        Severity.WARNING,
        lambda node: _sized(given, node, "No swap"),
    )


def swap_too_small(given: Context) -> Iterator[Finding]:
    """Nodes with less swap than ``RAM x (overcommit - 1)``."""
    small = (given.swap_bytes > 0) & (given.swap_bytes < ENOUGH * _needed(given)) & _overcommitted(given)
    return on_nodes(
        given,
        small,
        "swap-too-small",
        Severity.WARNING,
        lambda node: _sized(given, node, f"{format_bytes(given.swap_bytes[node])} of swap"),
    )


def _sized(given: Context, node: int, found: str) -> Told:
    needed, ratio = _needed(given)[node], given.wanted_overcommit_ratio[node]
    text = f"{found}; {format_bytes(given.capacity_bytes[node])} of RAM at {100 * ratio:.0f}% overcommit"
    return f"{text} need {format_bytes(needed)}.", numbers(
        swap_bytes=given.swap_bytes[node],
        needed_bytes=needed,
        capacity_bytes=given.capacity_bytes[node],
        overcommit_ratio=ratio,
    )


def swap_unknown(given: Context) -> Iterator[Finding]:
    """Nodes that do not say what swap they have, and would need some."""
    lacking = given.committed_bytes - given.allocatable_bytes
    mask = np.isnan(given.swap_bytes) & _overcommitted(given) & (lacking > 0)
    rows = np.flatnonzero(mask)
    if not len(rows):
        return
    verb = "does not report its" if len(rows) == 1 else "do not report their"
    text = f"{counted(len(rows), 'node')} with overcommitted VMs {verb} swap; with full guests"
    text += f" up to {format_bytes(lacking[rows].max())} more than RAM would be used on one."
    told = text, numbers(nodes=len(rows), missing_bytes=float(lacking[rows].max()))
    yield from on_cluster("swap-unknown", Severity.WARNING, told, [given.state.nodes.name[row] for row in rows])


def control_plane_swap(given: Context) -> Iterator[Finding]:
    """Swap on control-plane nodes that run no VMs."""
    nodes = given.state.nodes
    mask = nodes.has(NodeFlag.CONTROL_PLANE) & ~nodes.has(NodeFlag.VM_SCHEDULABLE) & (given.swap_bytes > 0)

    def tell(node: int) -> Told:
        size = given.swap_bytes[node]
        return f"{format_bytes(size)} of swap on a control-plane node without VMs.", numbers(swap_bytes=size)

    return on_nodes(given, mask, "control-plane-swap", Severity.INFO, tell)


def share_too_small(given: Context) -> Iterator[Finding]:
    """VMs whose request and swap limit do not hold guest and overhead, on nodes whose swap is large enough as such."""
    own, node = given.shares, given.state.workloads.node
    enough = (given.swap_bytes > 0) & ~(given.swap_bytes < ENOUGH * _needed(given))
    short = own.commit_bytes * ENOUGH > own.share_bytes
    direct = given.state.workloads.has(WorkloadFlag.HOST_DIRECT)

    def tell(rows: IntArray) -> Told:
        commit, share = own.commit_bytes[rows].sum(), own.share_bytes[rows].sum()
        text = f"{machines(given, rows)} may take {format_bytes(commit)};"
        return f"{text} request and swap limit cover {format_bytes(share)}.", numbers(
            machines=len(rows), committed_bytes=commit, share_bytes=share
        )

    mask = given.machine & short & ~direct & enough[node]
    return in_namespaces(given, mask, "share-too-small", Severity.INFO, tell)


def _needed(given: Context) -> FloatArray:
    return swap_needed_bytes(given.capacity_bytes, given.wanted_overcommit_ratio)


def _overcommitted(given: Context) -> BoolArray:
    result: BoolArray = given.wanted_overcommit_ratio > OVERCOMMITTED
    return result
