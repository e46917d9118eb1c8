"""What every page and every set of formats shares: the head of a page, and the choice of a format."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from descheduler.report.markup import Markup, el
from descheduler.report.style import CSS
from descheduler.report.text import Screen
from ullage.errors import UsageError

_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"

Told = TypeVar("Told")


def chosen(formats: Mapping[str, Callable[[Told, Screen], str]], output: str) -> Callable[[Told, Screen], str]:
    """The format of that name; raises ``UsageError`` with the nearest name."""
    if output not in formats:
        nearest = difflib.get_close_matches(output, formats, n=1)
        hint = f"did you mean {nearest[0]}?" if nearest else f"one of: {', '.join(formats)}"
        raise UsageError(f"unknown output format {output!r}", hint)
    return formats[output]


def head(title: str) -> Markup:
    """Head of a page that stands alone: no script, no network."""
    return el(
        "head",
        _meta(charset="utf-8"),
        _meta(http_equiv="Content-Security-Policy", content=_POLICY),
        _meta(name="viewport", content="width=device-width,initial-scale=1"),
        _meta(name="referrer", content="no-referrer"),
        el("title", f"{title} \N{EN DASH} Ullage"),
        el("style", Markup(CSS)),
    )


def _meta(**attributes: str) -> Markup:
    return Markup(el("meta", **attributes).removesuffix("</meta>"))
