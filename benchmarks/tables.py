"""Plain tables and bars for what benchmarks print."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isnan


def table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Rows below their headers: the first column flush left, the others flush right; no line ends in a blank."""
    lines = [tuple(headers), *map(tuple, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, tuple("-" * width for width in widths))
    return "\n".join(_line(cells, widths) for cells in lines)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = zip(cells, widths, strict=True)
    return "  ".join([first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]).rstrip()


@dataclass(frozen=True)
class Bar:
    """A figure and the most that it may be, in `unit`."""

    name: str
    value: float
    most: float
    unit: str = ""

    @property
    def met(self) -> bool:
        """Whether the figure is within the bar; NaN is not."""
        return self.value <= self.most


def bars(found: Iterable[Bar]) -> str:
    """One line per bar with ``ok`` or ``MISSED``."""
    rows = [
        (
            b.name,
            f"{b.value:,.5g} {b.unit}".rstrip(),
            f"<= {b.most:,.5g} {b.unit}".rstrip(),
            "ok" if b.met else "MISSED",
        )
        for b in found
    ]
    return table(("bar", "measured", "allowed", ""), rows)


def gib(volume_bytes: float) -> str:
    """Bytes as GiB with two digits; ``-`` for NaN."""
    return "-" if isnan(volume_bytes) else f"{volume_bytes / 2**30:,.2f}"


def milliseconds(seconds: float) -> str:
    """Seconds as whole milliseconds."""
    return f"{1000 * seconds:,.0f}"
