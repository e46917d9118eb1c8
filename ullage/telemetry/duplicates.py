"""What counts where two series give a value for one cell."""

from __future__ import annotations

from typing import Final

import numpy as np

from ullage.model.arrays import FloatArray, IntArray

AGREEMENT_RATIO: Final = 0.05
"""Values that differ by no more than this, of the larger one, say the same."""


def settle(
    cell: IntArray, value: FloatArray, at_seconds: FloatArray
) -> tuple[IntArray, FloatArray, FloatArray, IntArray]:
    """Each cell once: the newest of values that agree; values that do not agree are refused.

    The result does not depend on the order of the points.

    Parameters
    ----------
    cell
        int64 (P,), which cell each point belongs to, >= 0.
    value
        float64 (P,), finite and >= 0.
    at_seconds
        float64 (P,), finite.

    Returns
    -------
    tuple
        Cells that stand, each once, with their values and times; and the cells that are refused.
    """
    if _is_unique(cell):
        return cell, value, at_seconds, cell[:0]
    order = np.lexsort((value, at_seconds, cell))
    cell, value, at_seconds = cell[order], value[order], at_seconds[order]
    starts = np.flatnonzero(np.diff(cell, prepend=-1))
    lasts = np.append(starts[1:], len(cell)) - 1
    high = np.maximum.reduceat(value, starts)
    agree = high - np.minimum.reduceat(value, starts) <= AGREEMENT_RATIO * high
    stand = lasts[agree]
    return cell[stand], value[stand], at_seconds[stand], cell[starts[~agree]]


def _is_unique(cell: IntArray) -> bool:
    seen = np.zeros(int(cell.max(initial=-1)) + 1, np.bool_)
    seen[cell] = True
    return int(np.count_nonzero(seen)) == len(cell)
