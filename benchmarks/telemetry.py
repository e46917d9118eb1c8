"""One refresh of all readings: 5,000 nodes and 100,000 workloads from generated answers, decoded and joined."""

from __future__ import annotations

import gc
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from time import process_time, thread_time
from typing import Final

import msgspec
import numpy as np

from benchmarks.tables import Bar, bars, table
from ullage.sources.prometheus.choice import Choice
from ullage.sources.prometheus.settings import PrometheusSettings
from ullage.sources.prometheus.source import PrometheusSource
from ullage.telemetry.catalog import Axis, Query, Scope, known_names, queries
from ullage.telemetry.decode import Answer
from ullage.telemetry.identity import NodeIdentities

NODES: Final = 5_000
PODS: Final = 90_000
MACHINES: Final = 10_000
RUNS: Final = 3
BAR_SECONDS: Final = 3.0
BAR_SLICE_SECONDS: Final = 0.005
NOW: Final = 1_800_000_000.0
# A cluster with node_exporter, cAdvisor and KubeVirt; the kubelet's /metrics/resource is not scraped.
NAMES: Final = tuple(name for name in known_names() if not name.startswith(("pod_", "node_swap_", "node_cpu_usage_")))
SCOPE: Final = Scope(150)


def _names(axis: Axis) -> list[str]:
    if axis is Axis.NODES:
        return [f'"instance":"10.{n >> 8}.{n & 255}.7:9100","job":"node-exporter"' for n in range(NODES)]
    if axis is Axis.PODS:
        launchers = [
            f'"namespace":"tenant-{n % 300:03}","pod":"virt-launcher-vm-{n:05}-x7k2p"' for n in range(MACHINES)
        ]
        return launchers + [
            f'"namespace":"tenant-{n % 900:03}","pod":"web-{n:05}-6d4cf56db6-abcde"' for n in range(PODS)
        ]
    return [f'"name":"vm-{n:05}","namespace":"tenant-{n % 300:03}"' for n in range(MACHINES)]


def _body(query: Query, names: Sequence[str], seed: int) -> bytes:
    """An answer with the series of each mark in order of their labels, as servers select and aggregate them."""
    random = np.random.default_rng(seed)
    marks = re.findall(r'"ullage", "(\d+)"', query.promql)
    draws = NOW - random.uniform(0, 30, len(names)) if query.is_time else random.uniform(0, 1, len(names))
    values = [f"{value:.17g}" for value in draws.tolist()]
    series = (
        f'{{"metric":{{{names[n]},"ullage":"{mark}"}},"value":[{NOW},"{values[n]}"]}}'
        for mark in marks
        for n in range(len(names))
    )
    return b'{"status":"success","data":{"resultType":"vector","result":[%b]}}' % ",".join(series).encode()


class _Canned:
    """A server whose answers are ready."""

    def __init__(self) -> None:
        names = {axis: sorted(_names(axis)) for axis in Axis}
        plan = queries(Choice(NAMES).chosen, SCOPE)
        self.bodies = {query.promql: _body(query, names[query.axis], seed) for seed, query in enumerate(plan)}

    def ask(self, path: str, form: Mapping[str, str], timeout_seconds: float) -> bytes:  # noqa: ARG002
        return self.bodies.get(form["query"], b"")

    def get(self, path: str, parameters: Mapping[str, str], timeout_seconds: float) -> bytes:  # noqa: ARG002
        return json.dumps({"status": "success", "data": NAMES}).encode()

    def close(self) -> None:
        pass


def _best(call: Callable[[], object]) -> float:
    times = []
    for _ in range(RUNS):
        gc.collect()
        start = process_time()
        call()
        times.append(process_time() - start)
    return min(times)


def _slices(bodies: Sequence[bytes]) -> Iterator[float]:
    """CPU seconds of each slice: for so long no other thread runs."""
    for body in bodies:
        blocks = Answer(body, "vector").blocks()
        while True:
            start = thread_time()
            if next(blocks, None) is None:
                break
            yield thread_time() - start


def main() -> None:
    canned = _Canned()
    bodies = list(canned.bodies.values())
    nodes = NodeIdentities.of({f"worker-{n:04}": [f"10.{n >> 8}.{n & 255}.7"] for n in range(NODES)})
    source = PrometheusSource(PrometheusSettings(url="http://canned"), canned)
    readings = source.read(nodes, NOW)
    assert len(readings.nodes.keys) == NODES  # noqa: S101
    assert len(readings.pods.keys) == PODS + MACHINES  # noqa: S101
    assert readings.problems == ()  # noqa: S101
    series = sum(body.count(b'{"metric":') for body in bodies)
    print(f"{NODES:,} nodes, {PODS + MACHINES:,} workloads: {len(bodies)} answers, {series:,} series, ", end="")
    print(f"{sum(map(len, bodies)) / 1e6:,.0f} MB; CPU seconds, best of {RUNS}\n")
    untyped = msgspec.json.Decoder()
    rows = [
        ("json.loads of the bodies alone", _best(lambda: [json.loads(body) for body in bodies])),
        ("msgspec, untyped, alone", _best(lambda: [untyped.decode(body) for body in bodies])),
        ("decoded in slices into arrays", _best(lambda: [list(Answer(body, "vector").blocks()) for body in bodies])),
        ("decoded, joined, judged: a reading", refresh := _best(lambda: source.read(nodes, NOW))),
    ]
    print(table(("step", "s"), [(name, f"{seconds:.2f}") for name, seconds in rows]), end="\n\n")
    slices = np.array(list(_slices(bodies)))
    print(
        bars(
            [
                Bar("a reading", refresh, BAR_SECONDS, "s"),
                Bar("slice, 99 of 100", 1000 * float(np.quantile(slices, 0.99)), 1000 * BAR_SLICE_SECONDS, "ms"),
            ]
        )
    )
