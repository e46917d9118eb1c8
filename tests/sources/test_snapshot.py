"""Snapshots: nothing is lost, nothing wrong gets in, and the schema says what the code does."""

import gzip
import json
from copy import deepcopy
from dataclasses import fields, replace
from pathlib import Path

import jsonschema
import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import Cluster
from ullage.errors import InputError
from ullage.model.arrays import frozen
from ullage.model.labels import Labels, Requirement
from ullage.model.measures import Measures, NodeMeasure, WorkloadMeasure
from ullage.model.placement import NodeTerm, Placement, PodTerm, PreferredNode, Toleration
from ullage.model.state import ClusterState, DisruptionBudget, EvictionStrategy, KubeVirt, WorkloadFlag
from ullage.sources.snapshot import decode, encode
from ullage.sources.snapshot_wire import schema

SCHEMA_FILE = Path(__file__).parents[2] / "docs" / "schemas" / "cluster-snapshot.schema.json"
ODD = [0.1, -0.0, 0.0, np.nan, 5e-324, 1.7976931348623157e308, 2.0**53, 2.0**53 - 1, 1 / 3, 123456789.25]


def sample() -> ClusterState:
    selective = Placement(
        node_selector=(Requirement("zone", "In", ("a", "b")),),
        node_terms=((NodeTerm(labels=(Requirement("cpu", "Gt", ("4",)),)),),),
        preferred_nodes=(PreferredNode(7, NodeTerm(fields=(Requirement("metadata.name", "In", ("n1",)),))),),
        tolerations=(Toleration(operator="Exists"),),
        anti_affinity=(PodTerm("kubernetes.io/hostname", (Requirement("app", "Exists"),), ("shop",)),),
    )
    return (
        Cluster()
        .kubevirt(memory_overcommit_ratio=1.5, eviction_strategy=EvictionStrategy.LIVE_MIGRATE)
        .node("n1", cpu=8, memory="64Gi", swap="32Gi", labels={"zone": "a"}, taints=["dedicated=gpu:NoSchedule"])
        .node("n2", memory=None, use_cpu=None, use_memory=None, cordoned=True)
        .node("n3", extra={"devices.kubevirt.io/kvm": 1000}, age=33.5)
        .vm("shop/db", "n1", use_cpu=1.25, placement=selective, last_moved=900_000, labels={"app": "db"})
        .vm("shop/cache", "n3", live_migratable=False, blocked_reason="DisksNotLiveMigratable", migration_target="n1")
        .vm("desk/win", "n3", use_memory=None, use_cpu=None)
        .pod("shop/web-1", "n1", owner=None, limits={"memory": "256Mi"})
        .pod("kube/proxy-1", "n2", owner=("DaemonSet", "proxy"), flags=WorkloadFlag.CRITICAL, priority=2_000_001_000)
        .budget("shop/web", 0, ["shop/web-1"])
        .quota("shop/all", {"requests.memory": "100Gi"}, {"requests.memory": "12.5Gi"})
        .namespace("shop", {"tier": "gold"})
        .note("unknown-kind", "3 objects of kind Foo were passed over.", "shop/foo")
        .build(observed_at=1_767_225_600.25, generation=7)
    )


def assert_same(one: object, other: object, where: str = "state") -> None:
    """Both values are equal in type, and bit for bit."""
    assert type(one) is type(other), where
    if isinstance(one, np.ndarray):
        assert one.dtype == other.dtype, where
        assert one.shape == other.shape, where
        assert not other.flags.writeable, where
        nan = np.isnan(one) if one.dtype.kind == "f" else np.zeros(one.shape, bool)
        assert (nan == (np.isnan(other) if nan.any() or one.dtype.kind == "f" else nan)).all(), where
        assert np.where(nan, 0, one).tobytes() == np.where(nan, 0, other).tobytes(), where
    elif isinstance(one, ClusterState | Measures | Labels | DisruptionBudget) or hasattr(one, "__dataclass_fields__"):
        for each in fields(one):
            if not each.name.startswith("_"):
                assert_same(getattr(one, each.name), getattr(other, each.name), f"{where}.{each.name}")
    elif isinstance(one, tuple) and not hasattr(one, "__struct_fields__"):
        assert len(one) == len(other), where
        for i, (a, b) in enumerate(zip(one, other, strict=True)):
            assert_same(a, b, f"{where}[{i}]")
    else:
        assert one == other, where


