"""Requests to one API server: raw bytes in and out, a timeout on every call, credentials kept fresh."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

import msgspec

from ullage import __version__
from ullage.sources.kube_api.clock import Clock, SystemClock
from ullage.sources.kube_api.credentials import Access, open_access
from ullage.sources.kube_api.errors import UnreachableError, UnreadableError, answered

if TYPE_CHECKING:  # it comes with the client, for live sources only; so it is imported where it is used
    from urllib3 import BaseHTTPResponse

Params = Mapping[str, str]

_NO_PARAMS: Final[Params] = MappingProxyType({})
_READ_BYTES: Final = 1 << 16
_LONGEST_LINE_BYTES: Final = 1 << 25
_LONGEST_ERROR_BYTES: Final = 1 << 16
_HEADER_SECONDS: Final = 10.0
"""How long an ``Authorization`` header is used before files and plugins are asked again."""
_RENEWAL_SECONDS: Final = 10.0
"""Credentials that the server refuses are loaded anew, but not more often than this."""


class Limits(msgspec.Struct, frozen=True, gc=False):
    """Longest times of a call.

    Attributes
    ----------
    connect_seconds
        To reach the server, TLS included.
    read_seconds
        Between two pieces of an answer.
    total_seconds
        For an answer as a whole: a server that gives a byte now and then must not hold us.
    """

    connect_seconds: float = 5.0
    read_seconds: float = 15.0
    total_seconds: float = 120.0


class LineStream:
    """Lines of an answer that goes on, until the server ends it.

    Parameters
    ----------
    response
        The answer; its status is checked already.
    clock, deadline_seconds
        Monotonic time at which it is given up.
    """

    def __init__(self, response: BaseHTTPResponse, clock: Clock, deadline_seconds: float) -> None:
        self._response = response
        self._clock = clock
        self._deadline_seconds = deadline_seconds

    def __iter__(self) -> Iterator[bytes]:
        """Lines without their ends; raises `UnreachableError` if the answer breaks off or stays silent."""
        pending = b""
        while chunk := self._read():
            *lines, pending = (pending + chunk).split(b"\n")
            yield from filter(None, lines)
            if len(pending) > _LONGEST_LINE_BYTES:
                raise UnreadableError(f"a line of more than {_LONGEST_LINE_BYTES} bytes")
        if pending.strip():
            raise UnreachableError("the answer broke off within a line")

    def interrupt(self) -> None:
        """End it from another thread: the one that reads sees the end of the stream."""
        with suppress(OSError, ValueError, RuntimeError):  # it has ended by itself
            self._response.shutdown()

    def close(self) -> None:
        """Give the connection up; to be called by the thread that reads."""
        with suppress(OSError):
            self._response.close()

    def _read(self) -> bytes:
        if self._clock.monotonic() > self._deadline_seconds:
            raise UnreachableError("the answer did not end in time")
        return _read(self._response)


class Connection:
    """One API server, as one user; safe to share between threads.

    Every call raises a `KubeError` where it does not succeed: `ApiError` (or its kind by status) if the server says no,
    `UnreachableError` without an answer, `CredentialsError` if there is nothing to authenticate with.

    Parameters
    ----------
    opened
        Makes the way to the server; called again when the server refuses the credentials or its certificate changed.
    clock
        Where time comes from.
    limits
        Longest times of a call.
    """

    def __init__(self, opened: Callable[[], Access], clock: Clock, limits: Limits | None = None) -> None:
        self.clock = clock
        self.limits = limits or Limits()
        self._opened = opened
        self._lock = threading.Lock()
        self._counts_lock = threading.Lock()
        self._counts: Counter[tuple[str, str]] = Counter()
        self._access = opened()
        self._renewed_at = float("-inf")
        self._header = "", float("-inf")

    @classmethod
    def load(cls, kubeconfig: Path | None = None, context: str | None = None, clock: Clock | None = None) -> Connection:
        """Connection by a kubeconfig, or by what kubectl would find without one (environment, home, service account).

        Raises
        ------
        CredentialsError
            If there are no usable credentials.
        """
        return cls(lambda: open_access(kubeconfig, context), clock or SystemClock())

    @property
    def host(self) -> str:
        """Address of the server, such as ``https://10.0.0.1:6443``."""
        return self._access.host

    def get(self, path: str, params: Params = _NO_PARAMS, limits: Limits | None = None) -> bytes:
        """Body of what stands at `path`."""
        return self.request("GET", path, params, limits=limits)

    def request(
        self,
        verb: str,
        path: str,
        params: Params = _NO_PARAMS,
        body: bytes | None = None,
        content_type: str = "application/json",
        limits: Limits | None = None,
    ) -> bytes:
        """Body of the answer to one request, sent once: nothing is repeated, but after new credentials.

        Parameters
        ----------
        verb, path, params
            HTTP method, path from the server's root, query.
        body, content_type
            What to send; a patch names its kind, such as ``application/merge-patch+json``.
        limits
            Longest times; those of the connection if ``None``.
        """
        limits = limits or self.limits
        deadline = self.clock.monotonic() + limits.total_seconds
        response = self._sent(_Request(verb, _target(path, params), body, content_type), limits)
        chunks = []
        with closing(response):  # after the end of the answer this leaves the connection to the next request
            while chunk := _read(response):
                chunks.append(chunk)
                if self.clock.monotonic() > deadline:
                    raise UnreachableError(f"{path}: the answer did not end within {limits.total_seconds:g} s")
        return b"".join(chunks)

    def stream(self, path: str, params: Params, limits: Limits) -> LineStream:
        """Lines of an answer that goes on; a silence longer than ``limits.read_seconds`` ends it with an error."""
        deadline = self.clock.monotonic() + limits.total_seconds
        response = self._sent(_Request("GET", _target(path, params)), limits)
        return LineStream(response, self.clock, deadline)

    def requests(self) -> Mapping[tuple[str, str], int]:
        """How many requests were sent, by verb and status; ``error`` where no answer came."""
        with self._counts_lock:
            return dict(self._counts)

    def _sent(self, request: _Request, limits: Limits) -> BaseHTTPResponse:
        access = self._access
        response = self._tried(access, request, limits)
        if response.status == 401 and self._renew(access):
            response.close()
            response = self._tried(self._access, request, limits)
        if response.status >= 300:
            raise _refusal(response)
        return response

    def _tried(self, access: Access, request: _Request, limits: Limits) -> BaseHTTPResponse:
        from urllib3 import Timeout
        from urllib3.exceptions import HTTPError, SSLError

        headers = self._headers(access, request)
        timeout = Timeout(connect=limits.connect_seconds, read=limits.read_seconds)
        url = access.host + request.target
        code = "error"
        try:
            response = access.pool.request(
                request.verb, url, body=request.body, headers=headers, timeout=timeout,
                retries=False, redirect=False, preload_content=False,
            )  # fmt: skip
            code = str(response.status)
        except HTTPError as error:
            if isinstance(error, SSLError):
                self._renew(access)
            raise UnreachableError(_sentence(error)) from error
        finally:
            self._count(request.verb, code)
        return response

    def _headers(self, access: Access, request: _Request) -> dict[str, str]:
        headers = {"Accept": "application/json", "User-Agent": f"ullage/{__version__}"}
        authorization = self._authorization(access)
        if authorization:
            headers["Authorization"] = authorization
        if request.body is not None:
            headers["Content-Type"] = request.content_type
        return headers

    def _authorization(self, access: Access) -> str:
        with self._lock:
            header, until = self._header
            now = self.clock.monotonic()
            if access is self._access and now < until:
                return header
            header = access.authorization()
            self._header = header, now + _HEADER_SECONDS
            return header

    def _renew(self, refused: Access) -> bool:
        """Load the credentials anew; whether there are others than those refused."""
        with self._lock:
            now = self.clock.monotonic()
            if self._access is refused and now - self._renewed_at >= _RENEWAL_SECONDS:
                self._renewed_at = now
                self._access = self._opened()
                self._header = "", float("-inf")
            return self._access is not refused

    def _count(self, verb: str, code: str) -> None:
        with self._counts_lock:
            self._counts[verb, code] += 1


class _Request(msgspec.Struct, frozen=True, gc=False):
    verb: str
    target: str
    body: bytes | None = None
    content_type: str = ""


def _target(path: str, params: Params) -> str:
    return f"{path}?{urlencode(params)}" if params else path


def _refusal(response: BaseHTTPResponse) -> Exception:
    """Error that an answer other than success means; as much of its body is read as can be of use."""
    body = b""
    with closing(response), suppress(UnreachableError):
        while len(body) < _LONGEST_ERROR_BYTES and (chunk := _read(response)):
            body += chunk
    return answered(response.status, response.reason or "", body, response.headers.get("Retry-After", ""))


def _read(response: BaseHTTPResponse) -> bytes:
    """What has arrived, at most 64 KiB; empty at the end of the answer."""
    from urllib3.exceptions import HTTPError

    try:
        return response.read1(_READ_BYTES)
    except HTTPError as error:
        raise UnreachableError(_sentence(error)) from error


def _sentence(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
