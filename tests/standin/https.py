"""A server on a loopback port, for what kube-apiserver or Prometheus asks."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TypeAlias
from urllib.parse import parse_qs, urlsplit

import msgspec

from tests.controlplane.certificates import Authority
from tests.standin.running import Running
from tests.standin.wire import Json

IDLE_SECONDS = 120


@dataclass(frozen=True)
class Request:
    """What was asked."""

    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Json = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """What is answered."""

    body: bytes
    status: int = 200
    content: str = "application/json"

    @classmethod
    def json(cls, value: object, status: int = 200) -> Answer:
        return cls(msgspec.json.encode(value), status)


Route: TypeAlias = Callable[[Request], Answer]


class LoopbackServer:
    """Answers below each prefix of a path by the function that stands for it.

    Parameters
    ----------
    running
        Where errors of the routes go (who asked gets a 500).
    routes
        Functions by prefix; the first that fits answers.
    folder
        Where certificates may be written; ``None`` for plain HTTP.
    """

    def __init__(self, running: Running, routes: Mapping[str, Route], folder: Path | None = None) -> None:
        self._running, self._routes = running, routes
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self._answer), bind_and_activate=True)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self.ca = b""
        if folder is not None:
            self._encrypt(Authority(folder, "standin-ca"))

    def url(self, path: str = "") -> str:
        return f"{'https' if self.ca else 'http'}://127.0.0.1:{self.port}{path}"

    def start(self) -> None:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _encrypt(self, authority: Authority) -> None:
        self.ca = authority.certificate.read_bytes()
        files = authority.server("standin")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(files.certificate, files.key)
        # The handshake happens on the first read, in the thread of the connection: a silent client keeps nobody waiting.
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)

    def _answer(self, request: Request) -> Answer:
        found = next((route for prefix, route in self._routes.items() if request.path.startswith(prefix)), None)
        if found is None:
            return Answer.json({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404}, 404)
        with self._running.recording():
            return found(request)
        return Answer(b"", 500)


def _handler(answer: Callable[[Request], Answer]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        timeout = IDLE_SECONDS
        wbufsize = -1

        def handle(self) -> None:
            try:
                super().handle()
            except (ConnectionError, TimeoutError, ssl.SSLError):
                self.close_connection = True

        def do_GET(self) -> None:
            self._reply(b"")

        def do_POST(self) -> None:
            self._reply(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

        def log_message(self, *_: object) -> None: ...

        def _reply(self, data: bytes) -> None:
            asked = urlsplit(self.path)
            query = {name: values[-1] for name, values in parse_qs(asked.query).items()}
            said = answer(Request(asked.path, query, json.loads(data) if data else {}))
            self.send_response(said.status)
            self.send_header("Content-Type", said.content)
            self.send_header("Content-Length", str(len(said.body)))
            self.end_headers()
            self.wfile.write(said.body)
            self.wfile.flush()

    return Handler