def test_round_trip() -> None:
    state = sample()
    data = encode(state)
    assert_same(state, decode(data, "x"))
    assert encode(decode(data, "x")) == data
    assert_same(state, decode(gzip.compress(data), "x"))
    assert_same(state, decode(gzip.compress(data[:100]) + gzip.compress(data[100:]), "x"))


def test_empty_cluster() -> None:
    state = Cluster().build()
    assert_same(state, decode(encode(state), "x"))


def test_document_is_compact() -> None:
    spec = json.loads(encode(sample()))["spec"]
    workloads = spec["workloads"]
    assert workloads["limits"] == {"memory": [None, None, None, None, 268435456]}
    assert "dirty_rate_bytes_per_second" not in workloads["measures"]
    assert workloads["requests"]["pods"] == {"fill": 1}
    assert spec["nodes"]["swap_capacity_bytes"] == [34359738368, None, None]
    assert workloads["blocked_reason"] == {"table": ["", "DisksNotLiveMigratable"], "index": [0, 0, 1, 0, 0]}
    assert workloads["measures"]["cpu_mean_cores"] == {
        "value": [None, 0.05, 1, 1.25, 0.05],
        "age_seconds": {"fill": 10},
        "source": {"fill": 0},
    }
    assert spec["nodes"]["measures"]["memory_mean_bytes"]["age_seconds"] == "cpu_mean_cores"


@given(st.lists(st.floats(0, 1e300) | st.sampled_from([v for v in ODD if not v < 0]), min_size=5, max_size=5))
def test_every_float_comes_back_bit_for_bit(values: list[float]) -> None:
    state = sample()
    started = frozen(values, np.float64)
    measures = state.workloads.measures
    value = measures.value.copy()
    value[:, WorkloadMeasure.CPU_PEAK_CORES] = values
    age = np.where(np.isnan(value), np.nan, 12.5)
    source = np.where(np.isnan(value), -1, 0)
    workloads = replace(
        state.workloads,
        started_at_seconds=started,
        measures=Measures(frozen(value, np.float64), frozen(age, np.float64), frozen(source, np.int8)),
    )
    state = replace(state, workloads=workloads)
    assert_same(state, decode(encode(state), "x"))


def test_ages_and_sources_that_differ_come_back() -> None:
    state = replace(sample(), sources=("metrics", "prometheus"))
    measures = state.nodes.measures
    known = ~np.isnan(measures.value)
    ages = np.where(known, np.arange(known.size).reshape(known.shape) / 8, np.nan)
    ages[0, NodeMeasure.CPU_MEAN_CORES] = np.nan
    sources = np.where(known, np.arange(known.size).reshape(known.shape) % 2, -1)
    measures = Measures(measures.value, frozen(ages, np.float64), frozen(sources, np.int8))
    state = replace(state, nodes=replace(state.nodes, measures=measures))
    assert_same(state, decode(encode(state), "x"))


@pytest.mark.parametrize("broken", [np.inf, -np.inf])
def test_an_infinite_value_is_not_written(broken: float) -> None:
    state = sample()
    started = np.full(len(state.workloads), broken)
    with pytest.raises(ValueError, match="infinite"):
        encode(replace(state, workloads=replace(state.workloads, started_at_seconds=frozen(started, np.float64))))


