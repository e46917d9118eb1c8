"""Reading a configuration: what is accepted, and that everything else is refused with path, value and hint."""

from __future__ import annotations

import copy
import json
import string
from collections.abc import Mapping

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ullage import config
from ullage.config.fields import Field, walk
from ullage.errors import ConfigError

HEADER = {"apiVersion": "ullage.dev/v1alpha1", "kind": "Configuration"}
LEAVES = {path: field for path, field in walk() if field.kind is not None}
SECTIONS = [path for path, field in walk() if field.kind is None]


def document(path: str = "", value: object = None) -> dict[str, object]:
    """A document with one value."""
    whole: dict[str, object] = dict(HEADER)
    place = whole
    *sections, key = path.split(".") if path else [""]
    for section in sections:
        place[section] = inner = {}
        place = inner
    if key:
        place[key] = value
    return whole


def refusal(content: object) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        config.parse(content, "ullage.yaml")
    return caught.value


def test_the_least_document_has_every_default() -> None:
    found = config.parse(HEADER, "ullage.yaml")
    assert found == config.defaults()
    assert (found.thresholds.cpu.low, found.thresholds.cpu.high, found.thresholds.memory.target) == (0.5, 0.8, 0.8)
    assert found.planning.max_moves is None
    assert found.migration.bandwidth_bytes_per_second == 64 * 2**20
    assert found.eligibility.excluded_namespaces == ("kube-system", "openshift", "openshift-*", "hypershift")


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("thresholds.cpu.high", "85%", 0.85),
        ("thresholds.cpu.high", 0.85, 0.85),
        ("thresholds.cpu.high", "0.85", 0.85),
        ("thresholds.memory.high", "200%", 2.0),
        ("thresholds.memory.low", 0, 0.0),
        ("planning.maxMoves", 5, 5),
        ("planning.maxMoves", 5.0, 5),
        ("planning.maxMoves", None, None),
        ("planning.engine", "search", "search"),
        ("planning.balanceMinimumGain", "5%", 0.05),
        ("eligibility.excludedNamespaces", [], ()),
        ("eligibility.excludedNamespaces", ["team-*"], ("team-*",)),
        ("migration.bandwidthBytesPerSecond", "1.5Gi", 1.5 * 2**30),
        ("migration.bandwidthBytesPerSecond", 1000, 1000.0),
        ("memory.worstCaseLimitRatio", "100%", 1.0),
    ],
)
def test_values(path: str, value: object, expected: object) -> None:
    found: object = config.parse(document(path, value), "ullage.yaml")
    for attribute in attributes(path):
        found = getattr(found, attribute)
    assert found == expected
    assert type(found) is type(expected)


def attributes(path: str) -> list[str]:
    fields = dict(walk())
    keys = path.split(".")
    return [fields[".".join(keys[: end + 1])].attribute for end in range(len(keys))]


