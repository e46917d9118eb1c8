"""The store of the live state: 5,000 nodes and 100,000 pods as a server sends them, read, changed and published.

The objects are made by another process, so that what is measured is the store's own memory.
"""

from __future__ import annotations

import gc
import itertools
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, Final

import msgspec
import numpy as np

from benchmarks.tables import Bar, bars, milliseconds, table
from ullage.model.state import ClusterState
from ullage.sources.collection import decoder_of
from ullage.sources.store.cluster_store import ClusterStore
from ullage.sources.watched import PODS, WATCHED, Resource, Verb

NODES: Final = 5_000
WORKLOADS: Final = 100_000
RUNS: Final = 5
COLD_SECONDS: Final = 15.0
RESIDENT_MIB: Final = 500.0
CORE_RATIO: Final = 0.3
EVENTS_PER_SECOND: Final = 1_000
_MIB: Final = 2**20
_LAUNCHER: Final = b'"virt-launcher"'
_MAKE: Final = (
    "import sys, msgspec\n"
    "from simulator.generator import ClusterSpec, generate\n"
    "from simulator.raw_objects import raw_objects\n"
    "state = generate(ClusterSpec(nodes=int(sys.argv[2]), workloads=int(sys.argv[3]), hot_share=0.05))\n"
    "files = {}\n"
    "for each in raw_objects(state):\n"
    "    file = files.get(each['kind']) or files.setdefault(each['kind'], open(f\"{sys.argv[1]}/{each['kind']}\", 'wb'))\n"
    "    file.write(msgspec.json.encode(each) + b'\\n')\n"
)


def lines(folder: Path, resource: Resource) -> Iterator[bytes]:
    """Objects of a resource, one after the other from a file, as a list brings them page by page."""
    file = folder / resource.kind
    if file.exists():
        with file.open("rb") as opened:
            yield from opened


def _memory_mib(key: str) -> float:
    text = Path("/proc/self/status").read_text(encoding="ascii")
    return float(next(line.split()[1] for line in text.splitlines() if line.startswith(key))) * 1024 / _MIB


@dataclass
class Cold:
    """What a cold start took."""

    rows: list[tuple[str, str, str, str]]
    seconds: float
    floor_seconds: float


def _cold(store: ClusterStore, folder: Path) -> Cold:
    rows, total, floors = [], 0.0, 0.0
    for resource in WATCHED:
        floor = _floor(folder, resource)
        start = process_time()
        store.replace(resource, lines(folder, resource))
        took = process_time() - start
        total, floors = total + took, floors + floor
        rows.append((resource.plural, f"{store.counts()[resource][0]:,}", milliseconds(took), milliseconds(floor)))
    start = process_time()
    store.publish(0.0)
    took = process_time() - start
    rows.append(("first state", "", milliseconds(took), "-"))
    return Cold(rows, total + took, floors)


def _floor(folder: Path, resource: Resource) -> float:
    """CPU seconds to read the lines and decode the needed fields, and nothing else."""
    decoder = decoder_of(resource.group, resource.kind)
    if decoder is None:
        raise ValueError(resource.kind)
    start = process_time()
    for line in lines(folder, resource):
        decoder.decode(line)
    return process_time() - start


def _changed(raw: bytes, number: int) -> bytes:
    """The pod, with another status and priority."""
    found: dict[str, Any] = msgspec.json.decode(raw)
    found["metadata"]["resourceVersion"] = str(10**9 + number)
    found["status"]["phase"] = "Pending"
    found["spec"]["priority"] = number
    return msgspec.json.encode(found)


def _touched(raw: bytes, number: int) -> bytes:
    """The pod, with a change that bears on nothing."""
    found: dict[str, Any] = msgspec.json.decode(raw)
    found["metadata"]["resourceVersion"] = str(10**9 + number)
    found["status"]["podIP"] = f"10.0.0.{number % 250}"
    return msgspec.json.encode(found)


def _copy_of(raw: bytes, number: int) -> bytes:
    """Another pod of the same template: from one, a new row."""
    found: dict[str, Any] = msgspec.json.decode(raw)
    found["metadata"] |= {"name": f"{found['metadata']['name']}-{number}", "uid": f"new-{number}"}
    return _changed(msgspec.json.encode(found), number)


@dataclass
class Step:
    """CPU seconds of some events, and of the state after them."""

    events: float
    publish: float


