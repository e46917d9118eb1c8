"""What watches files and lets the service follow them, beside the event loop."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar, cast

from extender.logs import note
from extender.scheduling import Published, Scheduling
from extender.state_file import StateFile
from extender.tls import Certificates
from ullage.errors import UllageError

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


class StateWatch:
    """Publishes the state in a file whenever the file changes.

    Parameters
    ----------
    file
        The file.
    scheduling
        Where to publish.
    published
        Told of each state that was published.
    """

    def __init__(self, file: StateFile, scheduling: Scheduling, published: Callable[[Published], None]) -> None:
        self._file = file
        self._scheduling = scheduling
        self._published = published

    async def look(self) -> bool:
        """Look once; whether there is a new state. A file that cannot be used changes nothing."""
        try:
            prepared = await beside(self._prepared)
            if prepared is not None:
                self._scheduling.publish(prepared)
                self._published(prepared)
        except Exception as error:  # noqa: BLE001  # the state that there is must survive whatever a file holds
            self._scheduling.metrics.reload_failures.labels("state").inc()
            reason = error.message if isinstance(error, UllageError) else f"{type(error).__name__}: {error}"
            note("The state stays as it is, since its file cannot be used", logging.ERROR, reason=reason)
            return False
        return prepared is not None

    async def always(self, every_seconds: float) -> None:
        """Look again and again."""
        while True:
            await self.look()
            await asyncio.sleep(every_seconds)

    def _prepared(self) -> Published | None:
        state = self._file.poll()
        if state is None:
            return None
        prepared = self._scheduling.prepare(state)
        # What lives as long as a state is of no use to the collector, whose full passes would stall a call.
        gc.collect()
        gc.freeze()
        return prepared


async def watch_certificates(certificates: Certificates, every_seconds: float) -> None:
    """Read certificates again whenever they change."""
    while True:
        await asyncio.sleep(every_seconds)
        if await beside(certificates.reload):
            note("New certificates are in effect")
