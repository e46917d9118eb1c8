"""A loopback server that speaks the Prometheus HTTP API, with canned series and faults."""

from __future__ import annotations

import gzip
import json
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

Labels = Mapping[str, str]


def vector(samples: Sequence[tuple[Labels, object]], **more: object) -> bytes:
    """Body of an instant vector, as Prometheus writes it: compact, values as strings."""
    result = [{"metric": dict(labels), "value": [1000.5, str(value)]} for labels, value in samples]
    data = {"resultType": "vector", "result": result}
    return json.dumps({"status": "success", "data": data, **more}, separators=(",", ":")).encode()


def matrix(series: Sequence[tuple[Labels, Sequence[tuple[float, object]]]], **more: object) -> bytes:
    """Body of a range matrix."""
    result = [{"metric": dict(labels), "values": [[at, str(value)] for at, value in v]} for labels, v in series]
    data = {"resultType": "matrix", "result": result}
    return json.dumps({"status": "success", "data": data, **more}, separators=(",", ":")).encode()


def error(kind: str, text: str) -> bytes:
    return json.dumps({"status": "error", "errorType": kind, "error": text}).encode()


@dataclass
class Request:
    method: str
    path: str
    form: dict[str, str]
    headers: dict[str, str]


@dataclass
class Server:
    """What is answered, by a word that the query contains; the first that fits. Change it at any time.

    Attributes
    ----------
    names
        Names of metrics; ``None`` answers 404.
    answers
        Body by a part of the query.
    fault
        ``hang``, ``trickle``, ``truncate``, ``cut``, ``html``, ``redirect``, or a status code as text; empty for none.
    faulty
        Part of the queries that the fault concerns; empty for all.
    """

    url: str = ""
    names: Sequence[str] | None = None
    answers: dict[str, bytes] = field(default_factory=dict)
    fault: str = ""
    faulty: str = ""
    requests: list[Request] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def body(self, request: Request) -> tuple[int, bytes]:
        if request.path.endswith("/label/__name__/values"):
            return (
                (404, b"")
                if self.names is None
                else (200, json.dumps({"status": "success", "data": self.names}).encode())
            )
        query = request.form.get("query", "")
        empty = matrix([]) if request.path.endswith("query_range") else vector([])
        return 200, next((body for word, body in self.answers.items() if word in query), empty)

    def queries(self) -> list[str]:
        return [each.form["query"] for each in self.requests if "query" in each.form]


@contextmanager
def running(server: Server, tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    class Handler(_Handler):
        spoken_for = server

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        if tls is not None:
            http.socket = tls.wrap_socket(http.socket, server_side=True)
        server.url = f"{'https' if tls else 'http'}://127.0.0.1:{http.server_address[1]}"
        thread = threading.Thread(target=http.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.ended.set()
            http.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    spoken_for: Server

    def do_GET(self) -> None:
        self._answer({})

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        self._answer(_flat(self.rfile.read(length).decode()))

    def _answer(self, form: dict[str, str]) -> None:
        server, parts = self.spoken_for, urlsplit(self.path)
        request = Request(self.command, parts.path, {**_flat(parts.query), **form}, dict(self.headers))
        server.requests.append(request)
        status, body = server.body(request)
        fault = server.fault if server.faulty in request.form.get("query", "") else ""
        if fault.isdecimal():
            self._send(
                int(fault), error("unavailable", "out of order") if fault != "502" else b"<html>bad gateway</html>"
            )
        elif fault:
            getattr(self, f"_{fault}")(body)
        else:
            self._send(status, body)

    def _send(self, status: int, body: bytes, **headers: str) -> None:
        packed = gzip.compress(body, 1)
        self.send_response(status)
        for name, value in {"Content-Encoding": "gzip", "Content-Length": str(len(packed)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(packed)

    def _hang(self, _: bytes) -> None:
        self.spoken_for.ended.wait(20)
        self.close_connection = True

    def _trickle(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000000")
        self.end_headers()
        while not self.spoken_for.ended.wait(0.05) and not self.wfile.closed:
            try:
                self.wfile.write(body[:1] * 400_000)
            except OSError:
                break
        self.close_connection = True

    def _truncate(self, body: bytes) -> None:
        """Less than the header says."""
        self.send_response(200)
        self.send_header("Content-Length", str(len(body) + 10))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def _cut(self, body: bytes) -> None:
        """Whole for HTTP, half a document for JSON."""
        self._send(200, body[: len(body) // 2])

    def _html(self, _: bytes) -> None:
        self._send(200, b"<!DOCTYPE html><title>Log in</title>")

    def _redirect(self, _: bytes) -> None:
        self._send(302, b"", Location="https://login.example/")

    def log_message(self, *_: object) -> None:
        pass


def _flat(text: str) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(text).items()}
