"""Points of many answers as tables of readings: joined by identity, each with the time of its sample. No I/O."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from types import MappingProxyType
from typing import Final, TypeAlias, cast

import numpy as np

from ullage.model.arrays import BoolArray, FloatArray, IntArray, frozen
from ullage.telemetry.catalog import NODE_LABELS, Axis, Chosen, Exporter, highest
from ullage.telemetry.decode import Block, Labels, labels
from ullage.telemetry.duplicates import settle
from ullage.telemetry.identity import NodeIdentities
from ullage.telemetry.readings import NodeKey, PodKey, Problem, Table

EXAMPLES: Final = 3
"""Most names that a problem carries."""

OVERSHOOT: Final = 1.1
"""A ratio up to here is taken for 1: ``rate`` extrapolates to the ends of its window."""

Row: TypeAlias = NodeKey | PodKey
Series: TypeAlias = tuple[str, ...]
Finder: TypeAlias = Callable[[Series], Row | None]

_READERS: Final[Mapping[Axis, Callable[[Labels], Series]]] = MappingProxyType(
    {axis: attrgetter(*axis.value) for axis in Axis}
)
_SENTENCES: Final = MappingProxyType(
    {
        "unknown-object": "Series of objects that the cluster does not have, or whose labels do not say whose they are",
        "nan": "Values that are not a number",
        "inf": "Values that are infinite",
        "range": "Values that cannot be true",
        "stale": "Values whose exporter gave no sample lately, so that their age is not known",
        "duplicate": "Values that two series give and that differ by more than 5 %",
    }
)


@dataclass(frozen=True)
class Grid:
    """Times at which queries are evaluated: `steps` of them, `step_seconds` apart; an instant query has one step.

    Points beside the grid are dropped.
    """

    start_seconds: float = 0.0
    step_seconds: float = 0.0
    steps: int = 1

    @property
    def end_seconds(self) -> float:
        """Time of the last step."""
        return self.start_seconds + (self.steps - 1) * self.step_seconds

    def column(self, at_seconds: FloatArray) -> IntArray:
        """Step of each time, int64; -1 where it is none."""
        if self.step_seconds == 0:
            return np.zeros(len(at_seconds), np.int64)
        with np.errstate(invalid="ignore"):
            step = np.rint((at_seconds - self.start_seconds) / self.step_seconds)
        is_on = (step >= 0) & (step < self.steps)
        return np.where(is_on, step, -1).astype(np.int64)


@dataclass(frozen=True, eq=False)
class _Points:
    series: IntArray
    mark: IntArray
    column: IntArray
    value: FloatArray

    def where(self, keep: BoolArray) -> _Points:
        return _Points(self.series[keep], self.mark[keep], self.column[keep], self.value[keep])


class Gathered:
    """Points of one axis, gathered block by block."""

    def __init__(self, axis: Axis, grid: Grid) -> None:
        self._axis, self._grid = axis, grid
        self._places: dict[bytes, int] = {}
        self._origins: list[bytes] = []
        self._numbers: list[int] = []
        self._series: dict[Series, int] = {}
        self._values: list[_Points] = []
        self._times: list[_Points] = []

    def add(self, block: Block, *, is_time: bool) -> None:
        """Take the points of a block; `is_time` says that its values are times of samples."""
        of, (numbers, marks) = block.series, self._identified(block)
        points = _Points(numbers[of], marks[of], self._grid.column(block.at_seconds), block.value)
        most = len(Exporter) if is_time else len(self._axis.readings)
        is_ours = (points.mark >= 0) & (points.mark < most) & (points.column >= 0)
        (self._times if is_time else self._values).append(points.where(is_ours))

    def _identified(self, block: Block) -> tuple[IntArray, IntArray]:
        """Number and mark of each series of a block; most come in the order in which they came with an earlier mark."""
        origin, mark = block.first()
        place, count = self._places.get(origin), len(block.metrics)
        if place is not None and mark >= 0 and block.holds(self._origins[place : place + count], mark):
            return np.array(self._numbers[place : place + count], np.int64), np.full(count, mark)
        self._learn(block.origins)
        places = [self._places[each] for each in block.origins]
        return np.array([self._numbers[each] for each in places], np.int64), block.marks

    def _learn(self, origins: Sequence[bytes]) -> None:
        fresh = list(dict.fromkeys(itertools.filterfalse(self._places.__contains__, origins)))
        for origin, key in zip(fresh, map(_READERS[self._axis], labels(fresh)), strict=True):
            self._places[origin] = len(self._origins)
            self._origins.append(origin)
            self._numbers.append(self._series.setdefault(key, len(self._series)))

    def marks(self) -> frozenset[int]:
        """Readings of which at least one point came."""
        return frozenset(int(mark) for part in self._values for mark in np.unique(part.mark))

    def tables(self, find: Finder, chosen: Chosen) -> tuple[tuple[Table, ...], tuple[Problem, ...]]:
        """One table per step, and what could not be used.

        Parameters
        ----------
        find
            Gives the row's name for what labels say; ``None`` if there is no such object.
        chosen
            Which exporter each reading came from.
        """
        rows, names = _rows(self._series, find)
        points = _joined(self._values)
        at = self._at(points, chosen)
        row = rows[points.series]
        bad = _bad(points, at, row, highest(self._axis))
        problems = [self._problem(code, points.where(mask)) for code, mask in bad.items() if mask.any()]
        keep = ~np.logical_or.reduce(list(bad.values()))
        kept, width = points.where(keep), len(self._axis.readings)
        cell = (kept.column * len(names) + row[keep]) * width + kept.mark
        cell, value, when, refused = settle(cell, np.minimum(kept.value, _ceiling(self._axis)[kept.mark]), at[keep])
        if len(refused):
            refused_names = [names[each] for each in np.unique(refused // width % max(len(names), 1))]
            problems.append(problem("duplicate", len(refused), refused_names))
        shape = (self._grid.steps, len(names), width)
        return _tables(names, _filled(shape, cell, value), _filled(shape, cell, when)), tuple(problems)

    def _at(self, points: _Points, chosen: Chosen) -> FloatArray:
        """Time of each point's sample, NaN where no exporter told it: the oldest of those that its row has."""
        times = _joined(self._times)
        oldest = np.full((len(self._series), len(Exporter), self._grid.steps), np.inf)
        finite = times.where(np.isfinite(times.value))
        np.minimum.at(oldest, (finite.series, finite.mark, finite.column), finite.value)
        exporter = np.zeros(len(self._axis.readings), np.int64)
        for (axis, reading), alternative in chosen.items():
            if axis is self._axis:
                exporter[reading] = alternative.exporter
        at = oldest[points.series, exporter[points.mark], points.column]
        return np.where(np.isinf(at), np.nan, at)

    def _problem(self, code: str, points: _Points) -> Problem:
        found = np.unique(points.series)
        series = list(self._series)
        count = len(found) if code == "unknown-object" else len(points.series)
        return problem(code, count, [_shown(series[each]) for each in found])


