"""The source against a server with faults."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import numpy as np
import pytest

from tests.extender.certificates import Authority
from tests.sources.prometheus.server import Server, matrix, running, vector
from ullage.errors import UllageError
from ullage.sources.prometheus.connection import UnreachableError
from ullage.sources.prometheus.settings import PrometheusSettings
from ullage.sources.prometheus.source import PrometheusSource
from ullage.telemetry.catalog import Exporter
from ullage.telemetry.decode import AnswerError
from ullage.telemetry.identity import NodeIdentities
from ullage.telemetry.readings import NodeReading, Readings, WorkloadReading

NODES = NodeIdentities.of({"node-a": ["10.0.0.1"], "node-b": []})
NOW = 1_000.0
A = {"instance": "10.0.0.1:9100", "job": "node"}
NAMES = ("node_memory_MemTotal_bytes", "node_memory_MemAvailable_bytes", "pod_memory_working_set_bytes")


def _mark(labels: dict[str, str], mark: int) -> dict[str, str]:
    return {**labels, "ullage": str(int(mark))}


ANSWERS = {
    "timestamp(node_": vector([(_mark(A, Exporter.NODE_EXPORTER), 990)]),
    "timestamp(pod_": vector([(_mark({"namespace": "n", "pod": "p"}, Exporter.RESOURCE), 991)]),
    "node_memory_MemTotal_bytes": vector(
        [(_mark(A, NodeReading.MEMORY_TOTAL_BYTES), 64e9), (_mark(A, NodeReading.MEMORY_AVAILABLE_BYTES), 32e9)]
    ),
    "pod_memory_working_set_bytes": vector(
        [(_mark({"namespace": "n", "pod": "p"}, WorkloadReading.MEMORY_BYTES), "1e+09")]
    ),
}


@pytest.fixture
def server() -> Iterator[Server]:
    with running(Server(names=list(NAMES), answers=dict(ANSWERS))) as server:
        yield server


def _source(server: Server, **settings: object) -> PrometheusSource:
    return PrometheusSource(PrometheusSettings(url=server.url, **{"timeout_seconds": 5.0, **settings}))


def _read(server: Server, **settings: object) -> Readings:
    source = _source(server, **settings)
    try:
        return source.read(NODES, NOW)
    finally:
        source.close()


def _codes(readings: Readings) -> list[str]:
    return [problem.code for problem in readings.problems]


def test_reads_values_with_the_times_of_their_samples(server: Server) -> None:
    readings = _read(server)
    assert readings.problems == ()
    assert (readings.source, readings.asked_at_seconds) == ("prometheus", NOW)
    assert readings.nodes.keys == ("node-a",)
    assert readings.nodes.value[0, NodeReading.MEMORY_AVAILABLE_BYTES] == 32e9
    assert readings.nodes.at_seconds[0, NodeReading.MEMORY_AVAILABLE_BYTES] == 990
    assert readings.pods.keys == (("n", "p"),)
    assert readings.pods.value[0, WorkloadReading.MEMORY_BYTES] == 1e9
    assert readings.pods.at_seconds[0, WorkloadReading.MEMORY_BYTES] == 991
    assert np.isnan(readings.nodes.value).sum() == len(NodeReading) - 2
    assert readings.machines.keys == ()


def test_asks_at_most_twelve_queries_and_only_for_what_exists(server: Server) -> None:
    _read(server)
    assert len(server.requests) == 5  # names, two groups, two times
    assert not any("kubevirt" in query for query in server.queries())
    server.requests.clear()
    server.names = None
    _read(server)
    assert len(server.requests) <= 12


def test_long_queries_go_as_a_form(server: Server) -> None:
    _read(server)
    queries = [each for each in server.requests if each.path.endswith("/query")]
    assert {each.method for each in queries} == {"POST"}
    assert all(each.form["timeout"].endswith("ms") for each in queries)


def test_names_are_asked_for_once_in_a_while(server: Server) -> None:
    source = _source(server, probe_seconds=600)
    source.read(NODES, NOW)
    source.read(NODES, NOW)
    source.close()
    assert sum(each.path.endswith("/values") for each in server.requests) == 1


def test_a_server_without_lists_of_names_is_asked_for_alternatives_in_turn(server: Server) -> None:
    server.names = None
    server.answers = {**ANSWERS, "count(": b""}
    source = _source(server)
    first = source.read(NODES, NOW)
    assert first.nodes.value[0, NodeReading.MEMORY_TOTAL_BYTES] == 64e9
    asked = " ".join(server.queries())
    assert "node_memory_working_set_bytes{}" in asked
    server.requests.clear()
    source.read(NODES, NOW)
    source.close()
    assert 'container_memory_working_set_bytes{id="/",}' in " ".join(server.queries())


def test_an_empty_server_is_asked_for_names_every_time(server: Server) -> None:
    server.answers = {}
    source = _source(server)
    assert source.read(NODES, NOW).nodes.keys == ()
    source.read(NODES, NOW)
    source.close()
    assert sum(each.path.endswith("/values") for each in server.requests) == 2


def test_warnings_are_a_partial_answer_and_remarks_on_style_are_not(server: Server) -> None:
    body = ANSWERS["node_memory_MemTotal_bytes"]
    server.answers["node_memory_MemTotal_bytes"] = (
        body[:-1] + b',"warnings":["store 10.1.1.1 timed out"],"infos":["PromQL info: might not be a counter"]}'
    )
    server.answers = {"timestamp(": server.answers.pop("timestamp(node_"), **server.answers}
    readings = _read(server)
    partial = [problem for problem in readings.problems if problem.code == "partial"]
    assert [problem.text for problem in partial] == [
        "A query for nodes was not answered in full: store 10.1.1.1 timed out."
    ]
    assert readings.nodes.value[0, NodeReading.MEMORY_TOTAL_BYTES] == 64e9


@pytest.mark.parametrize("fault", ["500", "502", "503", "429", "422", "html", "cut", "truncate"])
def test_what_one_query_lacks_is_missing_and_said(server: Server, fault: str) -> None:
    server.fault, server.faulty = fault, "container) (pod_memory_working_set_bytes"
    readings = _read(server)
    assert _codes(readings) == ["partial"]
    assert np.isnan(readings.pods.value).all()
    assert readings.nodes.value[0, NodeReading.MEMORY_TOTAL_BYTES] == 64e9


@pytest.mark.parametrize("fault", ["500", "503", "html", "cut", "truncate", "hang", "trickle"])
def test_no_answer_at_all_is_an_error(server: Server, fault: str) -> None:
    server.fault = fault
    start = monotonic()
    with pytest.raises(AnswerError) as caught:
        _read(server, timeout_seconds=0.6)
    assert monotonic() - start < 4
    assert caught.value.message


@pytest.mark.parametrize("fault", ["401", "403", "redirect"])
def test_a_server_that_refuses_us_is_not_asked_again(server: Server, fault: str) -> None:
    server.fault = fault
    with pytest.raises(UnreachableError):
        _read(server)
    assert len(server.requests) == 1


def test_nobody_there() -> None:
    source = PrometheusSource(PrometheusSettings(url="http://127.0.0.1:9", timeout_seconds=1.0))
    with pytest.raises(UnreachableError, match="cannot be reached"):
        source.read(NODES, NOW)
    source.close()


def test_a_hanging_query_leaves_the_others_their_answers(server: Server) -> None:
    server.fault, server.faulty = "hang", "timestamp(pod_"
    readings = _read(server, timeout_seconds=1.0)
    assert readings.nodes.at_seconds[0, NodeReading.MEMORY_TOTAL_BYTES] == 990
    assert "partial" in _codes(readings)
    assert np.isnan(readings.pods.value).all()  # without a time nothing says how old they are
    assert "stale" in _codes(readings)


def test_times_missing_leaves_nothing(server: Server) -> None:
    del server.answers["timestamp(node_"]
    readings = _read(server)
    assert np.isnan(readings.nodes.value).all()
    assert _codes(readings) == ["stale"]


def test_credentials_headers_and_parameters_are_sent(server: Server, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("first\n")
    settings = {"token_file": str(token), "headers": (("X-Scope-OrgID", "t"),), "parameters": (("dedup", "true"),)}
    source = _source(server, **settings)
    source.read(NODES, NOW)
    token.write_text("second\n")
    source.read(NODES, NOW)
    source.close()
    assert [server.requests[0].headers["Authorization"], server.requests[-1].headers["Authorization"]] == [
        "Bearer first",
        "Bearer second",
    ]
    assert all(each.headers["X-Scope-OrgID"] == "t" for each in server.requests)
    assert all(each.form["dedup"] == "true" for each in server.requests)


def test_a_token_that_cannot_be_read_is_an_error(server: Server, tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match="token"):
        _read(server, token_file=str(tmp_path / "none"))
    assert server.requests == []


def test_own_ca_and_client_certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, other = Authority("ours"), Authority("other")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*ours.write(tmp_path, "server"))
    context.load_verify_locations(cadata=ours.pem.decode())
    context.verify_mode = ssl.CERT_REQUIRED
    certificate, key = map(str, ours.write(tmp_path, "client"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(other.write_ca(tmp_path, "other")))
    settings = {"ca_file": str(ours.write_ca(tmp_path)), "cert_file": certificate, "key_file": key}
    with running(Server(names=list(NAMES), answers=dict(ANSWERS)), context) as server:
        assert _read(server, **settings).nodes.keys == ("node-a",)
        with pytest.raises(UnreachableError):
            _read(server, **{**settings, "ca_file": str(tmp_path / "other.crt")})


def test_matchers_reach_every_metric(server: Server) -> None:
    _read(server, matchers='cluster="north"')
    assert all(query.count("{") == query.count('cluster="north"') for query in server.queries())
    assert len(server.queries()) == 4


def test_history_gives_each_step_with_its_own_times(server: Server) -> None:
    node = {**A, "ullage": str(int(NodeReading.MEMORY_TOTAL_BYTES))}
    server.names = ["node_memory_MemTotal_bytes"]
    server.answers = {
        "timestamp(": matrix([(_mark(A, Exporter.NODE_EXPORTER), [(0, -5), (60, 55), (120, 115)])]),
        "MemTotal": matrix([(node, [(0, 1e9), (60, 2e9), (120, "NaN")])]),
    }
    source = _source(server)
    past = list(source.history(NODES, 0.0, 60.0 * 4))
    source.close()
    assert [each.asked_at_seconds for each in past] == [0.0, 60.0]
    assert [each.nodes.value[0, NodeReading.MEMORY_TOTAL_BYTES] for each in past] == [1e9, 2e9]
    assert [each.nodes.at_seconds[0, NodeReading.MEMORY_TOTAL_BYTES] for each in past] == [-5, 55]
    assert [problem.code for each in past for problem in each.problems] == ["nan"]


def test_history_is_asked_for_in_parts(server: Server) -> None:
    server.names, server.answers = ["node_memory_MemTotal_bytes"], {}
    source = _source(server)
    assert list(source.history(NODES, 0.0, 60.0 * 11)) == []
    source.close()
    spans = [(e.form["start"], e.form["end"]) for e in server.requests if e.path.endswith("/query_range")]
    assert spans[::2] == [("0.000", "240.000"), ("300.000", "540.000"), ("600.000", "660.000")]
    assert spans[1::2] == spans[::2]


def test_errors_are_told_in_a_sentence(server: Server) -> None:
    server.fault = "503"
    with pytest.raises(UllageError) as caught:
        _read(server)
    assert caught.value.message == "HTTP 503 Service Unavailable: unavailable: out of order"