BAD = [
    ("apiVersion", "ullage.dev/v9", "apiVersion: found 'ullage.dev/v9', expected 'ullage.dev/v1alpha1'"),
    ("kind", "Pod", "kind: found 'Pod', expected 'ClusterSnapshot'"),
    ("extra", 1, "extra"),
    ("metadata.observed_at_seconds", "now", "metadata.observed_at_seconds: Expected `float`, got `str`"),
    ("spec.nodes.swap_capacity_bytes", [1.0], "spec.nodes.swap_capacity_bytes: found 1 rows, expected 3"),
    ("spec.nodes.allocatable.cpu", [8, -1, 8], "spec.nodes.allocatable.cpu[1]: found -1.0, expected 0 or more"),
    ("spec.nodes.allocatable.gpu", [1, 1, 1], "spec.nodes.allocatable.gpu: unknown name"),
    ("spec.nodes.name", ["n2", "n1", "n3"], "spec.nodes.name: expected ascending order"),
    ("spec.nodes.flags", {"fill": 4096}, "spec.nodes.flags[0]: found 4096, expected 0 to 255"),
    ("spec.nodes.taints.index", [0, 1, 9], "spec.nodes.taints.index[2]: found 9, expected 0 to 2"),
    ("spec.nodes.taints.table", [[{"key": "a", "color": "red"}], [], []], "spec.nodes.taints.table[0][0].color"),
    ("spec.nodes.labels.pairs", {}, "spec.nodes.labels.pairs: Expected `array`, got `object`"),
    ("spec.nodes.labels.counts", {"fill": -1}, "spec.nodes.labels.counts[0]: found -1"),
    ("spec.nodes.labels.vocabulary", {"b": ["1"], "a": ["1"]}, "spec.nodes.labels.vocabulary: expected ascending"),
    ("spec.nodes.measures.cpu", {"value": [], "source": []}, "spec.nodes.measures.cpu: unknown name"),
    ("spec.nodes.measures.cpu_mean_cores.value", [1, None, -2], "cpu_mean_cores.value[2]: found -2.0"),
    ("spec.nodes.measures.cpu_mean_cores.age_seconds", [1, 2, 3], "age_seconds[1]: found 2.0, expected null where"),
    ("spec.nodes.measures.cpu_mean_cores.age_seconds", "memory_mean_bytes", "expected a measure further up"),
    ("spec.nodes.measures.cpu_mean_cores.source", [0, 0, 0], "source[1]: found 0, expected -1 where"),
    ("spec.nodes.measures.cpu_mean_cores.source", {"fill": 3}, "source[0]: found 3, expected -1 to 0"),
    ("spec.workloads.node", {"fill": 3}, "spec.workloads.node[0]: found 3, expected 0 to 2"),
    ("spec.workloads.node", {"fill": 1e30}, "spec.workloads.node.fill"),
    ("spec.workloads.owner", {"fill": -2}, "spec.workloads.owner[0]: found -2"),
    ("spec.workloads.placement", {"fill": 99}, "spec.workloads.placement[0]: found 99"),
    ("spec.workloads.namespace", {"fill": "a"}, "spec.workloads.namespace"),
    ("spec.workloads.uid", ["a"] * 4, "spec.workloads.uid: found 4 rows, expected 5"),
    ("spec.workloads.name", ["a"] * 5, "spec.workloads: expected ascending order"),
    ("spec.workloads.requests.memory", [None, 1, 1, 1, -4], "spec.workloads.requests.memory[4]: found -4.0"),
    ("spec.placements", [{"affinity": [{"topology_key": "a", "zone": 1}]}], "spec.placements[0].affinity[0].zone"),
    ("spec.kubevirt.color", "red", "spec.kubevirt.color: unknown name"),
    (
        "spec.budgets",
        [{"namespace": "a", "name": "b", "disruptions_allowed": 1, "members": [9]}],
        "members[0]: found 9",
    ),
    ("spec.resources", ["memory", "cpu"], "spec.resources: found ['memory', 'cpu'], expected ['cpu', 'memory'"),
    ("spec.sources", ["a"] * 129, "spec.sources: found 129, expected at most 128"),
    ("spec", None, "spec: Expected `object`, got `null`"),
]


