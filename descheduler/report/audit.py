"""An audit, told: ``table`` and ``wide`` for a terminal, ``json``, ``yaml``, ``csv`` and ``name`` for programs."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from types import MappingProxyType
from typing import Final

from descheduler.audit.findings import AuditReport, Finding, NodeMemory, Severity
from descheduler.report import wire
from descheduler.report.escape import csv_cell, visible
from descheduler.report.figures import count, duration, known, number, percent
from descheduler.report.frame import chosen
from descheduler.report.grid import Column, grid
from descheduler.report.text import Screen
from ullage.model.quantity import format_bytes

MOST_FINDINGS: Final = 4
"""Findings of one code that the narrow table lists."""
MOST_NODES: Final = 12

_PAINT: Final[Mapping[Severity, str]] = MappingProxyType(
    {Severity.CRITICAL: "\x1b[1;31m", Severity.WARNING: "\x1b[1;33m", Severity.INFO: "\x1b[1m"}
)
_CSV_HEADER: Final = "severity,code,kind,namespace,name,text,numbers,remedy,members"
_RESOURCES: Final[Mapping[str, str]] = MappingProxyType({"Node": "node", "Namespace": "namespace"})


def render(report: AuditReport, output: str = "table", *, color: bool = False, width: int = 100) -> str:
    """The audit in one of the `FORMATS`, ending in a line feed unless it is empty.

    Parameters
    ----------
    report
        The audit.
    output
        A key of `FORMATS`.
    color
        Whether text formats may hold ANSI colours; data formats never do.
    width
        Columns at which sentences wrap; tables are never cut.

    Raises
    ------
    UsageError
        No such format.
    """
    return chosen(FORMATS, output)(report, Screen(color=color, width=width))


def headline(report: AuditReport) -> str:
    """The audit in one sentence."""
    numbers = report.status.summary
    where = f"{count(numbers.nodes, 'node')} with {count(numbers.workloads, 'workload')}"
    counts = [
        f"{number(numbers.critical)} critical" if numbers.critical else "",
        count(numbers.warning, "warning") if numbers.warning else "",
        count(numbers.info, "remark") if numbers.info else "",
    ]
    found = [each for each in counts if each]
    if not found:
        return f"Nothing found that endangers memory on {where}."
    listed = " and ".join(filter(None, (", ".join(found[:-1]), found[-1])))
    return f"{listed} on {where}."


def by_code(report: AuditReport) -> list[tuple[Severity, str, list[Finding]]]:
    """Findings grouped by severity and code, in their order."""
    groups = groupby(report.status.findings, key=lambda found: (found.severity, found.code))
    return [(severity, code, list(group)) for (severity, code), group in groups]


def told_nodes(report: AuditReport) -> list[NodeMemory]:
    """Nodes with findings first, the most urgent before the others; then the fullest; then by name."""
    urgency = {severity: rank for rank, severity in enumerate(Severity)}
    worst: dict[str, int] = {}
    for found in report.status.findings:
        if found.subject.kind == "Node":
            worst.setdefault(found.subject.name, urgency[found.severity])
    return sorted(
        report.status.nodes, key=lambda node: (worst.get(node.name, len(urgency)), -(node.memory_ratio or 0), node.name)
    )


def _wrapped(text: str, screen: Screen, first: str = "", indent: str = "") -> str:
    return textwrap.fill(
        visible(text),
        max(40, screen.width),
        initial_indent=first,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _block(severity: Severity, code: str, found: Sequence[Finding], screen: Screen) -> Iterator[str]:
    title = f"{severity.value.upper()} {visible(code)}"
    yield f"{_PAINT[severity]}{title}\x1b[0m" if screen.color else title
    shown = found if screen.wide else found[:MOST_FINDINGS]
    for each in shown:
        yield _wrapped(f"{each.subject}: {each.text}", screen, "  ", "    ")
    if len(shown) < len(found):
        yield f"  and {number(len(found) - len(shown))} more; -o wide lists all."
    if found[0].remedy:
        yield _wrapped(f"What helps: {found[0].remedy}", screen, "  ", "    ")


def _findings(report: AuditReport, screen: Screen) -> str:
    return "\n\n".join("\n".join(_block(*group, screen)) for group in by_code(report))


def swap_text(node: NodeMemory) -> str:
    """Swap used of swap, such as ``3Gi of 64Gi``; ``none``; ``?`` where it is not reported."""
    if node.swap_bytes == 0:
        return "none"
    return f"{sized(node.swap_used_bytes)} of {sized(node.swap_bytes)}"


def sized(value_bytes: int | None) -> str:
    """Bytes for people; ``?`` if not known."""
    return "?" if value_bytes is None else format_bytes(value_bytes)


def used_ratio(node: NodeMemory) -> float | None:
    """Working set over allocatable."""
    return _ratio(node.working_set_bytes, node.allocatable_bytes)


def requested_ratio(node: NodeMemory) -> float | None:
    """Requests over allocatable."""
    return _ratio(node.requested_bytes, node.allocatable_bytes)


def _ratio(above: int | None, below: int | None) -> float | None:
    return above / below if above is not None and below else None


def lasting(seconds: float | None) -> str:
    """Time left, or a dash where nothing is foreseen."""
    return duration(seconds) if known(seconds) else "-"


def _node_row(node: NodeMemory, *, wide: bool) -> list[str]:
    row = [
        node.name,
        percent(used_ratio(node)),
        percent(node.memory_ratio),
        percent(requested_ratio(node)),
        percent(node.overcommit_ratio) if known(node.overcommit_ratio) else "-",
        percent(node.worst_case_ratio),
        swap_text(node),
        lasting(node.ram_exhausted_seconds),
    ]
    if not wide:
        return [*row, (node.dies_next or ("-",))[0]]
    row += [lasting(node.memory_exhausted_seconds), sized(node.allocatable_bytes), sized(node.committed_bytes)]
    return [*row, ", ".join(node.dies_next) or "-", ", ".join(node.oom_next) or "-"]


def _node_columns(*, wide: bool) -> list[Column]:
    headers = ["USED", "PEAK", "REQUESTED", "OVERCOMMIT", "WORST-CASE", "SWAP-USED", "RAM-LASTS"]
    headers += ["RAM-AND-SWAP-LAST", "ALLOCATABLE", "COMMITTED"] if wide else []
    columns = [Column("NODE"), *(Column(header, right=True) for header in headers), Column("EVICTED-FIRST")]
    return [*columns, Column("KILLED-FIRST")] if wide else columns


def _nodes(report: AuditReport, screen: Screen) -> str:
    nodes = told_nodes(report)
    shown = nodes if screen.wide else nodes[:MOST_NODES]
    if not shown:
        return ""
    table = grid(_node_columns(wide=screen.wide), [_node_row(node, wide=screen.wide) for node in shown])
    rest = len(nodes) - len(shown)
    return f"{table}\n{count(rest, 'more node')}; -o wide lists all." if rest else table


def _notes(report: AuditReport, screen: Screen) -> str:
    notes = (_wrapped(f"Note: {note.text} [{note.code}]", screen, "", "      ") for note in report.status.notes)
    return "\n".join(notes)


def _headline(report: AuditReport, screen: Screen) -> str:
    return _wrapped(f"{headline(report)} Observed {report.status.observed_at}.", screen)


def table(report: AuditReport, screen: Screen) -> str:
    """The audit as text: findings by severity and code, the memory of the nodes, and notes."""
    sections = (_headline, _findings, _nodes, _notes)
    return "\n\n".join(text for text in (section(report, screen) for section in sections) if text) + "\n"


def _csv_row(found: Finding) -> str:
    subject = found.subject
    figures = " ".join(f"{name}={'' if value is None else value}" for name, value in found.numbers.items())
    cells = (found.severity.value, found.code, subject.kind, subject.namespace, subject.name, found.text)
    return ",".join(map(csv_cell, (*cells, figures, found.remedy, " ".join(found.members))))


def to_csv(report: AuditReport) -> str:
    """One row per finding (RFC 4180, with a header)."""
    return "\r\n".join([_CSV_HEADER, *map(_csv_row, report.status.findings)]) + "\r\n"


def to_names(report: AuditReport) -> str:
    """One line per node and namespace with findings, as ``kubectl -o name``; the cluster itself has no name."""
    subjects = dict.fromkeys(found.subject for found in report.status.findings)
    named = (subject for subject in subjects if subject.kind in _RESOURCES)
    return "".join(f"{_RESOURCES[subject.kind]}/{visible(subject.name)}\n" for subject in named)


FORMATS: Final[Mapping[str, Callable[[AuditReport, Screen], str]]] = MappingProxyType(
    {
        "table": table,
        "wide": lambda report, screen: table(report, replace(screen, wide=True)),
        "json": lambda report, _: wire.to_json(report),
        "yaml": lambda report, _: wire.to_yaml(report),
        "csv": lambda report, _: to_csv(report),
        "name": lambda report, _: to_names(report),
    }
)
"""Output formats by the name that ``-o`` takes; a new one is a line here."""
