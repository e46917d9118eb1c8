"""The loop as a service: what it is made of, how it starts, and how it ends."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final, Protocol

from descheduler.acting.actor import Acted
from descheduler.loop.archive import Archive
from descheduler.loop.board import Board, Status
from descheduler.loop.cycle import Clocks, Cycle, Cycles, Hands, Result
from descheduler.loop.grpc_server import GrpcServer, RebalancingService
from descheduler.loop.http_server import HttpServer
from descheduler.loop.settings import ConfigurationFile, Settings
from descheduler.loop.telling import Metrics, Sources
from ullage.errors import UllageError
from ullage.observability.logs import Log
from ullage.serving.tls import Certificates
from ullage.sources.ports import StateSource

LOG: Final = Log("ullage.descheduler")
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
_GRACE_SECONDS: Final = 2.0
_FIRST_SECONDS: Final = 1.0
"""How often it looks for the first state; cycles keep their interval from then on."""


class ActingHands(Hands, Protocol):
    """Hands that the app starts and stops."""

    @property
    def identity(self) -> str:
        """Who we are."""

    @property
    def leader(self) -> str:
        """Who leads, as far as it is known."""

    @property
    def transitions(self) -> int:
        """How often we became the leader."""

    def requests(self) -> Mapping[tuple[str, str], int]:
        """Requests to the API server for acting, by verb and status."""

    def evictions(self) -> Mapping[str, int]:
        """Requests for evictions, by code of what the answer means."""

    def start(self) -> None:
        """Take part in the election."""

    def stop(self) -> None:
        """Give the lead back."""


class Descheduler:
    """The running loop.

    Parameters
    ----------
    settings
        How it is run.
    source
        Gives the state.
    configuration
        The configuration in effect.
    clocks
        Time.
    hands
        What carries plans out; ``None`` in a mode that writes nothing.
    """

    def __init__(
        self,
        settings: Settings,
        source: StateSource,
        configuration: ConfigurationFile,
        clocks: Clocks,
        hands: ActingHands | None = None,
    ) -> None:
        settings.check()
        self._settings, self._source, self._configuration = settings, source, configuration
        self._clocks, self._hands = clocks, hands
        self._cycles = Cycles(source, clocks, settings.max_state_age_seconds, hands)
        self._archive = Archive(settings.plans, settings.keep_plans) if settings.plans else None
        self._certificates = Certificates(settings.tls, self._bad_certificates) if settings.tls else None
        self.board = Board()
        self.metrics = Metrics(self._figures(), by_node=settings.metrics_by_node)
        self.http = HttpServer(self.board, self.status, self.metrics, settings.interval_seconds)
        self.grpc: GrpcServer | None = None
        self.grpc_port = 0
        self._ends = asyncio.Event()
        self._reload = False

    def status(self) -> Status:
        """The state of the service."""
        leader = self._hands.leader if self._hands is not None else ""
        return self.board.status(self._settings.mode, leader, self._configuration.error, self._source.health)

    async def run(self, started: Callable[[], None] = lambda: None) -> None:
        """Start, make cycles until SIGTERM or SIGINT, and stop.

        Parameters
        ----------
        started
            Called when all addresses are listened on.
        """
        loop = asyncio.get_running_loop()
        for each in _SIGNALS:
            loop.add_signal_handler(each, self._ends.set)
        loop.add_signal_handler(signal.SIGHUP, self._ask_reload)
        try:
            await self._start()
            started()
            await self._cycle_until_end()
        finally:
            await self._stop()
            for each in (*_SIGNALS, signal.SIGHUP):
                loop.remove_signal_handler(each)

    def _figures(self) -> Sources:
        """Where figures come from; without hands there is no part in an election."""
        hands, thresholds = self._hands, lambda: self._configuration.current.thresholds
        if hands is None:
            return Sources(self._source.health, thresholds=thresholds, mode=self._settings.mode)
        return Sources(
            self._source.health,
            leads=lambda: hands.leads_since_seconds is not None,
            transitions=lambda: hands.transitions,
            requests=lambda: dict(hands.requests()),
            evictions=lambda: dict(hands.evictions()),
            thresholds=thresholds,
            mode=self._settings.mode,
            moves=hands.moves,
        )

    def end(self) -> None:
        """End after the cycle under way."""
        self._ends.set()

    async def _start(self) -> None:
        address, tls = self._settings.listen, self._certificates
        self._source.start()
        if self._hands is not None:
            self._hands.start()
        await self.http.start(address, tls.context if tls else None)
        LOG("Serving HTTP", host=address.host, port=self.http.port, tls=tls is not None)
        if self._settings.grpc_listen is not None:
            self.grpc = GrpcServer(RebalancingService(self._source, lambda: self._configuration.current))
            self.grpc_port = await self.grpc.start(str(self._settings.grpc_listen), tls)
            LOG("Serving gRPC", host=self._settings.grpc_listen.host, port=self.grpc_port, tls=tls is not None)

    async def _stop(self) -> None:
        LOG("Ending")
        await self.http.stop()
        if self.grpc is not None:
            await self.grpc.stop(_GRACE_SECONDS)
        if self._hands is not None:
            await asyncio.to_thread(self._hands.stop)
        await asyncio.to_thread(self._source.stop)
        LOG("Ended")

    async def _cycle_until_end(self) -> None:
        while not self._ends.is_set():
            begun = self._clocks.monotonic()
            self._look_at_files()
            cycle = await self._cycle()
            await self._show(cycle)
            interval = self._settings.interval_seconds
            if cycle.result is Result.UNSYNCED:
                interval = min(_FIRST_SECONDS, interval)
            await self._rest(begun + interval)

    async def _cycle(self) -> Cycle:
        """The next cycle. A fault is logged and counted, and the next cycle is made all the same."""
        try:
            return await asyncio.to_thread(self._cycles.next, self._configuration.current)
        except UllageError as error:
            LOG("The cycle ended early", logging.WARNING, reason=error.message)
            return Cycle(Result.FAILED, self._clocks.wall(), 0.0)
        except Exception as error:  # noqa: BLE001  # the cycle's boundary: whatever it is, the loop goes on
            LOG("The cycle failed", logging.ERROR, error=error)
            return Cycle(Result.FAILED, self._clocks.wall(), 0.0)

    async def _show(self, cycle: Cycle) -> None:
        self.board.put(cycle)
        self.metrics.cycled(cycle)
        _log(cycle)
        if self.grpc is not None:
            await self.grpc.set_ready(ready=self.board.is_ready)
        if self._archive is not None and cycle.plan is not None:
            try:
                written = await asyncio.to_thread(self._archive.add, cycle.plan)
            except OSError as error:
                LOG("The plan could not be written", logging.ERROR, reason=str(error))
            else:
                if written is not None:
                    LOG("Wrote the plan", file=str(written))

    async def _rest(self, until: float) -> None:
        """Wait until then, the end, or an asked reload; files are looked at every second."""
        while not self._ends.is_set() and (left := until - self._clocks.monotonic()) > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ends.wait(), min(left, 1.0))
            self._look_at_files()

    def _ask_reload(self) -> None:
        self._reload = True

    def _look_at_files(self) -> None:
        asked, self._reload = self._reload, False
        if self._certificates is not None and self._certificates.reload():
            LOG("New certificates are in effect")
        if not self._configuration.reload(asked=asked):
            return
        self.metrics.configuration_valid.set(not self._configuration.error)
        if self._configuration.error:
            self.metrics.reload_failures.inc()
            reason = self._configuration.error
            LOG("The configuration stays as it is, since its file is not valid", logging.ERROR, reason=reason)
        else:
            LOG("The configuration was read")

    def _bad_certificates(self, reason: str) -> None:
        LOG("The certificates stay as they are, since the new ones cannot be used", logging.ERROR, reason=reason)


def _log(cycle: Cycle) -> None:
    """One line per cycle."""
    result, took = cycle.result.value, round(cycle.took_seconds, 4)
    if cycle.plan is None:
        level = logging.WARNING if cycle.result is Result.STALE else logging.INFO
        LOG("Cycle", level, result=result, seconds=took)
        return
    summary = cycle.plan.status.summary
    LOG(
        "Cycle",
        result=result,
        seconds=took,
        generation=cycle.plan.status.generation,
        nodes=summary.nodes,
        over=summary.nodes_over_before,
        unknown=summary.nodes_unknown,
        moves=summary.moves,
        bytes=summary.bytes,
        overAfter=summary.nodes_over_after,
        more=_acting(cycle.acted),
    )


def _acting(acted: Acted | None) -> dict[str, str]:
    """What the line says of acting."""
    if acted is None:
        return {}
    said = {"heldBack": acted.held_back, "breakers": " ".join(each.code for each in acted.open)}
    if acted.plan is not None:
        said |= {
            "plan": acted.plan.metadata.name,
            "phase": acted.plan.status.phase.value,
            "done": acted.plan.status.done,
        }
    return {key: text for key, text in said.items() if text}
