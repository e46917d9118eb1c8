"""Reading of request heads and chunked bodies (RFC 9112), strict where leniency would let two readers disagree."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

_REQUEST_LINE: Final = re.compile(rb"([A-Z]{1,20}) ([\x21-\x7e]+) HTTP/1\.([01])")
_FIELD: Final = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*(.*?)[ \t]*", re.DOTALL)
_CHUNK_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?")
_DIGITS: Final = re.compile(rb"[0-9]{1,18}")
_BLANK_LINE: Final = 4
_CHUNK_LINE_BYTES: Final = 1024
_TRAILER_BYTES: Final = 8192


class BadRequest(Exception):  # noqa: N818  # named as HTTP names it
    """A message that is not answered but refused; the connection ends with it.

    Parameters
    ----------
    status
        HTTP status, 4xx.
    reason
        One sentence, without anything that the client sent.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Head(NamedTuple):
    """What matters of a request's head.

    Attributes
    ----------
    method, path
        Path without query.
    size
        Bytes of the head with its blank line.
    length
        Bytes of the body; 0 where it is chunked.
    chunked
        Whether the body is chunked.
    keeps_alive
        Whether the connection stays for another request.
    expects_continue
        Whether the client waits for ``100 Continue`` before it sends the body.
    """

    method: bytes
    path: bytes
    size: int
    length: int
    chunked: bool
    keeps_alive: bool
    expects_continue: bool


@lru_cache(maxsize=64)
def parse_head(text: bytes) -> Head:
    """Read a head, which is given without its blank line.

    A client sends the same few heads over and over, so the last ones are kept.

    Raises
    ------
    BadRequest
        It is malformed, or does not say beyond doubt how long the body is.
    """
    first, *lines = text.split(b"\r\n")
    line = _REQUEST_LINE.fullmatch(first)
    if line is None:
        raise BadRequest(400, "the request line is malformed")
    method, target, minor = line.groups()
    found = _fields(lines)
    length, chunked = _body(method, found)
    connection = found.get(b"connection", b"").lower()
    return Head(
        method,
        target.partition(b"?")[0],
        len(text) + _BLANK_LINE,
        length,
        chunked,
        b"close" not in connection if minor == b"1" else b"keep-alive" in connection,
        found.get(b"expect", b"").lower() == b"100-continue",
    )


def _fields(lines: list[bytes]) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    for line in lines:
        field = _FIELD.fullmatch(line)
        if field is None or b"\n" in line or b"\r" in line:
            raise BadRequest(400, "a header field is malformed")
        name = field[1].lower()
        if name in found and name in {b"content-length", b"transfer-encoding", b"host"}:
            raise BadRequest(400, "a header field that may stand once stands twice")
        found[name] = field[2]
    return found


def _body(method: bytes, fields: dict[bytes, bytes]) -> tuple[int, bool]:
    encoding, length = fields.get(b"transfer-encoding"), fields.get(b"content-length")
    if encoding is not None:
        if length is not None or encoding.lower() != b"chunked":
            raise BadRequest(400, "Transfer-Encoding is not chunked alone")
        return 0, True
    if length is None:
        if method in {b"GET", b"HEAD", b"DELETE", b"OPTIONS"}:
            return 0, False
        raise BadRequest(411, "Content-Length is missing")
    if not _DIGITS.fullmatch(length):
        raise BadRequest(400, "Content-Length is no number")
    return int(length), False


class Chunked:
    """A chunked body as it arrives.

    Parameters
    ----------
    limit
        Largest body in bytes.

    Attributes
    ----------
    body
        What was read of it so far.
    complete
        Whether this is all of it.
    """

    def __init__(self, limit: int) -> None:
        self.body = bytearray()
        self.complete = False
        self._limit = limit
        self._left = 0
        self._is_last = False

    def feed(self, buffer: bytearray, filled: int) -> int:
        """Take what can be taken from the first `filled` bytes of a buffer; how many these were.

        Raises
        ------
        BadRequest
            It is malformed or too large.
        """
        taken = 0
        while not self.complete:
            step = self._step(buffer, taken, filled)
            if not step:
                break
            taken += step
        return taken

    def _step(self, buffer: bytearray, start: int, filled: int) -> int:
        if self._left:
            return self._data(buffer, start, filled)
        return (self._trailer if self._is_last else self._size)(buffer, start, filled)

    def _size(self, buffer: bytearray, start: int, filled: int) -> int:
        end = buffer.find(b"\r\n", start, min(filled, start + _CHUNK_LINE_BYTES))
        if end < 0:
            if filled - start >= _CHUNK_LINE_BYTES:
                raise BadRequest(400, "the size of a chunk is malformed")
            return 0
        size = _CHUNK_SIZE.fullmatch(bytes(buffer[start:end]))
        if size is None:
            raise BadRequest(400, "the size of a chunk is malformed")
        count = int(size[1], 16)
        if len(self.body) + count > self._limit:
            raise BadRequest(413, f"the body is larger than {self._limit} bytes")
        self._is_last = count == 0
        self._left = count and count + 2  # with the line break that ends its data
        return end + 2 - start

    def _data(self, buffer: bytearray, start: int, filled: int) -> int:
        step = min(self._left, filled - start)
        data = max(0, min(step, self._left - 2))
        self.body += memoryview(buffer)[start : start + data]
        broken = bytes(buffer[start + data : start + step])
        if not b"\r\n"[max(0, 2 - self._left) :].startswith(broken):
            raise BadRequest(400, "a chunk does not end where it should")
        self._left -= step
        return step

    def _trailer(self, buffer: bytearray, start: int, filled: int) -> int:
        """Fields after the last chunk are not looked at."""
        if buffer.startswith(b"\r\n", start, filled):
            self.complete = True
            return 2
        end = buffer.find(b"\r\n\r\n", start, filled)
        if end < 0 and filled - start > _TRAILER_BYTES:
            raise BadRequest(400, "the trailer is too large")
        self.complete = end >= 0
        return end + 4 - start if end >= 0 else 0
