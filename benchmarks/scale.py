"""Time and memory of the planner on made-up clusters of 500 to 5,000 nodes with 20 workloads each; a process for each size.

About 5 % of the nodes are over by the planner's own classes (predicted use: mean and three deviations, or the recent peak).
"""

from __future__ import annotations

import json
import math
import resource
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Final

from benchmarks.tables import Bar, bars, gib, table
from descheduler.policy.decide import decide
from descheduler.policy.memory import Memory
from simulator.generator import generate
from simulator.spec import ClusterSpec
from ullage.config import defaults

SIZES: Final = (500, 1000, 2000, 5000)
WORKLOADS_PER_NODE: Final = 20.0
HOT_SHARE: Final = 0.025
CPU_UTILIZATION: Final = 0.2
"""With these two, about one node in twenty is predicted to be over: some with a calm mean and a restless CPU."""
OVER: Final = (0.04, 0.06)
SECONDS: Final = 10.0
BYTES: Final = 2**30


@dataclass(frozen=True)
class Run:
    """One size.

    Attributes
    ----------
    nodes, workloads
        Size of the cluster.
    generate_seconds, plan_seconds
        Wall-clock time of making the cluster and of `decide`.
    before_bytes, peak_bytes
        Peak resident memory of the process before planning and in the end (Linux: ``ru_maxrss`` is in KiB).
    moves, bound, volume_bytes, over_before, over_after
        Of the plan.
    """

    nodes: int
    workloads: int
    generate_seconds: float
    plan_seconds: float
    before_bytes: int
    peak_bytes: int
    moves: int
    bound: int
    volume_bytes: int
    over_before: int
    over_after: int


def spec(nodes: int) -> ClusterSpec:
    """Cluster of that size."""
    return ClusterSpec(
        nodes=nodes, workloads_per_node=WORKLOADS_PER_NODE, hot_share=HOT_SHARE, cpu_utilization=CPU_UTILIZATION
    )


def run(nodes: int) -> Run:
    """Generate and plan in this process."""
    start = perf_counter()
    cluster = generate(spec(nodes))
    made, before = perf_counter(), _peak_bytes()
    plan, _ = decide(cluster, Memory(), defaults(), cluster.observed_at_seconds)
    end, summary = perf_counter(), plan.status.summary
    return Run(
        nodes=nodes,
        workloads=len(cluster.workloads),
        generate_seconds=made - start,
        plan_seconds=end - made,
        before_bytes=before,
        peak_bytes=_peak_bytes(),
        moves=summary.moves,
        bound=plan.status.lower_bound.moves or 0,
        volume_bytes=summary.bytes,
        over_before=summary.nodes_over_before,
        over_after=summary.nodes_over_after,
    )


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _in_own_process(nodes: int) -> Run:
    command = [sys.executable, "-m", "benchmarks.scale", str(nodes)]
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run(command, cwd=root, stdout=subprocess.PIPE, text=True, check=True)
    return Run(**json.loads(done.stdout))


def _row(found: Run, smallest: Run) -> tuple[str, ...]:
    growth, factor = found.plan_seconds / smallest.plan_seconds, found.nodes / smallest.nodes
    exponent = "" if factor == 1 else f" (n^{math.log(growth) / math.log(factor):.2f})"
    return (
        f"{found.nodes:,} x {found.workloads:,}",
        f"{found.over_before} ({found.over_before / found.nodes:.1%})",
        str(found.over_after),
        str(found.moves),
        str(found.bound),
        gib(found.volume_bytes),
        f"{found.plan_seconds:.2f}",
        f"{growth:.1f} x{exponent}",
        f"{found.before_bytes / 2**20:,.0f}",
        f"{found.peak_bytes / 2**20:,.0f}",
        f"{found.generate_seconds:.2f}",
    )


_HEADERS: Final = (
    "nodes x workloads",
    "over",
    "after",
    "moves",
    "bound",
    "GiB",
    "plan s",
    "growth",
    "MiB before",
    "MiB peak",
    "generate s",
)


def main() -> None:
    found = [_in_own_process(nodes) for nodes in SIZES]
    print(table(_HEADERS, [_row(each, found[0]) for each in found]), end="\n\n")
    last = found[-1]
    name = f"{last.nodes:,} x {last.workloads:,}"
    print(
        bars(
            [
                Bar(f"time to plan {name}", last.plan_seconds, SECONDS, "s"),
                Bar(f"peak memory of {name}, its input included", last.peak_bytes / 2**30, BYTES / 2**30, "GiB"),
            ]
        )
    )
    for each in found:
        if not OVER[0] <= each.over_before / each.nodes <= OVER[1]:
            print(f"note: {each.over_before / each.nodes:.1%} of {each.nodes:,} nodes are over, about 5 % were meant")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(asdict(run(int(sys.argv[1])))))
    else:
        main()
