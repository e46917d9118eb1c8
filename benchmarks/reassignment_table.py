"""What is known of the machine reassignment instances: initial costs, proven lower bounds, published results, and our bars."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.reassignment_runs import Run
from benchmarks.tables import Bar


@dataclass(frozen=True)
class Known:
    """Figures of one instance, from SOURCE.md beside the data.

    Attributes
    ----------
    initial, bound
        Cost at the start, and proven lower bound.
    solver
        A commercial MIP solver in one hour; `None` if not published.
    team
        A qualified team in five minutes; `None` if not published.
    """

    initial: int
    bound: int
    solver: int | None = None
    team: int | None = None

    def over(self, cost: float) -> float:
        """Cost above the lower bound, as a ratio of it."""
        return (cost - self.bound) / max(1, self.bound)

    def closed(self, cost: float) -> float:
        """Share of the gap between initial cost and lower bound that is closed."""
        return (self.initial - cost) / (self.initial - self.bound)


KNOWN: Final = {
    "a1_1": Known(49528750, 44306390, None, 44306501),
    "a1_2": Known(1061649570, 777530730, 777531842, 910605872),
    "a1_3": Known(583662270, 583005700, 583005719, 583373593),
    "a1_4": Known(632499600, 242387530, 262086758, 363300984),
    "a1_5": Known(782189690, 727578290, 727578311, 737552275),
    "a2_1": Known(391189190, 0, 8592396, 13155050),
    "a2_2": Known(1876768120, 13590090, 1111598241, 1304957867),
    "a2_3": Known(2272487840, 521441700, 1375256887, 1752785675),
    "a2_4": Known(3223516130, 1680222380, None, 2158248405),
    "a2_5": Known(787355300, 307035180, None, 619116241),
    "b_01": Known(7644173180, 3290754940),
    "b_02": Known(5181493830, 1015153860),
    "b_03": Known(6336834660, 156631070),
    "b_04": Known(9209576380, 4677767120),
    "b_08": Known(14068207250, 1214153440),
}
LONG: Final = ("b_01",)
"""Instances that the kernel also gets five times the time for."""
CHOSEN_ON: Final = ("a1_2", "a1_3", "a2_2", "a2_5", "b_01", "b_02")
"""Instances on which settings were chosen; the others only tell whether these hold elsewhere, too."""
_OPEN: Final = {"b_01": 0.97, "b_02": 0.9995, "b_03": 0.9995, "b_04": 0.9995, "b_08": 0.9995}
"""Share of the gap that numpy is to close in 60 s."""
_OVER: Final = {"b_01": 1.0, "b_02": 0.07, "b_03": 0.25, "b_04": 0.02, "b_08": 0.15}
"""Percent above the lower bound that the kernel may stay in 60 s."""
_OVER_LONG: Final = {"b_01": 0.3}
"""The same in 300 s."""
_MEMORY_MB: Final = {("b_08", "numpy"): 200.0, ("b_08", "numba"): 400.0}


@dataclass(frozen=True)
class Row:
    """Runs of one instance that differ in the seed alone."""

    instance: str
    kernel: str
    seconds: float
    costs: tuple[int, ...]
    memory_mb: float
    feasible: bool

    @classmethod
    def of(cls, runs: Sequence[Run]) -> Row:
        """Row of at least one run."""
        first, costs = runs[0], tuple(r.cost for r in runs)
        memory, feasible = max(r.memory_mb for r in runs), not any(r.faults for r in runs)
        return cls(first.instance, first.kernel, first.seconds, costs, memory, feasible)

    @property
    def median(self) -> float:
        """Median cost."""
        return float(statistics.median(self.costs))

    @staticmethod
    def headers() -> tuple[str, ...]:
        """Of the table."""
        figures = ("median", "worst", "over", "worst", "closed", "worst", "MB")
        return ("instance", "half", "kernel", "seconds", *figures, "checked")

    def cells(self) -> tuple[str, ...]:
        """Of the table."""
        known, both = KNOWN[self.instance], (self.median, max(self.costs))
        return (
            self.instance,
            "chosen on" if self.instance in CHOSEN_ON else "other",
            self.kernel,
            f"{self.seconds:.0f}",
            *(f"{cost:.0f}" for cost in both),
            *(f"{known.over(cost):.4%}" if known.bound else "-" for cost in both),
            *(f"{known.closed(cost):.5f}" for cost in both),
            f"{self.memory_mb:.0f}",
            "feasible" if self.feasible else "FAULTS",
        )


def order(names: Iterable[str], kernels: Iterable[str]) -> list[tuple[str, str]]:
    """Instances and kernels of a table: set B with both, and after it set A."""
    pairs = [(name, kernel) for kernel in sorted(kernels) for name in names]
    return sorted(pairs, key=lambda pair: (pair[0] not in _OPEN, pair[1] == "numpy"))


def bar(row: Row) -> Bar | None:
    """The bar of a row for its median cost; `None` if there is none."""
    name, known = row.instance, KNOWN[row.instance]
    title = f"{name}, {row.kernel}, {row.seconds:.0f} s"
    if row.kernel == "numpy":
        return Bar(f"{title}, gap left", 1 - known.closed(row.median), 1 - _OPEN[name]) if name in _OPEN else None
    over = _OVER_LONG if row.seconds > 60.0 else _OVER
    if name in over:
        return Bar(f"{title}, over the bound", 100 * known.over(row.median), over[name], "%")
    published = [figure for figure in (known.solver, known.team) if figure is not None]
    return Bar(f"{title}, cost", row.median, min(published)) if published else None


def memory_bar(row: Row) -> Bar | None:
    """The bar of a row for its memory; `None` if there is none."""
    most = _MEMORY_MB.get((row.instance, row.kernel))
    return None if most is None else Bar(f"{row.instance}, {row.kernel}, memory", row.memory_mb, most, "MB")
