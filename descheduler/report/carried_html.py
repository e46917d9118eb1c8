"""The whole story of a plan as one HTML page: what was foreseen, what came, and how each move went."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from descheduler.report.carried import RESOURCES, Carried, CarriedMove, CarriedNode, Use
from descheduler.report.figures import NOTHING as DASH
from descheduler.report.figures import count, duration, number, percent, short_percent, size
from descheduler.report.frame import head
from descheduler.report.markup import Markup, el, joined, shape
from descheduler.report.passage import MOST_ROWS, passage, ways
from descheduler.report.sections import NOTHING, arrow, section
from descheduler.report.tables import Rows, cell, explained, named, num, row, table, way, workload

_MOVES_BYTES, _NODES_BYTES = 110_000, 40_000
_POINT: Final = 100


def page(carried: Carried) -> str:
    """A plan that is or was carried out as one HTML page, with no script and nothing from outside; every text is escaped."""
    headline = _headline(carried)
    body = el(
        "body",
        _header(carried, headline),
        el("main", joined([_tiles(carried), _nodes(carried), _passage(carried), _moves(carried)])),
        el("footer", el("p", "Made by Ullage. This page loads nothing.")),
    )
    return f"<!DOCTYPE html>\n{el('html', head(headline), body, lang='en')}\n"


def _headline(carried: Carried) -> str:
    done, total = len(carried.done), len(carried.moves)
    made = f"{number(done)} of {count(total, 'move')} made" if done < total else f"All of {count(total, 'move')} made"
    if total == 1:
        made = "The one move was made" if done else "The one move was not made"
    return f"{made}{_relief(carried)}"


def _relief(carried: Carried) -> str:
    """What came of the nodes, if it is known when a node is over."""
    before = sum(carried.over(node.before) for node in carried.nodes)
    if not carried.is_known or not before:
        return ""
    after = sum(carried.over(node.after) for node in carried.nodes)
    if after:
        return f", {count(after, 'node')} still over"
    if carried.unknown():
        return f", the use of {count(carried.unknown(), 'node')} is not known now"
    return ", and the node that was over is relieved" if before == 1 else f", and all {before} nodes are relieved"


def _header(carried: Carried, headline: str) -> Markup:
    about = [f"Rebalance plan {carried.name}: {carried.goal}", carried.phase]
    about += [f"made {carried.created}"] if carried.created else []
    about += [f"finished {carried.finished}"] if carried.finished else []
    lead = " ".join(filter(None, (carried.message, _lead(carried))))
    return el("header", el("p", " · ".join(about), class_="eyebrow"), el("h1", headline), el("p", lead, class_="lead"))


def _lead(carried: Carried) -> str:
    miss = carried.miss()
    if miss is None:
        return "What came of the nodes is known once the plan has ended."
    return (
        f"What came differs from what was foreseen by {miss * _POINT:.1f} points, as a mean over nodes, memory and CPU."
    )


def _figures(carried: Carried) -> Iterator[tuple[str, str, str]]:
    done, total = carried.done, len(carried.moves)
    others = sorted({move.phase for move in carried.moves if not move.succeeded})
    counts = (f"{sum(m.phase == phase for m in carried.moves)} {phase.lower()}" for phase in others)
    yield "Moves", f"{number(len(done))} of {number(total)}", ", ".join(counts)
    yield "Memory that moved", size(sum(move.planned.memory_bytes for move in done)), ""
    yield "Time", duration(carried.seconds()) if carried.seconds() is not None else DASH, _expected(carried)
    if carried.thresholds and carried.nodes:
        before, foreseen, after = (
            sum(map(carried.over, uses)) for uses in zip(*map(_uses, carried.nodes), strict=True)
        )
        came = arrow(str(before), str(after)) if carried.is_known else str(before)
        unknown = f", {number(carried.unknown())} not known" if carried.is_known and carried.unknown() else ""
        yield "Nodes over", came, f"{foreseen} foreseen, of {number(len(carried.nodes))} that it touches{unknown}"


def _uses(node: CarriedNode) -> tuple[Use, Use, Use | None]:
    return node.before, node.foreseen, node.after


def _expected(carried: Carried) -> str:
    expected = [move.planned.expected_seconds for move in carried.done]
    known = [each for each in expected if each is not None]
    return f"{duration(sum(known))} were expected one by one" if known and len(known) == len(expected) else ""


def _tiles(carried: Carried) -> Markup:
    tiles = (
        el("div", el("dt", title), el("dd", value), el("dd", below, class_="sub") if below else NOTHING)
        for title, value, below in _figures(carried)
    )
    return el("dl", *tiles, class_="tiles")


def _sign(label: str, *content: Markup) -> Markup:
    return el("li", el("svg", *content, viewBox="0 0 22 14", aria_hidden="true"), label)


def _legend(carried: Carried) -> Markup:
    ring = joined([shape("path", d="M11 7h0", class_="ring"), shape("path", d="M11 7h0", class_="hole")])
    signs = [
        _sign("before", ring),
        _sign("foreseen", shape("path", d="M11 0v14", class_="aim")),
        _sign("what came", shape("path", d="M11 7h0", class_="spot")),
    ]
    limits = _limits(carried)
    if limits:
        signs.append(_sign(limits, shape("path", d="M11 0V14", class_="high")))
    return el("ul", *signs, class_="legend")


def _limits(carried: Carried) -> str:
    """The thresholds; one figure where they are alike, and nothing where they are not known."""
    known = {
        t: short_percent(h) for r, t in (("memory", "memory"), ("cpu", "CPU")) if (h := carried.high(r)) is not None
    }
    values = set(known.values())
    if len(values) == 1:
        return f"threshold {values.pop()}"
    return "threshold " + ", ".join(f"{title} {value}" for title, value in known.items()) if known else ""


def _sorted(carried: Carried) -> list[CarriedNode]:
    """Nodes, the fullest before the plan first."""
    fullest = {node.name: max(ratio_of(node.before) or 0.0 for _, ratio_of in RESOURCES) for node in carried.nodes}
    return sorted(carried.nodes, key=lambda node: (-fullest[node.name], node.name))


def _nodes(carried: Carried) -> Markup:
    nodes = _sorted(carried)
    if not nodes:
        return NOTHING
    shown = nodes[:MOST_ROWS]
    some = "" if len(shown) == len(nodes) else f": {len(shown)} of {number(len(nodes))}"
    text = "Predicted use over what the node can allocate, of the nodes that the plan touches."
    drawn = el("div", ways(carried, shown), class_="scroll", tabindex="0", role="region", aria_label="Nodes")
    rows = Rows(map(_node_row, nodes), len(nodes), _NODES_BYTES)
    titles = "Node|>Memory before|>foreseen|>came|>CPU before|>foreseen|>came"
    figures = el("details", el("summary", "The same in figures"), table(titles, rows, "Nodes before and after"))
    return section(
        f"What was foreseen, and what came{some}", el("p", text, class_="soft"), _legend(carried), drawn, figures
    )


def _node_row(node: CarriedNode) -> Markup:
    ratios = [DASH if use is None else percent(ratio_of(use)) for _, ratio_of in RESOURCES for use in _uses(node)]
    return row(named(node.name), *map(num, ratios))


def _passage(carried: Carried) -> Markup:
    begun = [move for move in carried.moves if move.began_at_seconds is not None]
    if not begun:
        return NOTHING
    shown = sorted(begun, key=lambda move: (move.began_at_seconds or 0.0, move.number))[:MOST_ROWS]
    some = "" if len(shown) == len(begun) else f": {len(shown)} of {number(len(begun))}"
    text = "A bar lasts from begin to end, as the loop saw them; its outline is as long as the migration was expected to take."
    drawn = el("div", passage(shown), class_="scroll", tabindex="0", role="region", aria_label="Moves over time")
    return section(f"Moves over time{some}", el("p", text, class_="soft"), drawn)


def _moves(carried: Carried) -> Markup:
    rows = Rows(map(_move_row, carried.moves), len(carried.moves), _MOVES_BYTES, "ullage plans show -o json")
    titles = ">Step|Workload|From → to|>Memory|Phase|>Took|>Expected|Why"
    return section("Moves", table(titles, rows))


def _move_row(move: CarriedMove) -> Markup:
    planned = move.planned
    # What became of a move is news; where all went well, it is why the move was wanted.
    is_news = bool(move.code) and not move.succeeded
    why = explained(move.code, move.reason) if is_news else explained(planned.code, planned.reason)
    return row(
        num(number(move.number)),
        workload(planned.workload),
        way(planned.source, planned.target),
        num(size(planned.memory_bytes)),
        cell(move.phase, class_=f"one {_tone(move)}".strip()),
        num(DASH if move.seconds is None else duration(move.seconds)),
        num(DASH if planned.expected_seconds is None else duration(planned.expected_seconds)),
        why,
    )


def _tone(move: CarriedMove) -> str:
    return {"Succeeded": "well", "Failed": "bad", "Refused": "bad"}.get(move.phase, "")
