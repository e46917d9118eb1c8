"""Over real sockets on loopback."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from pathlib import Path

import pytest

from extender.http_protocol import Limits
from tests.extender.go_client import GoClient, GoError
from tests.extender.serving import NAMES, Running, args, cluster, running, write_state


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory):
    path = tmp_path_factory.mktemp("state") / "cluster.snapshot"
    with running(write_state(path, cluster()), limits=Limits(body_bytes=2**20)) as found:
        yield found


def raw(served: Running, data: bytes) -> bytes:
    """All that comes back until the server closes."""
    with socket.create_connection(("127.0.0.1", served.port), timeout=20) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_one_connection_lasts_for_hundreds_of_calls(served: Running) -> None:
    client = GoClient(served.port)
    for _ in range(200):
        result = client.filter(args())
        assert result.kept == ["n1", "n2"]
        assert client.prioritize(args(result.kept))["n1"] == 10
    assert client.connections == 1
    client.close()


def test_names_in_the_answer_can_be_asked_for_again(served: Running) -> None:
    client = GoClient(served.port)
    asked = [f"strange-{i}" for i in range(5000)] + NAMES
    kept = client.filter(args(asked)).kept
    assert kept == asked[:-1]
    assert client.prioritize(args(kept)).keys() == set(kept)
    client.close()


def test_requests_in_one_segment_are_answered_in_order(served: Running) -> None:
    body = json.dumps(args(["n2", "n1"])).encode()
    one = b"POST /scheduler/filter HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    answers = raw(served, one * 3 + b"GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n")
    assert answers.count(b'"NodeNames":["n2", "n1"]') + answers.count(b'"NodeNames":["n2","n1"]') == 3
    assert answers.endswith(b"ok")


def test_probes_metrics_and_what_is_not_there(served: Running) -> None:
    client = GoClient(served.port)
    assert client.get("/healthz") == (200, b"ok")
    assert client.get("/readyz") == (200, b"ok")
    status, text = client.get("/metrics")
    assert status == 200
    assert b'ullage_extender_duration_seconds_bucket{le="0.0001",verb="filter"}' in text
    assert b"ullage_extender_state_age_seconds" in text
    assert b"ullage_extender_ledger_pods" in text
    assert client.get("/nothing")[0] == 404
    assert client.get("/scheduler/filter")[0] == 405
    with pytest.raises(GoError, match="code 404"):
        client.post("preempt", args())
    client.close()


def test_a_body_above_the_limit_is_refused_and_the_answer_arrives(served: Running) -> None:
    answer = raw(served, b"POST /scheduler/filter HTTP/1.1\r\nContent-Length: 1048577\r\n\r\n" + b"x" * 500_000)
    assert answer.startswith(b"HTTP/1.1 413 ")


def test_half_a_body_harms_nobody(served: Running) -> None:
    assert raw(served, b"POST /scheduler/filter HTTP/1.1\r\nContent-Length: 100\r\n\r\n{") == b""
    client = GoClient(served.port)
    assert client.filter(args()).kept == ["n1", "n2"]
    client.close()


def test_clients_side_by_side(served: Running) -> None:
    found: list[int] = []

    def call() -> None:
        client = GoClient(served.port)
        found.extend(len(client.filter(args()).kept) for _ in range(30))
        client.close()

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert found == [2] * 240


def test_slow_connections_are_closed_by_the_sweep(served: Running) -> None:
    with socket.create_connection(("127.0.0.1", served.port), timeout=20) as connection:
        connection.sendall(b"POST /scheduler/filter HTTP/1.1\r\nContent-Le")
        client = GoClient(served.port)
        client.get("/healthz")  # what was sent before has been taken, too
        served.loop.call_soon_threadsafe(served.extender.http.sweep, served.loop.time() + 60)
        assert connection.recv(1000).startswith(b"HTTP/1.1 408 ")
        client.close()


def test_one_connection_too_many_is_closed(tmp_path: Path) -> None:
    with running(write_state(tmp_path / "s", cluster()), limits=Limits(connections=2)) as served:
        first, second = GoClient(served.port), GoClient(served.port)
        assert first.get("/healthz")[0] == second.get("/healthz")[0] == 200
        with socket.create_connection(("127.0.0.1", served.port), timeout=20) as third:
            third.settimeout(20)
            try:
                third.sendall(b"GET /healthz HTTP/1.1\r\n\r\n")
                answer = third.recv(100)
            except ConnectionError:
                answer = b""
            assert answer == b""
        assert first.get("/healthz")[0] == 200
        first.close()
        second.close()


def test_not_ready_before_the_first_state_and_neutral(tmp_path: Path) -> None:
    path = tmp_path / "cluster.snapshot"
    with running(path, ready=False) as served:
        client = GoClient(served.port)
        assert client.get("/healthz")[0] == 200
        assert client.get("/readyz") == (503, b"no state yet")
        assert client.filter(args()).kept == NAMES
        write_state(path, cluster())
        served.wait_for(1)
        assert client.get("/readyz")[0] == 200
        assert client.filter(args()).kept == ["n1", "n2"]
        client.close()


def test_a_new_file_is_served_and_a_bad_one_is_not(tmp_path: Path) -> None:
    path = write_state(tmp_path / "cluster.snapshot", cluster())
    with running(path) as served:
        client = GoClient(served.port)
        write_state(path, cluster(nodes=4))
        served.wait_for(2)
        assert client.filter(args(["n4"])).kept == ["n4"]
        explained = json.loads(client.post("explain", args(["n4"])))
        assert explained["explanation"]["nodes"][0]["known"] is True
        served.loop.call_soon_threadsafe(setattr, served.extender.http, "draining", True)
        assert client.filter(args()).kept == ["n1", "n2"]
        client.close()


def test_a_request_under_way_is_finished_when_the_service_ends(tmp_path: Path) -> None:
    body = json.dumps(args()).encode()
    with running(write_state(tmp_path / "s", cluster())) as served:
        port = served.port
        connection = socket.create_connection(("127.0.0.1", port), timeout=20)
        connection.sendall(b"POST /scheduler/filter HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body))
        idle = GoClient(port)
        assert idle.get("/healthz")[0] == 200
        ending = asyncio.run_coroutine_threadsafe(served.extender.stop(), served.loop)
        assert idle.connection.sock.recv(1) == b"", "an idle connection is closed"
        connection.sendall(body)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
        assert answer.startswith(b"HTTP/1.1 200 OK")
        assert b"Connection: close" in answer
        ending.result(20)
        with pytest.raises(ConnectionError):
            socket.create_connection(("127.0.0.1", port), timeout=20)
        connection.close()
        idle.close()
