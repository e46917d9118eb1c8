"""The verbs of the extender as pure functions: filter, prioritize and explain, on one view and what is assumed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

import msgspec
import numpy as np

from ullage.model.arrays import BoolArray, Int16Array, IntArray, frozen
from ullage.model.measures import NodeMeasure
from ullage.scoring import combine, judged
from ullage.scoring.assumed import NOTHING, Assumed
from ullage.scoring.columns import Column, NodeView, Room
from ullage.scoring.demand import Demand, estimate
from ullage.scoring.landing import Landing
from ullage.scoring.registry import FILTERS, SCORERS

NO_STATE: Final = "no state yet: every node is kept and all are equal"
DAEMONSET: Final = "pods of a DaemonSet are never rejected"
EMPTY: Final = "no nodes were asked for"

_DAEMONSET_KIND: Final = "DaemonSet"
_RESOLVABLE: Final = frozen((False, *(each.is_resolvable for each in FILTERS)), np.bool_)


class Names(Protocol):
    """Names in order."""

    def __len__(self) -> int: ...

    def __getitem__(self, position: int, /) -> str: ...


class PodRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A pod that waits for a node, as far as a verdict depends on it.

    Attributes
    ----------
    uid, namespace, name, labels, priority
        As in its metadata and spec.
    owner_kind, owner_name
        Its controller; empty without one.
    requests_cpu_cores, requests_memory_bytes
        As kube-scheduler counts them.
    limits_cpu_cores, limits_memory_bytes
        Sum of the containers' limits; ``None`` where some container has none.
    domain
        Annotation ``kubevirt.io/domain``: the name of its VMI; empty for other pods.
    created_by
        Label ``kubevirt.io/created-by``: the uid of its VMI; empty for other pods.
    migration_job_uid
        Label ``kubevirt.io/migrationJobUID``: it is the target of a live migration; empty else.
    """

    uid: str = ""
    namespace: str = ""
    name: str = ""
    labels: dict[str, str] = {}
    owner_kind: str = ""
    owner_name: str = ""
    requests_cpu_cores: float = 0.0
    requests_memory_bytes: float = 0.0
    limits_cpu_cores: float | None = None
    limits_memory_bytes: float | None = None
    priority: int = 0
    domain: str = ""
    created_by: str = ""
    migration_job_uid: str = ""


@dataclass(frozen=True, eq=False)
class Verdict:
    """What `filter_nodes` says of n rows.

    Attributes
    ----------
    code
        int16 (n,), index into `codes`; 0 is kept.
    positions
        int64 (k,), positions of the rows that are rejected.
    codes
        Codes that may stand in `code`, "" first.
    resolvable
        bool, per code: whether evicting other pods would help: FailedNodes, else FailedAndUnresolvableNodes.
    note
        Why nothing was judged; empty for a real verdict.
    why
        Code and numbers, as one sentence each, of some rejected rows, which are given by their positions.
    """

    code: Int16Array
    positions: IntArray
    codes: tuple[str, ...]
    resolvable: BoolArray
    note: str = ""
    why: Callable[[IntArray], list[str]] = field(default=lambda positions: [""] * len(positions), repr=False)

    @property
    def rejected(self) -> BoolArray:
        """Rows that are rejected, bool (n,)."""
        rejected: BoolArray = self.code != 0
        return rejected


class NodeExplanation(msgspec.Struct, frozen=True, rename="camel"):
    """One node for one pod.

    Attributes
    ----------
    known
        Its CPU and memory use is measured and fresh; else it stands at the median and is never rejected.
    code, reason
        Why it is rejected; empty if it is kept.
    cpu_ratio, memory_ratio
        Predicted peak after landing over allocatable; ``None`` if unknown.
    worst_case_memory_ratio
        Use with all guests full over RAM and swap; ``None`` if unknown.
    swap_used_ratio, memory_stalled_ratio
        As measured; ``None`` if not.
    unshown_cpu_cores, unshown_memory_bytes
        What runs there and does not show in its measures yet.
    assumed_cpu_cores, assumed_memory_bytes
        What was answered for or bound and is not in the state yet.
    terms
        Score of each scorer, 0..1.
    raw
        Their weighted mean.
    score
        What the scheduler gets.
    """

    name: str
    known: bool
    code: str
    reason: str
    cpu_ratio: float | None
    memory_ratio: float | None
    worst_case_memory_ratio: float | None
    swap_used_ratio: float | None
    memory_stalled_ratio: float | None
    unshown_cpu_cores: float
    unshown_memory_bytes: float
    assumed_cpu_cores: float
    assumed_memory_bytes: float
    terms: dict[str, float]
    raw: float
    score: int


