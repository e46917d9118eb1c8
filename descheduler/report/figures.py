"""Figures for people: shares, sizes, times and counts. ``?`` stands for what is not known."""

from __future__ import annotations

import math
from typing import Final

from ullage.model.quantity import format_bytes

UNKNOWN: Final = "?"
NOTHING: Final = "\N{EN DASH}"
MINUS: Final = "\N{MINUS SIGN}"


def known(value: float | None) -> bool:
    """Whether a figure was measured: neither ``None`` nor NaN nor infinite."""
    return value is not None and math.isfinite(value)


def percent(ratio: float | None) -> str:
    """A ratio as percent with one decimal, since a node may stand a hair above its threshold."""
    return f"{100 * ratio:.1f}%" if ratio is not None and known(ratio) else UNKNOWN


def short_percent(ratio: float) -> str:
    """A threshold as percent, without a decimal that is zero."""
    return f"{100 * ratio:.4g}%"


def change(before: str, after: str) -> str:
    """``before -> after``, or the one value when both are alike."""
    return before if before == after else f"{before} -> {after}"


def size(value_bytes: float) -> str:
    """Bytes with a binary unit, such as ``61.2 GiB``."""
    text = format_bytes(value_bytes)
    number = text.rstrip("KMGTPEi")
    return f"{number} {text[len(number) :]}B"


def cores(value_cores: float) -> str:
    """CPU cores with two decimals, such as ``1.25``."""
    return f"{value_cores:.2f}" if known(value_cores) else UNKNOWN


def duration(seconds: float | None) -> str:
    """A time in the two largest units, such as ``1 min 20 s``."""
    if seconds is None or not known(seconds):
        return UNKNOWN
    whole = math.ceil(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s".removesuffix(" 0 s")
    return f"{whole // 3600} h {whole % 3600 // 60} min".removesuffix(" 0 min")


def number(value: int) -> str:
    """A count with thousands separators."""
    return f"{value:,}"


def count(value: int, noun: str) -> str:
    """A count with its noun in singular or plural, such as ``1 move`` and ``2,000 moves``."""
    return f"{value:,} {noun}" if value == 1 else f"{value:,} {noun}s"
