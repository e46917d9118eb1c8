"""The whole product in one pure function: the live loop, the dry-run and the simulator call the same `decide`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Final

import numpy as np

from descheduler.policy.bounds import Bound
from descheduler.policy.classify import classify
from descheduler.policy.explain import (
    Refusals,
    cores_of,
    move_reason,
    not_due,
    not_emptied,
    other_goal,
    reference,
    stays_over,
    unknown_reason,
)
from descheduler.policy.goals import GoalFunction, Outcome
from descheduler.policy.goals.balance import balance
from descheduler.policy.goals.consolidate import consolidate
from descheduler.policy.goals.evacuate import evacuate
from descheduler.policy.goals.relieve import relieve
from descheduler.policy.memory import Memory, Moved
from descheduler.policy.notes import notes_of
from descheduler.policy.pace import Pace
from descheduler.policy.plan import (
    Goal,
    LowerBound,
    NodeClass,
    NodeStatus,
    NodeView,
    PlannedMove,
    PlanNote,
    PlanSpec,
    PlanStatus,
    RebalancePlan,
    Summary,
    Threshold,
)
from descheduler.policy.problem import Tally
from descheduler.policy.setting import Setting, setting, stays_anyway
from ullage.config.schema import Configuration
from ullage.errors import UsageError
from ullage.estimation.danger import dies_next, worst_case_of
from ullage.model.arrays import FloatArray
from ullage.model.changes import Move, apply
from ullage.model.codes import CODES
from ullage.model.resources import CPU_INDEX, MEMORY_INDEX
from ullage.model.state import ClusterState

GOALS: Final[Mapping[Goal, GoalFunction]] = MappingProxyType(
    {Goal.RELIEVE: relieve, Goal.BALANCE: balance, Goal.EVACUATE: evacuate, Goal.CONSOLIDATE: consolidate}
)
"""Goals by name: one file and one line each."""
_VICTIMS: Final = 3
"""How many of those that the kubelet would evict first are named per node."""


def decide(
    state: ClusterState,
    memory: Memory,
    config: Configuration,
    now_seconds: float,
    nodes: Sequence[str] = (),
    pace: Pace | None = None,
) -> tuple[RebalancePlan, Memory]:
    """Plan for `state`.

    Parameters
    ----------
    state
        One generation of the cluster.
    memory
        What earlier decisions left; ``Memory()`` for a plan out of the blue.
    config
        The configuration; its goal decides what the plan is for.
    now_seconds
        Unix time; offline it is the time at which the state was observed.
    nodes
        Names of the nodes to evacuate; for that goal only.
    pace
        Clock and listener of engines that search for a given time; without one they count steps, and the plan repeats itself.

    Returns
    -------
    plan
        The complete plan.
    memory
        What to give to the next decision if this plan is carried out.

    Raises
    ------
    UsageError
        A node to evacuate is not there, or the goal takes no nodes.
    """
    goal = Goal(config.planning.goal)
    rows = _rows(state, goal, nodes)
    must_leave = goal in (Goal.EVACUATE, Goal.CONSOLIDATE)
    given = setting(state, memory, config, now_seconds, must_leave=must_leave)
    outcome = GOALS[goal](given if pace is None else replace(given, pace=pace), rows)
    plan = _Writer(given, outcome, goal, now_seconds).plan()
    moved = [_moved(state, m, now_seconds) for m in outcome.moves]
    return plan, memory.seeing(given.over_since_seconds).after(moved, now_seconds)


def _moved(state: ClusterState, move: Move, now_seconds: float) -> Moved:
    names, w = state.nodes.name, move.workload
    return Moved(
        state.workloads.uid[w], now_seconds, names[move.source], names[move.target], state.workloads.namespace[w]
    )


def _rows(state: ClusterState, goal: Goal, nodes: Sequence[str]) -> list[int]:
    if (goal is Goal.EVACUATE) != bool(nodes):
        hint = "name the nodes: --goal evacuate NODE..." if not nodes else "only the goal evacuate takes nodes"
        raise UsageError(f"the goal {goal} {'needs nodes to empty' if not nodes else 'takes no nodes'}", hint)
    unknown = [n for n in nodes if n not in state.nodes.name]
    if unknown:
        some = ", ".join(state.nodes.name[:8]) + (", ..." if len(state.nodes) > 8 else "")
        raise UsageError(f"no node {', '.join(unknown)} in the input", f"it holds {some}")
    return sorted({state.nodes.name.index(n) for n in nodes})


class _Writer:
    """Writes an outcome down as a plan."""

    def __init__(self, given: Setting, outcome: Outcome, goal: Goal, now_seconds: float) -> None:
        self._given, self._outcome, self._goal, self._now_seconds = given, outcome, goal, now_seconds
        self._tally = Tally(outcome.problem)
        self._moves = self._planned_moves()
        self._after = apply(given.state, outcome.moves, given.forecast.use)
        self._ratio_after = self._ratio()
        self._classes_after = classify(self._ratio_after, given.limits)
        self._refused = Refusals(given, outcome, self._tally).all()

    def plan(self) -> RebalancePlan:
        given = self._given
        return RebalancePlan(
            spec=PlanSpec(self._goal, self._moves),
            status=PlanStatus(
                engine=self._outcome.engine,
                minimize=given.config.planning.minimize,
                observed_at=_timestamp(given.state.observed_at_seconds),
                generation=given.state.generation,
                thresholds=self._thresholds(),
                summary=self._summary(),
                lower_bound=_lower_bound(self._outcome.bound),
                nodes=self._nodes(),
                refused=self._refused,
                notes=self._notes(),
            ),
        )

    def _planned_moves(self) -> tuple[PlannedMove, ...]:
        """Moves with their reasons; leaves the tally downstream of all of them."""
        planned = []
        volume = self._outcome.problem.moved_bytes
        for move in self._outcome.moves:
            before = self._ratio()
            self._tally.move(move.workload, move.target)
            code = self._outcome.codes[move.workload]
            planned.append(
                PlannedMove(
                    workload=reference(self._given.state, move.workload),
                    source=self._given.state.nodes.name[move.source],
                    target=self._given.state.nodes.name[move.target],
                    memory_bytes=round(float(volume[move.workload])),
                    cpu_cores=round(cores_of(self._given, move.workload), 6),
                    code=code,
                    reason=move_reason(self._given, move, code, before, self._ratio()),
                    expected_seconds=self._expected_seconds(move.workload),
                )
            )
        return tuple(planned)

    def _ratio(self) -> FloatArray:
        """Predicted use over allocatable downstream of the tally's moves, NaN for nodes that cannot be judged."""
        capacity = self._tally.capacity
        return np.where(np.isnan(self._given.ratio), np.nan, capacity.load[:, :2] / capacity.scale[:, :2])

    def _expected_seconds(self, workload: int) -> float | None:
        seconds = self._given.course.seconds[workload]
        return round(float(seconds), 1) if np.isfinite(seconds) else None

    def _thresholds(self) -> tuple[Threshold, ...]:
        bands = self._given.config.thresholds
        return tuple(Threshold(r, b.high, b.target) for r, b in (("cpu", bands.cpu), ("memory", bands.memory)))

    def _nodes(self) -> tuple[NodeStatus, ...]:
        state = self._given.state
        views = zip(
            self._views(state, self._given.ratio, self._given.classes),
            self._views(self._after, self._ratio_after, self._classes_after),
            strict=True,
        )
        moves_out = np.bincount([m.source for m in self._outcome.moves], minlength=len(state.nodes))
        moves_in = np.bincount([m.target for m in self._outcome.moves], minlength=len(state.nodes))
        statuses = []
        for n, (before, after) in enumerate(views):
            cores, memory = np.nan_to_num(state.nodes.allocatable[n, [CPU_INDEX, MEMORY_INDEX]]).tolist()
            code, reason = self._node_reason(n, after)
            statuses.append(
                NodeStatus(
                    state.nodes.name[n],
                    cores,
                    round(memory),
                    before,
                    after,
                    int(moves_in[n]),
                    int(moves_out[n]),
                    code,
                    reason,
                )
            )
        return tuple(statuses)

    def _node_reason(self, node: int, after: NodeView) -> tuple[str, str]:
        name = self._given.state.nodes.name[node]
        emptied = not_emptied(self._refused, name) if self._goal is Goal.EVACUATE else ("", "")
        if emptied[0]:
            return emptied
        if after.node_class is NodeClass.UNKNOWN:
            return "node-unknown", unknown_reason(self._given, node)
        if after.node_class is NodeClass.OVER and self._goal is not Goal.RELIEVE:
            return other_goal(self._goal, self._ratio_after[node], self._given)
        if after.node_class is NodeClass.OVER and not self._given.due[node]:
            return "node-over-not-due", not_due(self._ratio_after[node], name, self._given, self._now_seconds)
        if after.node_class is NodeClass.OVER:
            return stays_over(self._refused, name, self._ratio_after[node], self._given)
        return "", ""

    def _views(self, state: ClusterState, ratio: FloatArray, classes: Sequence[NodeClass]) -> list[NodeView]:
        given, nodes, node = self._given, state.nodes, state.workloads.node
        with np.errstate(divide="ignore", invalid="ignore"):
            requested = nodes.requested / nodes.allocatable
            room = nodes.allocatable[:, MEMORY_INDEX] + np.nan_to_num(nodes.swap_capacity_bytes)
            worst = worst_case_of(given.state, given.forecast, node) / room
        count = np.bincount(node, minlength=len(nodes))
        victims = dies_next(given.state, given.forecast, _VICTIMS, node)
        return [
            NodeView(
                node_class=classes[n],
                cpu_ratio=_rounded(ratio[n, 0]),
                memory_ratio=_rounded(ratio[n, 1]),
                cpu_requested_ratio=_rounded(requested[n, CPU_INDEX]),
                memory_requested_ratio=_rounded(requested[n, MEMORY_INDEX]),
                worst_case_memory_ratio=_rounded(worst[n]),
                workloads=int(count[n]),
                dies_next=tuple(state.workloads.key(w) for w in victims[n]),
            )
            for n in range(len(nodes))
        ]

    def _summary(self) -> Summary:
        given, bound = self._given, self._outcome.bound
        before, after = given.ratio[given.known()], self._ratio_after[given.known()]
        return Summary(
            moves=len(self._moves),
            bytes=sum(m.memory_bytes for m in self._moves),
            nodes=len(given.state.nodes),
            workloads=len(given.state.workloads),
            nodes_over_before=given.classes.count(NodeClass.OVER),
            nodes_over_after=self._classes_after.count(NodeClass.OVER),
            nodes_unknown=given.classes.count(NodeClass.UNKNOWN),
            relief_possible=bound.possible if bound and self._goal is Goal.RELIEVE else None,
            cpu_deviation_before=_deviation(before, 0),
            cpu_deviation_after=_deviation(after, 0),
            memory_deviation_before=_deviation(before, 1),
            memory_deviation_after=_deviation(after, 1),
            nodes_emptied=self._emptied(),
        )

    def _emptied(self) -> int:
        """Nodes that movable workloads were on and none is any more."""
        movable, home = self._outcome.problem.movable, self._outcome.problem.home
        left = self._after.workloads.node
        stays = ~movable & ~stays_anyway(self._given.state)
        had = np.bincount(home[movable], minlength=len(self._given.state.nodes)) > 0
        has = np.bincount(left[movable | stays], minlength=len(self._given.state.nodes)) > 0
        return int((had & ~has).sum())

    def _notes(self) -> tuple[PlanNote, ...]:
        notes = notes_of(self._given, self._outcome)
        if self._goal is Goal.RELIEVE and self._outcome.bound and not self._outcome.bound.possible:
            notes.append(PlanNote("relief-impossible", CODES["relief-impossible"].meaning))
        return tuple(notes)


def _lower_bound(bound: Bound | None) -> LowerBound:
    return LowerBound(bound.moves, int(np.ceil(bound.bytes - 1e-6))) if bound else LowerBound()


def _rounded(ratio: float) -> float | None:
    """Ratio with six digits, or ``None`` where it is not known."""
    return round(float(ratio), 6) if np.isfinite(ratio) else None


def _deviation(ratio: FloatArray, resource: int) -> float | None:
    """Population standard deviation over the nodes that can be judged."""
    return _rounded(float(ratio[:, resource].std())) if len(ratio) else None


def _timestamp(seconds: float) -> str:
    moment = dt.datetime.fromtimestamp(seconds, tz=dt.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
