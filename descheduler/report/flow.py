"""The moves as a picture: from source nodes on the left to destinations on the right, as thick as the memory that moves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from descheduler.policy.plan import PlannedMove
from descheduler.report.figures import MINUS, count, size
from descheduler.report.markup import Markup, el, joined, shape
from descheduler.report.svg import clipped, labels, picture

MOST_MOVES: Final = 40
"""With more moves the picture would be a tangle."""

_LEFT, _RIGHT, _POST, _SLOT, _GAP, _THICKEST = 240, 840, 6, 20, 18, 18


@dataclass(frozen=True)
class _Stack:
    """One side: nodes from top to bottom, each with its moves (by index) in slots of equal height."""

    order: tuple[str, ...]
    slots: Mapping[str, tuple[int, ...]]

    @property
    def height(self) -> float:
        return sum(len(self.slots[name]) for name in self.order) * _SLOT + _GAP * (len(self.order) - 1)

    def tops(self, start: float) -> dict[str, float]:
        """Upper edge of each node when the stack begins at `start`."""
        tops = {}
        for name in self.order:
            tops[name] = start
            start += len(self.slots[name]) * _SLOT + _GAP
        return tops

    def middles(self, start: float) -> dict[int, float]:
        """Middle of each move's slot."""
        tops = self.tops(start)
        return {
            move: tops[name] + (index + 0.5) * _SLOT
            for name in self.order
            for index, move in enumerate(self.slots[name])
        }


def _stack(moves: Sequence[PlannedMove], end: Callable[[PlannedMove], str], place: Mapping[int, float]) -> _Stack:
    """Nodes of one side, ordered by the mean place of their moves on the other side: few lines cross."""
    slots: dict[str, list[int]] = {}
    for index, move in enumerate(moves):
        slots.setdefault(end(move), []).append(index)
    sorted_slots = {
        name: tuple(sorted(indices, key=lambda index: (place[index], index))) for name, indices in slots.items()
    }
    order = sorted(slots, key=lambda name: (sum(place[index] for index in slots[name]) / len(slots[name]), name))
    return _Stack(tuple(order), sorted_slots)


def _stacks(moves: Sequence[PlannedMove]) -> tuple[_Stack, _Stack]:
    sources = _stack(moves, lambda move: move.source, {index: float(index) for index in range(len(moves))})
    targets = _stack(moves, lambda move: move.target, sources.middles(0))
    # Once more the other way: the moves of one source leave it in the order in which their destinations stand.
    place = targets.middles(0)
    slots = {name: tuple(sorted(sources.slots[name], key=lambda index: place[index])) for name in sources.order}
    return _Stack(sources.order, slots), targets


def _ribbon(move: PlannedMove, step: int, start: float, end: float, largest: float) -> Markup:
    thick = max(2.0, _THICKEST * move.memory_bytes / largest)
    left, right, middle = _LEFT + _POST, _RIGHT - _POST, (_LEFT + _RIGHT) / 2
    path = f"M{left} {start:g}C{middle:g} {start:g} {middle:g} {end:g} {right} {end:g}"
    title = f"{step}. {move.workload}: {move.source} to {move.target}, {size(move.memory_bytes)}"
    return el("g", el("title", title), shape("path", d=path, stroke_width=thick, class_="ribbon"))


def _label(move: PlannedMove, start: float) -> Markup:
    text = clipped(move.workload.name, 34)
    return el("text", text, x=_LEFT + _POST + 10, y=start + 4, class_="w")


def _posts(moves: Sequence[PlannedMove], stack: _Stack, start: float, *, source: bool) -> Markup:
    parts, shown = [], labels(stack.order)
    x, text, class_ = (_LEFT, _LEFT - 10, "e") if source else (_RIGHT - _POST, _RIGHT + 10, "b")
    for name, top in stack.tops(start).items():
        inside = stack.slots[name]
        middle = top + len(inside) * _SLOT / 2
        total = f"{MINUS if source else '+'}{size(sum(moves[index].memory_bytes for index in inside))}"
        parts += [
            shape("rect", x=x, y=top, width=_POST, height=len(inside) * _SLOT, class_="src" if source else "dst"),
            el("text", shown[name], x=text, y=middle - 1, class_=f"n {class_}"),
            el("text", total, x=text, y=middle + 12, class_=f"s {class_}"),
        ]
    return joined(parts)


def flow(moves: Sequence[PlannedMove]) -> Markup:
    """Moves from sources to destinations; a line's thickness is the memory that moves.

    Parameters
    ----------
    moves
        At least one and at most `MOST_MOVES` moves.
    """
    sources, targets = _stacks(moves)
    height = max(sources.height, targets.height)
    left, right = 20 + (height - sources.height) / 2, 20 + (height - targets.height) / 2
    starts, ends = sources.middles(left), targets.middles(right)
    largest = max(1, *(move.memory_bytes for move in moves)) if moves else 1
    ribbons = [_ribbon(move, step, starts[step - 1], ends[step - 1], largest) for step, move in enumerate(moves, 1)]
    labels = [_label(move, starts[index]) for index, move in enumerate(moves)]
    return picture(
        height + 34,
        "Moves from source to destination nodes",
        f"{count(len(moves), 'move')} from {count(len(sources.order), 'node')} to {count(len(targets.order), 'node')}; "
        "the table of moves holds the same.",
        *ribbons,
        _posts(moves, sources, left, source=True),
        _posts(moves, targets, right, source=False),
        *labels,
        class_="flow",
    )
