from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ullage.telemetry import decode
from ullage.telemetry.decode import SLICE_BYTES, Answer, AnswerError

REAL = (
    b'{"status":"success","data":{"resultType":"vector","result":['
    b'{"metric":{"instance":"10.0.0.1:9100","job":"node","ullage":"2"},"value":[1763788123.781,"67362873344"]},'
    b'{"metric":{"instance":"10.0.0.2:9100","job":"node","ullage":"2"},"value":[1763788123.781,"+Inf"]}'
    b']},"warnings":["PromQL info: metric might not be a counter"]}'
)
VALUES = st.sampled_from(["NaN", "+Inf", "-Inf", "0", "-1.5", "1e+09", "1.8446744073709552e+19"])
TEXT = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(['{"metric":', '"]}', '\\"},{"metric":{'])
SERIES = st.lists(st.tuples(TEXT, TEXT, VALUES), max_size=12)


def _vector(series: list[tuple[str, str, str]]) -> bytes:
    result = [{"metric": {"namespace": n, "pod": p, "other": n}, "value": [5.25, value]} for n, p, value in series]
    data = {"resultType": "vector", "result": result}
    return json.dumps({"status": "success", "data": data}, separators=(",", ":"), ensure_ascii=False).encode()


def _points(answer: Answer) -> list[tuple[str, str, float, float]]:
    found = []
    for block in answer.blocks():
        labels = decode.labels(block.origins)
        points = zip(block.series, block.at_seconds.tolist(), block.value.tolist(), strict=True)
        found += [(labels[series].namespace, labels[series].pod, at, value) for series, at, value in points]
    return found


def test_reads_what_prometheus_prints() -> None:
    (block,) = Answer(REAL, "vector").blocks()
    assert [each.instance for each in decode.labels(block.origins)] == ["10.0.0.1:9100", "10.0.0.2:9100"]
    assert block.marks.tolist() == [2, 2]
    assert block.value.tolist() == [67362873344.0, math.inf]
    assert block.at_seconds.tolist() == [1763788123.781] * 2


@settings(deadline=None)
@given(SERIES)
def test_every_point_comes_out_as_it_was(series: list[tuple[str, str, str]]) -> None:
    found = _points(Answer(_vector(series), "vector"))
    assert repr(found) == repr([(n, p, 5.25, float(value)) for n, p, value in series])


_METRIC = st.tuples(st.sampled_from(["a", "b", '"}', "{"]), st.sampled_from([*range(3), 63, 64, "", "x"]))


@settings(deadline=None)
@given(st.lists(_METRIC, max_size=5), st.lists(_METRIC, max_size=5), st.sampled_from([0, 1, 63]))
def test_a_block_holds_the_series_that_it_has_with_their_mark(one, other, mark) -> None:
    block, like = (_marked_block(metrics) for metrics in (one, other))
    is_like = block.origins == like.origins and block.marks.tolist() == [mark] * len(one)
    assert block.holds(like.origins, mark) == is_like
    if one:
        assert block.first()[1] in (-1, block.marks[0])


def _marked_block(metrics) -> decode.Block:
    result = [{"metric": {"name": name, "ullage": str(mark)}, "value": [1, "0"]} for name, mark in metrics]
    body = json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}}, separators=(",", ":"))
    (block,) = Answer(body.encode(), "vector").blocks()
    return block


@pytest.mark.parametrize("count", [1, 500, 501, 2_000, 10_000])
def test_slices_lose_nothing(count: int) -> None:
    body = _vector([(f"ns-{number % 7}", f"pod-{number:06d}", str(number)) for number in range(count)])
    answer = Answer(body, "vector")
    blocks = list(answer.blocks())
    assert np.concatenate([block.value for block in blocks]).tolist() == list(range(count))
    assert len(blocks) >= len(body) // (SLICE_BYTES + 200)
    assert decode.labels(blocks[-1].origins)[-1].pod == f"pod-{count - 1:06d}"


def test_a_body_with_blanks_is_read_as_a_whole() -> None:
    plain = _vector([("n", f"pod-{number}", "1") for number in range(3_000)])
    (block,) = Answer(json.dumps(json.loads(plain), indent=1).encode(), "vector").blocks()
    assert len(block.value) == 3_000


def test_a_matrix_gives_points_of_each_series() -> None:
    result = [
        {"metric": {"pod": "a"}, "values": [[0, "1"], [60, "NaN"]]},
        {"metric": {"pod": "b"}, "values": [[60, "+Inf"]]},
    ]
    body = json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}}).encode()
    (block,) = Answer(body, "matrix").blocks()
    assert block.series.tolist() == [0, 0, 1]
    assert block.at_seconds.tolist() == [0, 60, 60]
    assert repr(block.value.tolist()) == "[1.0, nan, inf]"


