"""JSON over HTTPS to a kube-apiserver: what the tests and the stand-ins of nodes and metrics speak."""

from __future__ import annotations

import json
import os
import socket
import ssl
import threading
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Literal, Self
from urllib.parse import urlencode

import urllib3
from urllib3.exceptions import HTTPError

CONNECTIONS = 16
TIMEOUT_SECONDS = 60.0
PATCHES = {
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "json": "application/json-patch+json",
}


class RestError(Exception):
    """The server answered with something else than success.

    Parameters
    ----------
    status
        The HTTP status.
    reason
        The reason of its ``Status`` object, such as ``NotFound`` or ``Conflict``; else that of HTTP.
    body
        The answer as it came.
    """

    def __init__(self, status: int, reason: str, body: bytes) -> None:
        super().__init__(f"{status} {reason}: {body[:1000].decode(errors='replace')}")
        self.status = status
        self.reason = reason
        self.body = body


class Rest:
    """A client of one server as one user; safe to share between threads.

    Bodies are JSON values, or ``bytes`` that are sent as they are. Query arguments are named as in the API
    (``fieldSelector``, ``limit``, ...); ``True`` becomes ``true``. Every call may raise :class:`RestError`, or
    :class:`urllib3.exceptions.HTTPError` where there was no answer.
    """

    def __init__(
        self,
        url: str,
        *,
        ca_file: Path,
        cert_file: Path | None = None,
        key_file: Path | None = None,
        token: str | None = None,
    ) -> None:
        self.url = url
        self._trust = ssl.create_default_context(cafile=str(ca_file))
        if cert_file is not None:
            self._trust.load_cert_chain(cert_file, key_file)
        self._headers = {"Accept": "application/json", "User-Agent": "ullage-tests"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"
        self._calls = self._pool(block=True, timeout=urllib3.Timeout(TIMEOUT_SECONDS))
        # Streams stay open: among the calls, sixteen of them would leave no connection for anything else.
        self._streams = self._pool(block=False, timeout=urllib3.Timeout(connect=TIMEOUT_SECONDS, read=None))
        self._open: set[urllib3.BaseHTTPResponse] = set()
        self._lock = threading.Lock()
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections; streams that other threads read end as if the server had ended them."""
        with self._lock:
            self._closed = True
            for response in self._open:
                _shut(response)
        self._calls.close()
        self._streams.close()

    def get(self, path: str, **query: object) -> Any:
        """Object, list, or whatever else stands at ``path``."""
        return json.loads(self.raw("GET", path, query=query))

    def list(self, path: str, **query: object) -> list[Any]:
        """All items of a collection, in pages of 500."""
        items: list[Any] = []
        found: Any = {"metadata": {"continue": ""}}
        while found is not None:
            found = self.get(path, **{"limit": 500, **query, "continue": found["metadata"]["continue"]})
            items += found["items"]
            found = found if found["metadata"].get("continue") else None
        return items

    def post(self, path: str, body: object) -> Any:
        """Create; returns what was created."""
        return json.loads(self.raw("POST", path, body))

    def put(self, path: str, body: object) -> Any:
        """Replace; returns the object as it is then."""
        return json.loads(self.raw("PUT", path, body))

    def patch(self, path: str, body: object, kind: Literal["merge", "strategic", "json"] = "merge") -> Any:
        """Change in part; returns the object as it is then."""
        return json.loads(self.raw("PATCH", path, body, content=PATCHES[kind]))

    def delete(self, path: str, body: object | None = None) -> Any:
        """Delete, with ``DeleteOptions`` as the body where there is one."""
        return json.loads(self.raw("DELETE", path, body))

    def raw(
        self,
        method: str,
        path: str,
        body: object | None = None,
        *,
        content: str = "application/json",
        query: Mapping[str, object] = MappingProxyType({}),
    ) -> bytes:
        """Answer as it came."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        headers = self._headers if data is None else {**self._headers, "Content-Type": content}
        response = self._calls.urlopen(
            method, _target(path, query), body=data, headers=headers, retries=False, redirect=False
        )
        return _checked(response).data

    def stream(self, path: str, **query: object) -> Generator[Any, None, None]:
        """Events of a watch until the server ends it (``timeoutSeconds``), or :meth:`close` is called."""
        with self._opened(_target(path, {"watch": True, **query})) as response:
            rest = b""
            for chunk in self._chunks(response):
                *lines, rest = (rest + chunk).split(b"\n")
                yield from map(json.loads, lines)

    def _chunks(self, response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
        try:
            yield from response.stream()
        except HTTPError:
            if not self._closed:
                raise

    @contextmanager
    def _opened(self, target: str) -> Iterator[urllib3.BaseHTTPResponse]:
        response = _checked(
            self._streams.urlopen(
                "GET", target, headers=self._headers, retries=False, redirect=False, preload_content=False
            )
        )
        with self._lock:
            self._open.add(response)
            if self._closed:
                _shut(response)
        try:
            yield response
        finally:
            with self._lock:
                self._open.discard(response)
            with suppress(OSError, HTTPError):
                response.close()

    def _pool(self, *, block: bool, timeout: urllib3.Timeout) -> urllib3.HTTPSConnectionPool:
        address = urllib3.util.parse_url(self.url)
        return urllib3.HTTPSConnectionPool(
            address.host or "", address.port, maxsize=CONNECTIONS, block=block, timeout=timeout, ssl_context=self._trust
        )


def _target(path: str, query: Mapping[str, object]) -> str:
    given = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in query.items()}
    if not given:
        return path
    return f"{path}{'&' if '?' in path else '?'}{urlencode(given)}"


def _shut(response: urllib3.BaseHTTPResponse) -> None:
    # Below TLS: the shutdown of a TLS socket drops its keys at once, and who reads from it would see ciphertext.
    with suppress(OSError), socket.socket(fileno=os.dup(response.fileno())) as connection:
        connection.shutdown(socket.SHUT_RDWR)


def _checked(response: urllib3.BaseHTTPResponse) -> urllib3.BaseHTTPResponse:
    if response.status < 300:
        return response
    body = response.data
    reason = response.reason or ""
    with suppress(ValueError, AttributeError):
        reason = json.loads(body).get("reason") or reason
    raise RestError(response.status, reason, body)
