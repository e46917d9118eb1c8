"""The search engine beside the greedy one: a made-up cluster of 1,000 nodes and 20,000 workloads, and relief of real instances.

Costs are those of the goals: for balance the squared distances from the mean and the price of all moves, for consolidate the
nodes that are emptied, for relieve the moves or the GiB, in sum beside the proven optima (`rebalance-instances`). Plans are
made by `decide`, so that their order is safe. Seconds are CPU seconds; compiling is not counted in the limit of the search, but
in the seconds of the plan.
"""

from __future__ import annotations

from math import isnan, nan
from time import process_time
from typing import Final

from benchmarks.instances import ABSENT, Instance, names, optima, read, state
from benchmarks.rules_plan import moved_bytes, steps_of, violations
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
RELIEF_SECONDS: Final = 2.0
RELIEF_FACTOR: Final = 1.02
KERNELS: Final = ("numpy", "auto")


def _configuration(
    goal: str, engine: str, kernel: str, seconds: float = SECONDS, minimize: str = "moves"
) -> Configuration:
    config = defaults()
    for path, value in (
        ("planning.goal", goal),
        ("planning.engine", engine),
        ("planning.searchKernel", kernel),
        ("planning.searchTimeLimitSeconds", seconds),
        ("planning.minimize", minimize),
    ):
        config = override(config, path, value)
    return config


def _cost(given: Setting, plan: RebalancePlan) -> float:
    """What the goal balance charges for a plan."""
    task = problem(given, given.rows(NodeClass.OVER)[:0])
    row = {uid: w for w, uid in enumerate(given.state.workloads.uid)}
    places = {row[m.workload.uid]: given.state.nodes.name.index(m.target) for m in plan.spec.moves}
    return price(task, places, given.known(), worth_of(given))


def _name(engine: str, kernel: str) -> str:
    return f"{engine} {kernel}" if engine == "search" else engine


def _row(cluster: ClusterState, given: Setting, goal: str, engine: str, kernel: str) -> tuple[tuple[str, ...], float]:
    config = _configuration(goal, engine, kernel)
    begin = process_time()
    plan, _ = decide(cluster, Memory(), config, cluster.observed_at_seconds, pace=Pace(now=process_time))
    seconds, summary = process_time() - begin, plan.status.summary
    cost = _cost(given, plan) if goal == "balance" else float(-summary.nodes_emptied)
    figures = (f"{cost:,.4f}", str(summary.moves), gib(summary.bytes), str(summary.nodes_emptied), f"{seconds:.1f}")
    return (goal, _name(engine, kernel), plan.status.engine, *figures), cost


def relieved(instance: Instance, engine: str, kernel: str, minimize: str) -> tuple[float, float]:
    """What a plan costs that brings all nodes to 80 %, and the optimum; moves, or GiB. A plan with faults costs NaN."""
    cluster = state(instance, requests=False)
    config = _configuration("relieve", engine, kernel, RELIEF_SECONDS, minimize)
    made, _ = decide(cluster, Memory(), config, cluster.observed_at_seconds, pace=Pace(now=process_time))
    steps, best = steps_of(made, instance), optima()[instance.name]
    found = float(len(steps)) if minimize == "moves" else moved_bytes(instance, steps) / 2**30
    fine = not violations(instance, steps, requests=False)
    return (found if fine else nan), float(
        round(best["opt_moves"]) if minimize == "moves" else best.get("opt_gib", nan)
    )


def _relief() -> list[Bar]:
    """Sums over the instances that have an optimum."""
    rows, found = [], []
    instances = [read(name) for name in names()]
    for minimize in ("moves", "bytes"):
        for engine, kernel in (("greedy", "auto"), *(("search", kernel) for kernel in KERNELS)):
            pairs = [relieved(instance, engine, kernel, minimize) for instance in instances]
            known = [(cost, best) for cost, best in pairs if not isnan(best)]
            cost, best = (sum(column) for column in zip(*known, strict=True))
            title = f"relieve, fewest {minimize}, {_name(engine, kernel)}"
            at_optimum = sum(cost <= best * 1.0001 for cost, best in known)
            rows.append((title, f"{cost:,.1f}", f"{best:,.1f}", f"{cost / best:.4f}", f"{at_optimum} of {len(known)}"))
            if engine == "search":
                found.append(Bar(f"{title}, over the sum of optima", cost / best, RELIEF_FACTOR))
    print("\n" + table(("relief", "found", "optima", "ratio", "at the optimum"), rows))
    return found


def main() -> None:
    """Print the tables and whether the search is better."""
    found = [*_large(), *(_relief() if names() else ())]
    if not names():
        print(ABSENT)
    print("\n" + bars(found))


def _large() -> list[Bar]:
    cluster = generate(spec(NODES))
    given = setting(cluster, Memory(), defaults(), cluster.observed_at_seconds, must_leave=False)
    rows, found = [], []
    for goal in ("balance", "consolidate"):
        row, greedy = _row(cluster, given, goal, "greedy", "auto")
        rows.append(row)
        for kernel in KERNELS:
            row, cost = _row(cluster, given, goal, "search", kernel)
            rows.append(row)
            found.append(Bar(f"{goal}, search {kernel}, cost", cost, greedy))
    print(table(("goal", "engine", "moves by", "cost", "moves", "GiB", "emptied", "seconds"), rows))
    return found


if __name__ == "__main__":
    main()