def changed(document: object, path: str, value: object) -> bytes:
    document = deepcopy(document)
    *parents, last = path.split(".")
    place = document
    for parent in parents:
        place = place[parent]
    place[last] = value
    return json.dumps(document).encode()


@pytest.mark.parametrize(("path", "value", "message"), BAD, ids=[f"{path}-{i}" for i, (path, _, _) in enumerate(BAD)])
def test_what_does_not_fit_is_refused_with_its_path(path: str, value: object, message: str) -> None:
    data = changed(json.loads(encode(sample())), path, value)
    with pytest.raises(InputError) as caught:
        decode(data, "my.json")
    assert message in caught.value.message or message in str(caught.value)
    assert str(caught.value).startswith("my.json: ")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not readable as JSON"),
        (b"[]", "expected an object"),
        (b'{"kind": "ClusterSnapshot"', "not readable as JSON"),
        (b"[" * 100_000, "expected an object"),
        (b'{"kind":"List","items":' + b"[" * 100_000, "expected an object"),
        (b'{"\xff": 1}', "not readable as JSON"),
        (b"\x1f\x8b\x08junk", "gzip"),
        (gzip.compress(b"{}" * 1000, mtime=0)[:-9], "cut off"),
    ],
)
def test_what_is_no_document_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        decode(data, "x")


@pytest.mark.parametrize("junk", [b'"\x80":1,', b'"x":' + b"[" * 5000 + b"]" * 5000 + b",", b'"\\ud800":1,'])
def test_junk_in_a_part_of_the_model_is_refused(junk: bytes) -> None:
    with pytest.raises(InputError):
        decode(encode(sample()).replace(b'"kubevirt":{', b'"kubevirt":{' + junk), "x")


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["fill", "table", "index", "a"]), inner)
    ),
    max_leaves=5,
)


def places(value: object) -> list[tuple[object, object]]:
    """Every (container, key) of a JSON value."""
    keys = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    return [found for key in keys for found in ((value, key), *places(value[key]))]


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_mutated_snapshot_is_refused_or_valid(data: st.DataObject) -> None:
    document = json.loads(encode(sample()))
    for _ in range(data.draw(st.integers(1, 3))):
        found = places(document)
        container, key = found[data.draw(st.integers(0, len(found) - 1))]
        if data.draw(st.booleans()):
            container[key] = data.draw(VALUES)
        else:
            del container[key]
    _refused_or_valid(json.dumps(document).encode())


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_mutated_bytes_are_refused_or_valid(data: st.DataObject) -> None:
    raw = bytearray(encode(sample()))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(raw)))
        raw[start : start + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    _refused_or_valid(bytes(raw))


def _refused_or_valid(raw: bytes) -> None:
    try:
        state = decode(raw, "x")
    except InputError:
        return
    assert_same(state, decode(encode(state), "x"))


def test_schema_file_is_what_the_code_gives() -> None:
    assert SCHEMA_FILE.read_bytes() == schema()


def test_an_encoded_snapshot_meets_the_schema() -> None:
    loaded = json.loads(schema())
    jsonschema.Draft202012Validator.check_schema(loaded)
    validator = jsonschema.Draft202012Validator(loaded)
    document = json.loads(encode(sample()))
    validator.validate(document)
    document["spec"]["nodes"]["color"] = "red"
    assert not validator.is_valid(document)


def test_every_property_of_the_schema_is_explained() -> None:
    definitions = json.loads(schema())["$defs"]
    own = ("Document", "Spec", "NodeTable", "WorkloadTable", "MeasureTable", "LabelTable")
    silent = [f"{d}.{p}" for d in own for p, told in definitions[d]["properties"].items() if "description" not in told]
    assert silent == []


def test_kubevirt_defaults_survive() -> None:
    assert (
        msgspec.json.decode(encode(replace(sample(), kubevirt=KubeVirt())))["spec"]["kubevirt"]["cpu_allocation_ratio"]
        == 10
    )
