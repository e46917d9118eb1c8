"""From the scorers to one number per node, and from that to the integers that kube-scheduler adds up."""

from __future__ import annotations

from typing import Final

import numpy as np

from ullage.model.arrays import Int16Array, Int32Array
from ullage.scoring.columns import Float32Array, NodeView
from ullage.scoring.demand import Demand
from ullage.scoring.landing import NOTHING, Assumed, Landing
from ullage.scoring.registry import FILTERS

_BLOCK: Final = 8192
"""Columns that are computed at a time: what a block needs stays in the second-level cache."""
_GATHER_COST: Final = 2.0
"""A row that is picked out costs as much as this many rows that are read in order (benchmarks/scoring_core.py)."""
_LEAST_SPAN: Final = 1e-6
"""What float32 tells apart."""


def combine(view: NodeView, demand: Demand, assumed: Assumed = NOTHING, rows: Int32Array | None = None) -> Float32Array:
    """Weighted mean of the scorers, by the weights of the configuration.

    Parameters
    ----------
    view, demand, assumed
        The nodes, the pod, and what others add.
    rows
        int32 (n,), -1 for a name that is not known; default all N nodes.

    Returns
    -------
    Float32Array
        float32 (n,), 0..1, no NaN. What is not known of a node stands at the median of the others.
    """
    size = len(view) + 1
    if rows is not None and len(rows) * _GATHER_COST < size:
        return _weighted(Landing(view, demand, assumed, rows), view.fixed.take(rows, mode="wrap"))
    result = np.empty(size, dtype=np.float32)
    for start in range(0, size, _BLOCK):
        part = slice(start, min(start + _BLOCK, size))
        _weighted(Landing(view, demand, assumed, part), view.fixed[part], result[part])
    return result[:-1] if rows is None else result.take(rows, mode="wrap")


def _weighted(at: Landing, fixed: Float32Array, out: Float32Array | None = None) -> Float32Array:
    terms = at.view.terms
    scores = np.empty((len(terms), len(fixed)), dtype=np.float32)
    for row, term in enumerate(terms):
        term.score(at, scores[row])
    # not np.dot: its threads cost milliseconds where cores are busy
    total = np.einsum("t,tn->n", at.view.weights, scores, out=out)
    return np.add(total, fixed, out=total)


def scaled(raw: Float32Array, rows: Int32Array, scale: int, minimum_span: float) -> Int16Array:
    """Integers 0..`scale` in the order of `raw`, with one winner.

    Kube-scheduler breaks ties by chance, and with eleven steps ties are the rule; so the range between the worst and the best
    of the nodes that are asked for is stretched over the steps, a range below `minimum_span` as if it were that wide, and only
    the best node, of equals the one with the lowest row, gets the highest step.

    Parameters
    ----------
    raw
        float32 (n,), no NaN.
    rows
        int32 (n,), node rows.
    scale
        Highest score.
    minimum_span
        Differences below it, over the whole range, do not matter that much.
    """
    if not len(raw):
        return np.zeros(0, dtype=np.int16)
    best, worst = float(np.maximum.reduce(raw)), float(np.minimum.reduce(raw))
    span = max(best - worst, minimum_span, _LEAST_SPAN)
    steps = np.subtract(raw, best - span)
    steps *= scale / span
    np.rint(steps, out=steps)
    np.minimum(steps, scale - 1, out=steps)
    result = steps.astype(np.int16)
    result[_winner(raw, rows)] = scale
    return result


def _winner(raw: Float32Array, rows: Int32Array) -> int:
    first = int(raw.argmax())
    equal = np.flatnonzero(raw == raw[first])
    return first if len(equal) == 1 else int(equal[rows[equal].argmin()])


def reject(at: Landing, trouble: Int16Array) -> Int16Array:
    """Index into the view's codes of the first filter that rejects each row, int16 (n,); 0 is kept.

    Parameters
    ----------
    at
        The landing on n rows.
    trouble
        int16 (n,), what filters say that do not depend on the pod; they come first.
    """
    result = np.zeros_like(trouble)
    for code, each in reversed(list(enumerate(FILTERS, start=1))):
        if not each.is_fixed:
            np.copyto(result, code, where=each.rejects(at))
    np.copyto(result, trouble, where=trouble != 0)
    return result
