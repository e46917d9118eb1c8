"""The plan as text for a terminal: ``table`` and ``wide``."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from descheduler.policy.plan import NodeStatus, NodeView, PlannedMove, RebalancePlan
from descheduler.report import story
from descheduler.report.escape import visible
from descheduler.report.figures import change, cores, count, duration, known, percent
from descheduler.report.grid import Column, grid
from descheduler.report.story import Part
from ullage.model.quantity import format_bytes

_RED, _GREEN, _YELLOW, _OFF = "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[0m"


@dataclass(frozen=True)
class Screen:
    """Where text is shown.

    Attributes
    ----------
    color
        Whether ANSI colours may be used; without it the text holds no escape byte.
    width
        Columns at which sentences are wrapped (at least 40). Tables are never cut.
    wide
        Whether all nodes and all columns are shown.
    """

    color: bool = False
    width: int = 100
    wide: bool = False


def _painted(text: str) -> str:
    shown = text.strip()
    if shown.endswith("over"):
        return f"{_RED}{text}{_OFF}"
    if shown.startswith("over"):
        return f"{_GREEN}{text}{_OFF}"
    return f"{_YELLOW}{text}{_OFF}" if shown == "unknown" else text


def _pair(node: NodeStatus, figure: Callable[[NodeView], float | None]) -> str:
    return change(percent(figure(node.before)), percent(figure(node.after)))


def _node_row(node: NodeStatus, *, wide: bool) -> list[str]:
    row = [
        node.name,
        change(node.before.node_class.value, node.after.node_class.value),
        _pair(node, lambda view: view.cpu_ratio),
        _pair(node, lambda view: view.memory_ratio),
        change(str(node.before.workloads), str(node.after.workloads)),
        str(node.moves_out),
        str(node.moves_in),
    ]
    if wide:
        row += [
            _pair(node, lambda view: view.cpu_requested_ratio),
            _pair(node, lambda view: view.memory_requested_ratio),
            _pair(node, lambda view: view.worst_case_memory_ratio),
            cores(node.cpu_cores),
            format_bytes(node.memory_bytes),
            ", ".join(node.after.dies_next) or "-",
        ]
    return row


def _node_columns(screen: Screen) -> list[Column]:
    columns = [Column("NODE"), Column("CLASS", paint=_painted) if screen.color else Column("CLASS")]
    columns += [Column(header, right=True) for header in ("CPU", "MEMORY", "WORKLOADS", "OUT", "IN")]
    if screen.wide:
        headers = ("CPU-REQUESTED", "MEMORY-REQUESTED", "MEMORY-WORST-CASE", "CORES", "RAM")
        columns += [Column(header, right=True) for header in headers]
        columns.append(Column("EVICTED-FIRST"))
    return columns


def _span(ratios: Sequence[float | None]) -> str:
    figures = [ratio for ratio in ratios if ratio is not None and known(ratio)]
    return f"{percent(min(figures))} to {percent(max(figures))}" if figures else percent(None)


def _folded(nodes: Sequence[NodeStatus]) -> str:
    verb = "does" if len(nodes) == 1 else "do"
    cpu = _span([node.before.cpu_ratio for node in nodes])
    memory = _span([node.before.memory_ratio for node in nodes])
    return f"{count(len(nodes), 'more node')} {verb} not change: CPU {cpu}, memory {memory}."


def _nodes(plan: RebalancePlan, screen: Screen) -> str:
    nodes = story.told(plan.status.nodes)
    shown = nodes if screen.wide else [node for node in nodes if story.part(node) is not Part.SAME]
    rest = nodes[len(shown) :]
    parts = [grid(_node_columns(screen), [_node_row(node, wide=screen.wide) for node in shown])] if shown else []
    return "\n".join([*parts, _folded(rest)] if rest else parts)


def _move_row(step: int, move: PlannedMove, *, wide: bool) -> list[str]:
    workload = move.workload
    row = [
        workload.namespace,
        workload.name,
        str(step),
        move.source,
        move.target,
        format_bytes(move.memory_bytes),
        cores(move.cpu_cores),
        move.code,
    ]
    return [*row, story.SHORT_KIND[workload.kind], duration(move.expected_seconds), move.reason] if wide else row


def _moves(plan: RebalancePlan, screen: Screen) -> str:
    if not plan.spec.moves:
        return ""
    columns = [Column("NAMESPACE"), Column("NAME"), Column("STEP", right=True), Column("FROM"), Column("TO")]
    columns += [Column("MEMORY", right=True), Column("CPU", right=True), Column("CODE")]
    if screen.wide:
        columns += [Column("KIND"), Column("TAKES"), Column("REASON")]
    return grid(columns, [_move_row(step, move, wide=screen.wide) for step, move in enumerate(plan.spec.moves, 1)])


def _staying(plan: RebalancePlan, _: Screen) -> str:
    rows = [[node.name, node.code or "-", node.reason or "-"] for node in story.staying(plan)]
    return grid([Column("NOT-REACHED"), Column("CODE"), Column("REASON")], rows) if rows else ""


def _refused(plan: RebalancePlan, screen: Screen) -> str:
    codes = story.refused_by_code(plan.status.refused)
    columns = [Column("REFUSED", right=True), Column("CODE"), Column("MEANING")]
    rows = [[str(total), code, story.meaning(code) or "-"] for code, total in codes]
    if screen.wide:
        columns.append(Column("REMEDY"))
        rows = [[*row, story.remedy(row[1]) or "-"] for row in rows]
    return grid(columns, rows) if rows else ""


def _wrapped(text: str, screen: Screen, indent: str = "") -> str:
    return textwrap.fill(
        visible(text), max(40, screen.width), subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def _notes(plan: RebalancePlan, screen: Screen) -> str:
    return "\n".join(_wrapped(f"Note: {note.text} [{note.code}]", screen, "      ") for note in plan.status.notes)


def _headline(plan: RebalancePlan, screen: Screen) -> str:
    return _wrapped(" ".join(story.sentences(plan)), screen)


def table(plan: RebalancePlan, screen: Screen) -> str:
    """The plan as tables: what it does, nodes before and after, moves, what is not reached, refusals and notes."""
    sections = (_headline, _nodes, _moves, _staying, _refused, _notes)
    return "\n\n".join(text for text in (section(plan, screen) for section in sections) if text) + "\n"