@pytest.mark.parametrize(
    ("metric", "mark", "pod"),
    [
        ('{"pod":"p","ullage":"5"}', 5, "p"),
        ('{"ullage":"5"}', 5, ""),
        ('{"ullage":"5","pod":"p"}', 5, "p"),
        ('{ "pod" : "p", "ullage" : "5" }', 5, "p"),
        ('{"pod":"p", "ullage":"5"}', 5, "p"),
        ('{"pod":"p"}', -1, "p"),
        ("{}", -1, ""),
        ('{"pod":"p","ullage":"64"}', -1, "p"),
        ('{"pod":"p","ullage":"-1"}', -1, "p"),
        ('{"pod":"' + r"\"ullage\":\"5\"}" + '","ullage":"7"}', 7, '"ullage":"5"}'),
    ],
)
def test_labels_and_marks_in_any_order(metric: str, mark: int, pod: str) -> None:
    body = f'{{"status":"success","data":{{"resultType":"vector","result":[{{"metric":{metric},"value":[1,"2"]}}]}}}}'
    (block,) = Answer(body.encode(), "vector").blocks()
    assert block.marks.tolist() == [mark]
    assert decode.labels(block.origins)[0].pod == pod


@pytest.mark.parametrize("metric", ["5", '{"pod":7}', '["ullage":"5"}'])
def test_what_are_no_labels_is_an_error(metric: str) -> None:
    body = f'{{"status":"success","data":{{"resultType":"vector","result":[{{"metric":{metric},"value":[1,"2"]}}]}}}}'
    with pytest.raises(AnswerError):
        [decode.labels(block.origins) for block in Answer(body.encode(), "vector").blocks()]


def test_histograms_are_passed_over() -> None:
    body = REAL.replace(b'"value":[1763788123.781,"+Inf"]', b'"histogram":[1763788123.781,{"count":"1"}]')
    (block,) = Answer(body, "vector").blocks()
    assert block.value.tolist() == [67362873344.0]


@pytest.mark.parametrize(
    ("tail", "remarks"),
    [
        (b'"warnings":["PromQL info: x","PromQL warning: y"]', ("PromQL warning: y",)),
        (b'"infos":["PromQL info: x"]', ()),
        (b'"warnings":["No StoreAPIs matched"],"infos":["odd"]', ("No StoreAPIs matched", "odd")),
        (b'"isPartial":true', ("not every part of the server answered",)),
        (b'"warnings":null,"isPartial":false,"stats":{"seriesFetched":"2"}', ()),
    ],
)
def test_what_says_that_an_answer_is_partial_is_given_back(tail: bytes, remarks: tuple[str, ...]) -> None:
    body = _vector([("n", f"p{number}", "1") for number in range(5_000)])
    assert Answer(body[:-1] + b"," + tail + b"}", "vector").remarks == remarks
    assert Answer(REAL, "vector").remarks == ()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "the answer is empty"),
        (b"\n  <!DOCTYPE html><html>", "a page of HTML"),
        (b'{"status":"error","errorType":"timeout","error":"query timed out"}', "timeout: query timed out"),
        (b'{"status":"success"}', "the query failed: success"),
        (b'{"status":"success","data":{"resultType":"matrix","result":[]}}', "of type 'matrix', not 'vector'"),
        (REAL[:-60], "cannot be read"),
        (REAL.replace(b"67362873344", b"many"), "cannot be read"),
        (b"\xff\xfe", "cannot be read"),
        (b"[" * 100_000, "cannot be read"),
    ],
)
def test_what_is_no_answer_is_a_clear_error(body: bytes, message: str) -> None:
    with pytest.raises(AnswerError, match=message):
        Answer(body, "vector")


DAMAGED = _vector([("ns", f"pod-{number:06d}", "1") for number in range(1_200)])


@settings(deadline=None, max_examples=50)
@given(st.integers(0, len(DAMAGED) - 3), st.binary(min_size=1, max_size=3))
def test_damage_is_an_error_or_changes_labels_and_digits_only(at: int, damage: bytes) -> None:
    try:
        found = _points(Answer(DAMAGED[:at] + damage + DAMAGED[at + len(damage) :], "vector"))
    except AnswerError:
        return
    assert 1_198 <= len(found) <= 1_200


def test_an_answer_without_a_result_is_none() -> None:
    with pytest.raises(AnswerError, match="result"):
        Answer(DAMAGED.replace(b'"result":', b'"esult":'), "vector")


@settings(deadline=None)
@given(st.integers(0, 10_000))
def test_a_body_that_was_cut_off_is_an_error(length: int) -> None:
    body = _vector([("ns", f"pod-{number:03d}", "1") for number in range(150)])
    with pytest.raises(AnswerError):
        list(Answer(body[: length % len(body)], "vector").blocks())


def test_names() -> None:
    assert decode.names(b'{"status":"success","data":["up","node_load1"]}') == {"up", "node_load1"}
    with pytest.raises(AnswerError, match="not allowed"):
        decode.names(b'{"status":"error","error":"not allowed"}')


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"status":"error","errorType":"bad_data","error":"parse error"}', "bad_data: parse error"),
        (b"<html>Bad Gateway</html>", ""),
        (b"Unauthorized\n", "Unauthorized"),
        (b"", ""),
        (b"x" * 5_000, "x" * 200),
    ],
)
def test_failure(body: bytes, said: str) -> None:
    assert decode.failure(body) == said
