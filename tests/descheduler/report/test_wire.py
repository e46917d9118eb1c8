"""JSON, YAML, CSV and names: what is written reads back."""

import contextlib
import csv
import io
import json
import math

import jsonschema
import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from descheduler.policy.plan import RebalancePlan
from descheduler.report import FORMATS, parse, render
from docs import rebalance_plan
from tests.descheduler.report import samples
from ullage.errors import InputError, UsageError

PLANS = {
    "small": samples.small,
    "large": lambda: samples.large(300),
    "hostile": samples.hostile,
    "empty": samples.empty,
}

NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


def named(name: str) -> RebalancePlan:
    builder = samples.Builder(nodes=[samples.Node(name, 0.5, 0.95), samples.Node(f"{name}2", 0.1, 0.2)])
    builder.move(name, name, f"{name}2", namespace=name)
    builder.refuse(name, name, name, name, name)
    return builder.plan()


@pytest.mark.parametrize("output", ["json", "yaml"])
@pytest.mark.parametrize("make", PLANS.values(), ids=PLANS)
def test_json_and_yaml_read_back(make, output: str) -> None:
    plan = make()
    text = render(plan, output)
    assert parse(text, "plan") == plan
    assert parse(text.encode(), "plan") == plan
    assert text.isascii()
    assert text.replace("\n", "").isprintable()


@pytest.mark.parametrize("make", [samples.small, samples.hostile, samples.empty])
def test_plans_follow_their_schema(make) -> None:
    schema = json.loads(rebalance_plan())
    tree = json.loads(render(make(), "json"))
    jsonschema.validate(tree, schema)
    tree["status"]["engine"] = 3
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(tree, schema)


@given(NAMES)
@settings(max_examples=60, deadline=None)
def test_any_name_reads_back(name: str) -> None:
    plan = named(name)
    assert parse(render(plan, "json"), "plan") == plan
    assert parse(render(plan, "yaml"), "plan") == plan


@pytest.mark.parametrize("name", ["1e5", "0x1F", "0o17", ".5", "1.", "yes", "null", "2026-03-01", "12:30"])
def test_yaml_quotes_what_some_reader_takes_for_another_type(name: str) -> None:
    line = next(line for line in render(named(name), "yaml").splitlines() if " namespace: " in line)
    assert line.split(": ")[1] == f"'{name}'"


def test_json_and_yaml_hold_the_same_object() -> None:
    plan = samples.small()
    tree = json.loads(render(plan, "json"))
    assert yaml.safe_load(render(plan, "yaml")) == tree
    assert list(tree) == ["apiVersion", "kind", "spec", "status"]
    assert tree["spec"]["moves"][0]["from"] == "worker-03"
    assert tree["spec"]["moves"][0]["memoryBytes"] == 31 * 2**30


def test_a_figure_that_is_no_number_becomes_null() -> None:
    plan = samples.small()
    node = plan.status.nodes[0]
    odd = msgspec.structs.replace(node, before=msgspec.structs.replace(node.before, cpu_ratio=math.nan))
    status = msgspec.structs.replace(plan.status, nodes=(odd, *plan.status.nodes[1:]))
    tree = json.loads(render(msgspec.structs.replace(plan, status=status), "json"))
    assert tree["status"]["nodes"][0]["before"]["cpuRatio"] is None


def test_csv_has_a_row_per_move() -> None:
    text = render(samples.small(), "csv")
    assert text.count("\r\n") == text.count("\n") == 6
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [row["name"] for row in rows][:2] == ["db-primary-0", "web-2"]
    assert rows[2] | {"reason": ""} == {
        "step": "3",
        "kind": "VirtualMachineInstance",
        "namespace": "platform",
        "name": "cache-1",
        "uid": "uid-cache-1",
        "from": "worker-07",
        "to": "worker-16",
        "memory_bytes": str(25 * 2**29),
        "cpu_cores": "4.25",
        "expected_seconds": "34.5",
        "code": "relieve",
        "reason": "",
    }


