from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ullage.config import Configuration
from ullage.config.kinds import Refused
from ullage.config.reading import load_text, parse, to_document
from ullage.config.windows import DAYS, Weekly, Window, is_open
from ullage.errors import ConfigError

HEAD = "apiVersion: ullage.dev/v1alpha1\nkind: Configuration\n"
MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
MINUTES = st.integers(0, 1439)
WINDOWS = st.builds(
    Window,
    st.sets(st.integers(0, 6), min_size=1).map(lambda days: tuple(sorted(days))),
    MINUTES,
    st.integers(1, 1440),
).filter(lambda window: window.start_minute != window.end_minute % 1440 or window.end_minute == 1440)


def windows(text: str) -> tuple[Window, ...]:
    return load_text(f"{HEAD}breakers: {{windows: {text}}}", "here").breakers.windows


def is_in(minute: int, window: Window) -> bool:
    """Whether a minute of the week follows the beginning of the window on one of its days soon enough."""
    length = (window.end_minute - window.start_minute) % 1440 or 1440
    return any((minute - day * 1440 - window.start_minute) % 10_080 < length for day in window.days)


@pytest.mark.parametrize(
    ("text", "days", "start", "end"),
    [
        ("22:00-05:00", (0, 1, 2, 3, 4, 5, 6), 1320, 300),
        ("Mon-Fri 08:30-17:00", (0, 1, 2, 3, 4), 510, 1020),
        ("Sat,Sun 00:00-24:00", (5, 6), 0, 1440),
        ("Fri-Mon,Wed 01:00-02:00", (0, 2, 4, 5, 6), 60, 120),
    ],
)
def test_windows_are_read(text: str, days: tuple[int, ...], start: int, end: int):
    assert windows(f'["{text}"]') == (Window(days, start, end),)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("22:00-25:00", "look at item 1, which is '22:00-25:00'"),
        ("Mo 22:00-23:00", "look at item 1"),
        ("22-23", "look at item 1"),
        ("Mon-Fri", "look at item 1"),
        ("22:00-22:00", 'write a whole day as "00:00-24:00"'),
        ("22:00-23:00 CET", "look at item 1"),
    ],
)
def test_what_is_no_window_is_refused_with_path_value_and_hint(text: str, hint: str):
    with pytest.raises(ConfigError) as caught:
        windows(f'["{text}"]')
    assert caught.value.path == "breakers.windows"
    assert f"['{text}'] is not accepted" in caught.value.message
    assert "in UTC" in caught.value.message
    assert hint in caught.value.hint


def test_matchers_of_alerts_are_read_and_what_is_none_is_refused():
    read = load_text(f'{HEAD}breakers: {{alerts: \'severity="critical",job=~"a|b"\'}}', "here")
    assert read.breakers.alerts == 'severity="critical",job=~"a|b"'
    assert Configuration().breakers.alerts == ""
    for text in ("critical", 'severity="a"} or vector(1) #', "severity='a'"):
        with pytest.raises(ConfigError, match="label matchers"):
            parse({"apiVersion": "ullage.dev/v1alpha1", "kind": "Configuration", "breakers": {"alerts": text}}, "here")


@given(WINDOWS)
def test_a_window_written_and_read_is_the_same(window: Window):
    written = Weekly().write(window)
    assert Weekly().read(written) == window
    document = {**to_document(Configuration()), "breakers": {"windows": [written]}}
    assert to_document(parse(document, "here"))["breakers"]["windows"] == [written]


@given(st.text(max_size=30))
def test_text_is_a_window_or_refused_as_the_schema_says(text: str):
    assert (re.search(str(Weekly().schema()["pattern"]), text) is not None) is is_read(text)


def is_read(text: str) -> bool:
    try:
        Weekly().read(text)
    except Refused as refused:
        return "no time" in refused.hint
    return True


@given(st.lists(WINDOWS, max_size=2), st.integers(0, 10_079), st.integers(0, 59))
def test_a_moment_is_good_if_it_is_a_minute_of_a_window(chosen: list[Window], minute: int, second: int):
    moment = MONDAY + timedelta(minutes=minute, seconds=second)
    wanted = not chosen or any(is_in(minute, each) for each in chosen)
    assert is_open(chosen, moment.timestamp()) is wanted


def test_days_are_those_of_the_calendar():
    assert [f"{MONDAY + timedelta(days=i):%a}" for i in range(7)] == list(DAYS)
