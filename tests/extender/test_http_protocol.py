"""One connection, without sockets: a transport that keeps what is written."""

from __future__ import annotations

import asyncio
import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extender.http_protocol import HttpConnection, Limits, Request, Response, response_head


class Transport(asyncio.Transport):
    """Keeps writes."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.closed = self.aborted = False

    def write(self, data: bytes) -> None:
        self.writes.append(bytes(data))

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed or self.aborted

    def abort(self) -> None:
        self.aborted = True

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


class Echo:
    """Answers with what it was asked."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.draining = False
        self.now = 0.0
        self.seen: list[tuple[bytes, bytes, bytes]] = []

    def answer(self, request: Request) -> Response:
        self.seen.append((request.method, request.path, bytes(request.body)))
        return Response((b"<", bytes(request.body), b">"))

    def opened(self, _: HttpConnection) -> bool:
        return True

    def closed(self, _: HttpConnection) -> None:
        pass


class Wire:
    """A connection and its client's side."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.server = Echo(limits)
        self.transport = Transport()
        self.connection = HttpConnection(self.server, lambda: self.server.now)
        self.connection.connection_made(self.transport)

    def send(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            room = self.connection.get_buffer(-1)
            count = min(len(room), len(rest))
            room[:count] = rest[:count]
            self.connection.buffer_updated(count)
            rest = rest[count:]

    @property
    def statuses(self) -> list[int]:
        return [int(each[9:12]) for each in self.transport.writes if each.startswith(b"HTTP/1.1 ")]


def post(body: bytes, path: bytes = b"/x", extra: bytes = b"") -> bytes:
    return b"POST %b HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n%b\r\n%b" % (path, len(body), extra, body)


def chunked(*chunks: bytes, trailer: bytes = b"") -> bytes:
    parts = b"".join(b"%x;a=b\r\n%b\r\n" % (len(each), each) for each in chunks)
    return b"POST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + parts + b"0\r\n" + trailer + b"\r\n"


def test_head_and_body_leave_in_one_write_with_the_exact_length() -> None:
    wire = Wire()
    wire.send(post(b"abc"))
    assert wire.transport.writes == [
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\n<abc>"
    ]
    assert not wire.transport.closed


def test_query_and_case_of_fields_do_not_matter() -> None:
    wire = Wire()
    wire.send(b"POST /a/b?c=d HTTP/1.1\r\ncontent-LENGTH:  2 \r\n\r\nxy")
    assert wire.server.seen == [(b"POST", b"/a/b", b"xy")]


@given(
    bodies=st.lists(st.binary(max_size=300), min_size=1, max_size=5),
    cuts=st.lists(st.integers(1, 200), min_size=1, max_size=10),
    in_chunks=st.booleans(),
)
def test_pipelined_requests_are_answered_in_order_however_they_are_cut(bodies, cuts, in_chunks) -> None:
    wire = Wire()
    make = (lambda body: chunked(*(body[i : i + 7] for i in range(0, len(body), 7)))) if in_chunks else post
    stream = b"".join(map(make, bodies))
    sizes = itertools.cycle(cuts)
    while stream:
        size = next(sizes)
        wire.send(stream[:size])
        stream = stream[size:]
    assert [body for _, _, body in wire.server.seen] == bodies
    assert wire.statuses == [200] * len(bodies)
    assert wire.connection.is_idle


def test_a_large_body_arrives_whole_and_its_room_is_given_back() -> None:
    wire = Wire()
    body = bytes(range(256)) * 40_000
    wire.send(post(body) + post(b"next"))
    assert [len(each) for _, _, each in wire.server.seen] == [len(body), 4]
    assert wire.server.seen[0][2] == body
    assert len(wire.connection.get_buffer(-1)) < 2**20


@pytest.mark.parametrize(
    ("message", "status"),
    [
        (b"GARBAGE\r\n\r\n", 400),
        (b"GET /\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length : 1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nA: b\r\n folded\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nA: b\nContent-Length: 1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\n\r\n", 411),
        (b"POST / HTTP/1.1\r\nContent-Length: 1001\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n", 413),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1" * 2000, 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + b"a" * 9000, 400),
        (b"GET / HTTP/1.1\r\nA: " + b"x" * 70_000, 431),
        (b"GET / HTTP/1.1\r\nA: " + b"x" * 70_000 + b"\r\n\r\n", 431),
    ],
)
def test_what_can_be_read_in_two_ways_or_is_too_much_is_refused(message: bytes, status: int) -> None:
    wire = Wire(Limits(body_bytes=1000))
    wire.send(message)
    assert wire.statuses == [status]
    assert b"Connection: close\r\n" in wire.transport.writes[-1]
    wire.send(b"x" * 200_000 + post(b"smuggled"))
    assert wire.server.seen == []
    assert not wire.transport.closed, "what is on its way is still taken, so that the answer is not lost"
    wire.server.now = 3.0
    wire.connection.expire(3.0)
    assert wire.transport.aborted


@given(data=st.binary(max_size=400), cut=st.integers(0, 400))
def test_no_bytes_break_the_connection(data: bytes, cut: int) -> None:
    wire = Wire()
    for message in (
        data,
        b"POST / HTTP/1.1\r\n" + data,
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + data,
    ):
        wire = Wire()
        wire.send(message[:cut])
        wire.send(message[cut:])
        assert all(200 <= status < 500 for status in wire.statuses)


def test_expect_continue_is_answered_before_the_body() -> None:
    wire = Wire()
    head, _, body = post(b"abc", extra=b"Expect: 100-continue\r\n").partition(b"\r\n\r\n")
    wire.send(head + b"\r\n\r\n")
    assert wire.transport.writes == [b"HTTP/1.1 100 Continue\r\n\r\n"]
    wire.send(body)
    assert wire.statuses == [100, 200]


def test_expect_continue_of_a_body_that_is_too_large_is_refused_at_once() -> None:
    wire = Wire(Limits(body_bytes=2))
    wire.send(post(b"", extra=b"Expect: 100-continue\r\n").replace(b"Length: 0", b"Length: 3"))
    assert wire.statuses == [413]


@pytest.mark.parametrize(
    ("version", "connection", "closes"),
    [
        (b"1.1", b"", False),
        (b"1.1", b"Connection: close\r\n", True),
        (b"1.0", b"", True),
        (b"1.0", b"Connection: Keep-Alive\r\n", False),
    ],
)
def test_who_keeps_the_connection(version: bytes, connection: bytes, closes: bool) -> None:
    wire = Wire()
    wire.send(b"GET / HTTP/%b\r\n%b\r\n" % (version, connection))
    assert wire.transport.closed is closes
    assert (b"Connection: close" in wire.transport.writes[0]) is closes


def test_while_draining_a_connection_ends_with_its_answer() -> None:
    wire = Wire()
    wire.send(post(b"abc")[:-1])
    wire.server.draining = True
    wire.connection.drain()
    assert not wire.transport.closed
    wire.send(b"c" + post(b"more"))
    assert wire.transport.closed
    assert len(wire.server.seen) == 1


def test_a_head_request_has_no_body() -> None:
    wire = Wire()
    wire.send(b"HEAD / HTTP/1.1\r\n\r\n")
    assert wire.transport.writes[0].endswith(b"Content-Length: 2\r\n\r\n")


def test_an_idle_connection_lives_longer_than_go_keeps_it() -> None:
    wire = Wire()
    wire.send(post(b"abc"))
    wire.connection.expire(91.0)
    assert not wire.transport.aborted
    wire.connection.expire(121.0)
    assert wire.transport.aborted


def test_a_slow_request_is_told_so() -> None:
    wire = Wire()
    wire.send(post(b"abc")[:-1])
    wire.server.now = 29.0
    wire.connection.expire(29.0)
    assert wire.statuses == []
    wire.connection.expire(31.0)
    assert wire.statuses == [408]


def test_one_byte_now_and_then_does_not_buy_time() -> None:
    wire = Wire()
    for second, byte in enumerate(post(b"abc")[:29]):
        wire.server.now = float(second)
        wire.send(bytes([byte]))
    wire.connection.expire(30.5)
    assert wire.statuses == [408]


def test_a_client_that_does_not_take_its_answer_is_not_served_on() -> None:
    wire = Wire()
    wire.connection.pause_writing()
    wire.send(post(b"a") + post(b"b"))
    assert wire.server.seen == []
    wire.connection.resume_writing()
    assert [body for _, _, body in wire.server.seen] == [b"a", b"b"]
    wire.connection.pause_writing()
    wire.connection.expire(31.0)
    assert wire.transport.aborted


def test_the_time_of_a_request_begins_with_its_first_byte() -> None:
    wire = Wire()
    begun = []
    wire.server.answer = lambda request: begun.append(request.begun_at) or Response(())
    wire.server.now = 5.0
    message = post(b"abc")
    wire.send(message[:10])
    wire.server.now = 9.0
    wire.send(message[10:] + message)
    assert begun == [5.0, 9.0]


def test_a_response_head_says_what_follows() -> None:
    head = response_head(Response((b"ab", b"c"), 503, b"text/plain"), closes=True)
    assert re.fullmatch(rb"HTTP/1\.1 503 Service Unavailable\r\n(\S+: \S+\r\n)+\r\n", head)
    assert b"Content-Length: 3\r\n" in head
