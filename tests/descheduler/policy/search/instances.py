"""Random small reassignment instances: tight, with every kind of rule, and feasible at the start."""

from __future__ import annotations

from itertools import product

import numpy as np
from hypothesis import strategies as st

from benchmarks.reassignment_checker import cost, faults
from benchmarks.reassignment_instance import Model


def instance(seed: int, processes: int, machines: int, resources: int = 2) -> tuple[Model, np.ndarray]:
    """Model, and an initial assignment that is feasible because limits and rules are drawn around it."""
    rng = np.random.default_rng(seed)
    place = rng.integers(machines, size=processes).astype(np.int32)
    service = _services(rng, place)
    requirement = rng.integers(0, 12, size=(processes, resources))
    use = np.zeros((machines, resources), dtype=np.int64)
    np.add.at(use, place, requirement)
    transient = rng.integers(0, 2, size=resources)
    location, zone = rng.integers(0, 3, size=machines), rng.integers(0, 2, size=machines)
    return (
        Model(
            transient=transient,
            load_weight=rng.integers(0, 11, size=resources),
            neighbourhood=zone,
            location=location,
            capacity=use + rng.integers(0, 15, size=use.shape),
            safety=rng.integers(0, 25, size=use.shape),
            travel=rng.integers(0, 4, size=(machines, machines)) * (1 - np.eye(machines, dtype=np.int64)),
            spread=_spread(rng, service, location[place]),
            needs=_needs(rng, service, zone[place]),
            service=service,
            requirement=requirement,
            move_cost=rng.integers(0, 3, size=processes),
            balances=np.array([[0, resources - 1, 2, 3]])[: rng.integers(0, 2)],
            process_weight=1,
            service_weight=int(rng.integers(0, 20)),
            machine_weight=3,
        ),
        place,
    )


def _services(rng: np.random.Generator, place: np.ndarray) -> np.ndarray:
    """Services of which none has two processes on one machine; every service has a process."""
    service, taken, count = np.zeros(len(place), dtype=np.int64), set(), max(1, len(place) // 2)
    for p, machine in enumerate(place.tolist()):
        chosen = int(rng.integers(count))
        service[p] = chosen if (chosen, machine) not in taken else count + p
        taken.add((int(service[p]), machine))
    return np.unique(service, return_inverse=True)[1].astype(np.int64)


def _spread(rng: np.random.Generator, service: np.ndarray, location: np.ndarray) -> np.ndarray:
    covered = [len(set(location[service == s].tolist())) for s in range(service.max() + 1)]
    return np.array([int(rng.integers(1, c + 1)) for c in covered])


def _needs(rng: np.random.Generator, service: np.ndarray, zone: np.ndarray) -> tuple[np.ndarray, ...]:
    zones = [set(zone[service == s].tolist()) for s in range(service.max() + 1)]
    return tuple(
        np.array(
            [o for o in range(len(zones)) if o != s and zones[s] <= zones[o] and rng.random() < 0.3], dtype=np.int64
        )
        for s in range(len(zones))
    )


def optimum(model: Model, initial: np.ndarray) -> int:
    """The least cost of all feasible assignments, by trying them all."""
    everywhere = product(range(len(model.capacity)), repeat=len(initial))
    places = (np.array(choice, dtype=np.int32) for choice in everywhere)
    return min(cost(model, initial, place) for place in places if not faults(model, initial, place))


@st.composite
def instances(draw: st.DrawFn, processes: int = 30, machines: int = 8) -> tuple[Model, np.ndarray]:
    """Instances of up to that size."""
    return instance(
        draw(st.integers(0, 2**32 - 1)),
        draw(st.integers(1, processes)),
        draw(st.integers(1, machines)),
        draw(st.integers(1, 3)),
    )
