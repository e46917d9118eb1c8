from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ullage.errors import QuantityError
from ullage.model.quantity import format_bytes, parse, to_float

DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15}
BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("1500m", Fraction(3, 2)),
        ("8Gi", 8 * 2**30),
        ("1.5Gi", 3 * 2**29),
        (".5", Fraction(1, 2)),
        ("5.", 5),
        ("+1", 1),
        ("-1Ki", -1024),
        ("1e3", 1000),
        ("1E3", 1000),
        ("1E", 10**18),
        ("1Ei", 2**60),
        ("12e-3", Fraction(12, 1000)),
        ("100n", Fraction(1, 10**7)),
        (4, 4),
        (0.1, Fraction(1, 10)),
        (1e-7, Fraction(1, 10**7)),
        (2.5e15, 25 * 10**14),
    ],
)
def test_values(text, value):
    assert parse(text) == value
    assert to_float(text) == float(value)


BAD_TEXTS = (
    "| |Gi|1gi|1 Gi|1K|1e|1ee3|--1|1.2.3|1e400|10Ei|9223372036854775808|1_000|nan|inf|0x10|1Ki1|1m3|1e9999|\u0663"
)
NO_TEXTS = (float("nan"), float("inf"), -1e300, True, None, b"1", [1])


@pytest.mark.parametrize("text", [*BAD_TEXTS.split("|"), "9" * 50, *NO_TEXTS])
def test_what_is_no_quantity(text):
    with pytest.raises(QuantityError):
        parse(text)
    with pytest.raises(QuantityError):
        to_float(text)


def test_the_largest_quantity():
    assert parse("9223372036854775807") == 2**63 - 1
    assert parse("7Ei") == 7 * 2**60


@given(st.integers(-(10**6), 10**6), st.sampled_from([*DECIMAL, *BINARY]))
def test_suffixes_scale_exactly(number, suffix):
    scale = Fraction(2) ** BINARY[suffix] if suffix in BINARY else Fraction(10) ** DECIMAL[suffix]
    if abs(number * scale) < 2**63:
        assert parse(f"{number}{suffix}") == number * scale


@given(st.floats(-1e18, 1e18, allow_nan=False))
def test_bare_floats_round_trip(number):
    assert to_float(number) == number


@given(st.integers(-(2**62), 2**62))
def test_bytes_round_trip(number):
    assert parse(str(number)) == number == parse(number)


@given(st.text(max_size=12))
def test_any_text_is_a_value_or_a_quantity_error(text):
    try:
        value = parse(text)
    except QuantityError:
        return
    assert abs(value) < 2**63


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (1023, "1023"),
        (1024, "1Ki"),
        (1536, "1.5Ki"),
        (8 * 2**30, "8Gi"),
        (999.6 * 2**30, "1000Gi"),
        (1000 * 2**30, "1000Gi"),
        (1023.4 * 2**30, "1023Gi"),
        (-(2**20), "-1Mi"),
        (math.nan, "?"),
    ],
)
def test_bytes_for_people(value, text):
    assert format_bytes(value) == text


@given(st.floats(1024, 2**62))
def test_bytes_for_people_are_within_half_a_percent(value):
    assert float(parse(format_bytes(value))) == pytest.approx(value, rel=0.005)
