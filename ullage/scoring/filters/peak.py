"""Predicted peak after landing above the hard limit."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ullage.model.arrays import BoolArray
from ullage.model.quantity import format_bytes
from ullage.scoring.columns import Column, Room
from ullage.scoring.landing import Filter, Landing


def exceeds_cpu(at: Landing) -> BoolArray:
    """Rows whose predicted CPU peak would pass ``allocatable x scoring.limits.cpu``."""
    return at.exceeds(Room.CPU_CORES)


def exceeds_memory(at: Landing) -> BoolArray:
    """Rows whose predicted memory peak would pass ``allocatable x scoring.limits.memory``."""
    return at.exceeds(Room.MEMORY_BYTES)


def _cpu_reasons(at: Landing) -> list[str]:
    limit = at.view.config.scoring.limits.cpu
    above = f"with this pod, above the limit of {limit:.0%}"
    return [
        f"predicted CPU peak {peak:.2f} of {most:.2f} cores ({peak / most:.0%}) {above}"
        for peak, most in _peaks(at, Column.CPU_ALLOCATABLE_CORES, Room.CPU_CORES, limit)
    ]


def _memory_reasons(at: Landing) -> list[str]:
    limit = at.view.config.scoring.limits.memory
    above = f"with this pod, above the limit of {limit:.0%}"
    return [
        f"predicted memory peak {format_bytes(peak)} of {format_bytes(most)} ({peak / most:.0%}) {above}"
        for peak, most in _peaks(at, Column.MEMORY_ALLOCATABLE_BYTES, Room.MEMORY_BYTES, limit)
    ]


def _peaks(at: Landing, allocatable: Column, room: Room, limit: float) -> Iterator[tuple[float, float]]:
    """Peak after the landing, and what is allocatable, row by row."""
    most = at.raw(allocatable).astype(np.float64)
    return zip((most * limit - at.left(room)).tolist(), most.tolist(), strict=True)


LIMIT_MEMORY = Filter("limit-memory", exceeds_memory, _memory_reasons)
LIMIT_CPU = Filter("limit-cpu", exceeds_cpu, _cpu_reasons)
