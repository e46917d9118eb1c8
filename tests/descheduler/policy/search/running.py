"""Searches of a counted number of steps."""

from __future__ import annotations

import numpy as np

from benchmarks.reassignment_instance import Model, columns
from descheduler.policy.engines.search.anneal import Best, Mover
from descheduler.policy.engines.search.columns import Columns
from descheduler.policy.engines.search.position import Position, position
from descheduler.policy.engines.search.run import Style, mover, search
from descheduler.policy.pace import Steps

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
