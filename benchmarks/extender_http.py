"""The extender's transport: parse to bytes, over loopback beside canned bytes and Go, full Node objects, memory.

``BENCH_SECONDS`` says how long each load lasts. In the first table every pod and every list is a new one for the filter, and
prioritize has the names that filter kept, as in kube-scheduler. wrk does two things over one connection: it sends one request
over and over, as it does by itself, and it sends such pairs in turn, of more pods and lists than the server remembers.
"""

from __future__ import annotations

import http.client
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, perf_counter, thread_time
from typing import Final

import numpy as np

from benchmarks import extender_load
from benchmarks.extender_load import Load, Server
from benchmarks.extender_payloads import PREFIX, cluster, following, hot, node_objects, of_round, requests
from benchmarks.tables import Bar, bars, table
from extender.app import decision
from extender.http_protocol import Parts, Request
from extender.http_verbs import HttpVerbs
from extender.ledger import Ledger
from extender.metrics import Metrics
from extender.scheduling import Clocks, Scheduling
from ullage.config import defaults
from ullage.model.state import ClusterState
from ullage.sources.snapshot import encode

NODES: Final = 5_000
SIZES: Final = (500, 1_000, 5_000)
P99_MS: Final = {500: 0.5, 1_000: 1.0, 5_000: 4.0}
PAIR_CPU_MS: Final = {500: 0.3, 5_000: 3.0}
SHARE_OF_CANNED: Final = 0.60
OBJECTS: Final = 500
OBJECTS_MS: Final = 100.0
WORKLOADS: Final = 100_000
MEMORY_MIB: Final = 400.0
VERBS: Final = ("filter", "prioritize")
_BODIES: Final = 100
_ROUNDS: Final = 10
_IN_TURN: Final = 32
_LOADS: Final = 5


@dataclass(frozen=True)
class _Clock:
    def now(self) -> float:
        return monotonic()


class Calls:
    """Calls without a server, timed from the request to the bytes of the answer."""

    def __init__(self, state: ClusterState) -> None:
        clocks = Clocks(monotonic, lambda: state.observed_at_seconds)
        scheduling = Scheduling(decision(defaults()), Ledger(defaults(), _Clock()), clocks, Metrics())
        scheduling.publish(scheduling.prepare(state))
        self._verbs = HttpVerbs(scheduling)

    def answer(self, verb: str, body: bytes) -> bytes:
        """Bytes of an answer."""
        return b"".join(self._call(verb, memoryview(body)))

    def timed(self, verb: str, body: bytes) -> tuple[bytes, float, float]:
        """Bytes of an answer, seconds on the clock and of the processor."""
        view = memoryview(body)
        wall, cpu = perf_counter(), thread_time()
        answer = b"".join(self._call(verb, view))
        return answer, perf_counter() - wall, thread_time() - cpu

    def _call(self, verb: str, body: memoryview) -> Parts:
        request = Request(b"POST", b"", body, monotonic())
        return (self._verbs.filter(request) if verb == "filter" else self._verbs.prioritize(request)).parts


def parse_to_bytes(states: Mapping[str, ClusterState]) -> list[Bar]:
    """Each pod and each list is new to the filter; prioritize follows it with the names that were kept, as in kube-scheduler.

    What the machine does besides may double any time, so each list is asked about in several rounds, by another pod each, and
    the least time of each list counts: of the processor the median over the lists, on the clock their 99th percentile.
    """
    rows, found = [], []
    for name, state in states.items():
        for size in SIZES:
            calls, bodies = Calls(state), requests(size, NODES, _BODIES)
            times = 1000 * np.array([list(_pairs(calls, bodies, number)) for number in range(_ROUNDS)]).min(axis=0)
            wall, cpu = times[:, :, 0], float(np.median(times[:, :, 1].sum(axis=1)))
            p50, p99 = np.percentile(wall, (50, 99), axis=0)
            rows.append((name, f"{size}", *(f"{x:.3f}" for x in (p50[0], p99[0], p50[1], p99[1], cpu))))
            found.append(Bar(f"p99 at {size} names, {name}", float(p99.max()), P99_MS[size], "ms"))
            if size in PAIR_CPU_MS:
                found.append(Bar(f"CPU of the pair at {size} names, {name}", cpu, PAIR_CPU_MS[size], "ms"))
    print(table(("nodes", "names", "filter p50", "p99", "prioritize p50", "p99", "CPU of the pair"), rows), "\n")
    return found


def _pairs(calls: Calls, bodies: list[bytes], number: int) -> Iterator[tuple[tuple[float, float], tuple[float, float]]]:
    """Times of filter and of prioritize, pod by pod; each round asks about other pods."""
    for each in bodies:
        body = of_round(each, number)
        answer, *asked = calls.timed("filter", body)
        _, *scored = calls.timed("prioritize", following(body, answer))
        yield (asked[0], asked[1]), (scored[0], scored[1])


