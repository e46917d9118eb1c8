"""One pod against 500 to 150,000 nodes, beside one pass over the same columns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from time import thread_time_ns
from typing import Final

import numpy as np

from extender.verbs import PodRequest, filter_nodes, prioritize
from simulator.generator import ClusterSpec, generate
from ullage.config import defaults
from ullage.model.arrays import IntArray, frozen
from ullage.scoring.assumed import Assumed
from ullage.scoring.columns import Column
from ullage.scoring.combine import combine
from ullage.scoring.demand import estimate
from ullage.scoring.view import NodeView, view

SIZES: Final = (500, 5_000, 15_000, 50_000, 150_000)
BAR: Final = 3.0
ROUNDS: Final = 15
ASSUMED: Final = 200
USED: Final = (
    *(column for column in Column if column <= Column.GROWTH_SHARE),
    Column.CPU_DEVIATION_CORES,
    Column.MEMORY_DEVIATION_BYTES,
    Column.CPU_ALLOCATABLE_CORES,
    Column.MEMORY_ALLOCATABLE_BYTES,
    Column.SWAP_LEFT_BYTES,
    Column.SWAP_NEEDED_BYTES,
    Column.PSI_CPU_SOME_RATIO,
    Column.PSI_MEMORY_SOME_RATIO,
    Column.PSI_MEMORY_FULL_RATIO,
)
"""The columns that the score of a pod with the default weights depends on."""
POD: Final = PodRequest(
    uid="a", namespace="shop", name="web-1", requests_cpu_cores=1.0, requests_memory_bytes=4e9, limits_memory_bytes=8e9
)


@dataclass(frozen=True)
class Case:
    """Something to time."""

    name: str
    run: Callable[[], object]

    def once(self, times: int) -> float:
        """Microseconds of CPU per run."""
        start = thread_time_ns()
        for _ in range(times):
            self.run()
        return (thread_time_ns() - start) / times / 1000


def _cluster(nodes: int) -> NodeView:
    """A cluster of that size: the columns of 500 made-up nodes, over and over; only columns are read here."""
    small = view(generate(ClusterSpec(nodes=500, workloads_per_node=10)), defaults())
    if nodes == len(small):
        return small
    order = np.append(np.arange(nodes) % len(small), len(small))
    names = tuple(f"worker-{i:06}" for i in range(nodes))
    return replace(
        small,
        names=names,
        index={name: i for i, name in enumerate(names)},
        matrix=frozen(small.matrix.take(order, axis=1), np.float32),
        raw=frozen(small.raw.take(order, axis=1), np.float32),
        room=frozen(small.room.take(order, axis=1), np.float32),
        trouble=frozen(small.trouble[order], np.int16),
        fixed=frozen(small.fixed[order], np.float32),
    )


def _anew(seen: NodeView, run: Callable[[], object]) -> Callable[[], object]:
    """A call that finds nothing kept of the calls before it."""

    def forgetting() -> object:
        seen.judged.clear()
        return run()

    return forgetting


def _cases(seen: NodeView) -> list[Case]:
    columns = [np.ascontiguousarray(seen.matrix[column]) for column in USED]
    demand = estimate(seen, POD)
    every: IntArray = np.arange(len(seen))
    some: IntArray = np.random.default_rng(1).permutation(len(seen))[:500]
    burst = Assumed.on(dict.fromkeys(some[:ASSUMED].tolist(), (1.0, 4e9, 4e9)))
    return [
        Case("floor", lambda: [np.add.reduce(column) for column in columns]),
        Case("score", lambda: combine(seen, demand)),
        Case("score, burst", lambda: combine(seen, demand, burst)),
        Case("prioritize all", _anew(seen, lambda: prioritize(seen, POD, every, burst))),
        Case("filter all", _anew(seen, lambda: filter_nodes(seen, POD, every, burst))),
        Case("prioritize 500", _anew(seen, lambda: prioritize(seen, POD, some, burst))),
        Case("filter 500", _anew(seen, lambda: filter_nodes(seen, POD, some, burst))),
        Case("kept: priori.", lambda: prioritize(seen, POD, some, burst)),
        Case("kept: filter", lambda: filter_nodes(seen, POD, some, burst)),
    ]


def measure(nodes: int, rounds: int = ROUNDS) -> dict[str, float]:
    """Microseconds by case: the median of interleaved rounds."""
    cases = _cases(_cluster(nodes))
    times = max(1, 400_000 // (nodes + 4000))
    found = np.array([[case.once(times) for case in cases] for _ in range(rounds)])
    return dict(zip((case.name for case in cases), np.median(found, axis=0).tolist(), strict=True))


def main() -> None:
    print(f"CPU microseconds per pod; the floor sums the {len(USED)} float32 columns that the score depends on")
    first = measure(SIZES[0])
    print(
        f"{'nodes':>8} "
        + " ".join(f"{name:>14}" for name in first)
        + f" {'over floor':>11} {'ns/node':>8}   bar {BAR:g}x"
    )
    for nodes in SIZES:
        found = measure(nodes) if nodes != SIZES[0] else first
        ratio = found["score"] / found["floor"]
        line = " ".join(f"{value:14.1f}" for value in found.values())
        each = 1000 * found["score"] / nodes
        print(f"{nodes:8} {line} {ratio:10.2f}x {each:8.1f}   {'ok' if ratio <= BAR else 'MISSED'}")


if __name__ == "__main__":
    main()
