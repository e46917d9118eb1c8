"""Kubernetes quantities, exactly.

Grammar and suffixes as in ``k8s.io/apimachinery/pkg/api/resource/quantity.go``: decimal SI (n u m k M G T P E), binary SI
(Ki Mi Gi Ti Pi Ei) and decimal exponents. Kubernetes keeps quantities within a signed 64-bit integer; so do we.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache
from math import frexp
from typing import Final

from ullage.errors import QuantityError

_NUMBER: Final = re.compile(
    r"([+-]?(?:\d{1,40}(?:\.\d{0,40})?|\.\d{1,40}))([A-Za-z]{0,2})(?:(?<=[eE])([+-]?\d{1,3}))?", re.ASCII
)
_DECIMAL: Final = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY: Final = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_UNITS: Final = ("", *_BINARY)
_LIMIT: Final = 2**63


def _scale(text: str, suffix: str, exponent: str | None) -> Fraction:
    if exponent is not None:
        if suffix not in ("e", "E"):
            raise QuantityError(text, f"unknown suffix {suffix!r}")
        return Fraction(10) ** int(exponent)
    if suffix in _BINARY:
        return Fraction(2 ** _BINARY[suffix])
    if suffix in _DECIMAL:
        return Fraction(10) ** _DECIMAL[suffix]
    raise QuantityError(text, f"unknown suffix {suffix!r}")


@lru_cache(maxsize=65536)
def _parse_text(text: str) -> Fraction:
    match = _NUMBER.fullmatch(text.strip())
    if match is None:
        raise QuantityError(text[:64], "not a number with a suffix")
    value = Fraction(match[1]) * _scale(text, match[2], match[3])
    if abs(value) >= _LIMIT:
        raise QuantityError(text, "out of range: Kubernetes keeps quantities within 64 bits")
    return value


def parse(text: str | float) -> Fraction:
    """Exact value of a quantity in base units (bytes, cores, counts).

    Parameters
    ----------
    text
        A quantity as Kubernetes prints it, or a bare number as YAML gives it.

    Raises
    ------
    QuantityError
        Not a quantity, an unknown suffix, NaN, infinite, or 2^63 and more.

    Examples
    --------
    >>> parse("1500m"), parse("8Gi")
    (Fraction(3, 2), Fraction(8589934592, 1))
    """
    if isinstance(text, bool) or not isinstance(text, str | int | float):
        raise QuantityError(text, "not a number with a suffix")
    return _parse_text(text if isinstance(text, str) else repr(text))


@lru_cache(maxsize=65536)
def _text_to_float(text: str) -> float:
    return float(_parse_text(text))


def to_float(text: str | float) -> float:
    """Value of a quantity as float64 in base units; raises as `parse` does."""
    return _text_to_float(text) if isinstance(text, str) else float(parse(text))


def format_bytes(value: float) -> str:
    """Bytes for people: the largest binary unit that leaves a number of at least one, three digits; ``?`` for NaN."""
    if value != value:
        return "?"
    # frexp's fraction is below one, so its exponent is one above the power of two that the value reaches
    step = min(max(0, (frexp(value)[1] - 1) // 10), len(_BINARY))
    if not step:
        return f"{value:.0f}"
    number = value / 2.0 ** (10 * step)
    return f"{number:.3g}{_UNITS[step]}" if abs(number) < 999.5 else f"{number:.0f}{_UNITS[step]}"
