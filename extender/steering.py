"""Destinations of plans that are carried out: the pod that replaces an evicted one is to land where the plan wants it.

Plans are read as resources (``rebalanceplans.ullage.dev``); without them, or without the right to read them, nothing is
steered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

import msgspec

from extender.ledger import Destination
from ullage.errors import UllageError
from ullage.model.state import ClusterState, Owner

PATH: Final = "/apis/ullage.dev/v1alpha1/rebalanceplans"
_ACTIVE: Final = ("Approved", "Running")
_WAITS: Final = ("Pending", "")


class _Workload(msgspec.Struct, frozen=True, gc=False):
    uid: str = ""


class _Move(msgspec.Struct, frozen=True, gc=False):
    workload: _Workload
    to: str = ""


class _Spec(msgspec.Struct, frozen=True, gc=False):
    moves: tuple[_Move, ...] = ()


class _Step(msgspec.Struct, frozen=True, gc=False):
    phase: str = ""


class _Status(msgspec.Struct, frozen=True, gc=False):
    phase: str = ""
    steps: tuple[_Step, ...] = ()


class _Plan(msgspec.Struct, frozen=True, gc=False):
    spec: _Spec = _Spec()
    status: _Status = _Status()


class _List(msgspec.Struct):
    items: list[msgspec.Raw] = []


_MANY: Final = msgspec.json.Decoder(_List)
_ONE: Final = msgspec.json.Decoder(_Plan)


class Steering:
    """Hands destinations over to the ledger.

    Parameters
    ----------
    get
        Reads a path of the API server.
    steer
        Takes destinations.
    """

    def __init__(self, get: Callable[[str], bytes], steer: Callable[[Iterable[Destination]], None]) -> None:
        self._get, self._steer = get, steer
        self.error = ""

    def look(self, state: ClusterState) -> int:
        """Read the plans, and steer what they have not begun to move yet; how many destinations there are."""
        try:
            plans = list(_plans(self._get(PATH)))
            self.error = ""
        except (UllageError, msgspec.DecodeError) as error:
            self.error = str(error)
            return 0
        destinations = list(_destinations(plans, state))
        if destinations:
            self._steer(destinations)
        return len(destinations)


def _plans(body: bytes) -> Iterator[_Plan]:
    """Plans that are carried out; one that cannot be read is passed over."""
    for raw in _MANY.decode(body).items:
        try:
            plan = _ONE.decode(raw)
        except msgspec.DecodeError:
            continue
        if plan.status.phase in _ACTIVE:
            yield plan


def _destinations(plans: Iterable[_Plan], state: ClusterState) -> Iterator[Destination]:
    """Destinations of moves that wait: once a move has begun, its pod may be there already."""
    waiting = {m.workload.uid: m.to for plan in plans for m in _waiting(plan)}
    if not waiting:
        return
    for row, uid in enumerate(state.workloads.uid):
        if uid in waiting:
            yield Destination(uid, waiting[uid], _owner(state, row))


def _waiting(plan: _Plan) -> Iterator[_Move]:
    for number, move in enumerate(plan.spec.moves):
        if number >= len(plan.status.steps) or plan.status.steps[number].phase in _WAITS:
            yield move


def _owner(state: ClusterState, row: int) -> Owner | None:
    owner = int(state.workloads.owner[row])
    return state.owners[owner] if owner >= 0 and not state.workloads.kind[row] else None