def over_loopback(calls: Calls, state: ClusterState, folder: Path) -> list[Bar]:
    """One connection of wrk to each server in turns; the best round of each counts.

    Three loads: one filter over and over, one prioritize over and over (each is a pod and a list that the server has seen, so
    that it has to compare, and to count the pod again, but not to decide anew), and pairs of other pods and lists in turn.
    """
    if not extender_load.has_wrk():
        print("missing: wrk, so nothing is measured over loopback (apt-get install wrk)\n")
        return []
    snapshot = folder / "cluster.snapshot"
    snapshot.write_bytes(encode(state))
    rows, found = [], []
    with extender_load.ours(snapshot) as own, extender_load.go(folder, NODES) as rival:
        for size in (500, 5_000):
            pairs = _in_turn(calls, size)
            for verb, body in pairs[:2]:
                (folder / verb).write_bytes(calls.answer(verb, body))
            with extender_load.canned(folder) as floor:
                servers = [each for each in (floor, own, rival) if each is not None]
                for name, asked in _loads(pairs).items():
                    best = _best(servers, asked, folder)
                    rows += [_row(f"{size}", name, server, best) for server in servers]
                    found += _loopback_bars(f"{size} names, {name}", size, best)
    print(
        table(("names", "load", "server", "requests/s", "of canned", "p50 ms", "p99 ms", "CPU ms", "errors"), rows),
        "\n",
    )
    return found


def _loads(pairs: list[tuple[str, bytes]]) -> dict[str, list[tuple[str, bytes]]]:
    return {"one filter": pairs[:1], "one prioritize": pairs[1:2], f"{_IN_TURN} pods and lists in turn": pairs}


def _in_turn(calls: Calls, size: int) -> list[tuple[str, bytes]]:
    """Requests as kube-scheduler sends them: for each pod filter, and then prioritize with the names that were kept."""
    pairs = []
    for body in requests(size, NODES, _IN_TURN):
        pairs += [("filter", body), ("prioritize", following(body, calls.answer("filter", body)))]
    return pairs


def _best(servers: list[Server], pairs: list[tuple[str, bytes]], folder: Path) -> dict[str, Load]:
    best: dict[str, Load] = {}
    for _ in range(_LOADS):
        for server in servers:
            found = extender_load.load(server, pairs, folder)
            if server.name not in best or found.per_second > best[server.name].per_second:
                best[server.name] = found
    return best


def _row(names: str, load: str, server: Server, best: Mapping[str, Load]) -> tuple[str, ...]:
    found, share = best[server.name], best[server.name].per_second / best["canned bytes"].per_second
    figures = (f"{x:.3f}" for x in (found.p50_ms, found.p99_ms, found.cpu_ms))
    return names, load, server.name, f"{found.per_second:,.0f}", f"{share:.0%}", *figures, str(found.errors)


def _loopback_bars(name: str, size: int, best: dict[str, Load]) -> list[Bar]:
    """Shares turned over, so that less is better."""
    own, floor, rival = best["ullage"], best["canned bytes"], best.get("Go encoding/json")
    found = []
    if size == min(SIZES):
        found.append(Bar(f"{name}: canned over ours", floor.per_second / own.per_second, 1 / SHARE_OF_CANNED))
    if rival is not None:
        found.append(Bar(f"{name}: Go over ours", rival.per_second / own.per_second, 1.0))
    return found


def node_form(server: Server) -> list[Bar]:
    """Full Node objects over loopback, after one call that warms up; the median of some."""
    body = node_objects(OBJECTS)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    rows, found = [], []
    for verb in VERBS:
        times = []
        for _ in range(8):
            start = perf_counter()
            connection.request("POST", f"{PREFIX}/{verb}", body)
            connection.getresponse().read()
            times.append(1000 * (perf_counter() - start))
        median = float(np.median(times[1:]))
        rows.append((verb, f"{len(body) / 2**20:.1f}", f"{median:.1f}", f"{min(times):.1f}"))
        found.append(Bar(f"{verb} of {OBJECTS} Node objects", median, OBJECTS_MS, "ms"))
    connection.close()
    print(table(("Node objects", "MiB", "median ms", "least ms"), rows), "\n")
    return found


def large_cluster(folder: Path) -> list[Bar]:
    """Node objects and memory with a large state."""
    snapshot = folder / "large.snapshot"
    snapshot.write_bytes(encode(cluster(NODES, WORKLOADS)))
    with extender_load.ours(snapshot) as server:
        ready, peak = server.memory_mib(), server.memory_mib("VmHWM")
        found = node_form(server)
        print(
            f"resident memory at {NODES:,} nodes and {WORKLOADS:,} workloads: {ready:.0f} MiB, at most {peak:.0f} MiB\n"
        )
    return [*found, Bar("resident memory", ready, MEMORY_MIB, "MiB")]


def main() -> None:
    state = cluster(NODES)
    calls = Calls(state)
    found = parse_to_bytes({"as generated": state, "10 % hot": hot(state)})
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found += over_loopback(calls, state, folder)
        found += large_cluster(folder)
    print(bars(found))
