"""Kinds of configuration values: how each one is read from a document, written back, and said in JSON Schema.

A kind is given to a field with ``Annotated``. The reader and the JSON schema come from the same object, and text is matched
by one pattern for both, so that they cannot drift apart. What a kind cannot read it refuses with `Refused`.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import ClassVar, Final, Literal, Protocol, runtime_checkable

from ullage.config.wording import nearest, short
from ullage.model import quantity

Schema = dict[str, object]

_END: Final = r"$(?!\n)"
"""End of a text in the regular expressions of Python and of JSON Schema alike: Python's ``$`` allows a line break after it."""


class Refused(ValueError):  # noqa: N818  # a verdict on one value, not a program error
    """A value is not of its kind; the reader adds the path and raises `ConfigError`.

    Parameters
    ----------
    hint
        How to write it instead.
    """

    def __init__(self, hint: str = "") -> None:
        super().__init__(hint)
        self.hint = hint


@runtime_checkable
class Kind(Protocol):
    """How the values of a field are read, written and described."""

    @property
    def expected(self) -> str:
        """What is accepted, as the rest of a sentence that begins with "expected"."""

    def read(self, value: object) -> object:
        """Value to keep for a value of the document; raises `Refused`."""

    def write(self, value: object) -> object:
        """Value for a document, which `read` turns into `value` again."""

    def schema(self) -> Schema:
        """JSON Schema (draft 2020-12) of what `read` accepts."""


