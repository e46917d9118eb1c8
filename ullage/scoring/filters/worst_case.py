"""Guests that would not fit into RAM and swap if all of them were full, where the configuration limits that."""

from __future__ import annotations

from ullage.model.arrays import BoolArray
from ullage.model.quantity import format_bytes
from ullage.scoring.columns import Column, Room
from ullage.scoring.landing import Filter, Landing


def exceeds(at: Landing) -> BoolArray:
    """Rows whose worst case would pass ``(allocatable + swap) x memory.worstCaseLimitRatio``."""
    return at.exceeds(Room.COMMIT_BYTES)


def _reason(at: Landing, position: int) -> str:
    limit = at.view.config.memory.worst_case_limit_ratio or 0.0
    virtual = 1.0 / at.fact(Column.PER_VIRTUAL_BYTE, position)
    commit = virtual * limit - at.left(Room.COMMIT_BYTES, position)
    return (
        f"full guests would need {format_bytes(commit)} of {format_bytes(virtual)} RAM and swap ({commit / virtual:.0%}) "
        f"with this pod, above the limit of {limit:.0%}"
    )


WORST_CASE_MEMORY = Filter("worst-case-memory", exceeds, _reason)
