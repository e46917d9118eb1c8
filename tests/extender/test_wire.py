"""What is asked and what is answered, byte by byte and under fire."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import Cluster
from tests.extender.go_client import decode_filter, decode_priorities
from tests.extender.serving import NAMES, OBSERVED_AT, POD, Service, args, cluster, node_list
from ullage.model.measures import NodeMeasure
from ullage.model.resources import MEMORY_INDEX

GIB = 2.0**30
SERVICE = Service(cluster())
KEYS = {"pod": "Pod", "nodes": "Nodes", "nodenames": "NodeNames"}

names = st.text(min_size=0, max_size=12) | st.sampled_from([*NAMES, "n\n4", 'n"5', "\\", "n\u20286", "\x00", "💥"])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
pods = st.just(POD) | json_values | st.fixed_dictionaries({"metadata": json_values, "spec": json_values})


def test_all_pass_is_the_request_echoed_byte_by_byte() -> None:
    asked = b'{"Pod":' + json.dumps(POD).encode() + b',"Nodes":null,"NodeNames":["n2","n1"]}'
    assert SERVICE.call("filter", asked) == (
        b'{"Nodes":null,"NodeNames":["n2","n1"],"FailedNodes":{},"FailedAndUnresolvableNodes":{},"Error":""}'
    )


def test_a_rejected_node_has_a_reason_with_its_code() -> None:
    result = decode_filter(SERVICE.call("filter", args()))
    assert result.kept == ["n1", "n2"]
    reasons = result.failed | result.unresolvable
    assert list(reasons) == ["n3"]
    assert "memory" in reasons["n3"]
    assert not result.failed.keys() & result.unresolvable.keys()


def test_every_rejected_node_is_told_with_its_numbers() -> None:
    built = Cluster()
    for number in range(30):
        built.node(f"n{number:03}", cpu=16, memory="64Gi", use_cpu=2, use_memory=(630 + number) * GIB / 10)
    state = built.build(observed_at=OBSERVED_AT)
    result = decode_filter(Service(state).call("filter", args(list(state.nodes.name))))
    assert result.kept == []
    assert result.unresolvable == {}
    assert list(result.failed) == list(state.nodes.name)
    shares = [f"({100 * (0.7 * 4 / 64 + (63 + number / 10) / 64):.0f} percent)" for number in range(30)]
    assert all(share in reason for share, reason in zip(shares, result.failed.values(), strict=True))


def test_scores_are_integers_of_the_nodes_asked_for() -> None:
    scores = decode_priorities(SERVICE.call("prioritize", args(["n2", "n1"])))
    assert scores["n1"] == 10
    assert 0 <= scores["n2"] < 10


def test_the_form_of_nodes_is_answered_with_the_same_objects() -> None:
    asked = node_list(NAMES)
    answer = json.loads(SERVICE.call("filter", asked))
    assert answer["NodeNames"] is None
    assert answer["Nodes"]["items"] == asked["Nodes"]["items"][:2]
    assert decode_filter(json.dumps(answer).encode()).kept == ["n1", "n2"]
    assert decode_priorities(SERVICE.call("prioritize", asked)).keys() == set(NAMES)


def test_names_win_over_nodes() -> None:
    both = {**node_list(["n1", "n2"]), "NodeNames": ["n2"]}
    assert decode_filter(SERVICE.call("filter", both)).node_names == ["n2"]


@pytest.mark.parametrize("key", [str.lower, str.upper, str.title])
def test_keys_are_read_in_any_case(key) -> None:
    asked = {key(name): value for name, value in args(["n1", "n2"]).items()} | {"extra": 1}
    assert decode_filter(SERVICE.call("filter", asked)).kept == ["n1", "n2"]
    nodes = {key("Nodes"): {key("items"): [{key("metadata"): {key("name"): "n2"}}, None, {}]}}
    assert decode_filter(SERVICE.call("filter", {**nodes, "Pod": POD})).kept == ["n2"]


def test_a_name_is_answered_once() -> None:
    twice = ["n1", "zz", "n2", "n1", "zz"]
    assert decode_filter(SERVICE.call("filter", args(twice))).kept == ["n1", "zz", "n2"]
    assert decode_priorities(SERVICE.call("prioritize", args(twice))).keys() == {"n1", "n2", "zz"}
    assert decode_filter(SERVICE.call("filter", node_list(["n2", "n1", "n2"]))).kept == ["n2", "n1"]


def test_unknown_names_stay_in_and_score_like_an_average_node() -> None:
    strange = [f"new-{i}" for i in range(10_000)] + ["n\n1", "n1"]
    assert decode_filter(SERVICE.call("filter", args(strange))).kept == strange
    scores = decode_priorities(SERVICE.call("prioritize", args(strange)))
    assert scores.keys() == set(strange)
    assert scores["n1"] > scores["new-1"] >= 0


@pytest.mark.parametrize(
    "body", [b"", b"null", b"{}", b"[]", b"7", b'{"Pod":', b"\xff\xfe", b"[" * 100_000, b'{"Pod":{}}']
)
def test_what_names_no_node_is_a_call_error(body) -> None:
    result = decode_filter(SERVICE.call("filter", body))
    assert result.error.startswith("request: ")
    assert "Traceback" not in result.error
    assert decode_priorities(SERVICE.call("prioritize", body)) == {}


@pytest.mark.parametrize("names_", [[], [None], [1, {}]])
def test_a_list_without_names_is_answered_with_none(names_) -> None:
    result = decode_filter(SERVICE.call("filter", args(names_)))
    assert (result.node_names, result.error) == ([], "")


@pytest.mark.parametrize(
    "pod", [None, 7, [], {"metadata": {}}, {"metadata": {"name": "a"}, "spec": {"priority": "high"}}]
)
def test_a_pod_that_cannot_be_read_keeps_every_node(pod) -> None:
    before = SERVICE.value("requests_total", verb="filter", outcome="neutral")
    assert decode_filter(SERVICE.call("filter", args(pod=pod))).kept == NAMES
    assert set(decode_priorities(SERVICE.call("prioritize", args(pod=pod))).values()) == {0}
    assert SERVICE.value("requests_total", verb="filter", outcome="neutral") == before + 1


def test_deep_nesting_in_the_pod_is_survived() -> None:
    deep = b'{"Pod":{"metadata":{"name":"a","x":%b%b}},"NodeNames":["n1"]}' % (b"[" * 50_000, b"]" * 50_000)
    result = decode_filter(SERVICE.call("filter", deep))
    assert result.error or result.kept == ["n1"]


def test_a_body_of_64_mebibytes_is_answered() -> None:
    padding = b'"' + b"x" * (64 * 2**20) + b'"'
    body = b'{"Pod":{"metadata":{"name":"a","y":%b},"spec":{}},"NodeNames":["n1","n2"]}' % padding
    assert decode_filter(SERVICE.call("filter", body)).kept == ["n1", "n2"]


def test_one_entry_per_known_name_whatever_its_length() -> None:
    state = cluster(nodes=300)
    long = Service(state)
    assert len(decode_priorities(long.call("prioritize", args(list(state.nodes.name))))) == 300


@given(
    asked=st.lists(names, max_size=20),
    pod=pods,
    keys=st.fixed_dictionaries({k: st.sampled_from([k, v, v.upper()]) for k, v in KEYS.items()}),
)
def test_every_name_is_kept_or_has_a_reason(asked, pod, keys) -> None:
    body = {keys["pod"]: pod, keys["nodes"]: None, keys["nodenames"]: asked}
    result = decode_filter(SERVICE.call("filter", body))
    assert result.error == ""
    rejected = [*result.failed, *result.unresolvable]
    assert [each for each in dict.fromkeys(asked) if each not in rejected] == result.kept
    assert set(rejected) <= {"n3"}
    scores = decode_priorities(SERVICE.call("prioritize", body))
    assert scores.keys() == set(asked)
    assert all(0 <= score <= 10 for score in scores.values())


@given(body=st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode()))
def test_no_body_breaks_the_answer(body) -> None:
    decode_filter(SERVICE.call("filter", body))
    decode_priorities(SERVICE.call("prioritize", body))
    assert isinstance(json.loads(SERVICE.call("explain", body)), dict)


@given(cut=st.integers(0, 10_000), flip=st.integers(0, 10_000), byte=st.integers(0, 255))
def test_half_and_damaged_bodies_break_nothing(cut, flip, byte) -> None:
    whole = bytearray(json.dumps(args()).encode())
    whole[flip % len(whole)] = byte
    for body in (bytes(whole), bytes(whole[: cut % len(whole)])):
        decode_filter(SERVICE.call("filter", body))
        decode_priorities(SERVICE.call("prioritize", body))


@settings(deadline=None)
@given(
    values=st.lists(
        st.sampled_from([math.nan, math.inf, -math.inf, -1.0, 0.0, 1e300, 63 * GIB]), min_size=6, max_size=6
    ),
    measure=st.sampled_from([NodeMeasure.CPU_MEAN_CORES, NodeMeasure.MEMORY_MEAN_BYTES, NodeMeasure.SWAP_USED_BYTES]),
    allocatable=st.sampled_from([math.nan, 0.0, 64 * GIB]),
)
def test_whatever_numbers_a_state_holds_the_answers_are_whole(values, measure, allocatable) -> None:
    state = cluster(nodes=6)
    measures, amounts = state.nodes.measures.value.copy(), state.nodes.allocatable.copy()
    measures[:, measure], amounts[::2, MEMORY_INDEX] = values, allocatable
    nodes = replace(state.nodes, measures=replace(state.nodes.measures, value=measures), allocatable=amounts)
    service, asked = Service(replace(state, nodes=nodes)), [*state.nodes.name, "new"]
    result = decode_filter(service.call("filter", args(asked)))
    assert sorted([*result.kept, *result.failed, *result.unresolvable]) == sorted(asked)
    assert all("nan" not in reason for reason in [*result.failed.values(), *result.unresolvable.values()])
    assert decode_priorities(service.call("prioritize", args(asked))).keys() == set(asked)
    explained = json.loads(service.call("explain", args(asked)), parse_constant=pytest.fail)
    assert [node["name"] for node in explained["explanation"]["nodes"]] == asked
    assert service.value("exceptions_total", verb="filter") == 0


@given(
    st.lists(
        st.fixed_dictionaries({"metadata": st.fixed_dictionaries({"name": names | json_values})}) | json_values,
        max_size=8,
    )
)
def test_whatever_stands_among_node_objects_each_named_one_is_answered_once(items) -> None:
    result = decode_filter(SERVICE.call("filter", {"Pod": POD, "Nodes": {"items": items}, "NodeNames": None}))
    found = [each["metadata"]["name"] for each in items if _is_named(each)]
    assert result.error == ""
    assert sorted([*result.kept, *result.failed]) == sorted(set(found))
    scored = decode_priorities(SERVICE.call("prioritize", {"Pod": POD, "Nodes": {"items": items}, "NodeNames": None}))
    assert scored.keys() == set(found)


def _is_named(item: object) -> bool:
    metadata = item.get("metadata") if isinstance(item, dict) else None
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return isinstance(name, str) and name != ""
