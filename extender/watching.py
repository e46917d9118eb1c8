"""What watches files and lets the service follow them, beside the event loop."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Protocol, TypeVar, cast

from extender.logs import note
from extender.scheduling import Published, Scheduling
from ullage.errors import UllageError
from ullage.model.state import ClusterState
from ullage.serving.tls import Certificates

ValueT = TypeVar("ValueT")


async def beside(function: Callable[[], ValueT]) -> ValueT:
    """Result of a function that blocks, called in a thread that the process does not wait for when it ends."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[ValueT] = loop.create_future()

    def settle(result: ValueT | None, error: Exception | None) -> None:
        if future.cancelled():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(cast("ValueT", result))

    def run() -> None:
        result, failed = None, None
        try:
            result = function()
        except Exception as error:  # noqa: BLE001  # it is raised where the result is awaited
            failed = error
        with suppress(RuntimeError):  # the loop has ended in the meantime
            loop.call_soon_threadsafe(settle, result, failed)

    threading.Thread(target=run, daemon=True).start()
    return await future


class States(Protocol):
    """Gives states: of a file, or of a live cluster."""

    def poll(self) -> ClusterState | None:
        """State if there is another than the last time, else ``None``; raises `UllageError` if it cannot be used."""


class StateWatch:
    """Publishes states as they come.

    Parameters
    ----------
    states
        Gives them.
    scheduling
        Where to publish.
    published
        Told of each state that was published.
    """

    def __init__(self, states: States, scheduling: Scheduling, published: Callable[[Published], None]) -> None:
        self._states = states
        self._scheduling = scheduling
        self._published = published

    async def look(self) -> bool:
        """Look once; whether there is a new state. One that cannot be used changes nothing."""
        try:
            prepared = await beside(self._prepared)
            if prepared is not None:
                self._scheduling.publish(prepared)
                self._published(prepared)
        except Exception as error:  # noqa: BLE001  # the state that there is must survive whatever comes
            self._scheduling.metrics.reload_failures.labels("state").inc()
            reason = error.message if isinstance(error, UllageError) else f"{type(error).__name__}: {error}"
            note("The state stays as it is, since the new one cannot be used", logging.ERROR, reason=reason)
            return False
        return prepared is not None

    async def always(self, every_seconds: float) -> None:
        """Look again and again."""
        while True:
            await self.look()
            await asyncio.sleep(every_seconds)

    def _prepared(self) -> Published | None:
        state = self._states.poll()
        if state is None:
            return None
        prepared = self._scheduling.prepare(state)
        # What lives as long as a state is of no use to the collector, whose full passes would stall a call.
        gc.collect()
        gc.freeze()
        return prepared


async def watch_departures(
    take: Callable[[], Iterable[str]], forget: Callable[[str], None], every_seconds: float
) -> None:
    """Forget pods that were deleted before a state held them: preempted, or given up."""
    while True:
        for uid in take():
            forget(uid)
        await asyncio.sleep(every_seconds)


async def watch_certificates(certificates: Certificates, every_seconds: float) -> None:
    """Read certificates again whenever they change."""
    while True:
        await asyncio.sleep(every_seconds)
        if await beside(certificates.reload):
            note("New certificates are in effect")


async def watch_plans(look: Callable[[ClusterState], object], scheduling: Scheduling, every_seconds: float) -> None:
    """Look again and again what plans want, once there is a state."""
    while True:
        view = scheduling.current.view
        if view is not None:
            await beside(partial(look, view.state))
        await asyncio.sleep(every_seconds)
