"""What is known of the machine reassignment instances: initial costs, proven lower bounds, published results, and our bars."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

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
_OPEN: Final = {"b_01": 0.97, "b_02": 0.9995, "b_03": 0.9995, "b_04": 0.9995, "b_08": 0.9995}
"""Share of the gap that numpy is to close in 60 s."""
_OVER: Final = {"b_01": 1.0, "b_02": 0.07, "b_03": 0.25, "b_04": 0.02, "b_08": 0.15}
"""Percent above the lower bound that the kernel may stay in 60 s."""


def bar(name: str, kernel: str, cost: float) -> Bar | None:
    """The bar of an instance for a median cost after 60 s; `None` if there is none."""
    known = KNOWN[name]
    if kernel == "numpy":
        if name not in _OPEN:
            return None
        return Bar(f"{name}, numpy, gap left", 1 - known.closed(cost), 1 - _OPEN[name])
    if name in _OVER:
        return Bar(f"{name}, {kernel}, over the bound", 100 * known.over(cost), _OVER[name], "%")
    published = [figure for figure in (known.solver, known.team) if figure is not None]
    return Bar(f"{name}, {kernel}, cost", cost, min(published))
