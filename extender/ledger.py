"""The ledger: pods that were answered for or bound and that the state does not hold yet.

Without it a burst of pods would all go to the node that was best when it began. A pod enters when it is answered for, on the
node that won; a binding that is observed corrects the node. It leaves when the state holds it: from then on
`ullage.scoring.unshown` counts what its node's measures still lack, from the start times in the state, so nothing has to be
kept over a restart. The target pod of a live migration is counted where it goes, while its VM is still measured where it runs.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, NamedTuple, Protocol

import msgspec

from extender.verbs import PodRequest
from ullage.config import Configuration
from ullage.model.state import ClusterState, Owner, WorkloadKind
from ullage.scoring.assumed import NO_AMOUNTS, NOTHING, Amounts, Assumed, Change
from ullage.scoring.columns import NodeView
from ullage.scoring.demand import Demand, estimate, find

_SWEEP_SECONDS: Final = 1.0
"""How often entries are looked at for their age."""
_LONGEST_LOG: Final = 1024


class Clock(Protocol):
    """Where time comes from. It should not step, as a monotonic clock does not; steps are survived."""

    def now(self) -> float:
        """Seconds since any fixed moment."""


class Destination(msgspec.Struct, frozen=True):
    """Where a plan wants a workload to land.

    Attributes
    ----------
    workload_uid
        Uid of the VMI that is migrated, or of the pod that is evicted.
    node
        Name of the node.
    owner
        Controller whose next pod replaces an evicted one; ``None`` for a VM.
    """

    workload_uid: str
    node: str
    owner: Owner | None = None


@dataclass
class _Entry:
    pod: PodRequest
    node: str
    amounts: Amounts
    since: float
    is_bound: bool = False


@dataclass(frozen=True)
class _Steered:
    node: str
    since: float


class _Added(NamedTuple):
    """What was added last and is not summed up yet, and what was assumed before it."""

    node: str
    amounts: Amounts
    before: Assumed


class _Sums:
    """What is assumed per node, ready to be taken: the cost of a take does not grow with the cluster."""

    def __init__(self) -> None:
        self._total: dict[str, Amounts] = {}
        self._view: NodeView | None = None
        self._log: list[Change] = []
        self._taken: Assumed | None = None
        self._added: _Added | None = None

    def add(self, node: str, amounts: Amounts) -> None:
        """Add a pod's amounts on a node."""
        self._sum_up()
        if self._taken is not None:
            self._added, self._taken = _Added(node, amounts, self._taken), None
        else:
            self._change(node, amounts, 1)

    def take_off(self, node: str, amounts: Amounts) -> None:
        """Take off what was added before; if it was added last, what was assumed before it is assumed again."""
        added = self._added
        if added is not None and (added.node, added.amounts) == (node, amounts):
            self._added, self._taken = None, added.before
            return
        self._sum_up()
        self._change(node, amounts, -1)

    def take(self, view: NodeView) -> Assumed:
        """The sums as an immutable value over the rows of `view`."""
        if self._taken is None or self._view is not view:
            self._sum_up()
            if self._view is not view or len(self._log) > _LONGEST_LOG + 2 * len(self._total):
                self._begin(view)
            self._taken = Assumed(self._log, len(self._log)) if self._log else NOTHING
        return self._taken

    def _sum_up(self) -> None:
        added, self._added = self._added, None
        if added is not None:
            self._change(added.node, added.amounts, 1)

    def _change(self, node: str, amounts: Amounts, sign: int) -> None:
        cpu, memory, commit = self._total.get(node, NO_AMOUNTS)
        # what sums of floats leave over must not be less than nothing
        total = (
            max(cpu + sign * amounts[0], 0.0),
            max(memory + sign * amounts[1], 0.0),
            max(commit + sign * amounts[2], 0.0),
        )
        self._total[node], self._taken = total, None
        row = self._view.index.get(node, -1) if self._view is not None else -1
        if row >= 0:
            self._log.append(Change(row, total, amounts if sign > 0 else None))

    def _begin(self, view: NodeView) -> None:
        """A log of the nodes that the view holds; the one before belongs to what was taken of it."""
        rows = ((view.index.get(node, -1), total) for node, total in self._total.items())
        self._view, self._log = view, [Change(row, total) for row, total in rows if row >= 0]


