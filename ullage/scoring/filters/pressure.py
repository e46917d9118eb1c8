"""Memory pressure at which a node hardly gets on."""

from __future__ import annotations

import numpy as np

from ullage.model.arrays import BoolArray
from ullage.scoring.columns import Column
from ullage.scoring.landing import Filter, Landing


def exceeds(at: Landing) -> BoolArray:
    """Rows where all tasks stall on memory for more than ``scoring.limits.memoryStalled`` of the time (PSI memory full)."""
    with np.errstate(invalid="ignore"):
        result: BoolArray = at.raw(Column.PSI_MEMORY_FULL_RATIO) > at.view.config.scoring.limits.memory_stalled
    return result


def _reasons(at: Landing) -> list[str]:
    limit = at.view.config.scoring.limits.memory_stalled
    return [
        f"everything stalls on memory {stalled:.0%} of the time, above the limit of {limit:.0%}"
        for stalled in at.raw(Column.PSI_MEMORY_FULL_RATIO).tolist()
    ]


LIMIT_PRESSURE = Filter("limit-pressure", exceeds, _reasons, is_resolvable=False, is_fixed=True)
