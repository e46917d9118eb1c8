"""Feasibility and cost of a reassignment in whole numbers, from the statement of the challenge; no part of any search."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarks.reassignment_instance import Model
from ullage.model.arrays import Int32Array, IntArray


def cost(model: Model, initial: Int32Array, place: Int32Array) -> int:
    """Cost of having each process at `place`, int (P,), if it was at `initial`."""
    use = _use(model, place)
    moved = np.flatnonzero(place != initial)
    total = int((np.maximum(use - model.safety, 0).sum(axis=0) * model.load_weight).sum())
    free = model.capacity - use
    for first, second, target, weight in model.balances.tolist():
        total += weight * int(np.maximum(target * free[:, first] - free[:, second], 0).sum())
    total += model.process_weight * int(model.move_cost[moved].sum())
    total += model.service_weight * int(np.bincount(model.service[moved]).max(initial=0))
    return total + model.machine_weight * int(model.travel[initial[moved], place[moved]].sum())


def faults(model: Model, initial: Int32Array, place: Int32Array) -> list[str]:
    """Constraints that `place` breaks, in words; none if it is feasible."""
    if len(place) != len(initial) or place.min(initial=0) < 0 or place.max(initial=0) >= len(model.capacity):
        return ["not every process has a machine"]
    return [*_capacity(model, initial, place), *_conflicts(model, place), *_spread(model, place), *_needs(model, place)]


def _use(model: Model, place: Int32Array) -> IntArray:
    use = np.zeros_like(model.capacity)
    np.add.at(use, place, model.requirement)
    return use


def _capacity(model: Model, initial: Int32Array, place: Int32Array) -> Iterator[str]:
    """Use, and with it what moved processes still hold of transient resources where they came from."""
    moved = np.flatnonzero(place != initial)
    held = _use(model, place)
    np.add.at(held, initial[moved], model.requirement[moved] * model.transient)
    for m, r in np.argwhere(held > model.capacity).tolist():
        yield f"resource {r} of machine {m}: {held[m, r]} of {model.capacity[m, r]}"


def _conflicts(model: Model, place: Int32Array) -> Iterator[str]:
    machines = len(model.capacity)
    pairs, count = np.unique(model.service * machines + place, return_counts=True)
    for pair in pairs[count > 1].tolist():
        yield f"service {pair // machines} is on machine {pair % machines} more than once"


def _covered(model: Model, of_machine: IntArray, place: Int32Array) -> IntArray:
    """Pairs of a service and what it covers, without repetitions, (2, pairs)."""
    width = int(of_machine.max()) + 1
    covered: IntArray = np.stack(np.divmod(np.unique(model.service * width + of_machine[place]), width))
    return covered


def _spread(model: Model, place: Int32Array) -> Iterator[str]:
    locations = np.bincount(_covered(model, model.location, place)[0], minlength=len(model.spread))
    for service in np.flatnonzero(locations < model.spread).tolist():
        yield f"service {service} covers {locations[service]} of {model.spread[service]} locations"


def _needs(model: Model, place: Int32Array) -> Iterator[str]:
    present = np.zeros((len(model.spread), int(model.neighbourhood.max()) + 1), dtype=np.bool_)
    present[tuple(_covered(model, model.neighbourhood, place))] = True
    for service in np.flatnonzero([len(needed) for needed in model.needs]).tolist():
        for other in model.needs[service].tolist():
            if (present[service] & ~present[other]).any():
                yield f"service {service} is in a neighbourhood without service {other}"
