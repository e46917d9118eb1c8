"""Times of the week at which something may be done, in UTC: the kind of value, and the question whether one is open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Final

import msgspec

from ullage.config.kinds import Refused, Schema, Text

DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_DAY: Final = rf"(?:{'|'.join(DAYS)})"
_TIME: Final = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_FORM: Final = Text(
    rf"(?:{_DAY}(?:-{_DAY})?(?:,{_DAY}(?:-{_DAY})?){{0,6}} )?{_TIME}-(?:{_TIME}|24:00)",
    'a time of the week in UTC such as "Mon-Fri 22:00-05:00" or "00:00-24:00"',
)


class Window(msgspec.Struct, frozen=True, order=True):
    """A time of the week, in UTC.

    Attributes
    ----------
    days
        Days on which it begins, 0 (Monday) to 6, ascending.
    start_minute, end_minute
        Minutes of the day; it ends on the next day where the end is not after the start.
    """

    days: tuple[int, ...]
    start_minute: int
    end_minute: int

    def holds(self, day: int, minute: float) -> bool:
        """Whether it is open at a minute of a day of the week; its end is not part of it."""
        if self.start_minute < self.end_minute:
            return day in self.days and self.start_minute <= minute < self.end_minute
        begun_today = day in self.days and minute >= self.start_minute
        begun_yesterday = (day - 1) % len(DAYS) in self.days and minute < self.end_minute
        return begun_today or begun_yesterday


@dataclass(frozen=True)
class Weekly:
    """A time of the week in UTC, written as ``"Mon-Fri 22:00-05:00"`` and held as a `Window`; without days it is every day."""

    @property
    def expected(self) -> str:
        """What is accepted."""
        return _FORM.expected

    def read(self, value: object) -> Window:
        """Window of a text."""
        text = _FORM.read(value)
        days, _, times = text.rpartition(" ")
        start, end = (_minute(time) for time in times.split("-"))
        if start == end:
            raise Refused('it lasts for no time; write a whole day as "00:00-24:00"')
        return Window(_days(days), start, end)

    def write(self, value: object) -> object:
        """Text of a window."""
        if not isinstance(value, Window):
            raise TypeError(f"not a window: {value!r}")
        times = f"{_time(value.start_minute)}-{_time(value.end_minute)}"
        return times if len(value.days) == len(DAYS) else f"{_days_text(value.days)} {times}"

    def schema(self) -> Schema:
        """Text of the pattern."""
        return _FORM.schema()


def is_open(windows: Sequence[Window], at_seconds: float) -> bool:
    """Whether one of the windows holds a moment.

    Parameters
    ----------
    windows
        The windows; without any, every moment is good.
    at_seconds
        Unix time.
    """
    moment = datetime.fromtimestamp(at_seconds, UTC)
    minute = moment.hour * 60 + moment.minute
    return not windows or any(each.holds(moment.weekday(), minute) for each in windows)


def _days(text: str) -> tuple[int, ...]:
    """Days of ``Mon-Wed,Sat``; a range may pass over the end of the week."""
    if not text:
        return tuple(range(len(DAYS)))
    found: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        start, end = DAYS.index(first), DAYS.index(last or first)
        found |= {(start + step) % len(DAYS) for step in range((end - start) % len(DAYS) + 1)}
    return tuple(sorted(found))


def _days_text(days: Sequence[int]) -> str:
    """Days as text, those that follow one another as a range."""
    runs = [[day for _, day in run] for _, run in groupby(enumerate(days), lambda pair: pair[1] - pair[0])]
    return ",".join(DAYS[run[0]] if len(run) == 1 else f"{DAYS[run[0]]}-{DAYS[run[-1]]}" for run in runs)


def _minute(time: str) -> int:
    hours, _, minutes = time.partition(":")
    return int(hours) * 60 + int(minutes)


def _time(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
