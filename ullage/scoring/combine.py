"""From the scorers to one number per node, and from that to the integers that kube-scheduler adds up."""

from __future__ import annotations

from typing import Final

import numpy as np

from ullage.model.arrays import Int16Array, IntArray
from ullage.scoring.assumed import NOTHING, Assumed
from ullage.scoring.columns import Float32Array, NodeView
from ullage.scoring.demand import Demand
from ullage.scoring.landing import Landing
from ullage.scoring.registry import FILTERS

_BLOCK: Final = 8192
"""Columns that are computed at a time: what a block needs stays in the second-level cache."""
_GATHER_COST: Final = 2.0
"""A row that is picked out costs as much as this many rows that are read in order (benchmarks/scoring_core.py)."""
_MOVING: Final = tuple(each for each in reversed([*enumerate(FILTERS, start=1)]) if not each[1].is_fixed)
_LEAST_SPAN: Final = 1e-6
"""What float32 tells apart."""


def combine(view: NodeView, demand: Demand, assumed: Assumed = NOTHING, rows: IntArray | None = None) -> Float32Array:
    """Weighted mean of the scorers, by the weights of the configuration.

    Parameters
    ----------
    view, demand, assumed
        The nodes, the pod, and what others add.
    rows
        int64 (n,), -1 for a name that is not known; default all N nodes.

    Returns
    -------
    Float32Array
        float32 (n,), 0..1, no NaN. What is not known of a node stands at the median of the others.
    """
    if rows is not None and len(rows) * _GATHER_COST < len(view) + 1:
        return weighted(Landing(view, demand, assumed, rows))
    everywhere = combine_all(view, demand, assumed)
    return everywhere[:-1] if rows is None else everywhere.take(rows, mode="wrap")


def combine_all(view: NodeView, demand: Demand, assumed: Assumed) -> Float32Array:
    """The same over all N + 1 columns."""
    size = len(view) + 1
    result = np.empty(size, dtype=np.float32)
    for start in range(0, size, _BLOCK):
        part = slice(start, min(start + _BLOCK, size))
        weighted(Landing(view, demand, assumed, part), result[part])
    return result


def weighted(at: Landing, out: Float32Array | None = None) -> Float32Array:
    """Weighted mean of the scorers on n rows, float32 (n,), written into `out` if it is given.

    The sum of a row is taken in the order of the scorers, one operation after the other: so it is the same, bit for bit,
    whichever rows it is computed with. No function that reduces promises that.
    """
    total: Float32Array = np.empty(at.size, dtype=np.float32) if out is None else out
    np.copyto(total, at.fixed)
    part = np.empty_like(total)
    for term, weight in zip(at.view.terms, at.view.weights, strict=True):
        term.score(at, part)
        np.multiply(part, weight, out=part)
        np.add(total, part, out=total)
    return total


def scaled(raw: Float32Array, rows: IntArray, scale: int, minimum_span: float) -> Int16Array:
    """Integers 0..`scale` in the order of `raw`, with one winner.

    Kube-scheduler breaks ties by chance, and with eleven steps ties are the rule; so the range between the worst and the best
    of the nodes that are asked for is stretched over the steps, a range below `minimum_span` as if it were that wide, and only
    the best node, of equals the one with the lowest row, gets the highest step.

    Parameters
    ----------
    raw
        float32 (n,), no NaN.
    rows
        int64 (n,), node rows.
    scale
        Highest score.
    minimum_span
        Differences below it, over the whole range, do not matter that much.
    """
    if not len(raw):
        return np.zeros(0, dtype=np.int16)
    winner = _winner(raw, rows)
    best, worst = float(raw[winner]), float(np.minimum.reduce(raw))
    span = max(best - worst, minimum_span, _LEAST_SPAN)
    steps = np.subtract(raw, best - span)
    steps *= scale / span
    np.rint(steps, out=steps)
    np.minimum(steps, scale - 1, out=steps)
    result = steps.astype(np.int16)
    result[winner] = scale
    return result


def graded(view: NodeView, raw: Float32Array, rows: IntArray) -> Int16Array:
    """`raw` as the scheduler gets it, int16 (n,): `scaled` by the configuration; all 0 if the use of no asked node is known.

    Parameters
    ----------
    view, raw
        The nodes, and what `combine` says of some.
    rows
        int64 (n,), n > 0, of these; -1 for a name that is not known.
    """
    settings = view.config.scoring
    if not _knows_any(view, rows):
        return np.zeros(len(rows), dtype=np.int16)
    return scaled(raw, rows, settings.score_scale, settings.minimum_span)


def _knows_any(view: NodeView, rows: IntArray) -> bool:
    """Whether the use of any asked node is known: else there is nothing to tell them apart by."""
    first = int(rows[0])
    if first >= 0 and view.known[first]:
        return True
    return bool(view.known[rows[rows >= 0]].any())


def _winner(raw: Float32Array, rows: IntArray) -> int:
    first = int(raw.argmax())
    equal = (raw == raw[first]).nonzero()[0]
    return first if len(equal) == 1 else int(equal[rows[equal].argmin()])


def reject(at: Landing) -> Int16Array:
    """Index into the view's codes of the first filter that rejects each of n rows, int16 (n,); 0 is kept.

    What does not depend on the pod comes first.
    """
    trouble = at.trouble
    result = np.zeros_like(trouble)
    for code, each in _MOVING:
        np.copyto(result, code, where=each.rejects(at))
    np.copyto(result, trouble, where=trouble != 0)
    return result
