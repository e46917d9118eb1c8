"""A small API server and a Prometheus, over TLS, in a process of their own: answers are made of bytes that are ready.

``python -m benchmarks.live_api FOLDER NODES WORKLOADS VM_SHARE`` generates a cluster, prints its address and the file of
its authority, and serves. ``/start?rate=N`` has it send N events of pods a second from then on, ``/stop`` ends them.
"""

from __future__ import annotations

import itertools
import json
import re
import ssl
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import monotonic
from typing import Final
from urllib.parse import parse_qs, urlsplit

import msgspec
import numpy as np

from simulator.generator import ClusterSpec, generate
from simulator.raw_objects import raw_objects
from tests.controlplane.certificates import Authority
from ullage.model.quantity import to_float
from ullage.sources.kube_api.clock import SystemClock
from ullage.sources.prometheus.choice import Choice
from ullage.sources.watched import MACHINES, NODES, PODS, WATCHED, Resource
from ullage.telemetry.catalog import Axis, Query, Scope, known_names, queries
from ullage.telemetry.readings import NodeReading, WorkloadReading

RATE_WINDOW_SECONDS: Final = 150
NAMES: Final = tuple(name for name in known_names() if not name.startswith(("pod_", "node_swap_", "node_cpu_usage_")))
"""Metrics of a cluster with node_exporter, cAdvisor and KubeVirt; the kubelet's /metrics/resource is not scraped."""
_VERSION: Final = re.compile(rb'"resourceVersion":"(\d+)"')
_BURST_SECONDS: Final = 0.02
_NOW: Final = b"@@@@@@@@@@"
_MIB: Final = 2.0**20
_PAUSE: Final = threading.Event()


class _Meta(msgspec.Struct, frozen=True):
    name: str
    namespace: str = ""


class _Status(msgspec.Struct, frozen=True):
    allocatable: dict[str, str] = {}


class _Named(msgspec.Struct, frozen=True):
    metadata: _Meta
    status: _Status = _Status()


_NAMED: Final = msgspec.json.Decoder(_Named)