@pytest.mark.parametrize(
    ("content", "path", "message", "hint"),
    [
        ([], "document", "[] is no section", "begin with apiVersion"),
        ({}, "apiVersion", "is missing", "ullage.dev/v1alpha1"),
        ({"apiVersion": "v1", "kind": "Configuration"}, "apiVersion", "'v1' is not accepted", "reads apiVersion"),
        ({**HEADER, "kind": "DeschedulerPolicy"}, "kind", "'DeschedulerPolicy'", "reads kind: Configuration"),
        ({**HEADER, "treshold": {}}, "treshold", "is not known", "did you mean thresholds?"),
        ({**HEADER, "max_moves": 3}, "max_moves", "is not known", "known here"),
        ({**HEADER, "maxMoves": 3}, "maxMoves", "is not known", "did you mean planning.maxMoves?"),
        ({**HEADER, 7: 3}, "7", "is not known", "known here"),
        ({**HEADER, "\x1b[2J": 3}, "'\\x1b[2J'", "is not known", "known here"),
        (document("thresholds.cpu.High", 1), "thresholds.cpu.High", "is not known", "thresholds.cpu.high?"),
        (document("thresholds", None), "thresholds", "null is no section", "remove the key"),
        (document("thresholds.cpu.high", 80), "thresholds.cpu.high", "80 is not accepted", 'as "80%"'),
        (document("thresholds.cpu.high", "80"), "thresholds.cpu.high", "'80' is not accepted", "80%"),
        (document("thresholds.cpu.high", "201%"), "thresholds.cpu.high", "a ratio from 0 to 2", "80%"),
        (document("thresholds.cpu.high", True), "thresholds.cpu.high", "true is not accepted", "80%"),
        (document("thresholds.cpu.high", float("nan")), "thresholds.cpu.high", "nan is not accepted", "80%"),
        (document("thresholds.cpu.high", 10**400), "thresholds.cpu.high", "is not accepted", "80%"),
        (document("planning.goal", "releive"), "planning.goal", "expected one of relieve,", "did you mean relieve?"),
        (document("planning.rounds", 2.5), "planning.rounds", "a whole number from 1", "96"),
        (document("planning.rounds", "3"), "planning.rounds", "'3' is not accepted", "96"),
        (document("planning.keepBalancing", "yes"), "planning.keepBalancing", "true or false", "without quotes"),
        (document("planning.engine", "Greedy\n"), "planning.engine", "a name of lower-case", "greedy"),
        (document("eligibility.excludedNamespaces", "a"), "eligibility.excludedNamespaces", "a list", "dash"),
        (document("eligibility.excludedNamespaces", ["a", 3]), "eligibility.excludedNamespaces", "[", "item 2"),
        (document("migration.bandwidthBytesPerSecond", "0Mi"), "migration.bandwidthBytesPerSecond", "above 0", "64Mi"),
        (document("migration.bandwidthBytesPerSecond", "1e9"), "migration.bandwidthBytesPerSecond", "'1e9'", "64Mi"),
        (document("thresholds.cpu", {"high": 0.6}), "thresholds.cpu.target", "80% is above high", "lower target"),
        (document("thresholds.memory", {"target": 0.4}), "thresholds.memory.low", "50% is above target", "lower low"),
    ],
)
def test_what_is_refused_says_where_what_and_what_to_do(content: object, path: str, message: str, hint: str) -> None:
    error = refusal(content)
    assert error.path == path
    assert message in error.message
    assert hint in error.hint
    assert error.message.startswith(path)
    assert error.exit_code == 2


def wrong_values(field: Field) -> st.SearchStrategy[object]:
    """Values that no reading could accept, by what the schema of the field says."""
    schema = json.dumps(field.kind.schema() if field.kind else {})
    wrong: list[st.SearchStrategy[object]] = [
        st.builds(dict),
        st.dictionaries(st.text(max_size=3), st.integers(), min_size=1, max_size=2),
        st.sampled_from([float("nan"), float("inf"), -float("inf"), -1, -0.001, 1e300, 10**400]),
        st.text(alphabet="XYZ#{}[]\n\x1b☃", min_size=1, max_size=9),
        st.binary(max_size=3),
    ]
    if '"boolean"' not in schema:
        wrong.append(st.booleans())
    if '"null"' not in schema:
        wrong.append(st.none())
    if '"array"' not in schema:
        wrong.append(st.lists(st.integers(), max_size=2))
    return st.one_of(wrong)


@st.composite
def bad_documents(draw: st.DrawFn) -> tuple[dict[str, object], str]:
    """A valid document with one fault, and where it is."""
    whole = copy.deepcopy(config.to_document(config.defaults()))
    fault = draw(st.sampled_from(["value", "key", "header", "section"]))
    if fault == "value":
        path = draw(st.sampled_from(sorted(LEAVES)))
        value = draw(wrong_values(LEAVES[path]))
    elif fault == "section":
        path = draw(st.sampled_from(SECTIONS))
        value = draw(st.sampled_from([None, 1, "x", [], True]))
    elif fault == "header":
        path = draw(st.sampled_from(sorted(HEADER)))
        value = draw(st.sampled_from([None, "", "v1", 1, "ullage.dev/v1"]))
    else:
        section = draw(st.sampled_from(["", *SECTIONS]))
        key = draw(
            st.text(string.ascii_letters, min_size=1, max_size=12).filter(lambda text: text not in known(section))
        )
        path, value = f"{section}.{key}".lstrip("."), draw(st.sampled_from([None, 1, {}]))
    *sections, key = path.split(".")
    place = whole
    for name in sections:
        inner = place[name]
        assert isinstance(inner, dict)
        place = inner
    place[key] = value
    return whole, path


