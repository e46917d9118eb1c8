"""Searches of a counted number of steps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from benchmarks.reassignment_instance import Model, columns
from descheduler.policy.engines.search.anneal import Best, Mover
from descheduler.policy.engines.search.columns import Columns
from descheduler.policy.engines.search.position import Position, position
from descheduler.policy.engines.search.run import Style, mover, search
from descheduler.policy.pace import Steps
from tests.descheduler.policy.search.instances import instance

STEPS = {"numpy": 384, "numba": 32 << 16}
"""Enough for instances that can be solved by trying everything."""


def solved(model: Model, initial: np.ndarray, kernel: str, *, seed: int = 1, share: float = 1.0) -> Best:
    """What a search finds."""
    steps = Steps(int(STEPS[kernel] * share))
    return search(columns(model, initial), initial, lambda: steps, Style(kernel, seed))


def begun(model: Model, initial: np.ndarray, kernel: str, seed: int = 1) -> tuple[Columns, Position, Mover]:
    """Columns, and a mover on a position at the start."""
    c = columns(model, initial)
    at = position(c, initial.copy(), seed)
    return c, at, mover(kernel, c, at, seed)


def differences(c: Columns, at: Position) -> list[str]:
    """Fields of a position that are not what its places make them."""
    fresh = position(c, at.place.copy())
    found = [
        f"{type(part).__name__}.{name}"
        for part, other in ((at.sums, fresh.sums), (at.members, fresh.members))
        for name, one, two in zip(part._fields, part, other, strict=True)
        if not np.allclose(one, two, rtol=1e-12, atol=1e-9)
    ]
    return found + ([] if np.isclose(at.cost(), fresh.cost()) else [f"cost {at.cost()} is {fresh.cost()}"])


def unruled(model: Model) -> Model:
    """Without rules for which workloads keep their site or zone, so that nothing is closed to a program."""
    return replace(
        model, spread=np.minimum(model.spread, 1), needs=tuple(np.zeros(0, dtype=np.int64) for _ in model.needs)
    )


def moved(
    seed: int, processes: int, machines: int, *, free: bool = False
) -> tuple[Model, np.ndarray, Columns, Position]:
    """An instance, and a position to which a hot search took it."""
    model, initial = instance(seed, processes, machines, 1 + seed % 4)
    model = unruled(model) if free else model
    c, at, moves = begun(model, initial, "numpy", seed)
    moves.advance(30, 1e9, 0.0)
    # Without a compiler nobody counts crews while moving, unless quotas ask for it.
    return model, initial, c, position(c, at.place.copy())
