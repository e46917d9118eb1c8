"""Nodes that are short of memory now, or will be within hours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from descheduler.audit.context import Context, divided
from descheduler.audit.findings import Finding, Severity
from descheduler.audit.telling import Told, mark, numbers, on_nodes, span, victims
from descheduler.policy.explain import percent
from ullage.estimation.exhaustion import Exhaustion
from ullage.estimation.oom import DEFAULT_HARD, eviction_distance_bytes
from ullage.estimation.swap import PAGE_BYTES, plausible
from ullage.model.measures import NodeMeasure
from ullage.model.quantity import format_bytes
from ullage.model.state import NodeFlag

HOUR_SECONDS: Final = 3600.0
SHIFT_SECONDS: Final = 6 * HOUR_SECONDS
"""Beyond six hours a growth is a matter for tomorrow's plan."""

STALLED_RATIO, STALLED_CRITICAL_RATIO = 0.25, 0.5
"""Colours of OpenShift's "Nodes Memory" dashboard for pressure stalls of memory; no measurement backs them."""

STORM_PAGES, STORM_CRITICAL_PAGES = 200.0, 1000.0
"""Pages per second in and out: the alert NodeHighSwapActivity, and the rate at which wasp-agent 1.0 evicted."""

SWAP_USED_RATIO, SWAP_USED_CRITICAL_RATIO = 0.8, 0.95
"""wasp-agent 1.0 evicted when RAM and 80 % of swap were used."""


def memory_pressure(given: Context) -> Iterator[Finding]:
    """The condition MemoryPressure."""

    def tell(node: int) -> Told:
        used = given.working_set_bytes[node]
        text = f"The kubelet reports MemoryPressure; {format_bytes(used)} in use." if used == used else ""
        return (text or "The kubelet reports MemoryPressure.") + victims(given, given.dies_next[node]), numbers(
            working_set_bytes=used, capacity_bytes=given.capacity_bytes[node]
        )

    mask = given.state.nodes.has(NodeFlag.MEMORY_PRESSURE)
    return on_nodes(given, mask, "memory-pressure", Severity.CRITICAL, tell)


def eviction_near(given: Context) -> Iterator[Finding]:
    """The expected peak reaches the kubelet's default threshold, ``memory.available<100Mi``, or pods use all that is theirs.

    The kubelet applies the same threshold to the pods' own cgroup, which holds allocatable memory and the threshold.
    """
    near = eviction_distance_bytes(given.capacity_bytes, given.peak_bytes) < 0

    def tell(node: int) -> Told:
        peak, capacity = given.peak_bytes[node], given.capacity_bytes[node]
        threshold = float(DEFAULT_HARD.bytes_of(capacity))
        pods, room = given.pods_bytes[node], given.allocatable_bytes[node]
        text = f"Pods use {format_bytes(pods)} of {format_bytes(room)} allocatable; the kubelet evicts from there on."
        if near[node]:
            text = (
                f"Memory is expected to peak at {format_bytes(peak)} of {format_bytes(capacity)}; "
                f"the kubelet evicts with less than {format_bytes(threshold)} left."
            )
        return text + victims(given, given.dies_next[node]), numbers(
            peak_bytes=peak,
            capacity_bytes=capacity,
            threshold_bytes=threshold,
            pods_bytes=pods,
            allocatable_bytes=room,
        )

    crowded = given.pods_bytes > given.allocatable_bytes
    return on_nodes(given, near | crowded, "eviction-near", Severity.CRITICAL, tell)


def exhaustion_near(given: Context) -> Iterator[Finding]:
    """RAM is used up within six hours at the present growth; critical within one."""
    seconds = given.exhaustion.ram.seconds
    growth = given.measure(NodeMeasure.MEMORY_GROWTH_BYTES_PER_SECOND)

    def tell(node: int) -> Told:
        ram, both = given.exhaustion.ram, given.exhaustion.ram_and_swap
        swap = "" if np.isnan(both.seconds[node]) else f"; RAM and swap {_in_time(both, node)}"
        return f"Memory grows by {_rate(growth[node])}: RAM is used up {_in_time(ram, node)}{swap}.", numbers(
            growth_bytes_per_second=growth[node],
            ram_exhausted_seconds=ram.seconds[node],
            ram_exhausted_earliest_seconds=ram.earliest_seconds[node],
            ram_exhausted_latest_seconds=ram.latest_seconds[node],
            memory_exhausted_seconds=both.seconds[node],
        )

    # A node that is full and does not grow is not near its end: other rules speak of it.
    grows = growth > 0
    soon, later = grows & (seconds <= HOUR_SECONDS), grows & (seconds > HOUR_SECONDS) & (seconds <= SHIFT_SECONDS)
    yield from on_nodes(given, soon, "exhaustion-near", Severity.CRITICAL, tell)
    yield from on_nodes(given, later, "exhaustion-near", Severity.WARNING, tell)


