"""The audit as one HTML page that stands alone, in the style of the plan's: no script, no network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from descheduler.audit.findings import AuditReport, Finding, NodeMemory, Severity
from descheduler.report import audit, story
from descheduler.report.figures import count, known, number, percent
from descheduler.report.frame import head
from descheduler.report.markup import Markup, el, joined
from descheduler.report.sections import NOTHING, section
from descheduler.report.tables import Rows, cell, named, num, row, table

_FINDINGS_BYTES, _NODES_BYTES, _DIES_BYTES, _NOTES = 110_000, 40_000, 24_000, 40
_ALL: Final = "ullage audit -o wide"
_TITLES: Final = {
    Severity.CRITICAL: ("Critical", "Workloads may die, or wait for memory, now or within the hour."),
    Severity.WARNING: ("Warnings", "Workloads would die or wait if load grew, or if a node failed or were drained."),
    Severity.INFO: ("Remarks", "Worth knowing; nothing is in danger."),
}


def _header(report: AuditReport) -> Markup:
    numbers = report.status.summary
    about = ["Memory audit", count(numbers.nodes, "node"), count(numbers.workloads, "workload")]
    about.append(f"observed {report.status.observed_at}")
    title = audit.headline(report).removesuffix(".")
    lead = "Findings by urgency, each with what helps; then the memory of every node, and who dies next there."
    return el("header", el("p", " · ".join(about), class_="eyebrow"), el("h1", title), el("p", lead, class_="lead"))


def _figures(report: AuditReport) -> Iterator[tuple[str, str, str]]:
    numbers = report.status.summary
    yield "Critical", number(numbers.critical), ""
    yield "Warnings", number(numbers.warning), ""
    yield "Remarks", number(numbers.info), ""
    if known(numbers.bearable_overcommit_ratio):
        configured = f"{percent(numbers.overcommit_ratio)} configured" if known(numbers.overcommit_ratio) else ""
        yield "Overcommit that the use bears", percent(numbers.bearable_overcommit_ratio), configured


def _tiles(report: AuditReport) -> Markup:
    tiles = (
        el("div", el("dt", title), el("dd", value), el("dd", below, class_="sub") if below else NOTHING)
        for title, value, below in _figures(report)
    )
    return el("dl", *tiles, class_="tiles")


def _finding_row(found: Finding) -> Markup:
    subject = found.subject
    below = [el("span", subject.kind, class_="ns")] if subject.kind != "Cluster" else []
    return row(named(subject.name or "Cluster", *below), cell(found.text, class_="why"))


def _code(code: str, found: Sequence[Finding], room_bytes: int, *, unfolded: bool) -> Markup:
    summary = el("summary", el("b", number(len(found))), f" · {story.meaning(code) or code} ", el("code", code))
    helps = el("p", f"What helps: {found[0].remedy}") if found[0].remedy else NOTHING
    body = Rows(map(_finding_row, found), len(found), room_bytes, _ALL)
    attributes = {"open": ""} if unfolded else {}
    return el("details", summary, helps, table("Object|Finding", body), **attributes)


def _findings(report: AuditReport) -> Markup:
    groups = audit.by_code(report)
    room = _FINDINGS_BYTES // max(1, len(groups))
    parts = []
    for severity, (title, lead) in _TITLES.items():
        codes = [
            _code(code, found, room, unfolded=severity is Severity.CRITICAL)
            for each, code, found in groups
            if each is severity
        ]
        if codes:
            warn = "warn" if severity is Severity.CRITICAL else None
            parts.append(section(title, el("p", lead, class_="soft"), *codes, class_=warn))
    return joined(parts)


def _node_row(node: NodeMemory) -> Markup:
    overcommit = percent(node.overcommit_ratio) if known(node.overcommit_ratio) else "-"
    return row(
        named(node.name),
        num(audit.sized(node.allocatable_bytes)),
        num(percent(audit.used_ratio(node))),
        num(percent(node.memory_ratio)),
        num(percent(audit.requested_ratio(node))),
        num(overcommit),
        num(percent(node.worst_case_ratio)),
        num(audit.swap_text(node)),
        num(audit.lasting(node.ram_exhausted_seconds)),
        num(audit.lasting(node.memory_exhausted_seconds)),
    )


def _nodes(nodes: Sequence[NodeMemory]) -> Markup:
    if not nodes:
        return NOTHING
    titles = "Node|>Allocatable|>Used|>Peak|>Requested|>Overcommit|>Worst case|>Swap used|>RAM lasts|>RAM and swap last"
    text = (
        "Used, peak and requested over allocatable; overcommit is guests and overhead over their requests; the worst case is "
        "what full guests take of RAM and swap. A question mark is not known; a dash is nothing to say."
    )
    rows = Rows(map(_node_row, nodes), len(nodes), _NODES_BYTES, _ALL)
    return section("Memory of the nodes", el("p", text, class_="soft"), table(titles, rows))


def _dies_row(node: NodeMemory) -> Markup:
    return row(named(node.name), cell(", ".join(node.dies_next) or "-"), cell(", ".join(node.oom_next) or "-"))


def _dies(nodes: Sequence[NodeMemory]) -> Markup:
    dying = [node for node in nodes if node.dies_next or node.oom_next]
    if not dying:
        return NOTHING
    text = (
        "Under memory pressure the kubelet evicts in its order; if memory runs out faster, the kernel kills in its own."
    )
    rows = Rows(map(_dies_row, dying), len(dying), _DIES_BYTES, _ALL)
    title = "Who dies next if memory runs out"
    return section(title, el("p", text, class_="soft"), table("Node|Evicted first|Killed first", rows))


def _notes(report: AuditReport) -> Markup:
    notes = report.status.notes
    if not notes:
        return NOTHING
    listed = [el("li", note.text, " ", el("code", note.code)) for note in notes[:_NOTES]]
    if len(notes) > _NOTES:
        listed.append(el("li", f"and {number(len(notes) - _NOTES)} more notes; -o json lists all."))
    return section("What is not known", el("ul", *listed))


def page(report: AuditReport) -> str:
    """The audit as one HTML page.

    The page holds no script and refers to nothing outside itself. Lists are cut, with a count of the rest, so that it stays
    within some 200 kB whatever the size of the cluster. Every text is escaped.
    """
    nodes = audit.told_nodes(report)
    main = [_tiles(report), _findings(report), _nodes(nodes), _dies(nodes), _notes(report)]
    footer = el("footer", el("p", "Made by Ullage. This page loads nothing."))
    body = el("body", _header(report), el("main", joined(main)), footer)
    return f"<!DOCTYPE html>\n{el('html', head(audit.headline(report)), body, lang='en')}\n"
