"""What is asked and what is answered, byte by byte and under fire."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extender.wire import MOST_DETAILED
from tests.builders import Cluster
from tests.extender.go_client import decode_filter, decode_priorities
from tests.extender.serving import NAMES, OBSERVED_AT, POD, Service, args, cluster, node_list

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


def test_of_many_rejected_nodes_the_first_are_told_with_numbers() -> None:
    built = Cluster()
    for number in range(MOST_DETAILED + 10):
        built.node(f"n{number:03}", cpu=16, memory="64Gi", use_cpu=2, use_memory="63Gi")
    state = built.build(observed_at=OBSERVED_AT)
    result = decode_filter(Service(state).call("filter", args(list(state.nodes.name))))
    reasons = [*result.failed.values(), *result.unresolvable.values()]
    assert result.kept == []
    assert len(reasons) == MOST_DETAILED + 10
    assert sum("%" in reason for reason in reasons) == MOST_DETAILED
    assert len({reason.partition(":")[0] for reason in reasons}) == 1


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