class Ledger:
    """Assumed pods and destinations. Safe for threads; every call is short.

    Parameters
    ----------
    config
        How long entries last (``ledger``).
    clock
        Time.
    """

    def __init__(self, config: Configuration, clock: Clock) -> None:
        self._settings = config.ledger
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: dict[str, _Entry] = {}
        self._sums = _Sums()
        self._by_uid: dict[str, _Steered] = {}
        self._by_owner: dict[Owner, dict[str, _Steered]] = {}
        self._swept = clock.now()

    def __len__(self) -> int:
        """Count of pods that are assumed."""
        return len(self._entries)

    def answered(self, view: NodeView, pod: PodRequest, row: int) -> None:
        """Count a pod on the node that won, until it is seen; a row of -1 takes it out.

        Parameters
        ----------
        view
            The view that the answer was made from.
        pod
            The pod; one without uid is not counted.
        row
            Node row (`extender.verbs.winner`).
        """
        if not pod.uid:
            return
        demand = estimate(view, pod) if row >= 0 else Demand()
        with self._lock:
            previous = self._entries.get(pod.uid)
            if previous is not None and previous.is_bound:
                return
            self._take_out(pod.uid)
            if row >= 0:
                self._put_in(_Entry(pod, view.names[row], demand.amounts, self._clock.now()))

    def bound(self, pod_uid: str, node: str) -> None:
        """A binding was observed. A pod that was not answered for is counted once the state holds it."""
        with self._lock:
            entry = self._entries.get(pod_uid)
            if entry is not None:
                self._take_out(pod_uid)
                self._put_in(_Entry(entry.pod, node, entry.amounts, self._clock.now(), is_bound=True))

    def forget(self, pod_uid: str) -> None:
        """The pod is gone, or is unschedulable after all."""
        with self._lock:
            self._take_out(pod_uid)
            self._by_uid.pop(pod_uid, None)

    def observe(self, state: ClusterState) -> None:
        """Drop the pods that a new state holds, and what has expired."""
        with self._lock:
            for uid, entry in list(self._entries.items()):
                if _holds(state, entry.pod):
                    self._take_out(uid)
            self._sweep()
            self._sums = _Sums()
            for entry in self._entries.values():
                self._sums.add(entry.node, entry.amounts)

    def steer(self, destinations: Iterable[Destination]) -> None:
        """Take over the destinations of a plan; they replace what the same workloads were steered to before."""
        with self._lock:
            now = self._clock.now()
            for each in destinations:
                steered = _Steered(each.node, now)
                if each.owner is None:
                    self._by_uid[each.workload_uid] = steered
                else:
                    self._by_owner.setdefault(each.owner, {})[each.workload_uid] = steered

    def assumed(self, view: NodeView, pod: PodRequest | None = None) -> Assumed:
        """What is assumed on the nodes of `view`; one reference that never changes.

        Parameters
        ----------
        view
            The view that is to be read with it.
        pod
            The pod that is asked about: it has no node yet, so what was answered for it before no longer counts, and the
            node that a plan chose for it is told.
        """
        with self._lock:
            if pod is not None:
                self._ask_again(pod.uid)
            if not 0 <= self._clock.now() - self._swept < _SWEEP_SECONDS:
                self._sweep()
            common = self._sums.take(view)
            steered = self._destination(pod) if pod is not None and (self._by_uid or self._by_owner) else None
            row = view.index.get(steered.node, -1) if steered is not None else -1
        return common if row < 0 else replace(common, destination=row)

    def _ask_again(self, uid: str) -> None:
        entry = self._entries.get(uid)
        if entry is not None and not entry.is_bound:
            self._take_out(uid)

    def _put_in(self, entry: _Entry) -> None:
        self._entries[entry.pod.uid] = entry
        self._sums.add(entry.node, entry.amounts)

    def _take_out(self, uid: str) -> None:
        entry = self._entries.pop(uid, None)
        if entry is not None:
            self._sums.take_off(entry.node, entry.amounts)

    def _sweep(self) -> None:
        """Drop what has expired. After a step back of the clock an entry counts as made now."""
        self._swept = now = self._clock.now()
        spans = (self._settings.answered_seconds, self._settings.bound_seconds)
        for uid, entry in list(self._entries.items()):
            entry.since = min(entry.since, now)
            if now - entry.since > spans[entry.is_bound]:
                self._take_out(uid)
        self._by_uid = self._young(self._by_uid, now)
        left = {owner: self._young(waiting, now) for owner, waiting in self._by_owner.items()}
        self._by_owner = {owner: waiting for owner, waiting in left.items() if waiting}

    def _young(self, steered: dict[str, _Steered], now: float) -> dict[str, _Steered]:
        span = self._settings.steered_seconds
        return {
            key: _Steered(each.node, min(each.since, now)) for key, each in steered.items() if now - each.since <= span
        }

    def _destination(self, pod: PodRequest) -> _Steered | None:
        """Where a plan wants a pod: by its VMI, by an earlier question, else the owner's next free destination."""
        found = self._by_uid.get(pod.created_by or pod.uid) or self._by_uid.get(pod.uid)
        if found is not None or not pod.owner_name:
            return found
        waiting = self._by_owner.get(Owner(pod.owner_kind, pod.namespace, pod.owner_name))
        if not waiting:
            return None
        self._by_uid[pod.uid] = waiting.pop(next(iter(waiting)))
        return self._by_uid[pod.uid]


def _holds(state: ClusterState, pod: PodRequest) -> bool:
    """Whether a state holds a pod: as a row of its own, or as its VMI's launcher."""
    if find(state, pod.namespace, pod.name, WorkloadKind.POD) is not None:
        return True
    row = find(state, pod.namespace, pod.domain, WorkloadKind.VMI) if pod.domain else None
    return row is not None and state.workloads.pod[row] == pod.name
