from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ullage.model.labels import OPERATORS, Labels, Requirement, equals

KEYS = ("app", "tier", "zone")
VALUES = ("", "a", "b", "1", "2", "10", "-3", "1_0", "99999999999999999999")
rows = st.lists(st.dictionaries(st.sampled_from(KEYS), st.sampled_from(VALUES)), max_size=8)
requirements = st.builds(
    Requirement,
    st.sampled_from((*KEYS, "absent")),
    st.sampled_from((*OPERATORS, "Unknown")),
    st.lists(st.sampled_from((*VALUES, "x")), max_size=3, unique=True).map(lambda v: tuple(sorted(v))),
)


def integer(text: str) -> int | None:
    """As Go's ParseInt: an optional sign and digits, within 64 bits."""
    digits = text.removeprefix("-").removeprefix("+")
    number = int(text) if digits and set(digits) <= set("0123456789") else None
    return number if number is not None and -(2**63) <= number < 2**63 else None


def meets(labels: dict[str, str], requirement: Requirement) -> bool:
    found = labels.get(requirement.key)
    match requirement.operator:
        case "In":
            return found is not None and found in requirement.values
        case "NotIn":
            return found is None or found not in requirement.values
        case "Exists":
            return found is not None
        case "DoesNotExist":
            return found is None
        case "Gt" | "Lt" if found is not None and len(requirement.values) == 1:
            number, bound = integer(found), integer(requirement.values[0])
            if number is None or bound is None:
                return False
            return number > bound if requirement.operator == "Gt" else number < bound
    return False


@given(rows)
def test_rows_round_trip(given_rows):
    labels = Labels.of(given_rows)
    assert [labels.row(i) for i in range(len(labels))] == given_rows


@given(rows)
def test_the_vocabulary_is_sorted_and_without_duplicates(given_rows):
    labels = Labels.of(given_rows)
    pairs = list(zip(labels.keys, labels.values, strict=True))
    assert pairs == sorted({pair for row in given_rows for pair in row.items()})


@given(rows, st.lists(requirements, max_size=3))
def test_match_is_the_naive_one(given_rows, selector):
    expected = [all(meets(row, r) for r in selector) for row in given_rows]
    labels = Labels.of(given_rows)
    assert labels.match(selector).tolist() == expected
    for requirement in selector:
        assert labels.match_one(requirement).tolist() == [meets(row, requirement) for row in given_rows]


@given(rows.filter(bool), st.lists(requirements, max_size=3), st.data())
def test_match_of_some_rows_is_match_of_all_at_these_rows(given_rows, selector, data):
    labels = Labels.of(given_rows)
    some = np.array(data.draw(st.lists(st.integers(0, len(given_rows) - 1))), dtype=np.int64)
    assert labels.match(selector, some).tolist() == labels.match(selector)[some].tolist()


@given(rows)
def test_codes_name_values(given_rows):
    labels = Labels.of(given_rows)
    for key in (*KEYS, "absent"):
        codes, vocabulary = labels.codes(key)
        by_code = {code: value for value, code in vocabulary.items()}
        assert [by_code.get(code) for code in codes.tolist()] == [row.get(key) for row in given_rows]
        assert not codes.flags.writeable


def test_no_requirement_is_met_by_all():
    assert Labels.of([{}, {"a": "b"}]).match(()).tolist() == [True, True]


@pytest.mark.parametrize("value", ["1_0", " 7", "7.5", "0x10", "99999999999999999999", "\u0667"])
def test_what_is_no_integer_is_never_greater(value):
    labels = Labels.of([{"n": value}, {"n": "+7"}])
    assert labels.match_one(Requirement("n", "Gt", ("1",))).tolist() == [False, True]


def test_a_key_that_begins_like_another_is_another():
    labels = Labels.of([{"app": "x", "app.kubernetes.io/name": "y"}, {"ap": "x"}])
    assert labels.codes("app")[0].tolist() == [0, -1]
    assert labels.match_one(Requirement("app.kubernetes.io/name", "Exists")).tolist() == [True, False]


def test_equals_sorts_by_key():
    assert equals({"b": "2", "a": "1"}) == (Requirement("a", "In", ("1",)), Requirement("b", "In", ("2",)))
