"""200 identical pods within 10 s while metrics stand still: how far node loads drift apart, against oracles.

The oracle places by the same scores, unrounded, and knows every placement at once. The best is no oracle of any scheduler: it
looks at nothing but the fuller of CPU and memory, and shows what the other terms of the score (risk, pressure, swap) cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from msgspec.structs import replace

from benchmarks.tables import Bar, bars, table
from extender.ledger import Ledger
from extender.verbs import PodRequest, filter_nodes, prioritize, winner
from simulator.generator import ClusterSpec, generate
from ullage.config import Configuration, defaults
from ullage.config.schema import Weights
from ullage.model.arrays import FloatArray, IntArray
from ullage.model.state import ClusterState
from ullage.scoring.assumed import NOTHING, Assumed
from ullage.scoring.columns import Column
from ullage.scoring.combine import combine
from ullage.scoring.demand import estimate
from ullage.scoring.view import NodeView, view

PODS: Final = 200
SECONDS: Final = 10.0
BAR: Final = 1.3
BIND_SECONDS: Final = 1.0
"""Time until a binding is seen."""


class Hands:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> float:
        """Seconds."""
        return self.seconds


@dataclass(frozen=True)
class Play:
    """How a burst is played: with the ledger or without, and whether bindings are seen."""

    name: str
    has_ledger: bool = True
    sees_bindings: bool = True
    scorer: str = ""

    @property
    def config(self) -> Configuration:
        """Configuration with this play's scorer alone, or the default weights."""
        config = defaults()
        if not self.scorer:
            return config
        nothing = dict.fromkeys(config.scoring.weights.__struct_fields__, 0.0)
        weights = Weights(**{**nothing, self.scorer: 1.0})
        return replace(config, scoring=replace(config.scoring, weights=weights))


PLAYS: Final = (
    Play("Ullage"),
    Play("Ullage, bindings not seen", sees_bindings=False),
    Play("Ullage without its ledger", has_ledger=False),
    Play("LoadVariationRiskBalancing", has_ledger=False, scorer="load_variation_risk"),
    Play("LoadAware with the ledger", scorer="load_aware"),
)


def pod(number: int) -> PodRequest:
    """One of the identical pods; none like it was seen before."""
    return PodRequest(
        uid=f"burst-{number}",
        namespace="shop",
        name=f"burst-{number}",
        owner_kind="ReplicaSet",
        owner_name="burst",
        requests_cpu_cores=1.0,
        requests_memory_bytes=4 * 2.0**30,
    )


def play(seen: NodeView, how: Play, pods: int = PODS, seed: int = 1) -> IntArray:
    """Node row of each pod, int64 (P,), as a scheduler places them that goes by the extender alone and draws lots for ties."""
    rng, clock = np.random.default_rng(seed), Hands()
    ledger = Ledger(seen.config, clock)
    every: IntArray = np.arange(len(seen))
    placed, waiting = [], list[tuple[float, str, str]]()
    for number in range(pods):
        clock.seconds = SECONDS * number / pods
        while waiting and waiting[0][0] <= clock.seconds:
            _, uid, node = waiting.pop(0)
            ledger.bound(uid, node)
        this = pod(number)
        assumed = ledger.assumed(seen, this) if how.has_ledger else NOTHING
        kept = every[~filter_nodes(seen, this, rng.permutation(every), assumed).rejected]
        rows = rng.permutation(kept)
        scores = prioritize(seen, this, rows, assumed)
        best = rows[scores == scores.max()]
        chosen = int(rng.choice(best))
        placed.append(chosen)
        ledger.answered(seen, this, winner(rows, scores))
        if how.sees_bindings:
            waiting.append((clock.seconds + BIND_SECONDS, this.uid, seen.names[chosen]))
    return np.array(placed)


def load(seen: NodeView, placed: IntArray) -> FloatArray:
    """Predicted peak over allocatable of the fuller of CPU and memory, float64 (N,), with the pods where they are."""
    return _loads(seen, np.bincount(placed, minlength=len(seen)).astype(np.float64)).max(axis=0)


