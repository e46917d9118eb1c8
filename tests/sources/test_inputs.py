from __future__ import annotations

import copy
import gzip
import io
import random

import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sources.dumps import (
    dump,
    kubevirt,
    launcher,
    load_bytes,
    node,
    node_metrics,
    pod,
    pod_metrics,
    state_of,
    vmi,
)
from ullage.errors import InputError
from ullage.model.codes import CODES
from ullage.model.state import ClusterState, is_ascending
from ullage.sources.inputs import load
from ullage.sources.notes import _SENTENCES
from ullage.sources.snapshot import decode, encode


def objects() -> list:
    anti = [{"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "a"}}}]
    affinity = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": anti}}
    selector = {"matchLabels": {"app": "a"}}
    budget = {
        "metadata": {"name": "b", "namespace": "ns"},
        "spec": {"selector": selector},
        "status": {"disruptionsAllowed": 1},
    }
    quota = {"metadata": {"name": "q", "namespace": "ns"}, "spec": {"hard": {"pods": "5"}}}
    migration = {
        "metadata": {"name": "m", "namespace": "ns"},
        "spec": {"vmiName": "vm1"},
        "status": {"phase": "Running"},
    }
    volume = {
        "metadata": {"name": "v", "labels": {"topology.kubernetes.io/zone": "z"}},
        "spec": {"claimRef": {"name": "c"}},
    }
    return [
        node("n1", spec={"taints": [{"key": "a", "effect": "NoSchedule"}]}),
        node("n2"),
        pod("a", spec={"affinity": affinity}),
        pod("b", "n2", metadata={"ownerReferences": []}),
        launcher("vm1"),
        vmi("vm1"),
        launcher("vm2", "n2"),
        kubevirt(),
        node_metrics("n1", cpu="2", memory="8Gi"),
        pod_metrics("a", {"cpu": "1", "memory": "1Gi"}),
        {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", **budget},
        {"apiVersion": "v1", "kind": "ResourceQuota", **quota},
        {"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachineInstanceMigration", **migration},
        {"apiVersion": "v1", "kind": "PersistentVolume", **volume},
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}},
    ]


def accepted(data: bytes) -> ClusterState | None:
    """State of `data` if it is accepted, after a look at what every state must be."""
    try:
        state = load_bytes(data)
    except InputError:
        return None
    workloads = state.workloads
    keys = zip(workloads.namespace, workloads.name, workloads.kind, workloads.uid, strict=True)
    assert is_ascending(state.nodes.name)
    assert is_ascending(keys)
    assert all(each.code in CODES and len(each.objects) <= 5 for each in state.notes)
    assert not (workloads.requests < 0).any()
    assert encode(decode(encode(state), "x")) == encode(state)
    return state


class TestLoad:
    def test_several_files_are_one_dump(self, tmp_path):
        (tmp_path / "nodes.yaml").write_text(yaml.safe_dump_all([node("n1"), node("n2")]))
        (tmp_path / "pods.json.gz").write_bytes(gzip.compress(dump(pod("p"), launcher("vm"), vmi("vm"))))
        metrics = io.BytesIO(msgspec.json.encode(node_metrics("n1", cpu="1", memory="1Gi")))
        state = load([str(tmp_path / "nodes.yaml"), "-", str(tmp_path / "pods.json.gz")], stdin=metrics)
        assert state.nodes.name == ("n1", "n2")
        assert state.workloads.name == ("p", "vm")
        assert state.nodes.measures.value[0, 0] == 1

    def test_yaml_and_json_give_the_same_state(self):
        as_yaml = yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": objects()}).encode()
        assert encode(load_bytes(as_yaml)) == encode(state_of(*objects()))

    @pytest.mark.parametrize("paths", [[], ["-", "-"]])
    def test_wrong_number_of_files(self, paths):
        with pytest.raises(InputError):
            load(paths, stdin=io.BytesIO(b"{}"))

    def test_a_limit_on_bytes(self):
        with pytest.raises(InputError, match="holds more than"):
            load(["-"], stdin=io.BytesIO(dump(node("n1"))), max_bytes=100)


class TestSnapshot:
    def test_a_snapshot_is_read_as_such(self, tmp_path):
        data = encode(state_of(*objects()))
        (tmp_path / "snapshot.json.gz").write_bytes(gzip.compress(data))
        assert encode(load([str(tmp_path / "snapshot.json.gz")])) == data

    def test_mixed_with_something_else(self, tmp_path):
        data = encode(state_of(*objects()))
        with pytest.raises(InputError, match="mixed"):
            load_bytes(data + dump(node("n1")))
        with pytest.raises(InputError, match="mixed"):
            load_bytes(dump(node("n1")) + data)
        (tmp_path / "nodes.json").write_bytes(dump(node("n1")))
        for order in ([str(tmp_path / "nodes.json"), "-"], ["-", str(tmp_path / "nodes.json")]):
            with pytest.raises(InputError, match="mixed"):
                load(order, stdin=io.BytesIO(data))


def test_the_order_of_objects_does_not_show():
    expected = encode(state_of(*objects()))
    for seed in range(5):
        shuffled = objects()
        random.Random(seed).shuffle(shuffled)
        assert encode(state_of(*shuffled)) == expected


def test_every_note_has_a_code_of_the_table():
    assert set(_SENTENCES) <= set(CODES)


def test_an_empty_cluster():
    state = state_of()
    assert (len(state.nodes), len(state.workloads), state.observed_at_seconds) == (0, 0, 0)
    assert state.notes[0].text == "The input holds no node; it holds 0 pods."


DUMP = dump(*objects())


def test_the_valid_dump_of_the_fuzz_tests_is_accepted():
    state = accepted(DUMP)
    assert state is not None
    assert len(state.workloads) == 4


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(DUMP) - 1))
def test_a_truncated_dump_is_refused(length):
    assert accepted(DUMP[:length]) is None


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(DUMP) - 1), st.integers(0, 255)), max_size=8))
def test_flipped_bytes_never_crash(changes):
    data = bytearray(DUMP)
    for at, byte in changes:
        data[at] = byte
    accepted(bytes(data))


def paths(value, path=()):
    yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from paths(child, (*path, key))


PATHS = [path for path in paths(objects()) if len(path) > 1]
TEXTS = (
    "",
    "x",
    "-5",
    "1e400",
    "10Zi",
    "NaN",
    "9" * 50,
    "n1",
    "2026-01-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "\x00\u2028",
)
NUMBERS = (True, 0, -1, 2**31, 2**63, 10**40, 1.5, 1e300)
FOLDERS = (
    [],
    [None],
    [""],
    {},
    {"": None},
    {"a": "b"},
    {"x": "-1"},
    {"cpu": "1e99"},
    {"memory": "NaN"},
    {"memory": "9" * 18},
)
STRANGE = st.sampled_from((None, *TEXTS, *NUMBERS, *FOLDERS)).map(copy.deepcopy)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(PATHS), STRANGE), min_size=1, max_size=5))
def test_mutated_objects_give_a_state(changes):
    mutated = copy.deepcopy(objects())
    for path, value in changes:
        target = mutated
        try:
            for step in path[:-1]:
                target = target[step]
            target[path[-1]] = value
        except (KeyError, IndexError, TypeError):
            continue
    assert accepted(dump(*mutated)) is not None


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_arbitrary_bytes_never_crash(data):
    accepted(data)
    accepted(b"\x1f\x8b" + data)
