"""A generation made ready for pods: everything that does not depend on the pod is computed here, once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ullage.config import Configuration
from ullage.estimation.forecast import Forecast, Prediction, forecast
from ullage.model.arrays import BoolArray, FloatArray, Int16Array, frozen
from ullage.model.state import ClusterState
from ullage.scoring.columns import Column, Float32Array
from ullage.scoring.columns import NodeView as NodeView
from ullage.scoring.demand import Demand
from ullage.scoring.facts import IMPOSSIBLE, Facts
from ullage.scoring.landing import Landing
from ullage.scoring.registry import FILTERS, SCORERS
from ullage.scoring.unshown import recent, sibling_use, unshown

_OWN_OWNER = "VirtualMachine"
"""A VirtualMachine owns one VMI, which is found by its name: no siblings."""


_DIVISORS = (
    Column.CPU_ALLOCATABLE_CORES,
    Column.MEMORY_ALLOCATABLE_BYTES,
    Column.CPU_CAPACITY_CORES,
    Column.MEMORY_CAPACITY_BYTES,
)


def view(state: ClusterState, config: Configuration) -> NodeView:
    """`state` as the extender reads it.

    Nodes that are not ready or have no fresh measure are not known: they are never rejected, and stand at the median in what
    is not known of them.

    Raises
    ------
    ConfigError
        The configuration names an estimator that is not known.
    """
    prediction = Prediction(config.prediction.estimator, config.prediction.deviations, config.telemetry.max_age_seconds)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        expected = forecast(state, prediction)
        young = recent(state, expected, config.ledger.shown_after_seconds)
        siblings = sibling_use(state, expected, ~young)
        missing = unshown(state, expected, siblings, young)
        facts = Facts(state, config, expected, missing)
        raw, room = facts.matrix(), facts.room()
    bare = _bare(state, config, expected, (raw, room, missing, siblings))
    return _with_scores(bare)


def _bare(
    state: ClusterState,
    config: Configuration,
    expected: Forecast,
    parts: tuple[FloatArray, FloatArray, FloatArray, FloatArray],
) -> NodeView:
    """View without scores and verdicts that do not depend on the pod."""
    raw, room, missing, siblings = parts
    size = len(state.nodes) + 1
    padded = np.concatenate([raw, np.full((len(raw), 1), np.nan)], axis=1)
    unlimited = np.concatenate([room, np.full((len(room), 1), np.inf)], axis=1)
    return NodeView(
        state=state,
        config=config,
        forecast=expected,
        names=state.nodes.name,
        index={name: row for row, name in enumerate(state.nodes.name)},
        matrix=_rows(_filled(padded)),
        raw=_rows(padded),
        room=_rows(unlimited),
        least=tuple(unlimited.min(axis=1).tolist()),
        trouble=frozen(np.zeros(size), np.int16),
        codes=("", *(each.code for each in FILTERS)),
        known=frozen(_known(expected), np.bool_),
        unshown=frozen(missing, np.float64),
        siblings=frozen(siblings, np.float64),
        owners={owner: row for row, owner in enumerate(state.owners) if owner.kind != _OWN_OWNER},
        terms=(),
        weights=frozen((), np.float32),
        fixed=frozen(np.zeros(size), np.float32),
    )


def _rows(values: FloatArray) -> Float32Array:
    """`values` as float32 with each row in one piece of memory."""
    return frozen(np.ascontiguousarray(values), np.float32)


def _known(expected: Forecast) -> BoolArray:
    possible = np.abs(expected.node_use) < IMPOSSIBLE
    known: BoolArray = np.logical_and.reduce(possible, axis=1)
    return known


def _filled(padded: FloatArray) -> FloatArray:
    """Facts with the median of each in place of NaN; 0 where nothing is known of any node, 1 where it is divided by."""
    unknown = np.isnan(padded)
    ordered, rows = np.sort(padded, axis=1), np.arange(len(padded))
    count = np.logical_not(unknown).sum(axis=1)
    low, high = ordered[rows, np.maximum(count - 1, 0) // 2], ordered[rows, count // 2]
    medians = np.where(count > 0, (low + high) / 2, 0.0)
    for column in _DIVISORS:
        medians[column] = medians[column] if count[column] else 1.0
    return np.where(unknown, medians[:, None], padded)


def _with_scores(bare: NodeView) -> NodeView:
    """`bare` with what filters and scorers say whatever the pod."""
    chosen = [(each, weight) for each in SCORERS if (weight := getattr(bare.config.scoring.weights, each.name)) > 0]
    total = sum(weight for _, weight in chosen) or 1.0
    at = Landing(bare, Demand())
    fixed: Float32Array = np.zeros(len(bare) + 1, dtype=np.float32)
    for scorer, weight in chosen:
        if scorer.is_fixed:
            fixed += weight / total * scorer.score(at, None)
    moving = [(each, weight / total) for each, weight in chosen if not each.is_fixed]
    return replace(
        bare,
        trouble=_trouble(at),
        terms=tuple(each for each, _ in moving),
        weights=frozen([weight for _, weight in moving], np.float32),
        fixed=frozen(fixed, np.float32),
    )


def _trouble(at: Landing) -> Int16Array:
    """First filter, as an index into the codes, that rejects each node whatever the pod; 0 is none."""
    result = np.zeros(len(at.view) + 1, dtype=np.int16)
    for code, each in reversed(list(enumerate(FILTERS, start=1))):
        if each.is_fixed:
            result[each.rejects(at)] = code
    return frozen(result, np.int16)
