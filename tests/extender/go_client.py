"""A client that decodes as kube-scheduler does: Go's ``encoding/json`` into the types of ``extender/v1``, over ``net/http``."""

from __future__ import annotations

import http.client
import json
import ssl
from dataclasses import dataclass, field


class GoError(Exception):
    """What Go's decoder or client would return as an error."""


@dataclass
class FilterResult:
    """``ExtenderFilterResult``; ``None`` is nil."""

    nodes: list[str] | None = None
    node_names: list[str] | None = None
    failed: dict[str, str] = field(default_factory=dict)
    unresolvable: dict[str, str] = field(default_factory=dict)
    error: str = ""

    @property
    def kept(self) -> list[str]:
        """What ``HTTPExtender.Filter`` keeps: nil is none."""
        return self.node_names if self.node_names is not None else (self.nodes or [])


def decode_filter(body: bytes) -> FilterResult:
    """``json.NewDecoder(body).Decode(&ExtenderFilterResult{})``."""
    found = _members(_decode(body))
    nodes = found.get("nodes")
    return FilterResult(
        None
        if nodes is None
        else [_string(_members(_members(n)["metadata"])["name"]) for n in _members(nodes)["items"]],
        _strings(found.get("nodenames")),
        _map(found.get("failednodes")),
        _map(found.get("failedandunresolvablenodes")),
        "" if found.get("error") is None else _string(found["error"]),
    )


def decode_priorities(body: bytes) -> dict[str, int]:
    """``Decode(&HostPriorityList{})``: scores are int64, and 5.0 is an error."""
    found = _decode(body)
    if not isinstance(found, list):
        raise GoError("cannot unmarshal into HostPriorityList")
    pairs = [_members(each) for each in found]
    scores = [(_string(pair["host"]), pair["score"]) for pair in pairs]
    if any(type(score) is not int for _, score in scores):
        raise GoError("cannot unmarshal number into int64")
    if len(dict(scores)) != len(scores):
        raise GoError("a host stands twice")
    return dict(scores)


def _decode(body: bytes) -> object:
    def refuse(text: str) -> object:
        raise GoError(f"cannot unmarshal number {text} into int64")

    try:
        return json.loads(body.decode(), parse_float=refuse, parse_constant=refuse)
    except ValueError as error:
        raise GoError(str(error)) from error


def _members(value: object) -> dict:
    if not isinstance(value, dict):
        raise GoError("cannot unmarshal into a struct")
    return {key.lower(): member for key, member in value.items()}


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise GoError("cannot unmarshal into string")
    return value


def _strings(value: object) -> list[str] | None:
    if value is None:
        return None
    if not isinstance(value, list):
        raise GoError("cannot unmarshal into []string")
    return [_string(each) for each in value]


def _map(value: object) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise GoError("cannot unmarshal into map[string]string")
    return {key: _string(member) for key, member in value.items()}


class GoClient:
    """``HTTPExtender``: one connection as long as it can be kept, and no retry.

    Go keeps a connection only if the whole body was there when its decoder was done; so each response must carry its exact
    length, in one piece, and must not ask to close.
    """

    def __init__(self, port: int, tls: ssl.SSLContext | None = None, prefix: str = "/scheduler") -> None:
        self.connections = 0
        self._port = port
        self._tls = tls
        self._prefix = prefix
        self.connection: http.client.HTTPConnection | None = None

    def filter(self, args: object) -> FilterResult:
        return decode_filter(self.post("filter", args))

    def prioritize(self, args: object) -> dict[str, int]:
        return decode_priorities(self.post("prioritize", args))

    def post(self, verb: str, args: object) -> bytes:
        """Body of a response; any status but 200 is an error."""
        body = args if isinstance(args, bytes) else json.dumps(args, separators=(",", ":")).encode()
        status, answer = self.send("POST", f"{self._prefix}/{verb}", body)
        if status != 200:
            raise GoError(f"failed {verb} with extender, code {status}")
        return answer

    def get(self, path: str) -> tuple[int, bytes]:
        return self.send("GET", path, b"")

    def send(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        connection = self.connection or self._connect()
        headers = {"Content-Type": "application/json", "User-Agent": "Go-http-client/1.1", "Accept-Encoding": "gzip"}
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        answer = response.read()
        if response.headers["Transfer-Encoding"] or int(response.headers["Content-Length"]) != len(answer):
            raise GoError("the connection is lost")
        if response.headers["Connection"] == "close":
            self.close()
        return response.status, answer

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
        self.connection = None

    def _connect(self) -> http.client.HTTPConnection:
        self.connections += 1
        if self._tls is not None:
            self.connection = http.client.HTTPSConnection("127.0.0.1", self._port, timeout=20, context=self._tls)
        else:
            self.connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
        self.connection.auto_open = 0
        self.connection.connect()
        return self.connection