def _finite(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _shortest(value: float) -> float | int:
    return int(value) if float(value).is_integer() else value


@dataclass(frozen=True)
class Ratio:
    """A ratio, written as ``"80%"`` or ``0.8`` and held as a float: 0.8.

    A bare number above the highest ratio, such as 80, is refused: it may be meant as a percentage or as a typing error.

    Attributes
    ----------
    highest
        Highest ratio that is accepted, 1 or 2.
    """

    highest: Literal[1, 2] = 2

    @property
    def expected(self) -> str:
        """What is accepted."""
        return f'a ratio from 0 to {self.highest}, written as "80%" or 0.8'

    @property
    def pattern(self) -> str:
        """Regular expression of a ratio as text."""
        percent = rf"(?:{100 * self.highest}(?:\.0+)?|{'1?' * (self.highest == 2)}[0-9]{{1,2}}(?:\.[0-9]{{1,12}})?)%"
        plain = rf"{self.highest}(?:\.0+)?|[0-{self.highest - 1}](?:\.[0-9]{{1,15}})?"
        return f"^(?:{percent}|{plain}){_END}"

    def read(self, value: object) -> float:
        """Ratio for a percentage or a bare number."""
        if isinstance(value, str):
            if re.search(self.pattern, value) is None:
                raise Refused
            return float(value.rstrip("%")) / 100 if "%" in value else float(value)
        number = _finite(value)
        if number is None:
            raise Refused
        if not 0 <= number <= self.highest:
            raise Refused(f'write {number:g} percent as "{number:g}%"' if 0 < number <= 100 * self.highest else "")
        return number

    def write(self, value: object) -> object:
        """Percentage where it is exact, else the number."""
        ratio = _as_float(value)
        text = f"{ratio * 100:.10g}%"
        return text if re.search(self.pattern, text) and self.read(text) == ratio else ratio

    def schema(self) -> Schema:
        """Number in range or text."""
        number = {"type": "number", "minimum": 0, "maximum": self.highest}
        return {"anyOf": [number, {"type": "string", "pattern": self.pattern}]}


@dataclass(frozen=True)
class Number:
    """A number within a closed range; `whole` numbers are held as int.

    Attributes
    ----------
    lowest, highest
        Range, both ends included.
    whole
        Whether fractions are refused.
    """

    lowest: float
    highest: float
    whole: bool = False

    @property
    def expected(self) -> str:
        """What is accepted."""
        return f"a {'whole ' * self.whole}number from {_shortest(self.lowest)} to {_shortest(self.highest)}"

    def read(self, value: object) -> float | int:
        """Number as it stands; 3.0 is a whole number, as in JSON Schema."""
        number = _finite(value)
        if number is None or not self.lowest <= number <= self.highest or (self.whole and not number.is_integer()):
            raise Refused
        return int(number) if self.whole else number

    def write(self, value: object) -> object:
        """Number, without a fraction where it has none."""
        return _shortest(_as_float(value))

    def schema(self) -> Schema:
        """Number or integer in range."""
        kind = "integer" if self.whole else "number"
        return {"type": kind, "minimum": _shortest(self.lowest), "maximum": _shortest(self.highest)}


@dataclass(frozen=True)
class ByteRate:
    """Bytes per second, written as a quantity (``"64Mi"``) or a bare number, and held as a float above 0."""

    HIGHEST: ClassVar[float] = 1e15
    PATTERN: ClassVar[str] = r"^(?=[0-9.]*[1-9])(?:[0-9]{1,15}|[0-9]{1,6}(?:\.[0-9]{1,6})?(?:Ki|Mi|Gi|k|M|G))" + _END

    @property
    def expected(self) -> str:
        """What is accepted."""
        return 'bytes per second above 0, written as a quantity ("64Mi") or as a number'

    def read(self, value: object) -> float:
        """Bytes per second."""
        if isinstance(value, str):
            if re.search(self.PATTERN, value) is None:
                raise Refused('write it as "64Mi", "1.5G" or 67108864; the unit is bytes per second')
            return quantity.to_float(value)
        number = _finite(value)
        if number is None or not 0 < number <= self.HIGHEST:
            raise Refused
        return number

    def write(self, value: object) -> object:
        """Quantity where a binary unit is exact, else the number."""
        rate = _as_float(value)
        text = quantity.format_bytes(rate)
        return text if re.search(self.PATTERN, text) and self.read(text) == rate else _shortest(rate)

    def schema(self) -> Schema:
        """Number in range or quantity."""
        number = {"type": "number", "exclusiveMinimum": 0, "maximum": _shortest(self.HIGHEST)}
        return {"anyOf": [number, {"type": "string", "pattern": self.PATTERN}]}


@dataclass(frozen=True)
class Text:
    """A text of one pattern.

    Attributes
    ----------
    form
        Regular expression of the whole text, without anchors.
    expected
        What it says, for people.
    """

    form: str
    expected: str

    @property
    def pattern(self) -> str:
        """Regular expression, anchored at both ends."""
        return f"^(?:{self.form}){_END}"

    def read(self, value: object) -> str:
        """Text as it stands."""
        if not isinstance(value, str) or re.search(self.pattern, value) is None:
            raise Refused
        return value

    def write(self, value: object) -> object:
        """Text as it stands."""
        return value

    def schema(self) -> Schema:
        """Text of the pattern."""
        return {"type": "string", "pattern": self.pattern}


@dataclass(frozen=True)
class Choice:
    """One of a few names."""

    names: tuple[str, ...]

    @property
    def expected(self) -> str:
        """What is accepted."""
        return f"one of {', '.join(self.names)}"

    def read(self, value: object) -> str:
        """Name as it stands."""
        if not isinstance(value, str) or value not in self.names:
            near = nearest(value, self.names) if isinstance(value, str) else ""
            raise Refused(f"did you mean {near}?" if near else "")
        return value

    def write(self, value: object) -> object:
        """Name as it stands."""
        return value

    def schema(self) -> Schema:
        """Enumeration."""
        return {"enum": list(self.names)}


@dataclass(frozen=True)
class Flag:
    """True or false."""

    expected: str = "true or false"

    def read(self, value: object) -> bool:
        """Truth value as it stands; texts and numbers are none."""
        if not isinstance(value, bool):
            raise Refused("write it without quotes" if isinstance(value, str) else "")
        return value

    def write(self, value: object) -> object:
        """Truth value as it stands."""
        return value

    def schema(self) -> Schema:
        """Boolean."""
        return {"type": "boolean"}


@dataclass(frozen=True)
class ListOf:
    """A list of values of one kind, held as a tuple."""

    item: Kind

    @property
    def expected(self) -> str:
        """What is accepted."""
        return f"a list, each item {self.item.expected}"

    def read(self, value: object) -> tuple[object, ...]:
        """Items in the order of the document."""
        if not isinstance(value, list | tuple):
            raise Refused("begin each item with a dash, or write [a, b]")
        return tuple(self._item(index, item) for index, item in enumerate(value, start=1))

    def _item(self, index: int, value: object) -> object:
        try:
            return self.item.read(value)
        except Refused as refused:
            hint = f"look at item {index}, which is {short(value)}"
            raise Refused(f"{hint}: {refused.hint}" if refused.hint else hint) from None

    def write(self, value: object) -> object:
        """Items as a list."""
        if not isinstance(value, tuple):
            raise TypeError(f"not a tuple: {value!r}")
        return [self.item.write(item) for item in value]

    def schema(self) -> Schema:
        """Array of the items."""
        return {"type": "array", "items": self.item.schema()}


@dataclass(frozen=True)
class OrNull:
    """A value of a kind, or null for "not limited"."""

    kind: Kind

    @property
    def expected(self) -> str:
        """What is accepted."""
        return f"{self.kind.expected}, or null"

    def read(self, value: object) -> object:
        """Value, or None."""
        return None if value is None else self.kind.read(value)

    def write(self, value: object) -> object:
        """Value, or None."""
        return None if value is None else self.kind.write(value)

    def schema(self) -> Schema:
        """Either of both."""
        return {"anyOf": [self.kind.schema(), {"type": "null"}]}


def _as_float(value: object) -> float:
    if not isinstance(value, float | int):
        raise TypeError(f"not a number: {value!r}")
    return float(value)
