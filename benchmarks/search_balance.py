"""The search engine beside the greedy one on a made-up cluster of 1,000 nodes and 20,000 workloads: balance and consolidate.

Costs are those of the goals: for balance the squared distances from the mean and the price of all moves, for consolidate the
nodes that are emptied. Plans are made by `decide`, so that their order is safe. Seconds are CPU seconds; compiling is not
counted in the limit of the search, but in the seconds of the plan.
"""

from __future__ import annotations

from time import process_time
from typing import Final

from benchmarks.scale import spec
from benchmarks.tables import Bar, bars, gib, table
from descheduler.policy.decide import decide
from descheduler.policy.goals.balance import price, worth_of
from descheduler.policy.memory import Memory
from descheduler.policy.pace import Pace
from descheduler.policy.plan import NodeClass, RebalancePlan
from descheduler.policy.setting import Setting, problem, setting
from simulator.generator import generate
from ullage.config import Configuration, defaults, override
from ullage.model.state import ClusterState

NODES: Final = 1000
SECONDS: Final = 10.0
KERNELS: Final = ("numpy", "auto")


def _configuration(goal: str, engine: str, kernel: str) -> Configuration:
    config = defaults()
    for path, value in (
        ("planning.goal", goal),
        ("planning.engine", engine),
        ("planning.searchKernel", kernel),
        ("planning.searchTimeLimitSeconds", SECONDS),
    ):
        config = override(config, path, value)
    return config


def _cost(given: Setting, plan: RebalancePlan) -> float:
    """What the goal balance charges for a plan."""
    task = problem(given, given.rows(NodeClass.OVER)[:0])
    row = {uid: w for w, uid in enumerate(given.state.workloads.uid)}
    places = {row[m.workload.uid]: given.state.nodes.name.index(m.target) for m in plan.spec.moves}
    return price(task, places, given.known(), worth_of(given))


def _row(cluster: ClusterState, given: Setting, goal: str, engine: str, kernel: str) -> tuple[tuple[str, ...], float]:
    config = _configuration(goal, engine, kernel)
    begin = process_time()
    plan, _ = decide(cluster, Memory(), config, cluster.observed_at_seconds, pace=Pace(now=process_time))
    seconds, summary = process_time() - begin, plan.status.summary
    cost = _cost(given, plan) if goal == "balance" else float(-summary.nodes_emptied)
    name = f"{engine} {kernel}" if engine == "search" else engine
    figures = (f"{cost:,.4f}", str(summary.moves), gib(summary.bytes), str(summary.nodes_emptied), f"{seconds:.1f}")
    return (goal, name, plan.status.engine, *figures), cost


def main() -> None:
    """Print the table and whether the search is better."""
    cluster = generate(spec(NODES))
    given = setting(cluster, Memory(), defaults(), cluster.observed_at_seconds, must_leave=False)
    rows, found = [], []
    for goal in ("balance", "consolidate"):
        row, greedy = _row(cluster, given, goal, "greedy", "")
        rows.append(row)
        for kernel in KERNELS:
            row, cost = _row(cluster, given, goal, "search", kernel)
            rows.append(row)
            found.append(Bar(f"{goal}, search {kernel}, cost", cost, greedy))
    print(table(("goal", "engine", "moves by", "cost", "moves", "GiB", "emptied", "seconds"), rows))
    print("\n" + bars(found))


if __name__ == "__main__":
    main()
