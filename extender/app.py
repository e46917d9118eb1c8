"""The extender as a whole: what it is made of, how it starts, and how it ends."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from extender import verbs
from extender.grpc_server import GrpcServer
from extender.http_protocol import Limits
from extender.http_server import HttpServer
from extender.http_verbs import HttpVerbs
from extender.ledger import Ledger
from extender.live_state import Departures, LiveState
from extender.logs import note
from extender.metrics import Metrics
from extender.scheduling import Clocks, Decision, Published, Scheduling, Timing
from extender.state_file import StateFile
from extender.steering import Steering
from extender.watching import States, StateWatch, watch_certificates, watch_departures, watch_plans
from ullage.config import Configuration
from ullage.errors import UsageError
from ullage.scoring.view import view
from ullage.serving.address import Address, refuse_plain
from ullage.serving.tls import Certificates, TlsFiles
from ullage.sources.ports import StateSource

_DRAIN_SECONDS: Final = 3.0
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


@dataclass(frozen=True)
class Settings:
    """How the extender is run.

    Attributes
    ----------
    snapshot
        File that holds the state; ``None`` for a live cluster.
    config
        Configuration.
    listen, grpc_listen
        Where to serve HTTP, and gRPC if at all.
    health_listen
        Where to serve health and metrics, and nothing else, without TLS; for probes that have no certificate.
    prefix
        Path that the verbs stand under.
    tls
        Certificates for both; without them, only loopback is served.
    plain
        Serve without TLS whatever the address is.
    poll_seconds
        How often files are looked at for changes.
    timing, limits
        What an answer may take, and a connection.
    """

    snapshot: Path | None
    config: Configuration
    listen: Address = field(default_factory=lambda: Address("127.0.0.1", 8888))
    grpc_listen: Address | None = None
    health_listen: Address | None = None
    prefix: str = "/scheduler"
    tls: TlsFiles | None = None
    plain: bool = False
    poll_seconds: float = 1.0
    timing: Timing = field(default_factory=Timing)
    limits: Limits = field(default_factory=Limits)

    def check(self) -> None:
        """Raise `UsageError` if something would be served to others without TLS."""
        refuse_plain((self.listen, self.grpc_listen), has_tls=self.tls is not None, plain=self.plain)


def decision(config: Configuration) -> Decision:
    """The functions that decide, with a configuration."""
    return Decision(
        view=lambda state: view(state, config),
        filter_nodes=verbs.filter_nodes,
        prioritize=verbs.prioritize,
        explain=verbs.explain,
        best_score=config.scoring.score_scale,
    )


@dataclass(frozen=True)
class Cluster:
    """A live cluster: `source` of its states, `get`, which reads a path of its API server, and pods that were deleted."""

    source: StateSource
    get: Callable[[str], bytes]
    departures: Departures = field(default_factory=Departures)


@dataclass(frozen=True)
class _Clock:
    """A clock as the ledger wants it."""

    now: Callable[[], float]


class Extender:
    """The running service.

    Parameters
    ----------
    settings
        How it is run.
    decides
        The functions that decide; by default those of this package.
    clocks
        Time; by default that of this machine.
    cluster
        The live cluster, if the state does not come from a file.

    Attributes
    ----------
    grpc_port
        Port that gRPC is served on; 0 before the start, or if it is not served.
    """

    def __init__(
        self,
        settings: Settings,
        decides: Decision | None = None,
        clocks: Clocks | None = None,
        cluster: Cluster | None = None,
    ) -> None:
        settings.check()
        self.settings = settings
        self.metrics = Metrics()
        clocks = clocks or Clocks(time.monotonic, time.time)  # noqa: TID251  # the one place that time comes from
        self._ledger = ledger = Ledger(settings.config, _Clock(clocks.monotonic))
        self.scheduling = Scheduling(
            decides or decision(settings.config), ledger, clocks, self.metrics, settings.timing
        )
        self._verbs = HttpVerbs(self.scheduling)
        self.http = HttpServer(self._verbs.routes(settings.prefix), settings.limits)
        self.grpc: GrpcServer | None = None
        self.grpc_port = 0
        self._certificates = Certificates(settings.tls, self._bad_certificates) if settings.tls else None
        self._cluster = cluster
        self._live = LiveState(cluster.source) if cluster is not None else None
        self.watch = StateWatch(self._states(), self.scheduling, self._state_published)
        self.health: HttpServer | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._add_gauges()

    async def start(self) -> None:
        """Listen, and begin to watch. It is ready when the first state has been read."""
        every = self.settings.poll_seconds
        tls = self._certificates.context if self._certificates is not None else None
        address = self.settings.listen
        await self.http.start(address.host, address.port, tls)
        note("Serving HTTP", addresses=list(self.http.addresses), tls=tls is not None, prefix=self.settings.prefix)
        if self.settings.grpc_listen is not None:
            self.grpc = GrpcServer(self.scheduling)
            self.grpc_port = await self.grpc.start(str(self.settings.grpc_listen), self._certificates)
            note("Serving gRPC", host=self.settings.grpc_listen.host, port=self.grpc_port, tls=tls is not None)
        await self._start_health()
        self._follow(every)
        if self._certificates is not None:
            self._tasks.append(asyncio.create_task(watch_certificates(self._certificates, every)))

    async def _start_health(self) -> None:
        address = self.settings.health_listen
        if address is not None:
            self.health = HttpServer(self._verbs.health_routes(), self.settings.limits)
            await self.health.start(address.host, address.port)
            note("Serving health and metrics", addresses=list(self.health.addresses))

    def _follow(self, every_seconds: float) -> None:
        if self._live is not None and self._cluster is not None:
            self._live.start()
            steering = Steering(self._cluster.get, self._ledger.steer)
            self._tasks.append(asyncio.create_task(watch_plans(steering.look, self.scheduling, every_seconds)))
            departures = watch_departures(self._cluster.departures.take, self._ledger.forget, every_seconds)
            self._tasks.append(asyncio.create_task(departures))
        self._tasks.append(asyncio.create_task(self.watch.always(every_seconds)))

    def _states(self) -> States:
        if self._live is not None:
            return self._live
        if self.settings.snapshot is None:
            raise UsageError("there is neither a snapshot nor a cluster")
        return StateFile(self.settings.snapshot)

    def reload_certificates(self) -> bool:
        """Look at the certificates now; whether new ones are in effect."""
        return self._certificates is not None and self._certificates.reload()

    async def stop(self) -> None:
        """Finish what is under way and end, within five seconds."""
        note("Draining", connections=self.http.connections)
        self._verbs.draining = True
        self.scheduling.end()
        for task in self._tasks:
            task.cancel()
        endings = [self.http.stop(_DRAIN_SECONDS)]
        if self.grpc is not None:
            endings.append(self.grpc.stop(_DRAIN_SECONDS))
        if self.health is not None:
            endings.append(self.health.stop(_DRAIN_SECONDS))
        if self._live is not None:
            endings.append(asyncio.to_thread(self._live.stop))
        await asyncio.gather(*endings)
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task
        note("Ended")

    async def run(self, started: Callable[[], None] = lambda: None) -> None:
        """Start, wait for SIGTERM or SIGINT, and stop.

        Parameters
        ----------
        started
            Called when all addresses are listened on.
        """
        ends = asyncio.Event()
        loop = asyncio.get_running_loop()
        for each in _SIGNALS:
            loop.add_signal_handler(each, ends.set)
        try:
            await self.start()
            started()
            await ends.wait()
        finally:
            await self.stop()
            for each in _SIGNALS:
                loop.remove_signal_handler(each)

    def _state_published(self, published: Published) -> None:
        size = len(published.table)
        note(
            "Published a state", generation=published.generation, nodes=size, age_seconds=self.scheduling.age_seconds()
        )
        if self.grpc is not None:
            self._tasks.append(asyncio.create_task(self.grpc.set_ready(ready=True)))

    def _bad_certificates(self, reason: str) -> None:
        self.metrics.reload_failures.labels("tls").inc()
        note("The certificates stay as they are, since the new ones cannot be used", logging.ERROR, reason=reason)

    def _add_gauges(self) -> None:
        gauge = self.metrics.gauge
        gauge(
            "state_age_seconds",
            "Age of the state that decisions are made on; NaN before the first.",
            self.scheduling.age_seconds,
        )
        gauge("state_generation", "Generation of that state.", lambda: self.scheduling.current.generation)
        gauge("nodes", "Nodes in that state.", lambda: len(self.scheduling.current.table))
        gauge("ledger_pods", "Pods that were answered for and are not observed yet.", self.scheduling.ledger_size)
        gauge("connections", "Open HTTP connections.", lambda: self.http.connections)
