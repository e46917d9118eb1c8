"""Text tables as kubectl prints them: upper-case headers, columns three spaces apart, no lines."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from descheduler.report.escape import visible

_GAP = "   "


def _plain(text: str) -> str:
    return text


@dataclass(frozen=True)
class Column:
    """A column of a text table.

    Attributes
    ----------
    header
        Upper case, without spaces.
    right
        Whether it is set flush right.
    paint
        Puts colour around a padded cell; it must not change what is seen.
    """

    header: str
    right: bool = False
    paint: Callable[[str], str] = _plain


def width(text: str) -> int:
    """Terminal columns that a visible text takes (Unicode Standard Annex 11; combining marks take none)."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(character) else 1 + (unicodedata.east_asian_width(character) in "WF")
        for character in text
    )


def _padded(text: str, room: int, *, right: bool) -> str:
    blanks = " " * (room - width(text))
    return blanks + text if right else text + blanks


def _line(cells: Sequence[str], rooms: Sequence[int], columns: Sequence[Column], *, head: bool) -> str:
    last = len(cells) - 1
    parts = []
    for index, (cell, room, column) in enumerate(zip(cells, rooms, columns, strict=True)):
        # The last column is not padded: no line ends in blanks.
        text = cell if index == last and not column.right else _padded(cell, room, right=column.right)
        parts.append(text if head else column.paint(text))
    return _GAP.join(parts).rstrip()


def grid(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> str:
    """A table as text; every cell is made visible first, and no cell is cut."""
    shown = [[visible(cell) for cell in row] for row in rows]
    headers = [column.header for column in columns]
    rooms = [max(map(width, cells)) for cells in zip(headers, *shown, strict=True)]
    lines = [_line(headers, rooms, columns, head=True)]
    lines += [_line(row, rooms, columns, head=False) for row in shown]
    return "\n".join(lines)
