"""Pictures of a plan that was carried out: nodes on their way from use before to use after, and moves over time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from descheduler.report.carried import RESOURCES, Carried, CarriedMove, CarriedNode, Use
from descheduler.report.figures import count, duration, known, percent
from descheduler.report.markup import Markup, el, joined, shape
from descheduler.report.svg import WIDTH, clipped, labels, picture

MOST_ROWS: Final = 60
"""Nodes, and moves, that are drawn; tables hold the rest."""

_ROW, _HEAD, _GROUP = 26, 44, 34
_LEFT: Final = (200, 650)
_WIDE, _VALUE = 270, 18
_CPU: Final = "cpu"


@dataclass(frozen=True)
class _Panel:
    """One resource of all nodes: where it stands, what it is of, and its scale."""

    carried: Carried
    resource: str
    ratio_of: Callable[[Use], float | None]
    left: float
    top: float

    def x(self, ratio: float) -> float:
        """Where a ratio stands."""
        return self.left + _WIDE * min(max(ratio, 0), self.top) / self.top

    def row(self, node: CarriedNode, y: float) -> Markup:
        """The way of one node: from a ring by a stroke to a dot."""
        before, foreseen = self.ratio_of(node.before), self.ratio_of(node.foreseen)
        after = None if node.after is None else self.ratio_of(node.after)
        end = foreseen if after is None else after
        parts = [self._link(before, end, y), self._ring(before, y), self._stroke(foreseen, y), self._dot(after, y)]
        return joined([*parts, self._value(before, end, y, is_real=after is not None)])

    def _link(self, before: float | None, end: float | None, y: float) -> Markup:
        if before is None or end is None:
            return Markup()
        return shape("path", d=f"M{self.x(before):.1f} {y:g}H{self.x(end):.1f}", class_="link")

    def _ring(self, ratio: float | None, y: float) -> Markup:
        if ratio is None:
            return Markup()
        spot = f"M{self.x(ratio):.1f} {y:g}h0"
        class_ = "ring over" if self.carried.is_over(self.resource, ratio) else "ring"
        return joined([shape("path", d=spot, class_=class_), shape("path", d=spot, class_="hole")])

    def _stroke(self, ratio: float | None, y: float) -> Markup:
        return shape("path", d=f"M{self.x(ratio):.1f} {y - 8:g}v16", class_="aim") if ratio is not None else Markup()

    def _dot(self, ratio: float | None, y: float) -> Markup:
        if ratio is None:
            return Markup()
        class_ = "spot over" if self.carried.is_over(self.resource, ratio) else "spot"
        return shape("path", d=f"M{self.x(ratio):.1f} {y:g}h0", class_=class_)

    def _value(self, before: float | None, end: float | None, y: float, *, is_real: bool) -> Markup:
        over = self.carried.is_over(self.resource, end)
        text = f"{'▲ ' if over else ''}{percent(before)} → {percent(end)}"
        class_ = "ov" if over else "b" if is_real else "v"
        return el("text", text, x=self.left + _WIDE + _VALUE, y=y + 4, class_=class_)

    def lines(self, first: float, last: float) -> Markup:
        """Axes at nothing and all, and the threshold."""
        high = self.carried.high(self.resource)
        marks = [(0.0, "axis"), (1.0, "axis"), *([(high, "high")] if high is not None else [])]
        return joined(
            shape("path", d=f"M{self.x(ratio):.1f} {first:g}V{last:g}", class_=class_) for ratio, class_ in marks
        )


def _panels(carried: Carried) -> list[_Panel]:
    uses = [use for node in carried.nodes for use in (node.before, node.foreseen, node.after) if use is not None]
    ratios = [ratio for use in uses for _, ratio_of in RESOURCES if known(ratio := ratio_of(use)) and ratio is not None]
    top = min(2.0, max(1.0, max(ratios, default=0.0)))
    return [_Panel(carried, name, ratio_of, left, top) for (name, ratio_of), left in zip(RESOURCES, _LEFT, strict=True)]


def ways(carried: Carried, nodes: Sequence[CarriedNode]) -> Markup:
    """Nodes one per row: a ring for use before, a stroke for what was foreseen, a dot for what came.

    Parameters
    ----------
    carried
        The plan.
    nodes
        Those of its nodes that are drawn.
    """
    panels, shown = _panels(carried), labels(node.name for node in nodes)
    sources = {move.planned.source for move in carried.moves}
    rows, lines, y = [_heads(panels)], [], float(_HEAD)
    for title, is_source in (("Nodes that give", True), ("Nodes that take", False)):
        members = [node for node in nodes if (node.name in sources) is is_source]
        if not members:
            continue
        rows += [
            el("text", f"{title} · {len(members)}", x=0, y=y + 22, class_="g"),
            shape("path", d=f"M0 {y + 30:g}H{WIDTH}", class_="rule"),
        ]
        y += _GROUP
        rows += [_node(node, shown[node.name], panels, y + _ROW * i + _ROW / 2) for i, node in enumerate(members)]
        last = y + _ROW * len(members)
        lines += [panel.lines(y, last) for panel in panels]
        y = last + 4
    return picture(y, "Nodes before and after", _described(carried), *lines, *rows, class_="ways")


def _heads(panels: Sequence[_Panel]) -> Markup:
    titles = {"memory": "Memory", _CPU: "CPU"}
    parts = [el("text", titles[panel.resource], x=panel.left, y=16, class_="h") for panel in panels]
    parts += [
        el("text", percent(ratio).replace(".0", ""), x=panel.x(ratio), y=36, class_="s m")
        for panel in panels
        for ratio in (0.0, 1.0)
    ]
    return joined(parts)


def _node(node: CarriedNode, label: str, panels: Sequence[_Panel], y: float) -> Markup:
    return el("g", el("text", label, x=0, y=y + 4, class_="n"), *(panel.row(node, y) for panel in panels))


def _described(carried: Carried) -> str:
    before = sum(carried.over(node.before) for node in carried.nodes)
    came = sum(carried.over(node.after) for node in carried.nodes)
    after = f"{came} after" if carried.is_known else "what came of them is not known yet"
    return f"{count(before, 'node')} over the threshold before, {after}; the table holds the same figures."


_NAME_WIDE, _TIME_WIDE = 330, 120
_STEPS: Final = (5, 10, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 43200, 86400)
_MOST_TICKS: Final = 8
_BAR: Final = 12
_CLASSES: Final = {"Succeeded": "good", "Failed": "over", "Running": "more"}


@dataclass(frozen=True)
class _Time:
    start: float
    length: float

    def x(self, at_seconds: float) -> float:
        return _NAME_WIDE + (WIDTH - _NAME_WIDE - _TIME_WIDE) * (at_seconds - self.start) / self.length


def passage(moves: Sequence[CarriedMove]) -> Markup:
    """Moves over time, one per row: a bar from begin to end, and an outline as long as the migration was expected to take.

    Parameters
    ----------
    moves
        Moves that were begun; at least one.
    """
    began = [move.began_at_seconds or 0.0 for move in moves]
    ends = [_end(move) for move in moves]
    time = _Time(min(began), max(1.0, max(ends) - min(began)))
    height = _HEAD - 14 + _ROW * len(moves)
    ticks = _ticks(time, height)
    rows = [_bar(move, time, _HEAD - 14 + _ROW * index) for index, move in enumerate(moves)]
    text = f"{count(len(moves), 'move')} within {duration(time.length)}; the table of moves holds the same."
    return picture(height + 6, "Moves over time", text, ticks, *rows, class_="passage")


def _end(move: CarriedMove) -> float:
    began = move.began_at_seconds or 0.0
    ended = began if move.ended_at_seconds is None else move.ended_at_seconds
    return max(ended, began + (move.planned.expected_seconds or 0.0))


def _ticks(time: _Time, height: float) -> Markup:
    step = next((each for each in _STEPS if time.length / each <= _MOST_TICKS), _STEPS[-1])
    parts = []
    for index in range(int(time.length // step) + 1):
        x = time.x(time.start + index * step)
        text = duration(index * step) if index else "0"
        parts += [
            el("text", text, x=x, y=14, class_="s m"),
            shape("path", d=f"M{x:.1f} 22V{height:g}", class_="axis"),
        ]
    return joined(parts)


def _bar(move: CarriedMove, time: _Time, y: float) -> Markup:
    began, planned = move.began_at_seconds or 0.0, move.planned
    end = time.start + time.length if move.ended_at_seconds is None else move.ended_at_seconds
    left, right = time.x(began), time.x(end)
    title = f"{move.number}. {planned.workload}: {planned.source} to {planned.target}, {move.phase} {move.code}"
    expected = time.x(began + planned.expected_seconds) - left if planned.expected_seconds else 0.0
    name = clipped(f"{move.number}  {planned.workload.name}", 30)
    took = "" if move.seconds is None else duration(move.seconds)
    phase = "" if move.succeeded else {"Running": "under way"}.get(move.phase, move.phase.lower())
    said = ", ".join(filter(None, (took, phase)))
    return el(
        "g",
        el("title", title),
        el("text", name, x=0, y=y + 16, class_="n"),
        shape("rect", x=left, y=y + 4, width=max(1.0, expected), height=_BAR + 4, class_="gone"),
        shape(
            "rect", x=left, y=y + 6, width=max(2.0, right - left), height=_BAR, class_=_CLASSES.get(move.phase, "bar")
        ),
        el("text", said, x=max(right, left + expected) + 8, y=y + 16, class_="s"),
    )
