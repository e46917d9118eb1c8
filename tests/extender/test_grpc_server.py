"""gRPC round trips over real sockets."""

from __future__ import annotations

import json
from pathlib import Path

import grpc
import numpy as np
import pytest
from google.protobuf import json_format
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from tests.extender.certificates import Authority
from tests.extender.serving import NAMES, OBSERVED_AT, POD, Running, cluster, running, write_state
from ullage.api.v1 import scheduling_pb2 as pb
from ullage.api.v1 import scheduling_pb2_grpc as services
from ullage.serving.address import Address
from ullage.serving.tls import TlsFiles

SERVICE = "ullage.api.v1.Scheduling"
MANIFEST = pb.Pod(manifest=json.dumps(POD).encode())
DESCRIBED = pb.Pod(namespace="shop", name="web", requests_cpu_cores=0.5, requests_memory_bytes=4 * 2**30)
GRPC = Address("127.0.0.1", 0)


def rows(*numbers: int, version: int = 1) -> pb.NodeSelection:
    return pb.NodeSelection(names_version=version, rows=np.array(numbers, dtype="<u4").tobytes())


def channel(served: Running) -> grpc.Channel:
    return grpc.insecure_channel(f"127.0.0.1:{served.grpc_port}")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory):
    path = tmp_path_factory.mktemp("state") / "cluster.snapshot"
    with running(write_state(path, cluster()), grpc_listen=GRPC) as found:
        yield found


@pytest.fixture
def stub(served: Running):
    with channel(served) as found:
        yield services.SchedulingStub(found)


@pytest.mark.parametrize("pod", [MANIFEST, DESCRIBED])
@pytest.mark.parametrize("nodes", [rows(2, 0, 1), pb.NodeSelection(names=["n3", "n1", "n2"])])
def test_filter_and_score_by_row_and_by_name(stub, pod: pb.Pod, nodes: pb.NodeSelection) -> None:
    filtered = stub.Filter(pb.FilterRequest(pod=pod, nodes=nodes), timeout=20)
    assert list(filtered.verdicts) == [1, 0, 0]
    assert filtered.outcome == pb.OUTCOME_SCORED
    assert [reason.code for reason in filtered.reasons] == [filtered.messages[0].partition(":")[0]]
    scored = stub.Score(pb.ScoreRequest(pod=pod, nodes=nodes), timeout=20)
    assert scored.score_scale == 10
    assert list(scored.scores).index(10) == 1
    assert scored.generation == filtered.generation == 1


def test_explain_is_the_document_of_http(stub) -> None:
    answer = stub.Explain(pb.ExplainRequest(pod=MANIFEST, nodes=rows(0, 1, 2)), timeout=20)
    document = json_format.MessageToDict(answer.explanation)
    assert [node["name"] for node in document["nodes"]] == NAMES
    assert document["nodes"][2]["reason"]


def test_unknown_names_and_no_nodes(stub) -> None:
    unknown = stub.Filter(pb.FilterRequest(pod=DESCRIBED, nodes=pb.NodeSelection(names=["zz", "n\n"])), timeout=20)
    assert unknown.verdicts == b"\0\0"
    nothing = stub.Score(pb.ScoreRequest(pod=DESCRIBED), timeout=20)
    assert nothing.scores == b""


def test_a_pod_that_cannot_be_read_is_answered_without_an_opinion(stub) -> None:
    answer = stub.Filter(pb.FilterRequest(pod=pb.Pod(manifest=b"{"), nodes=rows(0, 2)), timeout=20)
    assert (answer.outcome, answer.verdicts, bool(answer.note)) == (pb.OUTCOME_NEUTRAL, b"\0\0", True)
    scored = stub.Score(pb.ScoreRequest(pod=pb.Pod(manifest=b"[]"), nodes=rows(0, 2)), timeout=20)
    assert (scored.outcome, scored.scores) == (pb.OUTCOME_NEUTRAL, b"\0\0")


@pytest.mark.parametrize(
    ("nodes", "status"),
    [
        (rows(3), grpc.StatusCode.INVALID_ARGUMENT),
        (rows(2**32 - 1), grpc.StatusCode.INVALID_ARGUMENT),
        (pb.NodeSelection(names_version=1, rows=b"abc"), grpc.StatusCode.INVALID_ARGUMENT),
        (rows(0, version=99), grpc.StatusCode.FAILED_PRECONDITION),
    ],
)
def test_rows_that_name_no_node_are_refused(stub, nodes: pb.NodeSelection, status: grpc.StatusCode) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        stub.Filter(pb.FilterRequest(pod=DESCRIBED, nodes=nodes), timeout=20)
    assert refused.value.code() is status
    assert "Traceback" not in refused.value.details()


