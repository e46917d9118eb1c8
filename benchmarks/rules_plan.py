"""The rules that a plan must keep, checked on an instance's raw columns: nothing of the planner is asked.

Steps happen one after the other. While a VM is on its way, its memory counts at both ends: the source still holds it and the
destination already does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.instances import Instance, per_node
from descheduler.policy.plan import RebalancePlan
from ullage.model.arrays import FloatArray, IntArray

_ROUNDING = 1e-9
"""Relative: what sums of floats in another order may differ by."""


@dataclass(frozen=True)
class Step:
    """VM row `vm` goes from node row `source` to node row `target`."""

    vm: int
    source: int
    target: int


def steps_of(plan: RebalancePlan, instance: Instance) -> list[Step]:
    """Moves of `plan` by name, in order of execution; raises `KeyError` for a name that the instance does not have."""
    nodes = {name: row for row, name in enumerate(instance.nodes)}
    vms = {name: row for row, name in enumerate(instance.vms)}
    return [Step(vms[m.workload.name], nodes[m.source], nodes[m.target]) for m in plan.spec.moves]


def places_after(instance: Instance, steps: Sequence[Step]) -> IntArray:
    """Node of each VM after `steps`, int64 (V,)."""
    places = instance.home.copy()
    for step in steps:
        places[step.vm] = step.target
    return places


def moved_bytes(instance: Instance, steps: Sequence[Step]) -> float:
    """Memory in use of all VMs that move, once per step."""
    return float(sum(instance.use[step.vm, 1] for step in steps))


def violations(instance: Instance, steps: Sequence[Step], *, requests: bool) -> list[str]:
    """What is wrong with a plan, in words; empty if it is sound.

    Parameters
    ----------
    instance
        The problem.
    steps
        In order of execution.
    requests
        Whether the VMs' requests must fit their destinations too.
    """
    found = [text for i in range(len(steps)) for text in _at(instance, steps, i, requests=requests)]
    twice = sorted({s.vm for s in steps if sum(s.vm == other.vm for other in steps) > 1})
    found += [f"VM {vm} moves more than once" for vm in twice]
    return found + [f"node {node} is over in the end" for node in instance.hot(places_after(instance, steps))]


def _at(instance: Instance, steps: Sequence[Step], i: int, *, requests: bool) -> Iterator[str]:
    """What is wrong while step `i` is on its way."""
    step, places = steps[i], places_after(instance, steps[:i])
    if places[step.vm] != step.source:
        yield f"step {i}: VM {step.vm} is on node {places[step.vm]}, not on {step.source}"
    if step.target == places[step.vm]:
        yield f"step {i}: VM {step.vm} is there already"
        return
    use = instance.load(places)
    use[step.target] += instance.use[step.vm]
    most = instance.threshold * instance.capacity
    yield from _above(use, most, step.target, f"step {i}: use")
    yield from _made_hot(instance, use, most, i)
    if requests:
        requested = per_node(len(instance.nodes), places, instance.requests)
        requested[step.target] += instance.requests[step.vm]
        yield from _above(requested, instance.capacity, step.target, f"step {i}: requests")


def _above(load: FloatArray, most: FloatArray, node: int, what: str) -> Iterator[str]:
    for r, resource in enumerate(("CPU", "memory")):
        if load[node, r] > most[node, r] * (1 + _ROUNDING):
            yield f"{what} of {resource} on node {node} is {load[node, r]:.6g} of {most[node, r]:.6g}"


def _made_hot(instance: Instance, use: FloatArray, most: FloatArray, i: int) -> Iterator[str]:
    """Nodes over that no later step is about to relieve, and that were not over before the plan."""
    over = (use > most * (1 + _ROUNDING)).any(axis=1)
    for node in np.setdiff1d(np.flatnonzero(over), instance.hot(instance.home)):
        yield f"step {i}: node {node} was not over before"