def memory_stalled(given: Context) -> Iterator[Finding]:
    """Pressure stalls of memory (PSI some)."""
    some = given.measure(NodeMeasure.PSI_MEMORY_SOME_RATIO)
    full = given.measure(NodeMeasure.PSI_MEMORY_FULL_RATIO)

    def tell(node: int) -> Told:
        everyone = "" if np.isnan(full[node]) else f", and all at once {percent(full[node])}"
        return f"Some task waits for memory {percent(some[node])} of the time{everyone}.", numbers(
            psi_memory_some_ratio=some[node], psi_memory_full_ratio=full[node]
        )

    critical = some >= STALLED_CRITICAL_RATIO
    yield from on_nodes(given, critical, "memory-stalled", Severity.CRITICAL, tell)
    yield from on_nodes(given, (some >= STALLED_RATIO) & ~critical, "memory-stalled", Severity.WARNING, tell)


def swap_storm(given: Context) -> Iterator[Finding]:
    """Swap-in and swap-out at the same time; one of them alone is work that ends."""
    into = plausible(given.measure(NodeMeasure.SWAP_IN_BYTES_PER_SECOND))
    out = plausible(given.measure(NodeMeasure.SWAP_OUT_BYTES_PER_SECOND))
    both = np.minimum(into, out)

    def tell(node: int) -> Told:
        return f"Swaps {_rate(into[node])} in and {_rate(out[node])} out.", numbers(
            swap_in_bytes_per_second=into[node], swap_out_bytes_per_second=out[node]
        )

    critical = both >= STORM_CRITICAL_PAGES * PAGE_BYTES
    yield from on_nodes(given, critical, "swap-storm", Severity.CRITICAL, tell)
    yield from on_nodes(given, (both >= STORM_PAGES * PAGE_BYTES) & ~critical, "swap-storm", Severity.WARNING, tell)


def swap_nearly_full(given: Context) -> Iterator[Finding]:
    """Swap in use over its capacity."""
    ratio = divided(given.swap_used_bytes, given.swap_bytes)

    def tell(node: int) -> Told:
        used, size, left = given.swap_used_bytes[node], given.swap_bytes[node], given.swap_left_bytes[node]
        text = f"{format_bytes(used)} of {format_bytes(size)} swap in use ({percent(ratio[node])})"
        return f"{text}; {format_bytes(left)} left.", numbers(
            swap_bytes=size, swap_used_bytes=used, swap_left_bytes=left, swap_used_ratio=ratio[node]
        )

    critical = ratio >= SWAP_USED_CRITICAL_RATIO
    yield from on_nodes(given, critical, "swap-nearly-full", Severity.CRITICAL, tell)
    yield from on_nodes(given, (ratio >= SWAP_USED_RATIO) & ~critical, "swap-nearly-full", Severity.WARNING, tell)


def memory_over(given: Context) -> Iterator[Finding]:
    """Expected memory above ``thresholds.memory.high``."""
    ratio, high = given.memory_ratio, given.config.thresholds.memory.high

    def tell(node: int) -> Told:
        peak, room = given.peak_bytes[node], given.allocatable_bytes[node]
        text = f"Memory is expected to peak at {percent(ratio[node])} of allocatable"
        return f"{text} ({format_bytes(peak)} of {format_bytes(room)}; threshold {mark(high)}).", numbers(
            memory_ratio=ratio[node], threshold_ratio=high, peak_bytes=peak, allocatable_bytes=room
        )

    return on_nodes(given, ratio > high, "memory-over", Severity.WARNING, tell)


def _rate(bytes_per_second: float) -> str:
    return f"{format_bytes(bytes_per_second)}/s"


def _in_time(left: Exhaustion, node: int) -> str:
    if left.seconds[node] == 0:
        return "already"
    time, earliest, latest = (span(each[node]) for each in (left.seconds, left.earliest_seconds, left.latest_seconds))
    return f"in {time}" if earliest == latest else f"in {time} ({earliest} to {latest})"
