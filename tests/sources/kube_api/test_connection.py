from __future__ import annotations

import json
import threading
from contextlib import closing
from typing import Any

import pytest

from tests.sources.kube_api.following import PATIENT, QUICK, access, connect, served
from tests.sources.kube_api.server import Handler
from ullage.sources.kube_api.connection import Connection, Limits
from ullage.sources.kube_api.errors import (
    ApiError,
    ConflictError,
    ForbiddenError,
    GoneError,
    KubeError,
    NotFoundError,
    ThrottledError,
    UnauthorizedError,
    UnreachableError,
    answered,
)
from ullage.sources.watched import PODS

PATH = PODS.path


def test_one_connection_serves_many_requests() -> None:
    with served() as api:
        api.put(PATH, "pod")
        connection = connect(api)
        bodies = {connection.get(PATH, {"limit": "5"}) for _ in range(5)}
        assert len(bodies) == 1
        assert json.loads(bodies.pop())["items"][0]["metadata"]["name"] == "pod"
        assert {each.connection for each in api.requests} == {0}
        assert connection.requests() == {("GET", "200"): 5}
        assert api.requests[0].headers["User-Agent"].startswith("ullage/")


def test_other_verbs_send_a_body_of_their_own_kind() -> None:
    with served() as api:
        connection = connect(api)
        body = connection.request(
            "PATCH", "/api/v1/nodes/n", {"dryRun": "All"}, b'{"spec":{}}', "application/merge-patch+json"
        )
        said = json.loads(body)
        assert (said["was"], said["body"]) == ("PATCH", '{"spec":{}}')
        assert api.requests[0].headers["Content-Type"] == "application/merge-patch+json"
        assert api.requests[0].query == {"dryRun": "All"}


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (401, UnauthorizedError),
        (403, ForbiddenError),
        (404, NotFoundError),
        (409, ConflictError),
        (410, GoneError),
        (429, ThrottledError),
        (500, ApiError),
        (302, ApiError),
    ],
)
def test_each_status_has_its_error(code: int, kind: type[ApiError]) -> None:
    with served() as api:
        api.fault = lambda handler: _fails(handler, code)
        with pytest.raises(kind) as caught:
            connect(api).get(PATH)
        assert type(caught.value) is kind
        assert (caught.value.status, caught.value.reason) == (code, "Because")
        assert caught.value.retry_after_seconds == 3.0


def _fails(handler: Handler, code: int) -> bool:
    handler.fail(code, "Because", Retry_After="3", Location="/elsewhere")
    return True


def test_a_refused_eviction_says_why() -> None:
    status: dict[str, Any] = {
        "code": 429,
        "reason": "TooManyRequests",
        "message": "Cannot evict pod",
        "details": {
            "causes": [{"reason": "DisruptionBudget", "message": "needs 2 healthy pods"}],
            "retryAfterSeconds": 9,
        },
    }
    error = answered(429, "Too Many Requests", json.dumps(status).encode())
    assert [each.reason for each in error.causes] == ["DisruptionBudget"]
    assert error.retry_after_seconds == 9.0
    assert error.message == "429 TooManyRequests: Cannot evict pod"


@pytest.mark.parametrize("body", [b"", b"<html>\n no\n</html>", b"\xff\xfe", b"[]", b'{"code":"x"}', b"[" * 5000])
def test_what_a_proxy_says_is_an_error_in_one_line(body: bytes) -> None:
    error = answered(502, "Bad Gateway", body, "Wed, 21 Oct 2026 07:28:00 GMT")
    assert (error.status, error.reason, error.retry_after_seconds) == (502, "Bad Gateway", 0.0)
    assert "\n" not in error.message
    assert len(error.message) < 400


def test_no_answer_is_an_error_in_time() -> None:
    with served() as api:
        released = threading.Event()
        api.fault = lambda _: not released.wait(10.0)
        with pytest.raises(UnreachableError, match="timed out"):
            connect(api, QUICK).get(PATH)
        released.set()
    with pytest.raises(UnreachableError):
        connect(api).get(PATH)


def test_an_answer_of_single_bytes_is_given_up() -> None:
    gave_up = threading.Event()

    def drip(handler: Handler) -> bool:
        handler.begin_stream()
        while not gave_up.is_set():
            handler.send_chunk(b" ")
            gave_up.wait(0.02)
        return True

    with served() as api:
        api.fault = drip
        with pytest.raises(UnreachableError, match="did not end within"):
            connect(api, Limits(2.0, 5.0, 0.2)).get(PATH)
        gave_up.set()


def test_a_stream_gives_lines_however_they_are_cut() -> None:
    def cut(handler: Handler) -> bool:
        handler.begin_stream()
        for piece in (b'{"a":1}\n{"b', b'":2}', b"\n\n", b'{"c":3}\n'):
            handler.send_chunk(piece)
        handler.end_stream()
        return True

    with served() as api:
        api.fault = cut
        with closing(connect(api).stream(PATH, {}, PATIENT)) as lines:
            assert list(lines) == [b'{"a":1}', b'{"b":2}', b'{"c":3}']


def test_a_stream_that_breaks_off_in_a_line_is_an_error() -> None:
    def cut(handler: Handler) -> bool:
        handler.begin_stream()
        handler.send_chunk(b'{"a":1}\n{"b')
        handler.end_stream()
        return True

    with served() as api:
        api.fault = cut
        with closing(connect(api).stream(PATH, {}, PATIENT)) as lines:
            read = iter(lines)
            assert next(read) == b'{"a":1}'
            with pytest.raises(UnreachableError, match="within a line"):
                next(read)


def test_a_stream_ends_when_another_thread_interrupts_it() -> None:
    with served() as api:
        api.put(PATH, "pod")
        stream = connect(api).stream(PATH, {"watch": "true", "resourceVersion": "0"}, PATIENT)
        lines = iter(stream)
        assert b"ADDED" in next(lines)
        threading.Timer(0.05, stream.interrupt).start()
        with pytest.raises((UnreachableError, StopIteration)):
            next(lines)
        stream.close()
        stream.interrupt()


def test_refused_credentials_are_loaded_anew_and_the_request_sent_again() -> None:
    with served() as api:
        api.put(PATH, "pod")
        api.tokens = {"new"}
        opened = []

        def open_again() -> Any:
            found = access(api)
            found._configuration.api_key["BearerToken"] = "Bearer " + ("new" if opened else "old")
            opened.append(found)
            return found

        connection = Connection(open_again, api.clock, PATIENT)
        connection.get(PATH)
        assert (len(opened), connection.requests()) == (2, {("GET", "401"): 1, ("GET", "200"): 1})
        api.tokens = set()
        with pytest.raises(UnauthorizedError):
            connection.get(PATH)
        assert len(opened) == 2, "not more often than every ten seconds"
        api.clock.wait(threading.Event(), 10.0)
        with pytest.raises(UnauthorizedError):
            connection.get(PATH)
        assert len(opened) == 3


def test_many_threads_share_one_connection() -> None:
    with served() as api:
        api.put(PATH, "pod")
        connection = connect(api, PATIENT)
        errors: list[KubeError] = []

        def ask() -> None:
            try:
                for _ in range(10):
                    connection.get(PATH)
            except KubeError as error:
                errors.append(error)

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        assert connection.requests() == {("GET", "200"): 80}