def known(section: str) -> set[str]:
    place: object = config.to_document(config.defaults())
    for key in filter(None, section.split(".")):
        assert isinstance(place, Mapping)
        place = place[key]
    assert isinstance(place, Mapping)
    return set(place)


@settings(max_examples=200, deadline=None)
@given(bad_documents())
def test_generated_bad_configurations_are_refused_with_path_and_hint(bad: tuple[dict[str, object], str]) -> None:
    content, path = bad
    error = refusal(content)
    assert error.path == path
    assert "expected" in error.message
    assert "(in ullage.yaml)" in error.message
    assert error.hint
    assert len(error.message) < 600


VALUES = {
    "Ratio": st.floats(0, 1).map(lambda ratio: round(ratio, 6)),
    "Number": st.integers(1, 10),
    "ByteRate": st.one_of(st.floats(1e-3, 1e15), st.integers(1, 2**40).map(float)),
    "Text": st.nothing(),  # by the field's own form
    "Flag": st.booleans(),
}


@st.composite
def good_configurations(draw: st.DrawFn) -> config.Configuration:
    """A configuration with any of its values set."""
    found = config.defaults()
    for path, field in sorted(LEAVES.items()):
        name = type(field.kind).__name__
        if name in VALUES and not path.startswith("thresholds") and draw(st.booleans()):
            value = draw(st.from_regex(field.kind.form, fullmatch=True) if name == "Text" else VALUES[name])
            if name == "Number":
                value = min(max(value, field.kind.lowest), field.kind.highest)
            found = config.override(found, path, value)
    marks = [sorted(draw(st.tuples(*[st.floats(0, 2)] * 3))) for _ in range(2)]
    bands = [config.Band(low=low, target=target, high=high) for low, target, high in marks]
    thresholds = {"cpu": bands[0], "memory": bands[1]}
    ratios = {
        name: {mark: getattr(band, mark) for mark in ("low", "high", "target")} for name, band in thresholds.items()
    }
    return config.override(found, "thresholds", ratios)


@settings(max_examples=60, deadline=None)
@given(good_configurations())
def test_documents_come_back_as_they_went(found: config.Configuration) -> None:
    written = config.to_document(found)
    assert config.parse(written, "x") == found
    assert config.load_text(json.dumps(written), "x") == found
    assert config.load_text(yaml.safe_dump(written), "x") == found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "null is no section"),
        ("a: b: c", "no YAML or JSON"),
        ("{", "no YAML or JSON"),
        ("kind: a\nkind: b", "the key 'kind' stands twice"),
        ('{"a": {"b": 1, "b": 2}}', "the key 'b' stands twice"),
        ("a: !!python/object/apply:os.system [ls]", "a YAML tag is not accepted"),
        ("a: !!int x", "a YAML tag is not accepted"),
        ("a: 2020-13-45", "no YAML or JSON"),
        ("--- 1\n--- 2", "no YAML or JSON"),
        ("[" * 50_000, "nested too deep"),
        ("{" * 1 + '"a":' + "[" * 50_000, "nested too deep"),
        ("- " * 40_000, "nested too deep"),
        ("x" * 100_001, "more than 100000 characters"),
        ("&a [*a]", "is no section"),
        ("? [a, b]\n: 1", "no YAML or JSON"),
    ],
)
def test_texts_that_are_no_configuration(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config.load_text(text, "ullage.yaml")
    assert message in caught.value.message
    assert caught.value.hint


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="abk:{}[]!&*|>%@`-? \n\t\"'#,01.~", max_size=40))
def test_no_text_ends_in_anything_but_a_config_error(text: str) -> None:
    with pytest.raises(ConfigError):
        config.load_text(text, "ullage.yaml")


def test_aliases_share_a_section() -> None:
    text = (
        "apiVersion: ullage.dev/v1alpha1\nkind: Configuration\nthresholds:\n  cpu: &same {high: 90%}\n  memory: *same\n"
    )
    found = config.load_text(text, "x").thresholds
    assert found.cpu == found.memory == config.Band(high=0.9)
