"""Predicted peak after landing above the hard limit."""

from __future__ import annotations

from functools import lru_cache

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


def _cpu_reason(at: Landing, position: int) -> str:
    allocatable = at.fact(Column.CPU_ALLOCATABLE_CORES, position)
    limit = at.view.config.scoring.limits.cpu
    peak = allocatable * limit - at.left(Room.CPU_CORES, position)
    return (
        f"predicted CPU peak {peak:.2f} of {allocatable:.2f} cores ({peak / allocatable:.0%}) with this pod, "
        f"above the limit of {limit:.0%}"
    )


def _memory_reason(at: Landing, position: int) -> str:
    allocatable = at.fact(Column.MEMORY_ALLOCATABLE_BYTES, position)
    limit = at.view.config.scoring.limits.memory
    peak = allocatable * limit - at.left(Room.MEMORY_BYTES, position)
    return (
        f"predicted memory peak {format_bytes(peak)} of {_size(allocatable)} ({peak / allocatable:.0%}) with this pod, "
        f"above the limit of {limit:.0%}"
    )


@lru_cache(maxsize=256)
def _size(allocatable: float) -> str:
    """Nodes come in few sizes."""
    return format_bytes(allocatable)


LIMIT_MEMORY = Filter("limit-memory", exceeds_memory, _memory_reason)
LIMIT_CPU = Filter("limit-cpu", exceeds_cpu, _cpu_reason)
