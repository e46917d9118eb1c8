"""Initial placement by requests, as kube-scheduler's LeastAllocated score places: in rounds over whole batches."""

from __future__ import annotations

import numpy as np

from ullage.errors import UsageError
from ullage.model.arrays import FloatArray, IntArray

_NOISE = 0.7


def spread(requests: FloatArray, free: FloatArray, rng: np.random.Generator) -> IntArray:
    """Node of each workload.

    Workloads come roughly from large to small. In each round a quarter of the nodes, those with the largest free share of
    CPU and memory, take one workload each; what did not fit goes to the nodes with the most free memory.

    Parameters
    ----------
    requests
        float64 (W, K); columns 0 and 1 are CPU and memory.
    free
        float64 (N, K): what is left of allocatable.
    rng
        Breaks ties and mixes the order.

    Returns
    -------
    IntArray
        int64 (W,), rows of nodes.

    Raises
    ------
    UsageError
        A workload fits nowhere.
    """
    if (requests.sum(axis=0) > free.sum(axis=0)).any():
        raise _no_room()
    free = free.copy()
    whole = np.maximum(free[:, :2], 1e-9)
    result = np.full(len(requests), -1, dtype=np.int64)
    order = np.argsort(-np.log(requests[:, 1] + 1) + _NOISE * rng.standard_normal(len(requests)), kind="stable")
    step = max(1, len(free) // 4)
    late = [np.zeros(0, np.int64)]
    for start in range(0, len(order), step):
        batch = order[start : start + step]
        emptiest = np.argsort(-(free[:, :2] / whole).mean(axis=1), kind="stable")[: len(batch)]
        fits = (requests[batch] <= free[emptiest]).all(axis=1)
        result[batch[fits]] = emptiest[fits]
        free[emptiest[fits]] -= requests[batch[fits]]
        late.append(batch[~fits])
    for row in _matched(np.concatenate(late), requests, free, result).tolist():
        result[row] = _emptiest(requests[row], free)
        free[result[row]] -= requests[row]
    return result


def _matched(rows: IntArray, requests: FloatArray, free: FloatArray, result: IntArray) -> IntArray:
    """Match the largest of `rows` with the nodes of the most free memory, in rounds; gives back those that are left over."""
    rows = rows[np.argsort(-requests[rows, 1], kind="stable")]
    placed = len(rows)
    while placed:
        batch = rows[: len(free)]
        emptiest = np.argsort(-free[:, 1], kind="stable")[: len(batch)]
        fits = (requests[batch] <= free[emptiest]).all(axis=1)
        result[batch[fits]] = emptiest[fits]
        free[emptiest[fits]] -= requests[batch[fits]]
        rows = np.concatenate([batch[~fits], rows[len(batch) :]])
        placed = int(fits.sum())
    return rows


def _emptiest(request: FloatArray, free: FloatArray) -> int:
    fits = (request <= free).all(axis=1)
    if not fits.any():
        raise _no_room()
    return int(np.argmax(np.where(fits, free[:, 1], -np.inf)))


def _no_room() -> UsageError:
    return UsageError("the workloads do not fit on the nodes", "ask for fewer workloads, or more nodes")
