"""Four clusters out of balance: moves to the same deviation, ours beside the rule that a widely used profile for VMs has.

Both act in cycles of up to five moves until the cluster is as they want it. Ours is `decide` with the goal balance in a closed
loop: each plan is carried out before the next one is made, what moved rests, and no destination passes its capacity. The
clusters are rebuilt from published figures, and the rule is re-implemented (`scenarios_cluster.py`, `scenarios_anchor.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from benchmarks.instances import Instance, state
from benchmarks.rules_plan import Step, steps_of
from benchmarks.scenarios_anchor import PER_STEP, anchor
from benchmarks.scenarios_cluster import SCENARIOS, Scenario, build
from benchmarks.tables import Bar, bars, table
from descheduler.policy.decide import decide
from descheduler.policy.memory import Memory
from ullage.config import Configuration, defaults, override
from ullage.model.arrays import FloatArray

SEEDS: Final = 30
SHARE: Final = 0.5
EVENNESS: Final = 0.6
"""Share of the rule's deviation of CPU that ours may leave with as many moves, where the rule makes many."""
MANY_MOVES: Final = 50
INTERVAL_SECONDS: Final = 60.0
MINIMUM_GAIN: Final = 0.001
"""A VM is one percent of a node: by default moves as small as these are not worth their while."""


@dataclass(frozen=True)
class Run:
    """One seed.

    Attributes
    ----------
    theirs, ours
        Deviations of CPU and memory and the highest CPU, float64 (moves + 1, 3), from the start on.
    """

    theirs: FloatArray
    ours: FloatArray

    def needed(self, deviations: Sequence[float]) -> float:
        """Moves of ours until both deviations are at most these; NaN if they never are."""
        reached = np.flatnonzero((self.ours[:, :2] <= np.asarray(deviations) + 1e-12).all(axis=1))
        return float(reached[0]) if len(reached) else np.nan

    def figures(self, scenario: Scenario) -> FloatArray:
        """Everything that is shown of it, float64 (10,)."""
        end, moves = self.theirs[-1], len(self.theirs) - 1
        equal = self.ours[min(moves, len(self.ours) - 1)]
        needed = self.needed(end[:2]), self.needed(scenario.published.deviations)
        return np.array([moves, *end, *needed, *equal, equal[0] / end[0]])


def configuration() -> Configuration:
    """Balance, five moves a plan, up to the capacity of a node."""
    config = defaults()
    given: dict[str, object] = {
        "planning.goal": "balance",
        "planning.maxMoves": PER_STEP,
        "planning.balanceMinimumGain": MINIMUM_GAIN,
        **{f"thresholds.{each}.{mark}": 1.0 for each in ("cpu", "memory") for mark in ("high", "target")},
    }
    for path, value in given.items():
        config = override(config, path, value)
    return config


def ours(instance: Instance, most: int) -> Sequence[Step]:
    """Moves of one plan after the other, until there are `most`, or none is worth its while."""
    config, memory, places = configuration(), Memory(), instance.home.copy()
    steps: list[Step] = []
    while len(steps) < most:
        now = len(steps) * INTERVAL_SECONDS
        at = replace(instance, home=places)
        plan, memory = decide(replace(state(at, requests=False), observed_at_seconds=now), memory, config, now)
        found = steps_of(plan, at)
        if not found:
            break
        steps += found
        for step in found:
            places[step.vm] = step.target
    return steps


def run(scenario: Scenario, seed: int) -> Run:
    """Both on the cluster of that seed; ours until it has made as many moves as the rule, or reached what it reached."""
    instance = build(scenario, seed)
    theirs = anchor(instance, seed)
    most = max(len(theirs), 2 * scenario.published.moves)
    return Run(_course(instance, theirs), _course(instance, ours(instance, most)))


def _course(instance: Instance, steps: Sequence[Step]) -> FloatArray:
    return np.array(list(_looks(instance, steps)))


def _looks(instance: Instance, steps: Sequence[Step]) -> Iterator[tuple[float, float, float]]:
    places = instance.home.copy()
    for step in (None, *steps):
        if step is not None:
            places[step.vm] = step.target
        ratio = instance.load(places) / instance.capacity
        cpu, memory = ratio.std(axis=0).tolist()
        yield cpu, memory, float(ratio[:, 0].max())


def measure(scenario: Scenario, seeds: int = SEEDS) -> FloatArray:
    """Medians of `Run.figures` over the seeds."""
    found: FloatArray = np.median([run(scenario, seed).figures(scenario) for seed in range(seeds)], axis=0)
    return found


_HEADERS: Final = (
    "scenario (nodes/VMs)",
    "deviations",
    "rule: moves",
    "left",
    "highest",
    "ours to the same",
    "ours with as many: left",
    "highest",
)
_PUBLISHED: Final = ("scenario", "rule: moves", "left", "plain descent to the same", "ours to the same")


def _row(scenario: Scenario, f: FloatArray) -> tuple[str, ...]:
    name = f"{scenario.name} ({scenario.nodes}/{scenario.vms})"
    start = f"{scenario.deviations[0]:.3f}/{scenario.deviations[1]:.3f}"
    same = f"{f[4]:g} ({f[4] / f[0] - 1:+.0%})"
    return name, start, f"{f[0]:g}", _pair(f[1:3]), f"{f[3]:.3f}", same, _pair(f[6:8]), f"{f[8]:.3f}"


def _pair(values: Sequence[float] | FloatArray) -> str:
    return f"{values[0]:.3f}/{values[1]:.3f}"


def _published(scenario: Scenario, f: FloatArray) -> tuple[str, ...]:
    known = scenario.published
    return scenario.name, str(known.moves), _pair(known.deviations), str(known.descent), f"{f[5]:g}"


def _bars(scenario: Scenario, f: FloatArray) -> Iterator[Bar]:
    yield Bar(f"{scenario.name}: moves over the rule's, to the same deviation", f[4] / f[0], SHARE)
    yield Bar(f"{scenario.name}: the same with the published figures", f[5] / scenario.published.moves, SHARE)
    if f[0] >= MANY_MOVES:
        yield Bar(f"{scenario.name}: deviation of CPU over the rule's, with as many moves", f[9], EVENNESS)


def main(progress: Callable[[str], None] = print) -> None:
    """Print both tables and the bars: medians over the seeds."""
    found = [(scenario, measure(scenario)) for scenario in SCENARIOS]
    progress(
        f"Medians over {SEEDS} clusters each; deviations and the highest node are those of CPU/memory, and of CPU.\n"
    )
    progress(table(_HEADERS, [_row(*each) for each in found]) + "\n")
    progress("Against what was published of the rule on the original clusters, which are not the same:\n")
    progress(table(_PUBLISHED, [_published(*each) for each in found]) + "\n")
    progress(bars([bar for each in found for bar in _bars(*each)]))


if __name__ == "__main__":
    main()
