"""What comes from outside is harmless where it is shown."""

import csv

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from descheduler.report.escape import csv_cell, visible
from descheduler.report.grid import Column, grid, width
from descheduler.report.markup import el, escaped, within


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("web-1.example", "web-1.example"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\tb\r\n\x00\x7f", "a\\x09b\\x0d\\x0a\\x00\\x7f"),
        ("\x9b2J", "\\x9b2J"),
        ("a\u202eb\u2066", "a\\u202eb\\u2066"),
        ("\u200bx\ufeff", "\\u200bx\\ufeff"),
        ("\U000e0041", "\\U000e0041"),
        ("\ud800", "\\ud800"),
        ("größe 名前", "größe 名前"),
    ],
)
def test_what_cannot_be_seen_is_spelled_out(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(st.text())
def test_visible_text_is_printable_and_stays_what_it_is(text: str) -> None:
    assert visible(text).isprintable()
    assert visible(visible(text)) == visible(text)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "  =", "\uff1d"])
def test_formulas_get_an_apostrophe(start: str) -> None:
    assert csv_cell(f"{start}cmd()").startswith("'")
    assert csv_cell(f"a{start}b")[:1] != "'"


@given(st.text(min_size=1))
@example('=HYPERLINK("http://x","y")')
@example('a,"b"\r\n')
def test_a_csv_cell_reads_back_as_one_cell_that_is_no_formula(text: str) -> None:
    (row,) = csv.reader([csv_cell(text)])
    assert len(row) == 1
    assert row[0].removeprefix("'") == visible(text).removeprefix("'")
    assert row[0].lstrip(" ")[:1] not in set("=+-@\t\r")


@given(st.text())
def test_markup_holds_no_bare_markup_character(text: str) -> None:
    shown = escaped(text)
    assert not set("<>\"'") & set(shown)
    assert el("b", text, title=text) == f'<b title="{shown}">{shown}</b>'


def test_markup_is_not_escaped_twice() -> None:
    assert el("p", el("b", "a & b"), colspan=3, x=1.26, class_=None) == '<p colspan="3" x="1.3"><b>a &amp; b</b></p>'


def test_rows_stop_where_the_room_ends() -> None:
    rows = [escaped("äbc")] * 3
    assert len(list(within(rows, 8))) == 2
    assert list(within(rows, 3)) == []


def test_a_grid_is_aligned_and_cuts_nothing() -> None:
    text = grid(
        [Column("NAME"), Column("USE", right=True), Column("WHY")], [["名前", "7", "-"], ["a-long-name", "100", ""]]
    )
    assert text.splitlines() == [
        "NAME          USE   WHY",
        "名前            7   -",
        "a-long-name   100",
    ]
    assert width("名前") == 4
    assert width("e\u0301") == 1