def problem(code: str, count: int, names: list[Row] | list[str]) -> Problem:
    """Problem with the sentence of its code, a number and a few names."""
    shown = tuple(sorted({"/".join(_parts(each)) for each in names}))
    return Problem(code, f"{_SENTENCES[code]}: {count:,} of {len(shown):,} objects.", count, shown[:EXAMPLES])


def node_finder(nodes: NodeIdentities) -> Finder:
    """Finds nodes by any label that may name one; the first that is known counts."""

    def find(series: Series) -> str | None:
        found = (nodes.node(label) for label in series[: len(NODE_LABELS)] if label)
        return next((name for name in found if name is not None), None)

    return find


def find_pod(series: Series) -> PodKey | None:
    """Namespace and name of a pod."""
    namespace, name = series
    return (namespace, name) if namespace and name else None


def find_machine(series: Series) -> PodKey | None:
    """Namespace and name of a VMI; the namespace that the exporter gave before that of its scrape."""
    exported, scraped, name = series
    return find_pod((exported or scraped, name))


def _rows(series: Mapping[Series, int], find: Finder) -> tuple[IntArray, tuple[Row, ...]]:
    """Row of each series, -1 if it has none, and the sorted names of the rows."""
    found = [find(each) for each in series]
    # Servers sort by labels: in the order in which they came, names of most axes are sorted already.
    names = tuple(sorted(dict.fromkeys(each for each in found if each is not None)))
    number = {name: row for row, name in enumerate(names)}
    return np.array([-1 if each is None else number[each] for each in found], np.int64), names


def _parts(name: Row) -> tuple[str, ...]:
    return (name,) if isinstance(name, str) else name


def _joined(parts: list[_Points]) -> _Points:
    if not parts:
        nothing = np.zeros(0, np.int64)
        return _Points(nothing, nothing, nothing, np.zeros(0))
    return _Points(
        np.concatenate([each.series for each in parts]),
        np.concatenate([each.mark for each in parts]),
        np.concatenate([each.column for each in parts]),
        np.concatenate([each.value for each in parts]),
    )


def _bad(points: _Points, at: FloatArray, row: IntArray, high: FloatArray) -> dict[str, BoolArray]:
    """Masks of points that cannot be used, by code; each point is in one at most."""
    value = points.value
    most = np.where(high == 1.0, OVERSHOOT, high)[points.mark]
    unknown = row < 0
    nan = ~unknown & np.isnan(value)
    inf = ~unknown & np.isinf(value)
    wrong = ~(unknown | nan | inf) & ~((value >= 0) & (value < most))
    stale = ~(unknown | nan | inf | wrong) & np.isnan(at)
    return {"unknown-object": unknown, "nan": nan, "inf": inf, "range": wrong, "stale": stale}


def _ceiling(axis: Axis) -> FloatArray:
    high = highest(axis)
    return np.where(high == 1.0, 1.0, np.inf)


def _filled(shape: tuple[int, int, int], cell: IntArray, values: FloatArray) -> FloatArray:
    result = np.full(shape, np.nan)
    result.reshape(-1)[cell] = values
    return result


def _tables(names: tuple[Row, ...], value: FloatArray, at: FloatArray) -> tuple[Table, ...]:
    keys = cast("tuple[NodeKey, ...] | tuple[PodKey, ...]", names)  # one axis has one kind of name
    return tuple(Table(keys, frozen(v, np.float64), frozen(t, np.float64)) for v, t in zip(value, at, strict=True))


def _shown(series: Series) -> str:
    return "/".join(part for part in series if part) or "(no labels)"
