"""Quantities, timestamps and conditions of the wire as numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import TypeAlias

from ullage.errors import QuantityError
from ullage.model.quantity import to_float
from ullage.sources.objects import Condition, Quantities, Quantity

Complaint: TypeAlias = Callable[[str], None]
"""Takes one sentence on a value that cannot be used."""


def amount(quantity: Quantity | None) -> float:
    """Value in base units, >= 0; NaN where there is none, or it cannot be read or is negative."""
    if quantity is None:
        return math.nan
    try:
        value = to_float(quantity)
    except QuantityError:
        return math.nan
    return value if value >= 0 else math.nan


def amounts(quantities: Quantities | None, complain: Complaint) -> dict[str, float]:
    """Values by resource name, base units, >= 0; a bad one is left out and complained of."""
    result = {}
    for name, quantity in (quantities or {}).items():
        value = amount(quantity)
        if value != value:
            complain(f"{name} cannot be {quantity!r}")
        else:
            result[name] = value
    return result


def seconds(timestamp: str | None) -> float:
    """Unix time of an RFC 3339 timestamp; NaN where there is none or it cannot be read."""
    if not timestamp:
        return math.nan
    try:
        moment = datetime.fromisoformat(timestamp)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return math.nan


def newest(timestamps: Iterable[float]) -> float:
    """Latest of some unix times; NaN where none is known."""
    return max((t for t in timestamps if t == t), default=math.nan)


def status_of(conditions: Iterable[Condition] | None, kind: str) -> str:
    """Status of the condition of type `kind`: True, False or Unknown; empty if there is no such condition."""
    for each in conditions or ():
        if each.type == kind:
            return each.status
    return ""
