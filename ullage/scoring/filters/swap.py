"""Swap that is nearly used up."""

from __future__ import annotations

import numpy as np

from ullage.model.arrays import BoolArray
from ullage.scoring.columns import Column
from ullage.scoring.landing import Filter, Landing


def exceeds(at: Landing) -> BoolArray:
    """Rows whose swap is used beyond ``scoring.limits.swapUsed``; a node without swap is never meant."""
    with np.errstate(invalid="ignore"):
        result: BoolArray = at.raw(Column.SWAP_USED_RATIO) > at.view.config.scoring.limits.swap_used
    return result


def _reasons(at: Landing) -> list[str]:
    limit = at.view.config.scoring.limits.swap_used
    return [
        f"{used:.0%} of the swap is used, above the limit of {limit:.0%}"
        for used in at.raw(Column.SWAP_USED_RATIO).tolist()
    ]


LIMIT_SWAP = Filter("limit-swap", exceeds, _reasons, is_resolvable=False, is_fixed=True)
