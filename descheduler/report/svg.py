"""Pictures of a plan as inline SVG: nodes as bars, many nodes as a map of cells, and moves as a flow.

Colours come from the page's style sheet by class. Colour never speaks alone: what is over also carries a mark and its figure.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from types import MappingProxyType
from typing import Final

from descheduler.policy.plan import NodeStatus, NodeView, Threshold
from descheduler.report.figures import MINUS, known, number, percent
from descheduler.report.markup import Markup, el, joined, shape
from descheduler.report.story import Part, part

WIDTH: Final = 1080
"""Width of all pictures in user units."""

PART_TITLES: Final[Mapping[Part, str]] = MappingProxyType(
    {
        Part.STAYS: "Goal not reached",
        Part.RELIEVED: "Relieved",
        Part.GIVES: "Give workloads away",
        Part.TAKES: "Take workloads",
        Part.UNKNOWN: "Use not known",
        Part.SAME: "Unchanged",
    }
)


def picture(height: float, title: str, description: str, *content: str, class_: str = "") -> Markup:
    """An SVG element of the common width with a title and a description for those who cannot see it."""
    return el(
        "svg",
        el("title", title),
        el("desc", description),
        *content,
        viewBox=f"0 0 {WIDTH} {math.ceil(height)}",
        role="img",
        class_=class_ or None,
    )


def clipped(text: str, length: int) -> str:
    """Text of at most so many characters; the middle gives way, since names differ at their ends."""
    if len(text) <= length:
        return text
    head = (length - 1) // 2
    return f"{text[:head]}…{text[len(text) - (length - 1 - head) :]}"


@dataclass(frozen=True)
class Resource:
    """A resource that is drawn: its title, its limits and where its ratio stands."""

    title: str
    threshold: Threshold | None
    ratio: Callable[[NodeView], float | None]

    def over(self, view: NodeView) -> bool:
        """Whether the ratio is above the threshold."""
        ratio = self.ratio(view)
        return self.threshold is not None and ratio is not None and ratio > self.threshold.high


def resources(limits: Mapping[str, Threshold]) -> tuple[Resource, Resource]:
    """Memory, the hard constraint, and CPU, the soft one, with their thresholds."""
    return (
        Resource("Memory", limits.get("memory"), lambda view: view.memory_ratio),
        Resource("CPU", limits.get("cpu"), lambda view: view.cpu_ratio),
    )


_ROW, _HEAD, _GROUP, _BAR, _THICK = 24, 44, 34, 132, 10
_PANELS: Final = (200, 416, 652, 868)


def _top(nodes: Iterable[NodeStatus], drawn: Sequence[Resource]) -> float:
    ratios = [resource.ratio(view) or 0 for node in nodes for view in (node.before, node.after) for resource in drawn]
    highest = max((ratio for ratio in ratios if known(ratio)), default=0)
    return min(2, max(1, math.ceil(highest * 10) / 10))


@dataclass(frozen=True)
class _Scale:
    left: float
    top: float

    def length(self, ratio: float) -> float:
        return _BAR * min(max(ratio, 0), self.top) / self.top


def _bar(scale: _Scale, y: float, start: float, end: float, class_: str) -> Markup:
    left, right = scale.length(start), scale.length(end)
    if right - left < 0.05:
        return Markup()
    return shape("rect", x=scale.left + left, y=y + 7, width=right - left, height=_THICK, class_=class_)


def _value(scale: _Scale, y: float, ratio: float | None, *, over: bool) -> Markup:
    text = f"▲ {percent(ratio)}" if over else percent(ratio)
    return el("text", text, x=scale.left + _BAR + 6, y=y + 16, class_="ov" if over else "v")


def _before(resource: Resource, node: NodeStatus, scale: _Scale, y: float) -> Markup:
    ratio, over = resource.ratio(node.before), resource.over(node.before)
    bar = _bar(scale, y, 0, ratio, "over" if over else "bar") if ratio is not None and known(ratio) else Markup()
    return joined([bar, _value(scale, y, ratio, over=over)])


def _after(resource: Resource, node: NodeStatus, scale: _Scale, y: float) -> Markup:
    before, after, over = resource.ratio(node.before), resource.ratio(node.after), resource.over(node.after)
    parts = []
    if before is not None and after is not None and known(before) and known(after):
        relieved = resource.over(node.before) and not over
        class_ = "over" if over else "good" if relieved else "bar"
        parts = [
            _bar(scale, y, 0, min(before, after), class_),
            _bar(scale, y, before, after, class_ if over else "more"),
            _bar(scale, y, after, before, "gone"),
        ]
    return joined([*parts, _value(scale, y, after, over=over)])


def _lines(resource: Resource, scale: _Scale, first: float, last: float) -> Markup:
    marks = [(0.0, "axis"), (1.0, "axis")]
    if resource.threshold is not None:
        marks.append((resource.threshold.high, "high"))
        if resource.threshold.target != resource.threshold.high:
            marks.append((resource.threshold.target, "target"))
    return joined(
        shape("path", d=f"M{scale.left + scale.length(ratio):.1f} {first:g}V{last:g}", class_=class_)
        for ratio, class_ in marks
    )


def _traffic(node: NodeStatus) -> str:
    out, into = f"{MINUS}{node.moves_out}" if node.moves_out else "", f"+{node.moves_in}" if node.moves_in else ""
    return f"{out} {into}".strip()


def labels(names: Iterable[str]) -> dict[str, str]:
    """Names as they are shown in pictures: without the domain, where all names share one."""
    parts = {name: name.partition(".") for name in names}
    shared = len({domain for _, _, domain in parts.values()}) == 1
    return {name: clipped(host if shared and host else name, 22) for name, (host, _, _) in parts.items()}


def _node_row(node: NodeStatus, label: str, drawn: Sequence[Resource], scales: Sequence[_Scale], y: float) -> Markup:
    cells = [
        draw(resource, node, scale, y)
        for (resource, draw), scale in zip(
            ((resource, draw) for resource in drawn for draw in (_before, _after)), scales, strict=True
        )
    ]
    name = el("text", label, x=0, y=y + 16, class_="n")
    traffic = _traffic(node)
    moved = el("text", traffic, x=184, y=y + 16, class_="t") if traffic else Markup()
    return el("g", name, moved, *cells, class_="same" if part(node) is Part.SAME else None)


def _heads(drawn: Sequence[Resource], scales: Sequence[_Scale]) -> Markup:
    titles = [el("text", drawn[index].title, x=scales[2 * index].left, y=14, class_="h") for index in range(2)]
    moments = [
        el("text", moment, x=scale.left, y=34, class_="s")
        for moment, scale in zip(("before", "after") * 2, scales, strict=True)
    ]
    return joined([*titles, *moments])


def bars(nodes: Sequence[NodeStatus], limits: Mapping[str, Threshold]) -> Markup:
    """Nodes one per row, in the order given: memory and CPU before and after as bars with threshold and target lines.

    Parameters
    ----------
    nodes
        Nodes, sorted so that those of one part stand together.
    limits
        Thresholds by resource; one without is drawn without lines.
    """
    drawn = resources(limits)
    scales = [_Scale(left, _top(nodes, drawn)) for left in _PANELS]
    shown = labels(node.name for node in nodes)
    rows: list[Markup] = []
    lines: list[Markup] = []
    y = float(_HEAD)
    for role, group in groupby(nodes, part):
        members = list(group)
        rows.append(el("text", f"{PART_TITLES[role]} · {number(len(members))}", x=0, y=y + 22, class_="g"))
        rows.append(shape("path", d=f"M0 {y + 30:g}H{WIDTH}", class_="rule"))
        y += _GROUP
        rows += [
            _node_row(node, shown[node.name], drawn, scales, y + _ROW * index) for index, node in enumerate(members)
        ]
        last = y + _ROW * len(members)
        lines += [_lines(drawn[index // 2], scale, y, last) for index, scale in enumerate(scales)]
        y = last + 4
    title = "Nodes before and after the plan"
    return picture(y, title, _described(nodes, drawn), _heads(drawn, scales), *rows, *lines, class_="bars")


def _described(nodes: Sequence[NodeStatus], drawn: Sequence[Resource]) -> str:
    return " ".join(
        f"{resource.title}: {number(sum(resource.over(node.before) for node in nodes))} of {number(len(nodes))} nodes "
        f"over the threshold before, {number(sum(resource.over(node.after) for node in nodes))} after."
        for resource in drawn
    )


_CELLS, _MAP_HEAD, _MAP_GAP = 520, 44, 40
_SHADES: Final = (0.2, 0.4, 0.6)


@dataclass(frozen=True)
class _Map:
    left: float
    top: float
    across: int

    @property
    def cell(self) -> float:
        return _CELLS / self.across


def shade(resource: Resource, view: NodeView) -> str:
    """Class of a cell: ``h0`` to ``h4`` by use up to the threshold, ``over`` above it, ``none`` where it is not known."""
    ratio = resource.ratio(view)
    if ratio is None or not known(ratio):
        return "none"
    if resource.over(view):
        return "over"
    target = resource.threshold.target if resource.threshold else 0.8
    return f"h{sum(ratio > step for step in (*_SHADES, target))}"


def _runs(shades: Sequence[str], across: int) -> Iterator[tuple[str, str]]:
    """Path pieces by class: runs of alike cells in a row are one stroke."""
    for row in range(0, len(shades), across):
        column = 0
        for name, cells in groupby(shades[row : row + across]):
            run = len(list(cells))
            yield name, f"M{column} {row // across}h{run}"
            column += run


def _cells(shades: Sequence[str], place: _Map) -> Markup:
    pieces: dict[str, list[str]] = {}
    for name, piece in _runs(shades, place.across):
        pieces.setdefault(name, []).append(piece)
    transform = f"translate({place.left:g} {place.top:g}) scale({place.cell:.4f}) translate(0 .5)"
    paths = [shape("path", d="".join(pieces[name]), class_=f"c {name}") for name in sorted(pieces)]
    dots = "".join(
        f"M{index % place.across + 0.5:g} {index // place.across}h0"
        for index, name in enumerate(shades)
        if name == "over"
    )
    marks = [shape("path", d=dots, class_="dot")] if dots else []
    return el("g", *paths, *marks, _mesh(len(shades), place.across), transform=transform)


def _mesh(total: int, across: int) -> Markup:
    down = math.ceil(total / across)
    vertical = "".join(f"M{column} -.5V{down - 0.5:g}" for column in range(across + 1))
    level = "".join(f"M0 {row - 0.5:g}H{across}" for row in range(down + 1))
    return shape("path", d=vertical + level, class_="mesh")


def _moment(title: str, over: int, place: _Map) -> Markup:
    mark = f"▲ {number(over)} over" if over else "none over"
    return joined(
        [
            el("text", title, x=place.left, y=place.top - 14, class_="h"),
            el("text", mark, x=place.left + _CELLS, y=place.top - 14, class_="oe" if over else "e"),
        ]
    )


def _by_use(nodes: Sequence[NodeStatus], resource: Resource) -> list[NodeStatus]:
    return sorted(nodes, key=lambda node: (-(resource.ratio(node.before) or 0), node.name))


def heat(nodes: Sequence[NodeStatus], limits: Mapping[str, Threshold]) -> Markup:
    """Many nodes as two maps per resource, before and after: a cell per node, the fullest before the plan first.

    A cell keeps its place from before to after, so that one sees what the moves change. 5,000 nodes take some 50 kB.
    """
    across = max(26, math.ceil(math.sqrt(3.2 * len(nodes))))
    down = math.ceil(len(nodes) / across)
    panel = _MAP_HEAD + down * _CELLS / across
    drawn = resources(limits)
    content: list[Markup] = []
    for index, resource in enumerate(drawn):
        ordered = _by_use(nodes, resource)
        top = index * (panel + 16) + _MAP_HEAD - 10
        views = ("before", [node.before for node in ordered]), ("after", [node.after for node in ordered])
        for side, (moment, seen) in enumerate(views):
            place = _Map(side * (_CELLS + _MAP_GAP), top, across)
            content.append(_moment(f"{resource.title} {moment}", sum(map(resource.over, seen)), place))
            content.append(_cells([shade(resource, view) for view in seen], place))
    return picture(
        2 * panel + 16, "All nodes before and after the plan", _described(nodes, drawn), *content, class_="heat"
    )