@dataclass
class Cluster:
    """Objects as raw JSON by the path of their collection, and the events of pods."""

    objects: dict[str, list[bytes]]
    rate: float = 0.0
    version: Iterator[int] = field(default_factory=lambda: itertools.count(10**9))
    wakes: threading.Condition = field(default_factory=threading.Condition)
    sent: int = 0

    @classmethod
    def generate(cls, nodes: int, workloads: int, vm_share: float) -> Cluster:
        """A cluster of the simulator, with objects of the size that a server sends."""
        by_kind: dict[object, list[bytes]] = {}
        spec = ClusterSpec(nodes=nodes, workloads=workloads, vm_share=vm_share, hot_share=0.05)
        for each in raw_objects(generate(spec)):
            by_kind.setdefault(each["kind"], []).append(msgspec.json.encode(each))
        return cls({resource.path: by_kind.get(resource.kind, []) for resource in WATCHED})

    def page(self, path: str, query: dict[str, str]) -> bytes:
        """One page of a list."""
        objects, start = self.objects[path], int(query.get("continue", 0))
        end = start + int(query.get("limit", len(objects)))
        token = str(end) if end < len(objects) else ""
        head = b'{"kind":"List","apiVersion":"v1","metadata":{"resourceVersion":"900000000","continue":"%s"},"items":['
        return head % token.encode() + b",".join(objects[start:end]) + b"]}"

    def send(self, rate: float) -> int:
        """Have so many events come a second; how many have come until now."""
        with self.wakes:
            self.rate = rate
            self.wakes.notify_all()
            return self.sent

    def events(self, number: int) -> bytes:
        """So many lines of a watch of pods: most say nothing that matters; some change the phase, make and delete pods."""
        lines = []
        for count in range(self.sent, self.sent + number):
            pods = self.objects[PODS.path]
            raw = pods[count * 7919 % len(pods)]
            kind = count % 20
            if kind in (0, 1):  # of pods of their own, one after the other made and deleted
                verb, raw = (b"ADDED", b"DELETED")[kind], _renamed(pods[0], count // 20)
            else:
                verb, raw = b"MODIFIED", raw if kind > 3 else _other_phase(raw, count)
            version = b'"resourceVersion":"%d"' % next(self.version)
            lines.append(b'{"type":"%s","object":%s}\n' % (verb, _VERSION.sub(version, raw, count=1)))
        self.sent += number
        return b"".join(lines)


def _renamed(raw: bytes, number: int) -> bytes:
    meta = _NAMED.decode(raw).metadata
    made = raw.replace(b'"name":"%s"' % meta.name.encode(), b'"name":"made-%d"' % number, 1)
    return re.sub(rb'"uid":"[^"]*"', b'"uid":"made-%d"' % number, made, count=1)


def _other_phase(raw: bytes, number: int) -> bytes:
    phase = b"Pending" if number // 20 % 2 else b"Running"
    return re.sub(rb'"phase":"[A-Za-z]+"', b'"phase":"%s"' % phase, raw, count=1)


class Monitoring:
    """Answers of a Prometheus to the queries of the catalogue."""

    def __init__(self, cluster: Cluster) -> None:
        self._rows = _rows(cluster)
        plan = queries(Choice(NAMES).chosen, Scope(RATE_WINDOW_SECONDS))
        self._bodies = {query.promql: self._body(query) for query in plan}

    def size(self) -> dict[str, int]:
        """Series and bytes of the answers of one reading."""
        bodies = self._bodies.values()
        return {"series": sum(body.count(b'{"metric"') for body in bodies), "bytes": sum(map(len, bodies))}

    def answer(self, promql: str) -> bytes:
        """Body; samples are of now. What is not of the catalogue has no answer."""
        return self._bodies.get(promql, b"{}").replace(_NOW, b"%d" % SystemClock().unix())

    def _body(self, query: Query) -> bytes:
        marks = [int(mark) for mark in re.findall(r'"ullage", "(\d+)"', query.promql)]
        stamp = _NOW.decode()
        series = (
            f'{{"metric":{{{labels},"ullage":"{mark}"}},"value":[{stamp},"'
            f'{stamp if query.is_time else values.get(mark, 0.01)}"]}}'
            for mark in marks
            for labels, values in self._rows[query.axis]
        )
        return b'{"status":"success","data":{"resultType":"vector","result":[%b]}}' % ",".join(series).encode()


_Row = tuple[str, dict[int, float]]


def _rows(cluster: Cluster) -> dict[Axis, list[_Row]]:
    """Labels of each row, and its values by reading where they are not small."""
    random = np.random.default_rng(1)
    found: dict[Axis, list[_Row]] = {axis: [] for axis in Axis}
    for node in map(_NAMED.decode, cluster.objects[NODES.path]):
        size = {name: to_float(node.status.allocatable[name]) for name in ("cpu", "memory")}
        cpu, memory = random.uniform(0.3, 0.6, 2) * (size["cpu"], size["memory"])
        values = {
            NodeReading.CPU_CORES: cpu,
            NodeReading.MEMORY_BYTES: memory,
            NodeReading.MEMORY_TOTAL_BYTES: size["memory"],
            NodeReading.MEMORY_AVAILABLE_BYTES: size["memory"] - memory,
        }
        labels = f'"instance":"{node.metadata.name}","job":"node-exporter"'
        found[Axis.NODES].append((labels, {int(key): float(value) for key, value in values.items()}))
    for axis, resource, label in ((Axis.PODS, PODS, "pod"), (Axis.MACHINES, MACHINES, "name")):
        for each in sorted((m.namespace, m.name) for m in _names(cluster, resource)):
            values = {WorkloadReading.CPU_CORES: random.uniform(0, 0.1), WorkloadReading.MEMORY_BYTES: 100 * _MIB}
            labels = f'"namespace":"{each[0]}","{label}":"{each[1]}"'
            found[axis].append((labels, {int(key): float(value) for key, value in values.items()}))
    return found


def _names(cluster: Cluster, resource: Resource) -> Iterator[_Meta]:
    return (_NAMED.decode(raw).metadata for raw in cluster.objects[resource.path])


class LiveApi(ThreadingHTTPServer):
    """The server of both."""

    daemon_threads = True

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.cluster, self.monitoring = cluster, Monitoring(cluster)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: LiveApi

    def handle(self) -> None:
        with suppress(OSError):
            super().handle()

    def do_GET(self) -> None:
        asked = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(asked.query).items()}
        if asked.path in self.server.cluster.objects:
            if "watch" in query:
                self._watch(asked.path)
            else:
                self._reply(self.server.cluster.page(asked.path, query))
        elif asked.path in ("/start", "/stop"):
            self._reply(json.dumps({"sent": self.server.cluster.send(float(query.get("rate", 0)))}).encode())
        else:
            self._describe(asked.path)

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self._reply(self.server.monitoring.answer(form["query"][0]))

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _describe(self, path: str) -> None:
        names = [{"name": resource.plural} for resource in WATCHED if resource.path.startswith(path)]
        if path == "/size":
            self._reply(json.dumps(self.server.monitoring.size()).encode())
        elif path.endswith("/label/__name__/values"):
            self._reply(json.dumps({"status": "success", "data": NAMES}).encode())
        elif path.startswith("/apis/") and names:
            self._reply(json.dumps({"kind": "APIResourceList", "resources": names}).encode())
        else:
            self._reply(b"not found", 404)

    def _reply(self, body: bytes, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _watch(self, path: str) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.flush()
        cluster = self.server.cluster
        while True:
            with cluster.wakes:
                cluster.wakes.wait_for(lambda: cluster.rate > 0 and path == PODS.path)
            self._burst(monotonic(), cluster.sent)

    def _burst(self, begun: float, before: int) -> None:
        """Events at the rate that is asked for, until it is 0."""
        cluster = self.server.cluster
        while cluster.rate > 0:
            due = int((monotonic() - begun) * cluster.rate) - (cluster.sent - before)
            if due > 0:
                data = cluster.events(due)
                self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
            _PAUSE.wait(_BURST_SECONDS)


def main(folder: Path, nodes: int, workloads: int, vm_share: float) -> None:
    server = LiveApi(Cluster.generate(nodes, workloads, vm_share))
    authority = Authority(folder, "authority")
    files = authority.server("serving")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    print(f"https://127.0.0.1:{server.server_address[1]} {authority.certificate}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
