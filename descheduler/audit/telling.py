"""Findings from rows: said of a node, of each namespace, or once of the cluster."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import TypeAlias

import numpy as np

from descheduler.audit.context import Context
from descheduler.audit.findings import Finding, ObjectRef, Severity
from ullage.model.arrays import BoolArray, IntArray
from ullage.model.codes import CODES

Numbers: TypeAlias = dict[str, float | int | None]
Told: TypeAlias = tuple[str, Numbers]
"""A sentence, and its numbers by name."""

FEW = 3
"""Names that a sentence holds at most."""


def numbers(**values: float) -> Numbers:
    """Numbers by their names in camelCase: whole bytes, counts as they are, six digits of the rest, ``None`` for NaN."""
    return {_camel(name): rounded(value, whole=name.endswith("_bytes")) for name, value in values.items()}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def rounded(value: float, *, whole: bool = False) -> float | int | None:
    """A number for the wire."""
    if isinstance(value, int | np.integer):
        return int(value)
    if not math.isfinite(value):
        return None
    return round(value) if whole else round(float(value), 6)


def span(seconds: float) -> str:
    """A time for people: ``40 min``, ``3.5 h``."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def mark(ratio: float) -> str:
    """A threshold as percent, without a decimal that is zero."""
    return f"{100 * ratio:.4g}%"


def counted(count: int, noun: str) -> str:
    """A count with its noun, such as ``1 VM`` and ``3 VMs``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def few(names: Sequence[str]) -> str:
    """The first few names: ``a, b, c and 4 more``."""
    more = f" and {len(names) - FEW:,} more" if len(names) > FEW else ""
    return ", ".join(names[:FEW]) + more


def finding(code: str, severity: Severity, subject: ObjectRef, told: Told, members: Iterable[str] = ()) -> Finding:
    """A finding with the remedy of its code."""
    text, values = told
    return Finding(
        code=code,
        severity=severity,
        subject=subject,
        text=text,
        numbers=values,
        remedy=CODES[code].remedy,
        members=tuple(members),
    )


def on_nodes(
    given: Context, mask: BoolArray, code: str, severity: Severity, tell: Callable[[int], Told]
) -> Iterator[Finding]:
    """One finding for each node of `mask`, bool (N,)."""
    for row in np.flatnonzero(mask).tolist():
        yield finding(code, severity, ObjectRef("Node", "", given.state.nodes.name[row]), tell(row))


def in_namespaces(
    given: Context, mask: BoolArray, code: str, severity: Severity, tell: Callable[[IntArray], Told]
) -> Iterator[Finding]:
    """One finding for each namespace with workloads of `mask`, bool (W,); `tell` gets their rows."""
    workloads = given.state.workloads
    for namespace, group in groupby(np.flatnonzero(mask).tolist(), key=lambda row: workloads.namespace[row]):
        rows = list(group)
        members = (workloads.key(row) for row in rows)
        told = tell(np.array(rows, dtype=np.int64))
        yield finding(code, severity, ObjectRef("Namespace", "", namespace), told, members)


def on_cluster(code: str, severity: Severity, told: Told, members: Iterable[str] = ()) -> Iterator[Finding]:
    """One finding for the cluster."""
    yield finding(code, severity, ObjectRef("Cluster"), told, members)


def machines(given: Context, rows: IntArray) -> str:
    """VMs with the first few names: ``3 VMs (a, b, c)``."""
    return _named(given, rows, "VM")


def pods(given: Context, rows: IntArray) -> str:
    """As `machines`, of pods."""
    return _named(given, rows, "pod")


def _named(given: Context, rows: IntArray, noun: str) -> str:
    names = [given.state.workloads.name[row] for row in rows[: FEW + 1].tolist()]
    more = f" and {len(rows) - FEW:,} more" if len(rows) > FEW else ""
    return f"{counted(len(rows), noun)} ({', '.join(names[:FEW])}{more})"


def victims(given: Context, rows: Sequence[int]) -> str:
    """Victims in their order, for the end of a sentence; empty if none is known."""
    names = ", ".join(given.state.workloads.key(row) for row in rows)
    return f" First to go: {names}." if names else ""
