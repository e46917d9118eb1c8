"""The JSON schema against the reader, the explanations, and the documents that are made from them."""

from __future__ import annotations

import copy
import os
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ullage import config
from ullage.config.fields import Field, fields_of, walk
from ullage.errors import ConfigError

DOCS = Path(__file__).parents[2] / "docs"
SCHEMA = config.json_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
LEAVES = {path: field for path, field in walk() if field.kind is not None}


def agreed(path: Path, text: str) -> None:
    """Compare with a golden file; UPDATE_GOLDEN=1 writes it."""
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert path.read_text() == text


def test_the_schema_is_a_schema_and_stands_in_the_documentation() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    agreed(DOCS / "schemas/configuration.schema.json", config.schema_text())


def test_the_reference_stands_in_the_documentation() -> None:
    agreed(DOCS / "configuration.md", config.reference())
    example = config.reference().partition("```yaml\n")[2].partition("```")[0]
    assert config.load_text(example, "x").thresholds.memory == config.Band(high=0.85)


def test_every_field_says_what_it_is_and_has_a_default_in_the_schema() -> None:
    for path, field in walk():
        assert len(field.text) > 20, path
        assert field.text.endswith((".", ")")), path
    assert VALIDATOR.is_valid(config.to_document(config.defaults()))
    for path, field in LEAVES.items():
        place = SCHEMA
        for key in path.split("."):
            properties = place["properties"]
            assert isinstance(properties, dict)
            place = properties[key]
        assert field.kind is not None
        assert place["default"] == field.kind.write(field.default)
        assert jsonschema.Draft202012Validator(place).is_valid(place["default"])


def candidates(field: Field) -> st.SearchStrategy[object]:
    """Values on both sides of what a field accepts."""
    plain: list[st.SearchStrategy[object]] = [
        st.none(),
        st.booleans(),
        st.integers(-3, 300),
        st.floats(-1, 3),
        st.floats(allow_nan=False, allow_infinity=False),
        st.sampled_from(["80%", "200%", "200.5%", "0.8", "2.0", "2.1", "101%", " 80%", "80 %", "080%", "80%\n", "٨٠%"]),
        st.sampled_from(["64Mi", "0Mi", "0.0001k", "1.Mi", "64mi", "1e9", "64Mi\n", "9999999Gi", "999999Gi", "0"]),
        st.sampled_from(["relieve", "Relieve", "moves", "greedy", "greedy\n", "a_b", "", "openshift-*"]),
        st.lists(st.sampled_from(["a", "a-*", "A", 1, None, ""]), max_size=3),
        st.just({}),
    ]
    schema = field.kind.schema() if field.kind else {}
    patterns = [schema, *(schema.get("anyOf") or [])]  # type: ignore[misc]
    plain += [st.from_regex(part["pattern"]) for part in patterns if isinstance(part, dict) and "pattern" in part]
    return st.one_of(plain)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, object]:
    """A document with a few values that may or may not be valid."""
    whole = copy.deepcopy(config.to_document(config.defaults()))
    for path in draw(st.lists(st.sampled_from(sorted(LEAVES)), min_size=1, max_size=2, unique=True)):
        *sections, key = path.split(".")
        place = whole
        for name in sections:
            inner = place[name]
            assert isinstance(inner, dict)
            place = inner
        place[draw(st.sampled_from([key] * 9 + [key.upper()]))] = draw(candidates(LEAVES[path]))
    if draw(st.integers(0, 9)) == 0:
        whole.pop(draw(st.sampled_from(sorted(whole))))
    return whole


def accepts(document: dict[str, object]) -> bool:
    """Whether the reader accepts a document but for the order of marks: JSON Schema cannot compare two values."""
    try:
        config.parse(document, "x")
    except ConfigError as error:
        if "low <= target <= high" not in error.message:
            return False
        thresholds = document["thresholds"]
        assert isinstance(thresholds, dict)
        resource = error.path.split(".")[1]
        return accepts({**document, "thresholds": {key: band for key, band in thresholds.items() if key != resource}})
    return True


@settings(max_examples=400, deadline=None)
@given(documents())
def test_schema_and_reader_agree(document: dict[str, object]) -> None:
    assert VALIDATOR.is_valid(document) == accepts(document)


def test_explain() -> None:
    text = config.explain("planning.maxMoves")
    assert text.startswith(
        "FIELD:    planning.maxMoves\nVALUE:    a whole number from 0 to 1000000, or null\nDEFAULT:  null\n"
    )
    assert "thresholds.cpu.high  (default 80%)" in config.explain("thresholds")
    assert "planning" not in config.explain("thresholds")
    assert all(f"  {path}" in config.explain() for path in LEAVES)


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("planing.maxMoves", "did you mean planning.maxMoves?"),
        ("maxmoves", "did you mean planning.maxMoves?"),
        ("zzz", '"ullage config explain" lists all'),
    ],
)
def test_explain_of_a_field_that_is_not_there(path: str, hint: str) -> None:
    with pytest.raises(ConfigError, match="is no field") as caught:
        config.explain(path)
    assert caught.value.hint == hint


def test_keys_are_camel_case_and_units_stand_in_names() -> None:
    assert [field.key for field in fields_of(config.Configuration)] == [
        "thresholds",
        "hysteresis",
        "planning",
        "eligibility",
        "telemetry",
        "prometheus",
        "prediction",
        "migration",
        "memory",
        "scoring",
        "ledger",
        "budgets",
        "breakers",
    ]
    assert all(field.key.isidentifier() and "_" not in field.key for _, field in walk())
