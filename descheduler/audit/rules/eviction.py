"""What an eviction, a drain or a migration would do to VMs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from descheduler.audit.context import Context
from descheduler.audit.findings import Finding, Severity
from descheduler.audit.telling import Told, in_namespaces, machines, numbers
from descheduler.policy.eligibility import Protection, eligibility
from descheduler.policy.migrating import course
from ullage.estimation.forecast import swapped_bytes
from ullage.estimation.migration import why_not_migratable
from ullage.model.arrays import BoolArray, FloatArray, IntArray
from ullage.model.measures import WorkloadMeasure
from ullage.model.quantity import format_bytes
from ullage.model.state import EvictionStrategy, WorkloadFlag


def eviction_kills(given: Context) -> Iterator[Finding]:
    """No eviction strategy, or LiveMigrateIfPossible and not possible (`ullage.estimation.migration.evict`).

    A VM that does not say whether it can migrate is not meant: nothing is known of it.
    """
    workloads = given.state.workloads
    bare = given.machine & np.isin(workloads.eviction_strategy, (EvictionStrategy.UNSET, EvictionStrategy.NONE))
    stuck = _stuck(given, EvictionStrategy.LIVE_MIGRATE_IF_POSSIBLE)

    def tell(rows: IntArray) -> Told:
        without, cannot = int(bare[rows].sum()), int(stuck[rows].sum())
        causes = ((without, "without an eviction strategy"), (cannot, "with LiveMigrateIfPossible, but not migratable"))
        told = [f"{n} {cause}" if n < len(rows) else cause for n, cause in causes if n]
        return f"An eviction would kill {machines(given, rows)}: {', '.join(told)}.", numbers(
            machines=len(rows), without_strategy=without, not_migratable=cannot
        )

    return in_namespaces(given, bare | stuck, "eviction-kills", Severity.WARNING, tell)


def drain_blocked(given: Context) -> Iterator[Finding]:
    """LiveMigrate, and not possible: KubeVirt refuses the eviction each time that it is asked."""
    reasons = given.state.workloads.blocked_reason

    def tell(rows: IntArray) -> Told:
        counts = Counter(reasons[row].partition(":")[0] for row in rows.tolist())
        most = sorted(counts, key=lambda reason: (-counts[reason], reason))
        causes = ", ".join(f"{reason or 'no reason given'} {counts[reason]}" for reason in most[:3])
        text = f"{machines(given, rows)} must migrate and cannot: {causes}. {why_not_migratable(most[0])}"
        return text, numbers(machines=len(rows))

    mask = _stuck(given, EvictionStrategy.LIVE_MIGRATE)
    return in_namespaces(given, mask, "drain-blocked", Severity.WARNING, tell)


def migration_would_fail(given: Context) -> Iterator[Finding]:
    """Measured dirty rates against the bandwidth, and the copy against KubeVirt's deadline."""
    dirty = given.state.workloads.measures.column(WorkloadMeasure.DIRTY_RATE_BYTES_PER_SECOND)
    bandwidth = _bandwidth(given)

    def tell(rows: IntArray) -> Told:
        most = float(np.nanmax(dirty[rows]))
        text = f"A migration of {machines(given, rows)} would not end: dirty rate up to {format_bytes(most)}/s"
        return f"{text}, bandwidth {format_bytes(bandwidth)}/s.", numbers(
            machines=len(rows), dirty_rate_bytes_per_second=most, bandwidth_bytes_per_second=bandwidth
        )

    hopeless = course(given.state, _volume(given), given.config.migration).hopeless
    mask = hopeless & ~given.state.workloads.has(WorkloadFlag.NOT_LIVE_MIGRATABLE)
    return in_namespaces(given, mask, "migration-would-fail", Severity.WARNING, tell)


def _bandwidth(given: Context) -> float:
    """The configured one, or KubeVirt's limit where that is lower."""
    limit = given.state.kubevirt.bandwidth_per_migration_bytes_per_second if given.state.kubevirt else 0.0
    configured = given.config.migration.bandwidth_bytes_per_second
    return min(configured, limit) if limit > 0 else configured


def _volume(given: Context) -> FloatArray:
    return given.use_bytes + swapped_bytes(given.state)


def quota_blocks_migration(given: Context) -> Iterator[Finding]:
    """VMs that could migrate but for the quota of their namespace."""
    everyone = np.ones(len(given.machine), dtype=np.bool_)
    judged = eligibility(
        given.state, Protection((), local_storage=False, cooldown_seconds=0.0), given.now_seconds, everyone, ~everyone
    )
    blocked = judged.row == judged.codes.index("quota")

    def tell(rows: IntArray) -> Told:
        return f"The quota has no room for a second pod of {machines(given, rows)}.", numbers(machines=len(rows))

    return in_namespaces(given, given.machine & blocked, "quota-blocks-migration", Severity.WARNING, tell)


def _stuck(given: Context, strategy: EvictionStrategy) -> BoolArray:
    workloads = given.state.workloads
    chosen: BoolArray = given.machine & (workloads.eviction_strategy == strategy)
    return chosen & workloads.has(WorkloadFlag.NOT_LIVE_MIGRATABLE)
