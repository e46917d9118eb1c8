"""Everything that a goal needs to know of a cluster, worked out once: forecast, classes, who may move, dimensions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from descheduler.policy.classify import Limits, classify
from descheduler.policy.eligibility import Eligibility, Protection, eligibility
from descheduler.policy.hysteresis import judge
from descheduler.policy.memory import Memory
from descheduler.policy.migrating import Course, course
from descheduler.policy.pace import Pace
from descheduler.policy.plan import NodeClass
from descheduler.policy.problem import Problem
from descheduler.policy.terms import Term
from descheduler.policy.terms.capacity import Dimension
from descheduler.policy.terms.disruption import Disruption
from descheduler.policy.terms.placement import Placing
from descheduler.policy.terms.standing import standing
from ullage.config.schema import Configuration
from ullage.estimation.danger import committed
from ullage.estimation.forecast import Forecast, Prediction, forecast, swapped_bytes
from ullage.model.arrays import BoolArray, FloatArray, IntArray
from ullage.model.resources import CPU_INDEX, MEMORY_INDEX
from ullage.model.state import ClusterState, WorkloadFlag
from ullage.scoring.feasibility import Feasibility

_MARGIN = 1e-9
"""Relative distance that destinations keep from their limits, so that rounding never passes one."""
_PRICE_OF_A_MOVE_GIB = 0.5
"""What a move costs besides its bytes when bytes count: without it plans are many tiny moves that save next to nothing."""


@dataclass(frozen=True, eq=False)
class Setting:
    """A cluster as a goal sees it.

    Attributes
    ----------
    state, config
        What was given.
    forecast
        Expected use.
    ratio
        float64 (N, 2), predicted use over allocatable; NaN where unknown.
    limits
        Thresholds as arrays.
    classes
        Class of each node.
    due
        bool (N,): nodes that are over and count as such, see `descheduler.policy.hysteresis`.
    over_since_seconds
        What to remember of nodes that are over.
    eligibility
        Who may move, and why not.
    feasibility
        Placement rules at the start.
    moved_bytes
        float64 (W,): memory that a move of each workload copies or builds up anew.
    course
        What moving each workload is expected to take.
    pace
        Clock and listener of engines that search for a given time.
    """

    state: ClusterState
    config: Configuration
    forecast: Forecast
    ratio: FloatArray
    limits: Limits
    classes: tuple[NodeClass, ...]
    due: BoolArray
    over_since_seconds: Mapping[str, float]
    eligibility: Eligibility
    feasibility: Feasibility
    moved_bytes: FloatArray
    course: Course
    pace: Pace = field(default_factory=Pace)

    def rows(self, node_class: NodeClass) -> IntArray:
        """Nodes of one class, ascending."""
        return np.array([i for i, c in enumerate(self.classes) if c is node_class], dtype=np.int64)

    def known(self) -> BoolArray:
        """Nodes that can be judged, bool (N,)."""
        return np.array([c is not NodeClass.UNKNOWN for c in self.classes], dtype=np.bool_)


def setting(
    state: ClusterState, memory: Memory, config: Configuration, now_seconds: float, *, must_leave: bool
) -> Setting:
    """Work out what goals need.

    Parameters
    ----------
    state, memory, config, now_seconds
        As `descheduler.policy.decide.decide` has them.
    must_leave
        The goal empties nodes: workloads of unknown use may move too, with their estimate.
    """
    prediction = Prediction(config.prediction.estimator, config.prediction.deviations, config.telemetry.max_age_seconds)
    expected = forecast(state, prediction)
    allocatable = state.nodes.allocatable[:, [CPU_INDEX, MEMORY_INDEX]]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(allocatable > 0, expected.node_use / allocatable, np.nan)
    limits = _limits(config)
    over = judge(state.nodes.name, (ratio - limits.high).max(axis=1), memory, config.hysteresis, now_seconds)
    judged = np.ones_like(expected.measured) if must_leave else expected.measured
    volume = _moved_bytes(state, expected)
    migrations = course(state, volume, config.migration)
    return Setting(
        state=state,
        config=config,
        forecast=expected,
        ratio=ratio,
        limits=limits,
        classes=classify(ratio, limits),
        due=over.due,
        over_since_seconds=over.over_since_seconds,
        eligibility=eligibility(
            memory.remember(state), _protection(state, memory, config), now_seconds, judged, migrations.hopeless
        ),
        feasibility=Feasibility(state),
        moved_bytes=volume,
        course=migrations,
    )


def _moved_bytes(state: ClusterState, expected: Forecast) -> FloatArray:
    copied = expected.mean[:, 1] + swapped_bytes(state)
    return np.where(expected.measured, copied, expected.use.landing[:, 1])


def _limits(config: Configuration) -> Limits:
    bands = (config.thresholds.cpu, config.thresholds.memory)
    return Limits(*(np.array([getattr(b, mark) for b in bands]) for mark in ("low", "high", "target")))


def _protection(state: ClusterState, memory: Memory, config: Configuration) -> Protection:
    return Protection(
        excluded_namespaces=config.eligibility.excluded_namespaces,
        local_storage=config.eligibility.protect_local_storage,
        cooldown_seconds=memory.cooldowns_seconds(state, config.eligibility.cooldown_seconds),
    )


def problem(given: Setting, sources: IntArray, *, empty: bool = False) -> Problem:
    """Problem of bringing `sources` down to their targets, or of emptying them.

    Parameters
    ----------
    given
        The setting.
    sources
        Rows of nodes.
    empty
        All that may move has to leave the sources, and nothing may land there.
    """
    state = given.state
    movable = given.eligibility.movable()
    open_nodes = given.known()
    if empty:
        movable = movable & np.isin(state.workloads.node, sources)
        open_nodes[sources] = False
    dimensions = [*_use(given, sources[:0] if empty else sources), *_requests(state), *_worst_case(given)]
    if empty:
        dimensions.append(_leave(state, movable, sources))
    return Problem(
        home=state.workloads.node.astype(np.int64),
        movable=movable,
        open_nodes=open_nodes,
        sources=sources,
        dimensions=tuple(dimensions),
        terms=lambda: _terms(state),
        cost=_cost(given, movable),
        moved_bytes=given.moved_bytes,
        preference=given.feasibility.preference,
        standing=lambda: standing(state, given.feasibility),
        worthwhile=given.config.planning.balance_minimum_gain,
        limit=given.config.planning.max_moves,
        rounds=given.config.planning.rounds,
        seed=given.config.planning.seed,
        pace=given.pace,
        search_seconds=given.config.planning.search_time_limit_seconds,
        search_kernel=given.config.planning.search_kernel,
    )


def with_bound(of: Problem, minimize: str, moves: int, volume: float) -> Problem:
    """`of` with its lower bound in the unit of its costs."""
    if minimize == "bytes":
        return replace(of, bound=volume / 2**30 + moves * _PRICE_OF_A_MOVE_GIB)
    return replace(of, bound=float(moves), tolerance=0.5)


def _terms(state: ClusterState) -> tuple[Term, ...]:
    return (
        Disruption(state.budgets, state.workloads.node, len(state.nodes)),
        Placing(Feasibility(state), state.workloads.node),
    )


def _cost(given: Setting, movable: BoolArray) -> FloatArray:
    """Per move: its GiB and a little; or 1 and its shares of all bytes and cores, below 1/3 in sum.

    The shares make the smaller workloads win between as many moves. With 1/3, costs of plans of unlike numbers of moves are
    more than 2/3 apart: whoever stops within 1/2 has the fewest.
    """
    volume = given.moved_bytes
    size = _share(volume, movable) + _share(given.forecast.use.landing[:, 0], movable)
    if given.config.planning.minimize == "bytes":
        return volume / 2**30 + _PRICE_OF_A_MOVE_GIB * (1.0 + size / (6 + _MARGIN))
    return 1.0 + size / (6 + _MARGIN)


def _share(amount: FloatArray, movable: BoolArray) -> FloatArray:
    total = float(amount[movable].sum())
    return amount / total if total > 0 else np.zeros_like(amount)


def _use(given: Setting, sources: IntArray) -> list[Dimension]:
    known, use = given.known(), given.forecast.use
    dimensions = []
    for r, code in enumerate(("target-cpu", "target-memory")):
        allocatable = given.state.nodes.allocatable[:, (CPU_INDEX, MEMORY_INDEX)[r]]
        target = np.where(known, given.limits.target[r] * allocatable * (1 - _MARGIN), -np.inf)
        source = np.full(len(target), np.inf)
        source[sources] = given.limits.target[r] * allocatable[sources]
        dimensions.append(
            Dimension(
                code=code,
                load=np.nan_to_num(given.forecast.node_use[:, r]),
                leaving=use.leaving[:, r],
                landing=use.landing[:, r],
                target=target,
                source=source,
                scale=_positive(allocatable),
            )
        )
    return dimensions


def _requests(state: ClusterState) -> list[Dimension]:
    """One dimension per resource that anyone requests; sources need not come down in them."""
    dimensions = []
    for r in np.flatnonzero(state.workloads.requests.any(axis=0)):
        allocatable = state.nodes.allocatable[:, r]
        demand = state.workloads.requests[:, r]
        dimensions.append(
            Dimension(
                code="allocatable",
                load=state.nodes.requested[:, r],
                leaving=demand,
                landing=demand,
                target=np.where(np.isnan(allocatable), -np.inf, allocatable * (1 + _MARGIN)),
                source=np.full(len(allocatable), np.inf),
                scale=_positive(allocatable),
                binds_idle=False,
            )
        )
    return dimensions


def _worst_case(given: Setting) -> list[Dimension]:
    """Committed memory against RAM and swap, if the configuration limits it."""
    limit = given.config.memory.worst_case_limit_ratio
    if limit is None:
        return []
    commit = committed(given.state, given.forecast)
    nodes = given.state.nodes
    room = nodes.allocatable[:, MEMORY_INDEX] + np.nan_to_num(nodes.swap_capacity_bytes)
    return [
        Dimension(
            code="worst-case-memory",
            load=np.bincount(given.state.workloads.node, weights=commit, minlength=len(nodes)).astype(np.float64),
            leaving=commit,
            landing=commit,
            target=np.where(np.isnan(room), -np.inf, room * limit),
            source=np.full(len(nodes), np.inf),
            scale=_positive(room),
        )
    ]


def _leave(state: ClusterState, movable: BoolArray, sources: IntArray) -> Dimension:
    """Count of movable workloads: it has to become 0 on the sources."""
    count = np.bincount(state.workloads.node[movable], minlength=len(state.nodes)).astype(np.float64)
    source = np.full(len(count), np.inf)
    source[sources] = 0.0
    ones = movable.astype(np.float64)
    return Dimension(
        code="node-excluded",
        load=count,
        leaving=ones,
        landing=np.zeros_like(ones),
        target=np.full(len(count), np.inf),
        source=source,
        scale=np.maximum(count, 1.0),
    )


def _positive(scale: FloatArray) -> FloatArray:
    return np.where(scale > 0, scale, 1.0)


def stays_anyway(state: ClusterState) -> BoolArray:
    """Workloads that belong to their node and do not keep it from being called empty, bool (W,)."""
    return state.workloads.has(WorkloadFlag.DAEMONSET) | state.workloads.has(WorkloadFlag.MIRROR)
