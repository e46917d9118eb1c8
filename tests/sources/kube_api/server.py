"""A small API server over loopback: lists with pages, watches with history, discovery, and faults on the server's side."""

from __future__ import annotations

import itertools
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.sources.kube_api.clocks import SkippingClock

Fault = Callable[["Handler"], bool]
"""Answers a request wrongly, or returns False to have it answered rightly."""

Json = dict[str, Any]


@dataclass(frozen=True)
class Request:
    """One request as the server saw it."""

    at_seconds: float
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    connection: int


@dataclass
class Collection:
    """Objects of one resource, and what happened to them."""

    objects: dict[tuple[str, str], Json] = field(default_factory=dict)
    log: list[tuple[int, str, Json]] = field(default_factory=list)
    kept_from: int = 0
    """Versions below are compacted."""


class FakeApi:
    """The truth, and who asked for it."""

    def __init__(self, clock: SkippingClock) -> None:
        self.clock = clock
        self.changed = threading.Condition()
        self.collections: dict[str, Collection] = {}
        self.requests: list[Request] = []
        self.fault: Fault | None = None
        self.tokens: set[str] | None = None
        self.order: Callable[[list[tuple[int, str, Json]]], list[tuple[int, str, Json]]] = list
        """What becomes of events before they are sent."""
        self._version = itertools.count(100)
        self.version = next(self._version)
        self._pages: dict[str, tuple[list[Json], int]] = {}
        self._streams: set[Handler] = set()
        self._numbers = itertools.count()
        self._listener: socket.socket | None = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._is_open = True
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    # -- what the cluster does

    def put(self, path: str, name: str, uid: str = "", **labels: str) -> None:
        """Create an object, or change it; another uid means another object."""
        with self.changed:
            held = self.collections.setdefault(path, Collection())
            before = held.objects.get(("default", name))
            uid = uid or (before["metadata"]["uid"] if before else f"uid-{name}")
            if before is not None and before["metadata"]["uid"] != uid:
                self._record(held, "DELETED", before)
                before = None
            meta = {"namespace": "default", "name": name, "uid": uid, "labels": labels}
            held.objects["default", name] = made = {"metadata": meta}
            self._record(held, "ADDED" if before is None else "MODIFIED", made)

    def put_raw(self, path: str, name: str, made: Json) -> None:
        """Create an object of any shape."""
        with self.changed:
            held = self.collections.setdefault(path, Collection())
            held.objects["default", name] = made
            self._record(held, "ADDED", made)

    def delete(self, path: str, name: str) -> None:
        with self.changed:
            held = self.collections[path]
            self._record(held, "DELETED", held.objects.pop(("default", name)))

    def bookmark(self, path: str) -> None:
        """Tell watches how far they are."""
        with self.changed:
            self.version = next(self._version)
            shown = {"metadata": {"resourceVersion": str(self.version)}}
            self.collections[path].log.append((self.version, "BOOKMARK", shown))
            self.changed.notify_all()

    def freeze(self) -> None:
        """Let every watch that is open be silent from now on, as when the peer has died."""
        with self.changed:
            for stream in self._streams:
                stream.is_frozen = True

    def serve(self, path: str) -> None:
        """Have a resource, without objects."""
        with self.changed:
            self.collections.setdefault(path, Collection())

    def unserve(self, path: str) -> None:
        """Have it no more, as when its definition is deleted."""
        with self.changed:
            del self.collections[path]
            self.changed.notify_all()

    def compact(self, path: str) -> None:
        """Forget history and pages."""
        with self.changed:
            self.collections[path].kept_from = self.version
            self._pages.clear()

    def held(self, path: str) -> dict[tuple[str, str], tuple[str, dict[str, str]]]:
        """What a sink should hold."""
        with self.changed:
            metas = [each["metadata"] for each in self.collections[path].objects.values()]
            return {
                (m["namespace"], m["name"]): (m["uid"], m["labels"]) for m in metas if isinstance(m["labels"], dict)
            }

    def _record(self, held: Collection, kind: str, made: Json) -> None:
        self.version = next(self._version)
        shown = {**made, "metadata": {**made["metadata"], "resourceVersion": str(self.version)}}
        if kind != "DELETED":
            held.objects[made["metadata"].get("namespace", "default"), made["metadata"]["name"]] = shown
        held.log.append((self.version, kind, shown))
        self.changed.notify_all()

    # -- connections

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def refuse(self) -> None:
        """Refuse connections."""
        if self._listener is not None:
            listener, self._listener = self._listener, None
            listener.shutdown(socket.SHUT_RDWR)  # wakes the accept, which holds the port otherwise
            listener.close()

    def accept(self) -> None:
        """Take connections again."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def break_streams(self) -> None:
        """Reset every watch."""
        with self.changed:
            streams = list(self._streams)
        for stream in streams:
            stream.reset()

    def close(self) -> None:
        self._is_open = False
        self.refuse()
        with self.changed:
            self.changed.notify_all()
        self.break_streams()

    def asked(self, path: str, *, watch: bool | None = None) -> list[Request]:
        """Requests for a path; for watches only, or for lists only."""
        with self.changed:
            found = [each for each in self.requests if each.path == path]
        return found if watch is None else [each for each in found if ("watch" in each.query) == watch]

    def seen(self, holds: Callable[[], bool], timeout_seconds: float = 10.0) -> bool:
        """Wait until something holds of the requests."""
        with self.changed:
            return self.changed.wait_for(holds, timeout_seconds)

    @contextmanager
    def streaming(self, handler: Handler) -> Iterator[None]:
        with self.changed:
            self._streams.add(handler)
            self.changed.notify_all()
        try:
            yield
        finally:
            with self.changed:
                self._streams.discard(handler)

    @property
    def streams(self) -> int:
        return len(self._streams)

    @property
    def is_open(self) -> bool:
        return self._is_open

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, address = listener.accept()
            except OSError:
                return
            number = next(self._numbers)
            threading.Thread(target=self._handle, args=(connection, address, number), daemon=True).start()

    def _handle(self, connection: socket.socket, address: Any, number: int) -> None:
        with suppress(OSError), connection:
            Handler(connection, address, self, number)

    def page(self, path: str, query: dict[str, str]) -> tuple[list[Json], int, str] | None:
        """Objects, version and next token of a page; None if the token has expired."""
        with self.changed:
            if "continue" in query:
                found = self._pages.pop(query["continue"], None)
                if found is None:
                    return None
                rest, version = found
            else:
                rest, version = list(self.collections[path].objects.values()), self.version
            limit = int(query.get("limit", len(rest)))
            token = f"{version}-{len(self._pages)}-{len(rest)}" if len(rest) > limit else ""
            if token:
                self._pages[token] = rest[limit:], version
            return rest[:limit], version, token


class Handler(BaseHTTPRequestHandler):
    """Answers one connection's requests."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: FakeApi  # type: ignore[assignment]

    def __init__(self, connection: socket.socket, address: Any, api: FakeApi, number: int) -> None:
        self.api = api
        self.is_frozen = False
        self.number = number
        super().__init__(connection, address, api)  # type: ignore[arg-type]

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        self.target = url.path
        self.query = {name: values[0] for name, values in parse_qs(url.query).items()}
        with self.api.changed:
            now = self.api.clock.monotonic()
            headers = dict(self.headers.items())
            self.api.requests.append(Request(now, self.command, url.path, self.query, headers, self.number))
            self.api.changed.notify_all()
        if self.api.fault is None or not self.api.fault(self):
            self.answer()

    def do_POST(self) -> None:
        self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.do_GET()

    do_PATCH = do_DELETE = do_POST  # noqa: N815  # names of the base class

    @property
    def is_watch(self) -> bool:
        return "watch" in self.query

    def answer(self) -> None:
        """Answer as an API server."""
        tokens = self.api.tokens
        if tokens is not None and self.headers.get("Authorization") not in {f"Bearer {token}" for token in tokens}:
            self.fail(401, "Unauthorized")
        elif self.command != "GET":
            self.reply({"kind": "Status", "status": "Success", "was": self.command, "body": self.body.decode()})
        elif self.target == "/apis" or (self.target.count("/") == 3 and self.target.startswith("/apis/")):
            self._discover()
        elif self.target not in self.api.collections:
            self.reply_raw(404, b"404 page not found\n", "text/plain")
        elif self.is_watch:
            self._watch()
        else:
            self._list()

    def fail(self, code: int, reason: str, **headers: str) -> None:
        body = {"kind": "Status", "code": code, "reason": reason, "message": f"the server says {reason}"}
        self.reply(body, code, {name.replace("_", "-"): value for name, value in headers.items()})

    def reply(self, body: object, code: int = 200, headers: dict[str, str] | None = None) -> None:
        self.reply_raw(code, json.dumps(body).encode(), "application/json", headers)

    def reply_raw(self, code: int, body: bytes, kind: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def reset(self) -> None:
        """Break the connection with a reset."""
        with suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.rfile.close()
        self.close_connection = True
        with suppress(OSError):
            self.connection.close()

    def begin_stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def send_event(self, kind: str, shown: object) -> None:
        line = json.dumps({"type": kind, "object": shown}).encode() + b"\n"
        self.send_chunk(line)

    def send_chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def end_stream(self) -> None:
        self.wfile.write(b"0\r\n\r\n")

    def _discover(self) -> None:
        served = [path.split("/")[2:] for path in self.api.collections if path.startswith("/apis/")]
        if self.target == "/apis":
            groups = [{"name": group, "versions": [{"version": version}]} for group, version, _ in served]
            self.reply({"kind": "APIGroupList", "groups": groups})
            return
        wanted = self.target.split("/")[2:]
        names = [{"name": plural} for *group, plural in served if group == wanted]
        if names:
            self.reply({"kind": "APIResourceList", "resources": names})
        else:
            self.reply_raw(404, b"404 page not found\n", "text/plain")

    def _list(self) -> None:
        page = self.api.page(self.target, self.query)
        if page is None:
            self.fail(410, "Expired")
            return
        items, version, token = page
        self.reply({"kind": "List", "metadata": {"resourceVersion": str(version), "continue": token}, "items": items})

    def _watch(self) -> None:
        held = self.api.collections[self.target]
        at = int(self.query["resourceVersion"])
        if at < held.kept_from:
            self.begin_stream()
            self.send_event("ERROR", {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"})
            self.end_stream()
            return
        self.begin_stream()
        with self.api.streaming(self), suppress(OSError, ValueError):
            self._stream_from(held, at)

    def _stream_from(self, held: Collection, at: int) -> None:
        while self.api.is_open and self.api.collections.get(self.target) is held:
            with self.api.changed:
                news = [] if self.is_frozen else [each for each in held.log if each[0] > at]
                if not news:
                    self.api.changed.wait(0.05)
            for version, kind, shown in self.api.order(news):
                self.send_event(kind, shown)
                at = max(at, version)
            if self.close_connection:
                return
        self.end_stream()
