"""The sections of the HTML page. Each takes the plan and gives its section, or nothing where there is nothing to say."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from descheduler.policy.plan import NodeStatus, NodeView, PlannedMove, RebalancePlan, Refusal
from descheduler.report import story
from descheduler.report.figures import NOTHING as DASH
from descheduler.report.figures import change, cores, count, duration, known, number, percent, short_percent, size
from descheduler.report.flow import MOST_MOVES, flow
from descheduler.report.markup import Markup, el, joined, shape
from descheduler.report.story import Part
from descheduler.report.svg import bars, heat
from descheduler.report.tables import Rows, cell, explained, named, num, row, table, way, workload
from descheduler.report.tables import node as node_cell

MOST_ROWS: Final = 60
"""Nodes that are drawn one per row; with more, all stand in a map and only those that change are drawn."""

NOTHING: Final = Markup()
_STAYING_BYTES, _FIGURES_BYTES, _REFUSED_BYTES, _DIES_BYTES, _NOTES = 12_000, 14_000, 24_000, 8_000, 40


def section(title: str, *content: str, class_: str | None = None) -> Markup:
    """A section with its title."""
    return el("section", el("h2", title), *content, class_=class_)


def arrow(before: str, after: str) -> str:
    """``before → after``, or the one value when both are alike."""
    return change(before, after).replace(" -> ", " → ")


def _pair(node: NodeStatus, figure: Callable[[NodeView], float | None]) -> Markup:
    return num(arrow(percent(figure(node.before)), percent(figure(node.after))))


def _scrolling(picture: Markup, label: str) -> Markup:
    return el("div", picture, class_="scroll", tabindex="0", role="region", aria_label=label)


def _staying_row(node: NodeStatus) -> Markup:
    return row(
        named(node.name),
        _pair(node, lambda view: view.cpu_ratio),
        _pair(node, lambda view: view.memory_ratio),
        explained(node.code, node.reason, story.remedy(node.code)),
    )


def staying(plan: RebalancePlan) -> Markup:
    """Nodes that miss the goal, with why and what helps."""
    nodes = story.staying(plan)
    impossible = plan.status.summary.relief_possible is False
    if not nodes and not impossible:
        return NOTHING
    lead = el("p", story.meaning("relief-impossible")) if impossible else NOTHING
    rows = Rows(map(_staying_row, nodes), len(nodes), _STAYING_BYTES)
    listed = table("Node|>CPU|>Memory|Why", rows) if nodes else NOTHING
    return section(f"Not reached: {count(len(nodes), 'node')}", lead, listed, class_="warn")


def _sign(label: str, *content: Markup) -> Markup:
    return el("li", el("svg", *content, viewBox="0 0 22 12", aria_hidden="true"), label)


def _swatch(class_: str) -> Markup:
    return shape("rect", x=1, y=1, width=20, height=10, class_=class_)


def _bar_legend(plan: RebalancePlan) -> Markup:
    signs = [_sign("over the threshold ▲", _swatch("over")), _sign("relieved", _swatch("good"))]
    signs += [_sign("comes in", _swatch("more")), _sign("went away", _swatch("gone"))]
    limits = [limit for limit in plan.status.thresholds if limit.resource in ("cpu", "memory")]
    high = _limits("threshold", [(limit.resource, limit.high) for limit in limits])
    target = _limits("target", [(limit.resource, limit.target) for limit in limits])
    signs.append(_sign(high, shape("path", d="M11 0V12", class_="high")))
    if any(limit.high != limit.target for limit in limits):
        signs.append(_sign(target, shape("path", d="M11 0V12", class_="target")))
    return el("ul", *signs, class_="legend")


def _limits(name: str, limits: Sequence[tuple[str, float]]) -> str:
    values = {short_percent(ratio) for _, ratio in limits}
    if len(values) == 1:
        return f"{name} {values.pop()}"
    return f"{name} " + ", ".join(f"{_title(resource)} {short_percent(ratio)}" for resource, ratio in limits)


def _title(resource: str) -> str:
    return {"cpu": "CPU", "memory": "memory"}.get(resource, resource)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _map_legend(plan: RebalancePlan) -> Markup:
    def cell_of(class_: str) -> Markup:
        return shape("path", d="M5 6H17", class_=f"c {class_}", style="stroke-width:11")

    steps = ("to 20%", "to 40%", "to 60%", "to target", "to threshold")
    signs = [_sign(text, cell_of(f"h{index}")) for index, text in enumerate(steps)]
    dot = shape("path", d="M11 6h0", class_="dot", style="stroke-width:4")
    signs += [_sign("over", cell_of("over"), dot), _sign("not known", cell_of("none"))]
    text = "A cell is a node, the fullest before the plan first; it keeps its place."
    return joined([el("ul", *signs, class_="legend"), el("p", text, class_="soft")] if plan.status.nodes else [])


def _row_of_figures(node: NodeStatus) -> Markup:
    return row(
        named(node.name),
        cell(arrow(node.before.node_class.value, node.after.node_class.value)),
        _pair(node, lambda view: view.cpu_ratio),
        _pair(node, lambda view: view.memory_ratio),
        _pair(node, lambda view: view.memory_requested_ratio),
        _pair(node, lambda view: view.worst_case_memory_ratio),
        num(arrow(number(node.before.workloads), number(node.after.workloads))),
    )


def _figures(nodes: Sequence[NodeStatus]) -> Markup:
    titles = "Node|Class|>CPU|>Memory|>Memory requested|>Memory, worst case|>Workloads"
    rows = Rows(map(_row_of_figures, nodes), len(nodes), _FIGURES_BYTES)
    return el("details", el("summary", "The same in figures"), table(titles, rows, "Nodes before and after the plan"))


def _drawn(nodes: Sequence[NodeStatus], plan: RebalancePlan) -> Markup:
    return _scrolling(bars(nodes, story.thresholds(plan)), "Nodes as bars")


def nodes(plan: RebalancePlan) -> Markup:
    """Nodes before and after as pictures, and in figures."""
    everyone = story.told(plan.status.nodes)
    if not everyone:
        return NOTHING
    if len(everyone) <= MOST_ROWS:
        return section("Nodes before and after", _bar_legend(plan), _drawn(everyone, plan), _figures(everyone))
    parts = [_map_legend(plan), _scrolling(heat(everyone, story.thresholds(plan)), "All nodes as cells")]
    changed = [node for node in everyone if story.part(node) not in (Part.SAME, Part.UNKNOWN)]
    if changed:
        shown = _most(changed)
        some = "" if len(shown) == len(changed) else f": {number(len(shown))} of {number(len(changed))}"
        parts += [el("h3", f"Nodes that change{some}"), _bar_legend(plan), _drawn(shown, plan), _figures(changed)]
    return section("Nodes before and after", *parts)


def _most(changed: Sequence[NodeStatus]) -> list[NodeStatus]:
    """As many as are drawn: of each part a share, since receivers belong to the picture as givers do."""
    if len(changed) <= MOST_ROWS:
        return list(changed)
    parts = {role: [node for node in changed if story.part(node) is role] for role in Part}
    share = MOST_ROWS // sum(map(bool, parts.values()))
    return [node for role in Part for node in parts[role][:share]]


def _move_row(step: int, move: PlannedMove) -> Markup:
    return row(
        num(number(step)),
        workload(move.workload),
        way(move.source, move.target),
        num(size(move.memory_bytes)),
        num(cores(move.cpu_cores)),
        num(DASH if move.expected_seconds is None else duration(move.expected_seconds)),
        explained(move.code, move.reason),
    )


def moves(plan: RebalancePlan, room_bytes: int) -> Markup:
    """Moves in the order of execution, as a flow if they are few, and as a table."""
    planned = plan.spec.moves
    if not planned:
        return NOTHING
    drawn = NOTHING
    if len(planned) <= MOST_MOVES:
        text = "From the nodes on the left to those on the right; the thicker the line, the more memory moves."
        drawn = joined([el("p", text, class_="soft"), _scrolling(flow(planned), "Moves as a flow")])
    rows = (_move_row(step, move) for step, move in enumerate(planned, 1))
    body = Rows(rows, len(planned), room_bytes, "ullage plan -o wide")
    return section("Moves", drawn, table(">Step|Workload|From → to|>Memory|>Cores|>Takes|Why", body))


def _refused_rows(refused: Sequence[Refusal]) -> Iterator[Markup]:
    for refusal in sorted(refused, key=lambda refusal: (refusal.node, refusal.workload)):
        yield row(workload(refusal.workload), node_cell(refusal.node), cell(refusal.reason, class_="why"))


def _refused_code(code: str, refused: Sequence[Refusal], room_bytes: int) -> Markup:
    remedy = story.remedy(code)
    summary = el("summary", el("b", number(len(refused))), f" · {story.meaning(code) or code} ", el("code", code))
    helps = el("p", f"What helps: {remedy}") if remedy else NOTHING
    return el(
        "details", summary, helps, table("Workload|Node|Why", Rows(_refused_rows(refused), len(refused), room_bytes))
    )


def refused(plan: RebalancePlan) -> Markup:
    """Refusals by code, each with its count, what helps, and its workloads folded away."""
    everyone = plan.status.refused
    if not everyone:
        return NOTHING
    codes = story.refused_by_code(everyone)
    room = _REFUSED_BYTES // len(codes)
    by_code: dict[str, list[Refusal]] = {code: [] for code, _ in codes}
    for refusal in everyone:
        by_code[refusal.code].append(refusal)
    text = f"{count(len(everyone), 'workload')} on nodes that the goal asks about, by the reason why."
    return section(
        "What does not move",
        el("p", text, class_="soft"),
        *(_refused_code(code, by_code[code], room) for code, _ in codes),
    )


def _dies_row(node: NodeStatus) -> Markup:
    before, after = (", ".join(view.dies_next) or DASH for view in (node.before, node.after))
    return row(named(node.name), cell(before), cell("the same" if before == after else after))


def dies_next(plan: RebalancePlan) -> Markup:
    """Who would be evicted first if memory ran out, on the nodes that change or stay over."""
    dying = [
        node
        for node in story.told(plan.status.nodes)
        if (node.before.dies_next or node.after.dies_next) and story.part(node) is not Part.SAME
    ]
    if not dying:
        return NOTHING
    rows = Rows(map(_dies_row, dying), len(dying), _DIES_BYTES)
    text = "In the kubelet's order of eviction, on the nodes that this plan is about."
    title = "Evicted first if memory ran out"
    return section(title, el("p", text, class_="soft"), table("Node|Before|After", rows))


def _note(text: str, code: str, objects: Sequence[str]) -> Markup:
    few = ", ".join(objects[:5])
    more = f" and {number(len(objects) - 5)} more" if len(objects) > 5 else ""
    return el("li", text, f" ({few}{more}) " if few else " ", el("code", code))


def notes(plan: RebalancePlan) -> Markup:
    """Thresholds, and what could not be known or was assumed."""
    told = plan.status.notes
    limits = [
        row(named(_capital(_title(limit.resource))), num(short_percent(limit.high)), num(short_percent(limit.target)))
        for limit in plan.status.thresholds
    ]
    listed = [_note(note.text, note.code, note.objects) for note in told[:_NOTES]]
    if len(told) > _NOTES:
        listed.append(el("li", f"and {number(len(told) - _NOTES)} more notes; -o json lists all."))
    text = "Above its threshold a node is over. Sources come down to the target, and destinations stay under it."
    return section(
        "What was assumed",
        el("p", text, class_="soft"),
        el("div", table("Resource|>Threshold|>Target", Rows(limits, len(limits))), class_="narrow")
        if limits
        else NOTHING,
        el("ul", *listed) if listed else NOTHING,
    )


def _fullest(plan: RebalancePlan) -> tuple[str, str, str]:
    def highest(figure: Callable[[NodeView], float | None]) -> str:
        pairs = [(figure(node.before), figure(node.after)) for node in plan.status.nodes]
        before = max((first for first, _ in pairs if first is not None and known(first)), default=None)
        after = max((last for _, last in pairs if last is not None and known(last)), default=None)
        return arrow(percent(before), percent(after))

    below = f"CPU {highest(lambda view: view.cpu_ratio)}"
    return "Memory of the fullest node", highest(lambda view: view.memory_ratio), below


def _spread(plan: RebalancePlan) -> tuple[str, str, str]:
    numbers = plan.status.summary
    memory = arrow(percent(numbers.memory_deviation_before), percent(numbers.memory_deviation_after))
    cpu = arrow(percent(numbers.cpu_deviation_before), percent(numbers.cpu_deviation_after))
    return "Deviation of memory use", memory, f"CPU {cpu}"


def _time(plan: RebalancePlan) -> str:
    seconds = [move.expected_seconds for move in plan.spec.moves if move.expected_seconds is not None]
    if not seconds or len(seconds) < len(plan.spec.moves):
        return ""
    return f"about {duration(sum(seconds))} one by one"


def _figures_of(plan: RebalancePlan) -> Iterator[tuple[str, str, str]]:
    numbers, least, goal = plan.status.summary, plan.status.lower_bound, plan.spec.goal.value
    fewest = numbers.moves and least.moves == numbers.moves
    at_least = "no plan can do with fewer" if fewest else f"no plan does with less than {number(least.moves or 0)}"
    yield "Moves", number(numbers.moves), at_least if least.moves else ""
    bytes_least = f"at least {size(least.bytes)} in any plan" if least.bytes else ""
    yield "Memory that moves", size(numbers.bytes), ", ".join(filter(None, (bytes_least, _time(plan))))
    unknown = f", {number(numbers.nodes_unknown)} not known" if numbers.nodes_unknown else ""
    over = arrow(number(numbers.nodes_over_before), number(numbers.nodes_over_after))
    yield "Nodes over the threshold", over, f"of {number(numbers.nodes)}{unknown}"
    if goal in ("evacuate", "consolidate"):
        yield "Nodes emptied", number(numbers.nodes_emptied), ""
    else:
        yield _spread(plan) if goal == "balance" else _fullest(plan)


def tiles(plan: RebalancePlan) -> Markup:
    """The plan in four figures."""
    return el(
        "dl",
        *(
            el("div", el("dt", title), el("dd", value), el("dd", below, class_="sub") if below else NOTHING)
            for title, value, below in _figures_of(plan)
        ),
        class_="tiles",
    )