@given(NAMES)
@settings(max_examples=60, deadline=None)
def test_csv_keeps_its_shape_for_any_name(name: str) -> None:
    rows = list(csv.reader(io.StringIO(render(named(name), "csv"), newline="")))
    assert [len(row) for row in rows] == [12, 12]
    assert not [cell for cell in rows[1] if cell[:1] in ("=", "+", "-", "@", "\t", "\r")]


def test_names_are_as_kubectl_prints_them() -> None:
    builder = samples.Builder(nodes=[samples.Node("a", 0.5, 0.9), samples.Node("b", 0.1, 0.1)])
    builder.move("web-1", "a", "b")
    builder.moves.append(msgspec.structs.replace(builder.moves[0], workload=samples.vm("shop", "job", "Pod")))
    assert render(builder.plan(), "name") == "virtualmachineinstance.kubevirt.io/web-1\npod/job\n"
    assert render(samples.empty(), "name") == ""


@pytest.mark.parametrize("make", PLANS.values(), ids=PLANS)
@pytest.mark.parametrize("output", FORMATS)
def test_every_format_is_pure_and_deterministic(make, output: str) -> None:
    text = render(make(), output)
    assert text == render(make(), output)
    assert text.replace("\r\n", "").replace("\n", "").isprintable()
    assert text.endswith("\n") or output == "name"


def test_an_unknown_format_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="unknown output format 'jsn'") as caught:
        render(samples.empty(), "jsn")
    assert caught.value.hint == "did you mean json?"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe", "not UTF-8"),
        ("", "is not an object"),
        ("[]", "is not an object"),
        ("kind: &a x\napiVersion: *a", "a plan has no aliases"),
        ("{", "truncated"),
        ("a: [", "not valid YAML"),
        ("a: 2026-99-99", "not valid YAML"),
        ("kind: List\napiVersion: v1", "found kind 'List' of 'v1', expected kind 'RebalancePlan'"),
        ("{}", "found no kind"),
        ("---\na: 1\n---\nb: 2\n", "not valid YAML"),
        ("[" * 100_000, "nested too deeply"),
        ("- " * 60 + "a", "nested too deeply"),
        ('{"a":' + "[" * 100_000, "nested too deeply"),
        ("!!python/object/apply:os.system [ls]", "not valid YAML"),
    ],
)
def test_what_is_no_plan_is_an_input_error(content: str | bytes, message: str) -> None:
    with pytest.raises(InputError, match=r"plan\.json: ") as caught:
        parse(content, "plan.json")
    assert message in caught.value.message
    assert caught.value.message.isprintable()


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("$.spec.moves[0].from", '"from": "worker-03"', '"from": 3'),
        ("unknown field `form`", '"from": "worker-03"', '"form": "worker-03"'),
        ("$.spec.goal", '"goal": "relieve"', '"goal": "relive"'),
        ("$.spec.moves[0].memoryBytes", f'"memoryBytes": {31 * 2**30}', '"memoryBytes": 1.5'),
    ],
)
def test_a_wrong_field_is_named_by_its_path(path: str, old: str, new: str) -> None:
    text = render(samples.small(), "json")
    assert old in text
    with pytest.raises(InputError) as caught:
        parse(text.replace(old, new, 1), "-")
    assert path in caught.value.message


@given(st.text(max_size=80) | st.binary(max_size=80))
@settings(max_examples=150, deadline=None)
def test_noise_is_an_input_error(content: str | bytes) -> None:
    with pytest.raises(InputError):
        parse(content, "noise")


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_plan_with_a_hole_is_an_input_error_or_a_plan(data) -> None:
    text = render(samples.small(), data.draw(st.sampled_from(["json", "yaml"])))
    first, last = sorted(data.draw(st.tuples(*[st.integers(0, len(text))] * 2)))
    with contextlib.suppress(InputError):
        assert parse(text[:first] + text[last:], "hole").kind == "RebalancePlan"