class DemandExplanation(msgspec.Struct, frozen=True, rename="camel"):
    """What the pod is expected to use, and where that comes from."""

    source: str
    cpu_cores: float
    memory_bytes: float
    committed_bytes: float
    cpu_deviation_cores: float
    memory_deviation_bytes: float


class Explanation(msgspec.Struct, frozen=True, rename="camel"):
    """Why nodes are judged as they are.

    Attributes
    ----------
    generation, observed_at_seconds
        Of the state; ``None`` before the first one.
    oldest_measure_seconds
        Greatest age of a node's memory measure in the state; ``None`` if none is measured.
    demand
        What the pod is expected to bring; ``None`` before the first state.
    weights
        Share of each scorer in the sum.
    destination
        Node that a plan chose for this pod; empty without one.
    nodes
        In the order of the question.
    note
        Why nothing was judged; empty for a real verdict.
    """

    generation: int | None
    observed_at_seconds: float | None
    oldest_measure_seconds: float | None
    demand: DemandExplanation | None
    weights: dict[str, float]
    destination: str
    nodes: tuple[NodeExplanation, ...]
    note: str


def filter_nodes(view: NodeView | None, pod: PodRequest, rows: IntArray, assumed: Assumed | None = None) -> Verdict:
    """Which of the asked rows cannot take the pod.

    A node is rejected only on fresh measures. Without a state, and for pods of a DaemonSet, all are kept.

    Parameters
    ----------
    view
        The generation; ``None`` before the first one.
    pod
        The pod.
    rows
        int64 (n,), row per name that was asked for; -1 for a name that is not known, which is kept.
    assumed
        What the ledger adds.
    """
    note = _neutral(view, rows) or (DAEMONSET if pod.owner_kind == _DAEMONSET_KIND else "")
    if view is None or note:
        none = np.zeros(len(rows), dtype=np.int16)
        return Verdict(none, none.nonzero()[0], ("", *(each.code for each in FILTERS)), _RESOLVABLE, note)
    demand, assumed = estimate(view, pod), assumed or NOTHING
    code = judged.codes(view, demand, assumed, rows)

    def why(positions: IntArray) -> list[str]:
        return judged.reasons(view, demand, assumed, rows[positions], code[positions])

    return Verdict(code, code.nonzero()[0], view.codes, _RESOLVABLE, why=why)


def prioritize(view: NodeView | None, pod: PodRequest, rows: IntArray, assumed: Assumed | None = None) -> Int16Array:
    """Score of each asked row, int16 (n,): 0..``scoring.scoreScale``; all 0 without a state, or where no row is known.

    If a plan chose one of the rows for the pod, that one gets the highest score and the others 0.
    """
    if view is None or not len(rows):
        return np.zeros(len(rows), dtype=np.int16)
    assumed = assumed or NOTHING
    return _steered(judged.grades(view, estimate(view, pod), assumed, rows), view, rows, assumed)


def winner(rows: IntArray, scores: Int16Array) -> int:
    """Row of the highest score: where the pod is to be expected; -1 if no node stands out."""
    if not len(rows):
        return -1
    best = int(scores.argmax())
    alone = len(rows) == 1 or (bool(scores[best]) and np.count_nonzero(scores == scores[best]) == 1)
    return int(rows[best]) if alone else -1


def explain(
    view: NodeView | None,
    pod: PodRequest,
    rows: IntArray,
    assumed: Assumed | None = None,
    names: Names | None = None,
) -> Explanation:
    """What `filter_nodes` and `prioritize` would say of the rows, with every number.

    `names` are those that were asked for, of which a row of -1 says nothing.
    """
    note = _neutral(view, rows)
    if view is None:
        return Explanation(None, None, None, None, {}, "", (), note)
    assumed = assumed or NOTHING
    demand = estimate(view, pod)
    verdict = filter_nodes(view, pod, rows, assumed)
    age = view.state.nodes.measures.age_seconds[:, NodeMeasure.MEMORY_MEAN_BYTES]
    return Explanation(
        generation=view.state.generation,
        observed_at_seconds=view.state.observed_at_seconds,
        oldest_measure_seconds=_number(float(np.nanmax(age))) if not np.isnan(age).all() else None,
        demand=_demand(demand),
        weights=_weights(view),
        destination=view.names[assumed.destination] if assumed.destination >= 0 else "",
        nodes=_nodes(Landing(view, demand, assumed, rows), rows, verdict, names),
        note=verdict.note,
    )


