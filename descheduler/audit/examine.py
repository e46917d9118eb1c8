"""The audit: all rules on one state, and the figures of every node."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from descheduler.audit.context import Context, context
from descheduler.audit.findings import AuditReport, AuditStatus, AuditSummary, Finding, NodeMemory, Severity
from descheduler.audit.rules import RULES
from descheduler.audit.rules.cluster import bearable
from descheduler.audit.rules.measured import has_more_than_plain
from descheduler.audit.telling import rounded
from descheduler.policy.plan import PlanNote
from ullage.config.schema import Configuration
from ullage.model.arrays import FloatArray
from ullage.model.codes import CODES
from ullage.model.resources import MEMORY_INDEX
from ullage.model.state import ClusterState, WorkloadFlag

_URGENCY: Final = {severity: rank for rank, severity in enumerate(Severity)}
_ORDER: Final = {code: rank for rank, code in enumerate(CODES)}
_EXAMPLES: Final = 5


def audit(state: ClusterState, config: Configuration, now_seconds: float) -> AuditReport:
    """Find what endangers memory.

    Parameters
    ----------
    state
        One generation of the cluster.
    config
        Thresholds, telemetry, prediction and migration of it are used.
    now_seconds
        Unix time; offline it is the time at which the state was observed. Measures age by the difference.

    Returns
    -------
    AuditReport
        Findings by severity, code (in the order of `CODES`) and object; nodes by name. The same state gives the same report.
    """
    given = context(state, config, now_seconds)
    findings = sorted((found for rule in RULES for found in rule(given)), key=_place)
    return AuditReport(
        AuditStatus(
            observed_at=dt.datetime.fromtimestamp(state.observed_at_seconds, tz=dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            summary=_summary(given, findings),
            findings=tuple(findings),
            nodes=tuple(_node(given, row) for row in range(len(state.nodes))),
            notes=tuple(_notes(given)),
        )
    )


def _place(found: Finding) -> tuple[object, ...]:
    return _URGENCY[found.severity], _ORDER[found.code], found.subject


def _summary(given: Context, findings: Sequence[Finding]) -> AuditSummary:
    borne = bearable(given)
    counts = {severity.value: sum(found.severity is severity for found in findings) for severity in Severity}
    return AuditSummary(
        **counts,
        nodes=len(given.state.nodes),
        workloads=len(given.state.workloads),
        overcommit_ratio=rounded(given.cluster_overcommit_ratio),
        bearable_overcommit_ratio=rounded(borne.ratio),
        bearable_risk_ratio=rounded(borne.risk_ratio),
    )


def _node(given: Context, row: int) -> NodeMemory:
    def size(values: FloatArray) -> int | None:
        value = float(values[row])
        return round(value) if math.isfinite(value) else None

    def figure(values: FloatArray) -> float | None:
        return rounded(float(values[row]))

    key = given.state.workloads.key
    return NodeMemory(
        name=given.state.nodes.name[row],
        allocatable_bytes=size(given.allocatable_bytes),
        working_set_bytes=size(given.working_set_bytes),
        peak_bytes=size(given.peak_bytes),
        requested_bytes=size(given.state.nodes.requested[:, MEMORY_INDEX]),
        committed_bytes=size(given.committed_bytes),
        swap_bytes=size(given.swap_bytes),
        swap_used_bytes=size(given.swap_used_bytes),
        swap_left_bytes=size(given.swap_left_bytes),
        memory_ratio=figure(given.memory_ratio),
        worst_case_ratio=figure(given.worst_case_ratio),
        overcommit_ratio=figure(given.overcommit_ratio),
        ram_exhausted_seconds=figure(given.exhaustion.ram.seconds),
        memory_exhausted_seconds=figure(given.exhaustion.ram_and_swap.seconds),
        dies_next=tuple(map(key, given.dies_next[row])),
        oom_next=tuple(map(key, given.oom_next[row])),
    )


def _notes(given: Context) -> Iterator[PlanNote]:
    for note in given.state.notes:
        yield PlanNote(note.code, note.text, note.objects)
    if not len(given.state.nodes):
        return
    if not has_more_than_plain(given).any():
        yield PlanNote("pressure-not-visible", CODES["pressure-not-visible"].meaning)
    yield from _estimated(given)
    yield PlanNote("sysctls-not-visible", CODES["sysctls-not-visible"].meaning)


def _estimated(given: Context) -> Iterator[PlanNote]:
    workloads = given.state.workloads
    rows = np.flatnonzero(~given.forecast.measured & ~workloads.has(WorkloadFlag.PENDING))
    if len(rows):
        text = f"{len(rows)} of {len(workloads)} workloads have no fresh measured use: they are not named as victims."
        yield PlanNote("workloads-estimated", text, tuple(workloads.key(row) for row in rows[:_EXAMPLES].tolist()))
