"""The same instances with the rules that users have today, re-implemented, beside ours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import Final

import numpy as np

from benchmarks.instances import ABSENT, Instance, names, optima, read, state
from benchmarks.rebalance_instances import configuration, engines, plan
from benchmarks.rules_cluster import Rule
from benchmarks.rules_plan import Step, moved_bytes, places_after, steps_of
from benchmarks.rules_spread import drs_like, proxlb_like, watcher_stabilization
from benchmarks.rules_threshold import greedy_cover, low_node_load, low_node_utilization
from benchmarks.tables import gib, table

RULES: Final = (
    Rule("do nothing", "", "", lambda _: ()),
    Rule(
        "LowNodeUtilization",
        "low 60 %, high 80 % of actual use; victims by name; destination by requests",
        "139 / 1,565 / 0",
        low_node_utilization,
    ),
    Rule(
        "LowNodeLoad",
        "low 60 %, high 80 %; best fit to the excess; destination the least used low node",
        "191 / 1,374 / 9",
        low_node_load,
    ),
    Rule(
        "DRS-like descent",
        "mean deviation 0.1; cost 1 + GiB / 32; destination <= 80 %; 10 moves a call",
        "109 / 1,647 / 4",
        drs_like,
    ),
    Rule(
        "DRS-like, no limit",
        "the same with up to 1,000 moves",
        "",
        lambda instance: drs_like(instance, most_moves=1000),
    ),
    Rule(
        "ProxLB",
        "memory used; balanciness 10 points; smallest guest first; one destination",
        "184 / 775 / 0",
        proxlb_like,
    ),
    Rule(
        "Watcher stabilization",
        "deviation 0.1 of CPU or memory; all pairs, best first",
        "43 / 729 / 1",
        watcher_stabilization,
    ),
    Rule(
        "greedy cover",
        "smallest VM that clears the excess, none below 5 % of it; destination least dominant",
        "94 / 1,164 / 10",
        greedy_cover,
    ),
)
"""One call of each; the published figures are of the twelve instances that the eight are part of."""

_HEADERS: Final = ("rule", "moves", "GiB", "solved", "hot left", "made hot")


def _ours(engine: str, minimize: str) -> Rule:
    config = configuration(engine, minimize)

    def run(instance: Instance) -> Sequence[Step]:
        return steps_of(plan(state(instance), config), instance)

    return Rule(f"Ullage {engine}, least {minimize}", "defaults: relieve to 80 %; requests must fit", "", run)


def row(name: str, instances: Sequence[Instance], run: Callable[[Instance], Sequence[Step]]) -> list[str]:
    """Totals of one rule over `instances`: moves, GiB, instances without a hot node, hot nodes left, hot ones that were not."""
    found = [run(instance) for instance in instances]
    left = [i.hot(places_after(i, steps)) for i, steps in zip(instances, found, strict=True)]
    made = [len(np.setdiff1d(hot, i.hot(i.home))) for i, hot in zip(instances, left, strict=True)]
    volume = sum(moved_bytes(i, steps) for i, steps in zip(instances, found, strict=True))
    return [
        name,
        str(sum(map(len, found))),
        gib(volume),
        f"{sum(not len(hot) for hot in left)} of {len(instances)}",
        str(sum(map(len, left))),
        str(sum(made)),
    ]


def _optimum(instances: Sequence[Instance]) -> list[str]:
    known = [optima()[i.name] for i in instances]
    volume = sum(o.get("opt_gib", float("nan")) for o in known) * 2**30
    moves = sum(round(o["opt_moves"]) for o in known)
    solved = f"{len(known)} of {len(known)}"
    return ["published best, each by itself", str(moves), gib(volume), solved, "0", "0"]


def _print(title: str, instances: Sequence[Instance], ours: Sequence[Rule]) -> None:
    rows = [row(rule.name, instances, rule.run) for rule in (*RULES, *ours)]
    print(f"{title}\n{table(_HEADERS, [*rows, _optimum(instances)])}", end="\n\n", flush=True)


def main() -> None:
    if not names():
        print(ABSENT)
        return
    print("Re-implemented rules, not the products; one call of each, on actual use.")
    print("published: moves / GiB / solved by an earlier re-implementation that differs in details, on the twelve")
    print("instances that these eight are part of.\n")
    described = [(f"{r.name}: {r.parameters}", r.published or "-") for r in RULES if r.parameters]
    print(table(("rule", "published"), [*described, ("proven optimum", "75 / 958 / 12")]), end="\n\n")
    ours = [_ours(engine, minimize) for engine, minimize in product(engines(), ("moves", "bytes"))]
    _print("the eight bb22", [read(name) for name in names("bb22")], ours)
    _print("bb110", [read(name) for name in names("bb110")], [r for r in ours if "exact" not in r.name])


if __name__ == "__main__":
    main()