def test_the_state_is_watched_with_names_once(tmp_path: Path) -> None:
    path = write_state(tmp_path / "cluster.snapshot", cluster())
    with running(path, grpc_listen=GRPC) as served, channel(served) as opened:
        stub = services.SchedulingStub(opened)
        watch = stub.WatchState(pb.WatchStateRequest(), timeout=20)
        first = next(watch)
        assert list(first.names) == NAMES
        assert (first.generation, first.names_version, first.observed_at_seconds) == (1, 1, OBSERVED_AT)
        assert list(first.classes) == [pb.NODE_CLASS_UNDER, pb.NODE_CLASS_FIT, pb.NODE_CLASS_OVER]
        assert np.frombuffer(first.measure_ages_seconds, "<f4").tolist() == [10.0] * 3
        assert first.age_seconds > 0
        write_state(path, cluster())
        second = next(watch)
        assert (second.generation, list(second.names)) == (2, [])
        write_state(path, cluster(nodes=4))
        third = next(watch)
        assert (list(third.names), third.names_version) == ([*NAMES, "n4"], 2)
        old_rows = stub.Filter(pb.FilterRequest(pod=DESCRIBED, nodes=rows(2, 0)), timeout=20)
        assert list(old_rows.verdicts) == [1, 0], "rows of the table before are still understood"
        assert list(next(stub.WatchState(pb.WatchStateRequest(names_version=2), timeout=20)).names) == []
        watch.cancel()
        with pytest.raises(grpc.RpcError):
            next(watch)


def test_watches_end_with_the_service_and_before_a_state_they_wait(tmp_path: Path) -> None:
    path = tmp_path / "cluster.snapshot"
    with running(path, ready=False, grpc_listen=GRPC) as served, channel(served) as opened:
        stub = services.SchedulingStub(opened)
        answer = stub.Score(pb.ScoreRequest(pod=DESCRIBED, nodes=pb.NodeSelection(names=["a"])), timeout=20)
        assert (answer.outcome, answer.generation) == (pb.OUTCOME_NEUTRAL, 0)
        with pytest.raises(grpc.RpcError) as late:
            next(stub.WatchState(pb.WatchStateRequest(), timeout=0.05))
        assert late.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        write_state(path, cluster())
        watch = stub.WatchState(pb.WatchStateRequest(), timeout=20)
        assert next(watch).generation == 1
        served.loop.call_soon_threadsafe(served.extender.scheduling.end)
        assert list(watch) == []


def test_health_and_reflection(tmp_path: Path) -> None:
    path = tmp_path / "cluster.snapshot"
    with running(path, ready=False, grpc_listen=GRPC) as served, channel(served) as opened:
        health = health_pb2_grpc.HealthStub(opened)
        watch = health.Watch(health_pb2.HealthCheckRequest(service=SERVICE), timeout=20)
        assert next(watch).status == health_pb2.HealthCheckResponse.NOT_SERVING
        write_state(path, cluster())
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        reflection = reflection_pb2_grpc.ServerReflectionStub(opened)
        asked = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
        listed = next(reflection.ServerReflectionInfo(asked, timeout=20))
        assert SERVICE in [each.name for each in listed.list_services_response.service]
        watch.cancel()


def test_tls_with_client_certificates(tmp_path: Path) -> None:
    authority, clients = Authority("our own"), Authority("clients")
    files = TlsFiles(*authority.write(tmp_path, "server"), clients.write_ca(tmp_path))
    certificate, key = clients.write(tmp_path, "client")
    path = write_state(tmp_path / "cluster.snapshot", cluster())
    with running(path, grpc_listen=GRPC, tls=files) as served:
        target = f"127.0.0.1:{served.grpc_port}"
        known = grpc.ssl_channel_credentials(authority.pem, key.read_bytes(), certificate.read_bytes())
        with grpc.secure_channel(target, known) as opened:
            stub = services.SchedulingStub(opened)
            assert stub.Score(pb.ScoreRequest(pod=DESCRIBED, nodes=rows(0)), timeout=20).scores == b"\x0a"
        with grpc.secure_channel(target, grpc.ssl_channel_credentials(authority.pem)) as opened:
            with pytest.raises(grpc.RpcError) as refused:
                services.SchedulingStub(opened).Score(pb.ScoreRequest(pod=DESCRIBED), timeout=5)
            assert refused.value.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}
