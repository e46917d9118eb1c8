"""The machine reassignment instances: files, and the terms of their constraints and costs."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from descheduler.policy.engines.search.columns import Columns
from descheduler.policy.engines.search.draft import Draft, Quantity, SearchTerm, enter_all
from descheduler.policy.engines.search.terms.apart import Apart
from descheduler.policy.engines.search.terms.capacity import Capacity
from descheduler.policy.engines.search.terms.company import Company
from descheduler.policy.engines.search.terms.crews import Crews
from descheduler.policy.engines.search.terms.journey import Leaving, Travel
from descheduler.policy.engines.search.terms.load import Load
from descheduler.policy.engines.search.terms.proportion import Proportion
from descheduler.policy.engines.search.terms.sites import Sites
from ullage.model.arrays import Int32Array, IntArray


@dataclass(frozen=True, eq=False)
class Model:
    """An instance as its file has it; integers throughout.

    Attributes
    ----------
    transient, load_weight
        (R,).
    neighbourhood, location
        (M,).
    capacity, safety
        (M, R).
    travel
        (M, M), cost of moving any process from one machine to another.
    spread
        (S,), least number of locations.
    needs
        Per service the services that it depends on.
    service, move_cost
        (P,).
    requirement
        (P, R).
    balances
        (B, 4): first and second resource, target, weight.
    process_weight, service_weight, machine_weight
        Weights of the three costs of moving.
    """

    transient: IntArray
    load_weight: IntArray
    neighbourhood: IntArray
    location: IntArray
    capacity: IntArray
    safety: IntArray
    travel: IntArray
    spread: IntArray
    needs: tuple[IntArray, ...]
    service: IntArray
    requirement: IntArray
    move_cost: IntArray
    balances: IntArray
    process_weight: int
    service_weight: int
    machine_weight: int


def read_text(path: Path) -> bytes:
    """Content of a plain file or of one that ends in .gz."""
    content = path.read_bytes()
    return gzip.decompress(content) if path.suffix == ".gz" else content


def _numbers(path: Path) -> IntArray:
    return np.array(read_text(path).split(), dtype=np.int64)


class _Reader:
    """Takes numbers off the front."""

    def __init__(self, numbers: IntArray) -> None:
        self._numbers, self._at = numbers, 0

    def one(self) -> int:
        return int(self.some(1)[0])

    def some(self, count: int) -> IntArray:
        end = self._at + count
        if end > len(self._numbers):
            raise ValueError(f"the file ends after {len(self._numbers)} numbers, where {end} are announced")
        self._at, begin = end, self._at
        return self._numbers[begin:end]

    def table(self, rows: int, width: int) -> IntArray:
        return self.some(rows * width).reshape(rows, width)


def read_model(path: Path) -> Model:
    """Read ``NAME.model.txt`` or ``.gz``; raises `ValueError` if the numbers do not add up."""
    reader = _Reader(_numbers(path))
    resources = reader.table(reader.one(), 2)
    r, m = len(resources), reader.one()
    machines = reader.table(m, 2 + 2 * r + m)
    spread, needs = [], []
    for _ in range(reader.one()):
        least, count = reader.some(2).tolist()
        spread.append(least)
        needs.append(reader.some(count))
    processes = reader.table(reader.one(), r + 2)
    balances = reader.table(reader.one(), 4)
    process_weight, service_weight, machine_weight = reader.some(3).tolist()
    return Model(
        transient=resources[:, 0],
        load_weight=resources[:, 1],
        neighbourhood=machines[:, 0],
        location=machines[:, 1],
        capacity=machines[:, 2 : 2 + r],
        safety=machines[:, 2 + r : 2 + 2 * r],
        travel=machines[:, 2 + 2 * r :],
        spread=np.array(spread, dtype=np.int64),
        needs=tuple(needs),
        service=processes[:, 0],
        requirement=processes[:, 1 : 1 + r],
        move_cost=processes[:, 1 + r],
        balances=balances,
        process_weight=process_weight,
        service_weight=service_weight,
        machine_weight=machine_weight,
    )


def read_assignment(path: Path, model: Model) -> Int32Array:
    """Machine of each process, int32 (P,); raises `ValueError` if it is not one of `model`."""
    place = _numbers(path)
    if len(place) != len(model.service) or ((place < 0) | (place >= len(model.capacity))).any():
        raise ValueError(f"{path} does not give one machine for each of {len(model.service)} processes")
    return place.astype(np.int32)


def columns(model: Model, initial: Int32Array) -> Columns:
    """The instance as a search sees it."""
    draft = Draft(initial.astype(np.int64), len(model.capacity), model.service, len(model.spread))
    return enter_all(terms(model, initial), draft)


def terms(model: Model, initial: Int32Array) -> Iterator[SearchTerm]:
    """Constraints and costs, one term each."""
    demand = model.requirement.T.astype(np.float64)
    quantities = [Quantity.counted(row, initial.astype(np.int64), len(model.capacity)) for row in demand]
    for r, quantity in enumerate(quantities):
        yield Capacity(quantity, model.capacity[:, r].astype(np.float64), bool(model.transient[r]))
        yield Load(quantity, model.safety[:, r].astype(np.float64), float(model.load_weight[r]))
    for first, second, target, weight in model.balances.tolist():
        room = (model.capacity[:, r].astype(np.float64) for r in (first, second))
        yield Proportion(quantities[first], quantities[second], *room, float(target), float(weight))
    yield Apart(np.ones(len(model.spread), dtype=np.bool_))
    yield Sites(model.location, model.spread)
    yield Company(model.neighbourhood, model.needs)
    yield Leaving((model.process_weight * model.move_cost).astype(np.float64))
    yield Travel((model.machine_weight * model.travel).astype(np.float64))
    yield Crews(model.service, len(model.spread), fee=float(model.service_weight))