def oracle(seen: NodeView, pods: int = PODS) -> IntArray:
    """Placement by the same scores, unrounded, with every earlier pod known."""
    demand, count, placed = estimate(seen, pod(0)), np.zeros(len(seen)), list[int]()
    for _ in range(pods):
        cpu, memory, commit = demand.amounts
        pods_on = ((row, float(count[row])) for row in np.flatnonzero(count).tolist())
        assumed = Assumed.on({row: (cpu * many, memory * many, commit * many) for row, many in pods_on})
        placed.append(int(combine(seen, demand, assumed).argmax()))
        count[placed[-1]] += 1
    return np.array(placed)


def best_of(seen: NodeView, pods: int = PODS) -> IntArray:
    """Placement, pod by pod, on the node whose fuller resource stays lowest."""
    count, placed = np.zeros(len(seen)), list[int]()
    for _ in range(pods):
        placed.append(int(_loads(seen, count + 1).max(axis=0).argmin()))
        count[placed[-1]] += 1
    return np.array(placed)


def _loads(seen: NodeView, count: FloatArray) -> FloatArray:
    demand, limits = estimate(seen, pod(0)), seen.config.scoring.limits
    one = np.array([[demand.cpu_cores], [demand.memory_bytes]])
    shares = (
        seen.matrix[: Column.MEMORY_SHARE + 1, :-1]
        + one * count * (seen.matrix[Column.CPU_SHARE_PER_CORE : Column.MEMORY_SHARE_PER_BYTE + 1, :-1])
    )
    result: FloatArray = shares * np.array([[limits.cpu], [limits.memory]])
    return result


def spread(values: FloatArray, rows: IntArray) -> float:
    """Distance between the fullest and the emptiest of these nodes."""
    return float(np.ptp(values[rows]))


CLUSTERS: Final = {
    "40 calm nodes": ClusterSpec(nodes=40, hot_share=0.0, missing_share=0.0, cordoned_share=0.0),
    "100 nodes, some hot": ClusterSpec(nodes=100, hot_share=0.2, missing_share=0.0, cordoned_share=0.0),
}
"""Clusters to play on."""


@dataclass(frozen=True)
class Found:
    """What a play came to: spreads of the predicted load, and the highest load, all over allocatable."""

    name: str
    ours: float
    oracle: float
    best: float
    highest: float

    @property
    def ratio(self) -> float:
        """Spread over the oracle's."""
        return self.ours / self.oracle


def measure(state: ClusterState, plays: Sequence[Play] = PLAYS) -> list[Found]:
    """Every play on one cluster, over the nodes that any of the placements uses."""
    with_defaults, found = view(state, defaults()), []
    placements = oracle(with_defaults), best_of(with_defaults)
    for how in plays:
        seen = view(state, how.config)
        ours = play(seen, how)
        touched = np.unique(np.concatenate([ours, *placements]))
        after, *others = (load(seen, placed) for placed in (ours, *placements))
        spreads = [spread(each, touched) for each in (after, *others)]
        found.append(Found(how.name, *spreads, float(after[touched].max())))
    return found


def main() -> None:
    checks = []
    for name, spec in CLUSTERS.items():
        print(f"{PODS} pods in {SECONDS:g} s on {name}: predicted load of the nodes that any placement uses\n")
        found = measure(generate(spec))
        rows = [
            (f.name, f"{f.ours:.3f}", f"{f.oracle:.3f}", f"{f.best:.3f}", f"{f.ratio:.2f}", f"{f.highest:.0%}")
            for f in found
        ]
        print(table(("placement", "spread", "oracle", "best", "over oracle", "highest"), rows), end="\n\n")
        checks += [Bar(f"{name}: {f.name}", f.ratio, BAR) for f in found[:2]]
    print(bars(checks))


if __name__ == "__main__":
    main()
