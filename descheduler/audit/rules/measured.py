"""What is not measured, so that nothing can be said of it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from descheduler.audit.context import Context
from descheduler.audit.findings import Finding, Severity
from descheduler.audit.telling import counted, few, numbers, on_cluster, span
from ullage.model.arrays import BoolArray
from ullage.model.measures import NodeMeasure

_PLAIN = (NodeMeasure.CPU_MEAN_CORES, NodeMeasure.MEMORY_MEAN_BYTES, NodeMeasure.SWAP_USED_BYTES)
"""All that ``metrics.k8s.io`` can tell."""


def metrics_missing(given: Context) -> Iterator[Finding]:
    """Nodes without a fresh working set."""
    names, measures = given.state.nodes.name, given.state.nodes.measures
    rows = np.flatnonzero(np.isnan(given.working_set_bytes))
    if not len(rows):
        return
    age = measures.age_seconds[rows, NodeMeasure.MEMORY_MEAN_BYTES]
    age = age[~np.isnan(age)] + max(0.0, given.now_seconds - given.state.observed_at_seconds)
    old = f" ({len(age)} stale, up to {span(float(age.max()))} old)" if len(age) else ""
    lacking = [names[row] for row in rows]
    verb = "has" if len(rows) == 1 else "have"
    text = f"{len(rows):,} of {counted(len(names), 'node')} {verb} no fresh measure of memory{old}: {few(lacking)}."
    told = (
        text,
        numbers(
            nodes=len(names), missing=len(rows), stale=len(age), oldest_seconds=float(age.max()) if len(age) else np.nan
        ),
    )
    yield from on_cluster("metrics-missing", Severity.WARNING, told, lacking)


def has_more_than_plain(given: Context) -> BoolArray:
    """Nodes with measures that only Prometheus and its like give, bool (N,)."""
    known = ~np.isnan(given.state.nodes.measures.value)
    known[:, list(_PLAIN)] = False
    return np.asarray(known.any(axis=1))


def psi_off(given: Context) -> Iterator[Finding]:
    """Nodes with such measures, but none of memory pressure."""
    stalled = given.state.nodes.measures.column(NodeMeasure.PSI_MEMORY_SOME_RATIO)
    names = given.state.nodes.name
    rows = np.flatnonzero(has_more_than_plain(given) & np.isnan(stalled))
    if not len(rows):
        return
    lacking = [names[row] for row in rows]
    verb = "reports" if len(rows) == 1 else "report"
    text = f"{len(rows):,} of {counted(len(names), 'node')} {verb} no pressure stalls of memory: {few(lacking)}."
    yield from on_cluster("psi-off", Severity.INFO, (text, numbers(nodes=len(names), missing=len(rows))), lacking)
