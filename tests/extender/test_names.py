"""Bytes of node names."""

from __future__ import annotations

import json

import numpy as np
import pytest

from extender.names import NameTable, has_duplicates


def table(names: list[str]) -> NameTable:
    return NameTable(names, {name: row for row, name in enumerate(names)}, 1)


@pytest.mark.parametrize(
    "names",
    [["a", "b", "c"], ["a", "b" * 253], ['n"1', "n\n2", "nö3"], ["only"], [f"node-{i}" for i in range(2000)]],
)
def test_priorities_are_what_json_would_write(names: list[str]) -> None:
    rng = np.random.default_rng(5)
    asked = [names[i] for i in rng.permutation(len(names))]
    asked.insert(len(asked) // 2, "unknown\n")
    scores = rng.integers(0, 101, len(asked)).astype(np.int16)
    made = table(names)
    text = made.priorities(asked, made.rows(asked), scores)
    found = {each["Host"]: each["Score"] for each in json.loads(text)}
    assert found == dict(zip(asked, scores.tolist(), strict=True))
    assert b"\0" not in text


def test_no_names_is_an_empty_list() -> None:
    for made in (table([]), table(["a"])):
        assert made.priorities([], made.rows([]), np.zeros(0, np.int16)) == b"[]"


def test_padding_is_taken_out_where_it_would_be_much() -> None:
    made = table(["a" * 250, *(f"n{i}" for i in range(100))])
    text = made.priorities(["n1", "n2"], made.rows(["n1", "n2"]), np.array([1, 2]))
    assert len(text) < 80


def test_rows_of_names() -> None:
    assert table(["a", "b"]).rows(["b", "x", "a"]).tolist() == [1, -1, 0]


@pytest.mark.parametrize(
    ("names", "found"), [(["a", "b"], False), (["a", "a"], True), (["x", "y"], False), (["x", "x"], True), ([], False)]
)
def test_duplicates_are_found_among_known_and_unknown_names(names: list[str], found: bool) -> None:
    made = table(["a", "b"])
    assert has_duplicates(names, made.rows(names), len(made)) is found
