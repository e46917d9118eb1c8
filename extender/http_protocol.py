"""HTTP/1.1 on one connection: requests in, each answered by one write of head and body.

Built for kube-scheduler's client (Go ``net/http``, ``pkg/scheduler/extender.go``), which never reads a response to its end:
it keeps the connection only if the whole body, with its exact Content-Length, is there when its decoder is done. So nothing
is chunked, nothing follows the body, and head and body leave together. The body of a request is received straight into one
buffer that is used again, which is what makes large bodies cheap. RFC 9110 and RFC 9112 hold where they matter for safety: a
message whose length can be read in two ways is refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from extender.http_head import BadRequest, Chunked, Head, parse_head

Parts = Sequence[bytes]
"""A body in pieces, which are sent one after the other."""

_SMALL_BYTES: Final = 2**16
_KEEP_BYTES: Final = 4 * 2**20
_LINGER_SECONDS: Final = 2.0
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_REASONS: Final = {
    200: b"OK",
    400: b"Bad Request",
    404: b"Not Found",
    405: b"Method Not Allowed",
    408: b"Request Timeout",
    411: b"Length Required",
    413: b"Content Too Large",
    431: b"Request Header Fields Too Large",
    503: b"Service Unavailable",
}


@dataclass(frozen=True)
class Limits:
    """What a connection may take.

    Attributes
    ----------
    head_bytes, body_bytes
        Largest head and body of a request.
    idle_seconds
        How long a connection may be silent between requests. Go's client closes idle connections after 90 s; the server must
        not be first.
    read_seconds
        How long a request may take to arrive once it has begun, and a response to be taken.
    connections
        Most connections at a time; one more is closed at once.
    """

    head_bytes: int = 2**16
    body_bytes: int = 128 * 2**20
    idle_seconds: float = 120.0
    read_seconds: float = 30.0
    connections: int = 512


class Request(NamedTuple):
    """One request.

    Attributes
    ----------
    method, path
        Path without query.
    body
        Valid until the handler returns; what is kept of it must be copied.
    begun_at
        When its first byte was there, on the loop's clock.
    """

    method: bytes
    path: bytes
    body: memoryview
    begun_at: float


class Response(NamedTuple):
    """One response.

    Attributes
    ----------
    parts
        The body.
    status
        HTTP status.
    content_type
        Media type.
    """

    parts: Parts
    status: int = 200
    content_type: bytes = b"application/json"


class Connections(Protocol):
    """Who answers, and keeps the connections."""

    limits: Limits
    draining: bool

    def answer(self, request: Request) -> Response:
        """Answer one request; it must not raise."""
        ...

    def opened(self, connection: HttpConnection) -> bool:
        """Take note of a new connection; False refuses it."""
        ...

    def closed(self, connection: HttpConnection) -> None:
        """Forget a connection."""
        ...


class HttpConnection(asyncio.BufferedProtocol):
    """One connection.

    Parameters
    ----------
    server
        Who answers.
    clock
        The loop's clock, in seconds.

    Attributes
    ----------
    deadline
        When the connection is to be closed unless something happens before, on the loop's clock.
    """

    def __init__(self, server: Connections, clock: Callable[[], float]) -> None:
        self._server = server
        self._clock = clock
        self._buffer = bytearray(_SMALL_BYTES)
        self._filled = 0
        self._head: Head | None = None
        self._chunked: Chunked | None = None
        self._begun_at = 0.0
        self._discards = False
        self._paused = False
        self._transport: asyncio.Transport | None = None
        self.deadline = 0.0

    @property
    def is_idle(self) -> bool:
        """Whether no request is under way and no response is being sent."""
        return self._filled == 0 and self._head is None and not self._paused

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin; the first request must be there within the time of a slow one."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  # for the type: asyncio gives a stream's protocol no other
        self._transport = transport
        self.deadline = self._clock() + self._server.limits.read_seconds
        if not self._server.opened(self):
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget what was received."""
        del exc
        self._transport = None
        self._buffer = bytearray()
        self._filled = 0
        self._server.closed(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Free room of the buffer, which grows with what has come and not with what was announced."""
        del sizehint
        if self._discards:
            self._filled = 0
        if self._filled == len(self._buffer):
            self._resize(2 * self._filled)
        return memoryview(self._buffer)[self._filled :]

    def buffer_updated(self, nbytes: int) -> None:
        """Answer what is complete."""
        if self._discards:
            return
        if self._filled == 0 and self._head is None:
            self._begun_at = self._clock()
            self.deadline = self._begun_at + self._server.limits.read_seconds
        self._filled += nbytes
        self._proceed()

    def eof_received(self) -> None:
        """The client has said its last: whatever is incomplete never will be complete."""

    def pause_writing(self) -> None:
        """The client does not take its response: take no further request from it."""
        self._paused = True
        self.deadline = self._clock() + self._server.limits.read_seconds
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Go on with what has come in the meantime."""
        self._paused = False
        self.deadline = self._clock() + self._server.limits.idle_seconds
        if self._transport is not None:
            self._transport.resume_reading()
            self._proceed()

    def expire(self, now: float) -> None:
        """Close the connection if its time has run out; a request that is half there is told so."""
        if now < self.deadline or self._transport is None:
            return
        if self._discards or self._paused or self.is_idle:
            self._transport.abort()
        else:
            self._refuse(BadRequest(408, "the request did not arrive in time"))

    def drain(self) -> None:
        """Close an idle connection; one that is not closes with its next response."""
        if self.is_idle and self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close whatever is under way."""
        if self._transport is not None:
            self._transport.abort()

    def _proceed(self) -> None:
        try:
            while self._answers_one():
                pass
        except BadRequest as refused:
            self._refuse(refused)

    def _answers_one(self) -> bool:
        """Answer the request at the start of the buffer; whether there was one, and another may follow."""
        if self._paused or self._discards:
            return False
        head = self._head or self._read_head()
        if head is None:
            return False
        if self._chunked is not None:
            return self._answers_chunked(head, self._chunked)
        end = head.size + head.length
        if self._filled < end:
            self._make_room(end)
            return False
        self._answer(head, memoryview(self._buffer)[head.size : end])
        self._advance(end)
        return True

    def _answers_chunked(self, head: Head, chunked: Chunked) -> bool:
        self._drop(chunked.feed(self._buffer, self._filled))
        if not chunked.complete:
            return False
        self._chunked = None
        self._answer(head, memoryview(chunked.body))
        self._advance(0)
        return True

    def _read_head(self) -> Head | None:
        limits = self._server.limits
        end = self._buffer.find(b"\r\n\r\n", 0, min(self._filled, limits.head_bytes + 4))
        if end < 0:
            if self._filled > limits.head_bytes:
                raise BadRequest(431, f"the head is larger than {limits.head_bytes} bytes")
            return None
        head = parse_head(bytes(self._buffer[:end]))
        if head.length > limits.body_bytes:
            raise BadRequest(413, f"the body is larger than {limits.body_bytes} bytes")
        if head.expects_continue and self._filled == head.size:
            self._write(_CONTINUE)
        if head.chunked:
            self._chunked = Chunked(limits.body_bytes)
            self._drop(head.size)
        self._head = head
        return head

    def _make_room(self, end: int) -> None:
        """Grow to the size of a request: at once if it is small, else in steps, so that an announcement costs no memory."""
        if end > len(self._buffer) and (end <= _KEEP_BYTES or self._filled == len(self._buffer)):
            self._resize(min(end, max(_KEEP_BYTES, 4 * len(self._buffer))))

    def _resize(self, size: int) -> None:
        # A new one: a view of the old one, which somebody may still hold, would forbid to resize it.
        grown = bytearray(size)
        grown[: self._filled] = memoryview(self._buffer)[: self._filled]
        self._buffer = grown

    def _answer(self, head: Head, body: memoryview) -> None:
        response = self._server.answer(Request(head.method, head.path, body, self._begun_at))
        closes = not head.keeps_alive or self._server.draining
        self._write(response_head(response, closes=closes), *(() if head.method == b"HEAD" else response.parts))
        if closes:
            self._close()

    def _advance(self, end: int) -> None:
        """Drop the answered request; what follows it moves to the front."""
        self._drop(end)
        self._head, self._begun_at = None, self._clock()
        if len(self._buffer) > _KEEP_BYTES:
            self._resize(max(_SMALL_BYTES, 2 * self._filled))
        if not self._discards and not self._paused:
            limits = self._server.limits
            self.deadline = self._begun_at + (limits.read_seconds if self._filled else limits.idle_seconds)

    def _drop(self, count: int) -> None:
        left = self._filled - count
        if left and count:
            self._buffer[:left] = self._buffer[count : self._filled]
        self._filled = left

    def _refuse(self, refused: BadRequest) -> None:
        body = b'{"error":"' + refused.reason.encode() + b'"}'
        response = Response((body,), refused.status)
        self._write(response_head(response, closes=True), body)
        # What the client still sends is taken and dropped for a while: to close now would reset the connection, and the
        # response would be lost on its way.
        self._discards = True
        self._head, self._chunked = None, None
        self._buffer, self._filled = bytearray(_SMALL_BYTES), 0
        self.deadline = self._clock() + _LINGER_SECONDS

    def _close(self) -> None:
        self._discards = True
        if self._transport is not None:
            self._transport.close()

    def _write(self, *parts: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(b"".join(parts))


def response_head(response: Response, *, closes: bool) -> bytes:
    """Head of a response, with the exact length of its body."""
    length = sum(map(len, response.parts))
    return b"HTTP/1.1 %d %b\r\nContent-Type: %b\r\nContent-Length: %d\r\n%b\r\n" % (
        response.status,
        _REASONS.get(response.status, b"OK"),
        response.content_type,
        length,
        b"Connection: close\r\n" if closes else b"",
    )
