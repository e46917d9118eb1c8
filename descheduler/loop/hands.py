"""The hands of the loop on a live cluster: the Lease, executors, plans and events, all by one guarded way of writing."""

from __future__ import annotations

import logging
import platform
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Final

from descheduler.acting.actor import Acted, Actor, Decided, Ports
from descheduler.acting.course import Phase, StepState
from descheduler.acting.kube_stores import KubePlans, LeaseLedger
from descheduler.executors.events import Events, EventType, Happening, Reference
from descheduler.executors.port import Step
from descheduler.executors.registry import Routing, executors
from descheduler.executors.taint import SoftTaints
from descheduler.executors.writer import CALL_SECONDS, HeldBackError, Writer
from descheduler.leading.election import Clocks, Election, Standing, Timing
from descheduler.leading.kube_lease import KubeLease
from descheduler.leading.runner import Leadership
from descheduler.loop.alarms import Alarms
from descheduler.loop.modes import Mode
from descheduler.policy.memory import Moved
from ullage.config import Configuration
from ullage.errors import ConfigError, UllageError
from ullage.observability.logs import Log
from ullage.sources.kube_api.connection import Connection

_REASONS: Final = {
    Phase.RUNNING: "Moving",
    Phase.SUCCEEDED: "Moved",
    Phase.FAILED: "MoveFailed",
    Phase.REFUSED: "MoveRefused",
    Phase.CANCELLED: "MoveCancelled",
    Phase.SKIPPED: "MoveSkipped",
}
_BAD: Final = (Phase.FAILED, Phase.REFUSED)


def _check(timing: Timing) -> None:
    """Raise `ConfigError` if a leader with these times could never write: a permit lasts as long as a write may take."""
    least = CALL_SECONDS + timing.margin_seconds + timing.retry_seconds
    if timing.lease_seconds <= least:
        raise ConfigError(
            "leaderElection",
            f"a lease of {timing.lease_seconds:g} s leaves no time to write",
            f"it must last longer than {least:g} s: a retry, a write of {CALL_SECONDS:g} s and the drift of clocks",
        )


class LiveHands:
    """`descheduler.loop.cycle.Hands` on an API server.

    Parameters
    ----------
    connect
        Opens a connection; the Lease gets one of its own, so that nothing keeps its renewal waiting.
    mode
        What may be done.
    lease
        Namespace and name of the Lease.
    timing
        Times of the election.
    log
        Where to tell.

    Raises
    ------
    ConfigError
        The times of the election leave no time to write.
    """

    def __init__(
        self, connect: Callable[[], Connection], mode: Mode, lease: tuple[str, str], timing: Timing, log: Log
    ) -> None:
        _check(timing)
        self._mode, self._log = mode, log
        clocks = Clocks(time.monotonic, time.time)  # noqa: TID251  # the election's own: no other clock may bend it
        kube_lease = KubeLease(connect(), *lease)
        self.identity = f"{platform.node()}_{secrets.token_hex(4)}"
        election = Election(kube_lease, self.identity, timing, clocks, seed=secrets.randbits(32))
        self.leadership = Leadership(election, self._changed, clocks.wall)
        self._connection = connect()
        self._writer = writer = Writer(self._connection, self.leadership.why_not)
        self._events = Events(writer, self.identity)
        self._taints = SoftTaints(writer)
        ports = Ports(
            executor=Routing(executors(writer)),
            plans=KubePlans(writer),
            ledger=LeaseLedger(kube_lease, self.leadership.why_not),
            taints=self._taints,
            tell=self._tell,
            alerts=Alarms(self._connection.get),
        )
        self._actor = Actor(ports, approves=mode is Mode.AUTOMATIC)

    @property
    def leads_since_seconds(self) -> float | None:
        """Unix time since which this replica leads; ``None`` if it does not."""
        return self.leadership.leads_since_seconds

    @property
    def leader(self) -> str:
        """Who leads, as far as it is known."""
        return self.leadership.holder

    @property
    def transitions(self) -> int:
        """How often we became the leader."""
        return self.leadership.transitions

    def moves(self) -> tuple[Moved, ...]:
        """What was begun in the last 48 hours."""
        return self._actor.moves()

    def cycle(self, decided: Decided, config: Configuration, leads_since: float, now_seconds: float) -> Acted:
        """Act on the newest state; in the mode Off, only take our marks off nodes."""
        if self._mode is Mode.OFF:
            return self._off()
        return self._actor.cycle(decided, config, leads_since, now_seconds)

    def start(self) -> None:
        """Take part in the election."""
        self.leadership.start()

    def stop(self) -> None:
        """Take our marks off nodes if we lead, and give the lead back. To be called after the last cycle has ended.

        Under the kill switch the marks stay: it stops every write, and to guess which ones people would not mind is not for us.
        Whoever leads after it takes them off in the first cycle, and ``ullage taints clear`` at any time.
        """
        if self.leads_since_seconds is not None:
            try:
                self._taints.clear()
            except UllageError as error:
                self._log("Marks stay on nodes", logging.WARNING, reason=error.message)
        self.leadership.stop()

    def requests(self) -> Mapping[tuple[str, str], int]:
        """Requests to the API server by verb and status, but for those of the election."""
        return self._connection.requests()

    def evictions(self) -> Mapping[str, int]:
        """Requests for evictions, by code of what the answer means."""
        return self._writer.evictions

    def _off(self) -> Acted:
        try:
            self._taints.clear()
        except HeldBackError as error:
            return Acted(held_back=error.message, held_code=error.code)
        return Acted()

    def _changed(self, standing: Standing) -> None:
        if standing is Standing.LEADING:
            self._log("Began to lead", identity=self.identity)
        else:
            reason = self.leadership.error or f"{self.leadership.holder or 'nobody'} holds the Lease"
            self._log("Leads no more", logging.WARNING, identity=self.identity, reason=reason)

    def _tell(self, step: Step, state: StepState, executor: str) -> None:
        move = step.move
        self._log(
            _REASONS.get(state.phase, "Waiting"),
            logging.WARNING if state.phase in _BAD else logging.INFO,
            plan=step.plan,
            step=step.number,
            workload=str(move.workload),
            source=move.source,
            target=move.target,
            executor=executor,
            code=state.code,
            reason=state.reason,
        )
        reason = _REASONS.get(state.phase)
        if reason is None:
            return
        why = state.reason or move.reason
        note = f"{move.source} to {move.target} by {executor}, step {step.number} of plan {step.plan}: {why}"
        kind = EventType.WARNING if state.phase in _BAD else EventType.NORMAL
        regarding, related, once = (
            Reference.of(move.workload),
            Reference.node(move.target),
            f"{step.plan}/{step.number}",
        )
        self._events.tell(Happening(regarding, reason, "Rebalance", note, kind, related, once))
