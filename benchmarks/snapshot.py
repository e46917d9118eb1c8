"""Size of a snapshot of 5,000 nodes and 100,000 workloads, and how long it takes to make, write and read."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from time import perf_counter
from typing import Final, TypeVar

from simulator.generator import ClusterSpec, generate
from ullage.sources.snapshot import decode, encode

SPEC: Final = ClusterSpec(nodes=5_000, workloads=100_000, hot_share=0.05)
BAR_READ_SECONDS: Final = 2.0
BAR_MEGABYTES: Final = 30.0
BAR_GENERATE_SECONDS: Final = 5.0
RUNS: Final = 3

Result = TypeVar("Result")


def _best(call: Callable[[], Result], runs: int = RUNS) -> tuple[float, Result]:
    times = []
    for _ in range(runs):
        start = perf_counter()
        result = call()
        times.append(perf_counter() - start)
    return min(times), result


def _line(what: str, value: float, unit: str, bar: float | None = None) -> None:
    verdict = "" if bar is None else f"{bar:8.1f} {unit:2}   {'ok' if value <= bar else 'MISSED'}"
    print(f"{what:28} {value:8.2f} {unit:2} {verdict}")


def main() -> None:
    print(f"{SPEC.nodes:,} nodes, {SPEC.total:,} workloads, best of {RUNS}\n{'':28} {'':11} {'bar':>8}")
    seconds, state = _best(lambda: generate(SPEC))
    _line("generate", seconds, "s", BAR_GENERATE_SECONDS)
    seconds, data = _best(lambda: encode(state))
    _line("encode", seconds, "s")
    seconds, packed = _best(lambda: gzip.compress(data, compresslevel=9, mtime=0), 1)
    _line("gzip", seconds, "s")
    seconds, _ = _best(lambda: decode(data, "plain"))
    _line("read, plain", seconds, "s", BAR_READ_SECONDS)
    seconds, _ = _best(lambda: decode(packed, "gzip"))
    _line("read, gzip", seconds, "s", BAR_READ_SECONDS)
    _line("size, plain", len(data) / 1e6, "MB")
    _line("size, gzip", len(packed) / 1e6, "MB", BAR_MEGABYTES)
