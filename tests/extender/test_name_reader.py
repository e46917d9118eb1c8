"""Lists of names, read from their bytes."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from extender.name_reader import NameReader

EVEN = [f"node-{i:04}.example" for i in range(2000)]
UNEVEN = [*(f"n{i}" for i in range(300)), "a" * 253, "ö", "n\n1", 'n"2', "\\", "x" * 8, "x" * 16, "x" * 17]
SETS = {"even": EVEN, "uneven": UNEVEN, "one": ["only"]}
READERS = {key: NameReader(names) for key, names in SETS.items()}


def compact(names: list[str]) -> bytes:
    return json.dumps(names, separators=(",", ":"), ensure_ascii=False).encode()


@pytest.mark.parametrize("which", SETS)
@given(st.data())
def test_rows_of_known_names(which: str, data: st.DataObject) -> None:
    plain = [name for name in SETS[which] if name.isalnum() or "-" in name]
    asked = data.draw(st.lists(st.sampled_from(plain), min_size=1, max_size=40))
    text = compact(asked)
    read = READERS[which].read(text)
    assert read is not None
    assert [SETS[which][row] for row in read.tolist()] == asked


@given(
    names=st.lists(st.sampled_from(UNEVEN), min_size=1, max_size=20),
    at=st.integers(0, 10_000),
    byte=st.binary(max_size=1),
)
def test_what_is_accepted_is_exactly_the_list_of_these_names(names: list[str], at: int, byte: bytes) -> None:
    text = bytearray(compact(names))
    text[at % len(text) : at % len(text) + 1] = byte
    read = READERS["uneven"].read(bytes(text))
    if read is not None:
        assert bytes(text) == compact([UNEVEN[row] for row in read.tolist()])


@given(st.binary(max_size=30) | st.text('[]",n1 \0\\', max_size=12).map(str.encode))
def test_no_text_breaks_it(text: bytes) -> None:
    read = READERS["uneven"].read(text)
    assert read is None or text == compact([UNEVEN[row] for row in read.tolist()])


@pytest.mark.parametrize(
    "text",
    [
        b"", b"[]", b"null", b'["]', b'[""]', b'["n1"', b'["n1","zz"]', b'["n1" ,"n2"]', b'["n1","n2\0"]', b'["n1""n2"]',
        b'["n1"x"n2"]', b'[["n1"]]', b'["n1","n2",]', b'["' + b"a" * 254 + b'"]', b'["' + b"a" * 256 + b'"]', b'["x\\u0031"]',
    ],
)  # fmt: skip
def test_anything_else_is_left_to_others(text: bytes) -> None:
    assert READERS["uneven"].read(text) is None
    assert NameReader([]).read(text) is None


@pytest.mark.parametrize("which", SETS)
@given(st.data())
def test_what_is_written_is_compact_json(which: str, data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.integers(0, len(SETS[which]) - 1), max_size=20))
    text = READERS[which].text(np.array(rows, dtype=np.int64))
    assert text == compact([SETS[which][row] for row in rows])


@given(st.text('n-"\\ö\n', min_size=1), st.integers(1, 12), st.text("xyz", max_size=20))
def test_tables_of_one_length_are_read_wherever_their_names_differ(before: str, digits: int, after: str) -> None:
    names = [f"{before}{number * 7 % 10**digits:0{digits}}{after}" for number in range(min(10**digits, 50))]
    reader = NameReader(names)
    read = reader.read(compact(names[::-1]))
    if set(before) & {'"', "\\", "\n"}:  # what is escaped may be left to others
        assert read is None or read.tolist() == [*range(len(names))][::-1]
    else:
        assert read is not None
        assert read.tolist() == [*range(len(names))][::-1]
    for text in (compact([*names, names[0] + "q"]), compact(["q" + names[0][1:], *names[1:]]), compact(names)[:-1]):
        assert reader.read(text) is None
