"""The extender as a whole: what it is made of, how it starts, and how it ends."""

from __future__ import annotations

import asyncio
import ipaddress
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
from extender.logs import note
from extender.metrics import Metrics
from extender.scheduling import Clocks, Decision, Published, Scheduling, Timing
from extender.state_file import StateFile
from extender.tls import Certificates, TlsFiles
from extender.watching import StateWatch, watch_certificates
from ullage.config import Configuration
from ullage.errors import UsageError
from ullage.scoring.view import view

_DRAIN_SECONDS: Final = 3.0
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


@dataclass(frozen=True)
class Address:
    """Where to listen."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Address:
        """Address written as ``host:port``, ``[::1]:port`` or ``:port`` (every address of this machine).

        Raises
        ------
        UsageError
            It is none.
        """
        host, colon, port = text.rpartition(":")
        if not colon or not port.isdecimal() or int(port) > 65535:
            raise UsageError(f"{text}: is no address to listen on", "write host:port, such as 127.0.0.1:8888")
        return cls(host.removeprefix("[").removesuffix("]") or "0.0.0.0", int(port))  # noqa: S104

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Settings:
    """How the extender is run.

    Attributes
    ----------
    snapshot
        File that holds the state.
    config
        Configuration.
    listen, grpc_listen
        Where to serve HTTP, and gRPC if at all.
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

    snapshot: Path
    config: Configuration
    listen: Address = Address("127.0.0.1", 8888)
    grpc_listen: Address | None = None
    prefix: str = "/scheduler"
    tls: TlsFiles | None = None
    plain: bool = False
    poll_seconds: float = 1.0
    timing: Timing = field(default_factory=Timing)
    limits: Limits = field(default_factory=Limits)

    def check(self) -> None:
        """Raise `UsageError` if something would be served to others without TLS."""
        for address in (self.listen, self.grpc_listen):
            if address is not None and self.tls is None and not self.plain and not address.is_loopback:
                raise UsageError(
                    f"{address}: is not loopback and there is no TLS",
                    "give --tls-cert and --tls-key, or --allow-plain-http if the network is trusted",
                )


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

    Attributes
    ----------
    grpc_port
        Port that gRPC is served on; 0 before the start, or if it is not served.
    """

    def __init__(self, settings: Settings, decides: Decision | None = None, clocks: Clocks | None = None) -> None:
        settings.check()
        self.settings = settings
        self.metrics = Metrics()
        clocks = clocks or Clocks(time.monotonic, time.time)  # noqa: TID251  # the one place that time comes from
        ledger = Ledger(settings.config, _Clock(clocks.monotonic))
        self.scheduling = Scheduling(
            decides or decision(settings.config), ledger, clocks, self.metrics, settings.timing
        )
        self._verbs = HttpVerbs(self.scheduling)
        self.http = HttpServer(self._verbs.routes(settings.prefix), settings.limits)
        self.grpc: GrpcServer | None = None
        self.grpc_port = 0
        self._certificates = Certificates(settings.tls, self._bad_certificates) if settings.tls else None
        self.watch = StateWatch(StateFile(settings.snapshot), self.scheduling, self._state_published)
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
        self._tasks.append(asyncio.create_task(self.watch.always(every)))
        if self._certificates is not None:
            self._tasks.append(asyncio.create_task(watch_certificates(self._certificates, every)))

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
