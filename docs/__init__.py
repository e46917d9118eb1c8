"""Documents that are made from the code: ``python -m docs`` writes them, and a test fails if one is out of date."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Final, NamedTuple

import msgspec

from descheduler.audit import findings
from descheduler.loop.catalogue import GROUPS
from descheduler.policy.plan import API_VERSION, KIND, RebalancePlan
from ullage import config
from ullage.model.codes import CODES, Code, Topic
from ullage.sources.snapshot_wire import schema as snapshot_schema


class Document(NamedTuple):
    """A document: its path within this folder, and the function that makes its text."""

    path: str
    text: Callable[[], str]


_TOPICS: Final = {
    Topic.MOVE: ("Moves", "Why a workload moves."),
    Topic.REFUSED: ("Refused", "Why a workload does not move."),
    Topic.DESTINATION: ("Destinations", "Why a node does not take a workload."),
    Topic.NODE: ("Nodes", "Why a node stays as it is although the goal asks for more."),
    Topic.ACTING: ("Carried out", "What became of a move that was begun, or why it was not begun."),
    Topic.HOLDING: ("Held back", "Why a move, or all of them, wait: budgets, breakers, and the guards of every write."),
    Topic.FINDING: ("Findings", "What an audit says of a cluster; `docs/audit.md` tells more."),
    Topic.NOTE: ("Notes", "What could not be known, or was done in another way."),
    Topic.READING: ("Readings", "Why a measure cannot be used, or a node is set aside; `ullage status` shows them."),
}
_ORIGIN: Final = "<!-- Made by `make docs` from ullage/model/codes/: do not edit. -->"


_METRICS_ORIGIN: Final = "<!-- Made by `make docs` from descheduler/loop/catalogue.py: do not edit. -->"


def _cell(text: str) -> str:
    return text.replace("|", "\\|") or "-"


def _code_lines(codes: Iterator[Code]) -> Iterator[str]:
    yield "| code | meaning | what helps |"
    yield "|---|---|---|"
    for code in codes:
        yield f"| `{code.name}` | {_cell(code.meaning)} | {_cell(code.remedy)} |"


def codes() -> str:
    """All stable codes in Markdown, a table per topic in the order of the code."""
    lines = [
        _ORIGIN,
        "",
        "# Codes",
        "",
        "Every move, refusal and note of a plan carries one of these codes, and so does every node that stays over.",
        "A code never changes its meaning; a new meaning is a new code.",
        "`ullage why NAME --plan FILE` tells the numbers behind it.",
    ]
    order = list(Topic)
    for topic, group in groupby(
        sorted(CODES.values(), key=lambda code: order.index(code.topic)), lambda code: code.topic
    ):
        title, lead = _TOPICS[topic]
        lines += ["", f"## {title}", "", lead, "", *_code_lines(group)]
    return "\n".join(lines) + "\n"


def metrics() -> str:
    """All metrics of the descheduler in Markdown, a table per group."""
    lines = [
        _METRICS_ORIGIN,
        "",
        "# Metrics",
        "",
        "`ullage descheduler` serves these at `/metrics`. Units are seconds, bytes, and ratios from 0 to 1; codes are those of",
        "[codes.md](codes.md). Counters stand at 0 from the start where their labels are known. Objects are named in labels",
        "only where a series per node is meant; `--no-node-metrics` leaves those out.",
    ]
    for title, group in GROUPS.items():
        lines += ["", f"## {title}", "", "| metric | kind | labels | meaning |", "|---|---|---|---|"]
        lines += [f"| `{t.name}` | {t.kind} | {_listed(t.labels)} | {_cell(t.text)} |" for t in group]
    return "\n".join(lines) + "\n"


def _listed(labels: tuple[str, ...]) -> str:
    return ", ".join(f"`{label}`" for label in labels) or "-"


def _summarized(schema: object) -> object:
    """A schema whose descriptions are the summary lines of the docstrings."""
    if isinstance(schema, list):
        return [_summarized(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: " ".join(value.split("\n\n")[0].split())
        if key == "description" and isinstance(value, str)
        else _summarized(value)
        for key, value in schema.items()
    }


def _plain(schema: object) -> dict[str, object]:
    if not isinstance(schema, dict):
        raise TypeError("a schema is an object")
    return schema


def json_schema(kind: type[msgspec.Struct], name: str, title: str, description: str) -> str:
    """JSON schema (2020-12) of a msgspec type, with its address, title and description."""
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"https://ullage.dev/schemas/v1alpha1/{name}.schema.json",
        "title": title,
        "description": description,
    }
    schema = {**head, **_plain(_summarized(msgspec.json.schema(kind)))}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def rebalance_plan() -> str:
    """JSON schema of a plan."""
    description = (
        f"What `ullage plan -o json` prints: kind {KIND} of {API_VERSION}. Ratios are 0..1; null is not known."
    )
    return json_schema(RebalancePlan, "rebalance-plan", KIND, description)


def audit_report() -> str:
    """JSON schema of an audit."""
    kind = findings.KIND
    description = (
        f"What `ullage audit -o json` prints: kind {kind} of {API_VERSION}. Ratios are 0..1; null is not known."
    )
    return json_schema(findings.AuditReport, "audit-report", kind, description)


DOCUMENTS: Final = (
    Document("codes.md", codes),
    Document("configuration.md", config.reference),
    Document("metrics.md", metrics),
    Document("schemas/audit-report.schema.json", audit_report),
    Document("schemas/cluster-snapshot.schema.json", lambda: snapshot_schema().decode()),
    Document("schemas/configuration.schema.json", config.schema_text),
    Document("schemas/rebalance-plan.schema.json", rebalance_plan),
)
"""All documents that are made from the code; a new one is a line here."""
