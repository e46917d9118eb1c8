"""Guests that would not fit into RAM and swap if all of them were full, where the configuration limits that."""

from __future__ import annotations

import numpy as np

from ullage.model.arrays import BoolArray
from ullage.model.quantity import format_bytes
from ullage.scoring.columns import Column, Room
from ullage.scoring.landing import Filter, Landing


def exceeds(at: Landing) -> BoolArray:
    """Rows whose worst case would pass ``(allocatable + swap) x memory.worstCaseLimitRatio``."""
    return at.exceeds(Room.COMMIT_BYTES)


def _reasons(at: Landing) -> list[str]:
    limit = at.view.config.memory.worst_case_limit_ratio or 0.0
    virtual = 1.0 / at.raw(Column.PER_VIRTUAL_BYTE).astype(np.float64)
    commit = virtual * limit - at.left(Room.COMMIT_BYTES)
    above = f"with this pod, above the limit of {limit:.0%}"
    return [
        f"full guests would need {format_bytes(need)} of {format_bytes(most)} RAM and swap ({need / most:.0%}) {above}"
        for need, most in zip(commit.tolist(), virtual.tolist(), strict=True)
    ]


WORST_CASE_MEMORY = Filter("worst-case-memory", exceeds, _reasons)
