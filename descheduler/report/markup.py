"""HTML and SVG by construction: text is escaped unless it is `Markup` that came from here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape

from descheduler.report.escape import visible


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def escaped(text: str) -> Markup:
    """Text as HTML: markup characters and quotes are escaped, and what cannot be seen is spelled out."""
    return text if isinstance(text, Markup) else Markup(escape(visible(text)))


def joined(parts: Iterable[str]) -> Markup:
    """Parts one after the other, escaped where they are plain text."""
    return Markup("".join(map(escaped, parts)))


def _attributes(attributes: dict[str, str | float | None]) -> str:
    return "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escaped(_figure(value))}"'
        for name, value in attributes.items()
        if value is not None
    )


def _figure(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.1f}".removesuffix(".0")


def el(tag: str, *children: str, **attributes: str | float | None) -> Markup:
    """An element with a start and an end tag.

    Attribute names lose a trailing underscore and get hyphens for the others (``class_``, ``aria_label``); those that are
    ``None`` are left out; numbers are rounded to a tenth.
    """
    return Markup(f"<{tag}{_attributes(attributes)}>{joined(children)}</{tag}>")


def shape(tag: str, **attributes: str | float | None) -> Markup:
    """An SVG element without content."""
    return Markup(f"<{tag}{_attributes(attributes)}/>")


def within(rows: Iterable[Markup], room_bytes: int) -> Iterator[Markup]:
    """The first rows that fit into so many bytes of UTF-8."""
    for row in rows:
        room_bytes -= len(row.encode())
        if room_bytes < 0:
            return
        yield row
