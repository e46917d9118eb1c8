"""A way to the API server that a test can cut, and on which it can stop a replica at any of its writes."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from queue import Queue
from typing import Final, Self
from urllib.parse import urlsplit

from tests.controlplane.certificates import Credentials
from tests.controlplane.plane import ControlPlane

PIECE: Final = 1 << 16
WRITTEN: Final = frozenset({"POST", "PATCH", "PUT", "DELETE"})
END: Final = b"\r\n\r\n"


@dataclass(frozen=True)
class Request:
    """A request as it came."""

    method: str
    target: str
    body: bytes
    raw: bytes

    @property
    def is_write(self) -> bool:
        """Whether it changes something; the Lease is renewed all the time, and only its ledger counts."""
        if self.method not in WRITTEN or "dryRun=All" in self.target or "/selfsubject" in self.target:
            return False
        if "/leases" not in self.target:
            return True
        return b"ullage.dev/ledger" in self.body

    @property
    def what(self) -> str:
        """Verb, resource and subresource."""
        words = self.target.partition("?")[0].strip("/").split("/")
        words = words[2:] if words[0] == "api" else words[3:]  # without group and version
        words = words[2:] if words[0] == "namespaces" and len(words) > 2 else words
        return f"{self.method} {'/'.join((words[0], *words[2:]))}"


@dataclass
class Stop:
    """Where a replica ends.

    Attributes
    ----------
    number
        The write at which it ends, from 1; 0: none.
    where
        ``before`` it is passed on, when it is ``committed`` and no reply was passed on, or ``after`` the reply.
    skips
        Writes that do not count.
    seen
        Writes until then, such as ``PATCH nodes``.
    """

    number: int = 0
    where: str = "before"
    skips: tuple[str, ...] = ()
    seen: list[str] = field(default_factory=list)
    fired: threading.Event = field(default_factory=threading.Event)
    _kills: Queue[Callable[[], None]] = field(default_factory=Queue)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def arm(self, kill: Callable[[], None]) -> None:
        """Say what ends the replica; a write that comes before that has to wait."""
        self._kills.put(kill)

    def is_here(self, request: Request) -> bool:
        """Whether this is the write."""
        if not request.is_write or request.what in self.skips:
            return False
        with self._lock:
            if self.fired.is_set():
                return False
            self.seen.append(request.what)
            return len(self.seen) == self.number

    def fire(self) -> None:
        self._kills.get(timeout=30)()
        self.fired.set()


class Proxy:
    """Passes requests on, one connection to the API server for each that comes.

    Parameters
    ----------
    plane
        The control plane.
    name
        Of its certificate.

    Attributes
    ----------
    stop
        Where to end the one who asks.
    """

    def __init__(self, plane: ControlPlane, name: str = "way") -> None:
        self.stop = Stop()
        served: Credentials = plane._identities.authority.server(name)
        self._served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._served.load_cert_chain(served.certificate, served.key)
        self._trust = ssl.create_default_context(cafile=str(plane.ca_file))
        address = urlsplit(plane.url)
        self._goal = (str(address.hostname), int(address.port or 443))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._passes = threading.Event()
        self._passes.set()

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._listener.close()
        self._close_all()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._listener.getsockname()[1]}"

    def cut(self) -> None:
        """Let nothing through any more; what is under way breaks off."""
        self._passes.clear()
        self._close_all()

    def mend(self) -> None:
        """Let everything through again."""
        self._passes.set()

    def _close_all(self) -> None:
        with self._lock:
            for each in self._open:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                came, _ = self._listener.accept()
            except OSError:
                return
            if self._passes.is_set():
                threading.Thread(target=self._serve, args=(came,), daemon=True).start()
            else:
                came.close()

    def _serve(self, came: socket.socket) -> None:
        with ExitStack() as ending, suppress(OSError, ValueError):
            for each in (came, socket.create_connection(self._goal, timeout=30)):
                self._keep(each, ending)
                plain = each
            near = ending.enter_context(self._served.wrap_socket(came, server_side=True))
            far = ending.enter_context(self._trust.wrap_socket(plain, server_hostname="127.0.0.1"))
            far.settimeout(None)
            while (request := _read(near)) is not None and self._passed(request, near, far):
                pass

    def _keep(self, each: socket.socket, ending: ExitStack) -> None:
        copy = each.dup()  # what TLS wraps is taken from us
        with self._lock:
            self._open.add(copy)
        ending.callback(self._forget, copy)
        ending.callback(each.close)  # nothing, unless TLS did not come about

    def _forget(self, each: socket.socket) -> None:
        with self._lock:
            self._open.discard(each)
        each.close()

    def _passed(self, request: Request, near: ssl.SSLSocket, far: ssl.SSLSocket) -> bool:
        """Pass a request and its answer on; whether the connection goes on."""
        stop = self.stop
        is_here = stop.is_here(request)
        if is_here and stop.where == "before":
            stop.fire()
            return False
        far.sendall(request.raw)
        return _answer(near, far, stop if is_here else None)


def _answer(near: ssl.SSLSocket, far: ssl.SSLSocket, stop: Stop | None) -> bool:
    head, rest = _head(far)
    if head is None:
        return False
    if stop is not None and stop.where == "committed":
        stop.fire()
        return False
    near.sendall(head + rest)
    fields = _fields(head)
    if "chunked" in fields.get("transfer-encoding", ""):
        _until_last_chunk(near, far, rest)
    else:
        left = int(fields.get("content-length", 0)) - len(rest)
        while left > 0 and (piece := far.recv(min(PIECE, left))):
            near.sendall(piece)
            left -= len(piece)
    if stop is not None:
        stop.fire()
        return False
    return True


def _until_last_chunk(near: ssl.SSLSocket, far: ssl.SSLSocket, begun: bytes) -> None:
    tail = begun
    while not tail.endswith(b"0\r\n\r\n") and (piece := far.recv(PIECE)):
        near.sendall(piece)
        tail = (tail + piece)[-8:]


def _read(near: ssl.SSLSocket) -> Request | None:
    head, body = _head(near)
    if head is None:
        return None
    left = int(_fields(head).get("content-length", 0))
    while len(body) < left and (piece := near.recv(PIECE)):
        body += piece
    if len(body) < left:
        return None
    method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
    return Request(method, target, body, head + body)


def _head(of: ssl.SSLSocket) -> tuple[bytes | None, bytes]:
    data = b""
    while END not in data:
        piece = of.recv(PIECE)
        if not piece:
            return None, b""
        data += piece
    head, _, rest = data.partition(END)
    return head + END, rest


def _fields(head: bytes) -> dict[str, str]:
    lines = (line.partition(":") for line in head.decode("latin-1").split("\r\n")[1:])
    return {name.lower(): value.strip().lower() for name, _, value in lines if name}