def _neutral(view: NodeView | None, rows: IntArray) -> str:
    if view is None:
        return NO_STATE
    return "" if len(rows) else EMPTY


def _steered(scores: Int16Array, view: NodeView, rows: IntArray, assumed: Assumed) -> Int16Array:
    """The scores, unless a plan chose one of the nodes and their use is known."""
    if assumed.destination < 0 or not scores.any():
        return scores
    chosen = rows == assumed.destination
    return np.where(chosen, view.config.scoring.score_scale, 0).astype(np.int16) if chosen.any() else scores


def _number(value: float) -> float | None:
    """A finite number, else None."""
    return float(f"{value:.6g}") if np.isfinite(value) else None


def _demand(demand: Demand) -> DemandExplanation:
    return DemandExplanation(
        demand.source,
        demand.cpu_cores,
        demand.memory_bytes,
        demand.committed_bytes,
        demand.cpu_deviation_cores,
        demand.memory_deviation_bytes,
    )


def _weights(view: NodeView) -> dict[str, float]:
    weights = {each.name: getattr(view.config.scoring.weights, each.name) for each in SCORERS}
    total = sum(weights.values()) or 1.0
    return {name: round(weight / total, 6) for name, weight in weights.items() if weight > 0}


def _nodes(at: Landing, rows: IntArray, verdict: Verdict, names: Names | None) -> tuple[NodeExplanation, ...]:
    if not len(rows):
        return ()
    view, chosen = at.view, _weights(at.view)
    terms = {each.name: each.score(at, None) for each in SCORERS if each.name in chosen}
    raw = judged.scores(view, at.demand, at.assumed, rows)
    scores = _steered(combine.graded(view, raw, rows), view, rows, at.assumed)
    reasons = dict(zip(verdict.positions.tolist(), verdict.why(verdict.positions), strict=True))
    found = []
    for position, row in enumerate(rows.tolist()):
        said = _Said(
            names[position] if names is not None else view.names[row] if row >= 0 else "",
            verdict.codes[int(verdict.code[position])],
            reasons.get(position, ""),
            {name: round(float(values[position]), 6) for name, values in terms.items()},
            round(float(raw[position]), 6),
            int(scores[position]),
        )
        found.append(_node(at, row, position, said))
    return tuple(found)


class _Said(NamedTuple):
    """What the verbs say of a node."""

    name: str
    code: str
    reason: str
    terms: dict[str, float]
    raw: float
    score: int


def _node(at: Landing, row: int, position: int, said: _Said) -> NodeExplanation:
    view = at.view
    extra = at.extra_on(position)
    unshown = view.unshown[row] if row >= 0 else (0.0, 0.0)
    limits = view.config.scoring.limits

    def fact(column: Column, per: Column | None = None, amount: float = 0.0, factor: float = 1.0) -> float | None:
        slope = at.fact(per, position) if per is not None else 0.0
        return _number((at.fact(column, position) + slope * amount) * factor)

    cpu, memory, commit = (a + b for a, b in zip(at.demand.amounts, extra, strict=True))
    return NodeExplanation(
        name=said.name,
        known=row >= 0 and bool(view.known[row]),
        code=said.code,
        reason=said.reason,
        cpu_ratio=fact(Column.CPU_SHARE, Column.CPU_SHARE_PER_CORE, cpu, limits.cpu),
        memory_ratio=fact(Column.MEMORY_SHARE, Column.MEMORY_SHARE_PER_BYTE, memory, limits.memory),
        worst_case_memory_ratio=fact(Column.COMMIT_OVER_VIRTUAL, Column.PER_VIRTUAL_BYTE, commit),
        swap_used_ratio=fact(Column.SWAP_USED_RATIO),
        memory_stalled_ratio=fact(Column.PSI_MEMORY_FULL_RATIO),
        unshown_cpu_cores=float(unshown[0]),
        unshown_memory_bytes=float(unshown[1]),
        assumed_cpu_cores=extra[Room.CPU_CORES],
        assumed_memory_bytes=extra[Room.MEMORY_BYTES],
        terms=said.terms,
        raw=said.raw,
        score=said.score,
    )