def _step(store: ClusterStore, events: Sequence[bytes]) -> Step:
    start = process_time()
    for event in events:
        store.change(PODS, Verb.MODIFIED, event)
    middle = process_time()
    store.publish(1.0)
    return Step(middle - start, process_time() - middle)


def _best(
    store: ClusterStore,
    pods: Sequence[bytes],
    change: Callable[[bytes, int], bytes],
    versions: Iterator[int],
    count: int,
) -> Step:
    steps = []
    for run in range(RUNS):
        chosen = np.random.default_rng(run).choice(len(pods), count, replace=False)
        steps.append(_step(store, [change(pods[i], next(versions)) for i in chosen.tolist()]))
    return min(steps, key=lambda step: step.events + step.publish)


def _copy_seconds(state: ClusterState) -> float:
    """Time to copy every array of the workload columns once."""
    arrays = [each for each in vars(state.workloads).values() if isinstance(each, np.ndarray)]
    arrays += [state.workloads.labels.pairs, state.workloads.labels.offsets]
    times = []
    for _ in range(RUNS):
        start = process_time()
        for each in arrays:
            each.copy()
        times.append(process_time() - start)
    return min(times)


def _measure(folder: Path) -> None:
    base = _memory_mib("VmRSS")
    store = ClusterStore()
    cold = _cold(store, folder)
    gc.collect()
    gc.freeze()
    resident, peak = _memory_mib("VmRSS"), _memory_mib("VmHWM")
    state = store.publish(0.0)
    pods = [line for number, line in enumerate(lines(folder, PODS)) if number % 20 == 0]
    ordinary = [line for number, line in enumerate(lines(folder, PODS)) if number % 9 == 0 and _LAUNCHER not in line]
    size = sum(map(len, pods)) / len(pods) / 1000
    print(
        f"{len(state.nodes):,} nodes, {store.counts()[PODS][0]:,} pods of {size:.1f} KB, {len(state.workloads):,} rows\n"
    )
    print(table(("cold start", "objects", "CPU ms", "decode only, ms"), cold.rows), end="\n\n")
    changes = {
        "nothing that matters": (pods, _touched),
        "status and priority": (pods, _changed),
        "new ordinary pods": (ordinary, _copy_of),
    }
    rows, heaviest = [], 0.0
    versions = itertools.count(1)
    for name, (chosen, change) in changes.items():
        for count in (1, 100, EVENTS_PER_SECOND):
            step = _best(store, chosen, change, versions, count)
            rows.append((name, str(count), f"{1e6 * step.events / count:.1f}", f"{1000 * step.publish:.1f}"))
            heaviest = max(heaviest, (step.events + step.publish) * EVENTS_PER_SECOND / count if count > 100 else 0.0)
    print(table(("events of pods", "k", "us/event", "publish ms"), rows), end="\n\n")
    decode = _decode_seconds(pods)
    print(
        f"floor: {1e6 * decode:.1f} us to decode a pod, {1000 * _copy_seconds(state):.1f} ms to copy the columns once"
    )
    start = perf_counter()
    is_same = store.publish(2.0) is store.publish(3.0)
    print(f"publish without news: {1e6 * (perf_counter() - start) / 2:.1f} us, same object: {is_same}")
    print(
        f"memory: {base:.0f} MiB before, {resident:.0f} after the cold start, {_memory_mib('VmRSS'):.0f} at the end\n"
    )
    found = (
        Bar("cold start, CPU", cold.seconds, COLD_SECONDS, "s"),
        Bar("resident after the cold start", resident, RESIDENT_MIB, "MiB"),
        Bar("highest resident by then", peak, RESIDENT_MIB, "MiB"),
        Bar("1,000 events and a state a second", heaviest, CORE_RATIO, "core"),
    )
    print(bars(found))


def _decode_seconds(pods: Sequence[bytes]) -> float:
    decoder = decoder_of(PODS.group, PODS.kind)
    if decoder is None:
        raise ValueError(PODS.kind)
    start = process_time()
    for each in pods:
        decoder.decode(each)
    return (process_time() - start) / len(pods)


def main(nodes: int = NODES, workloads: int = WORKLOADS) -> None:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-c", _MAKE, folder, str(nodes), str(workloads)], check=True)
        run = "import sys, pathlib; from benchmarks.live_store import _measure; _measure(pathlib.Path(sys.argv[1]))"
        subprocess.run([sys.executable, "-c", run, folder], check=True)


if __name__ == "__main__":
    main(*(int(text) for text in sys.argv[1:]))
