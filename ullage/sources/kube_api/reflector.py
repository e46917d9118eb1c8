"""Keeps an `ObjectSink` equal to one resource of an API server: a list, then watches from where it left off.

As client-go's reflector (``tools/cache/reflector.go``): consistent paged list, watch with bookmarks from the list's version, a
new watch from the newest version seen when one ends, a new list when the server no longer has that version. Beyond it: silence
ends a watch (bookmarks come every minute), events out of order and events that cannot be read lead to a new list, and an
optional resource that vanishes is forgotten.
"""

from __future__ import annotations

import logging
import math
import threading
from collections import Counter
from dataclasses import dataclass, field
from enum import Enum
from random import Random
from typing import Final

import msgspec

from ullage.sources.kube_api.backoff import Backoff, Pace
from ullage.sources.kube_api.connection import Connection, Limits, LineStream, Params
from ullage.sources.kube_api.discovery import Discovery
from ullage.sources.kube_api.errors import (
    GoneError,
    KubeError,
    NotFoundError,
    StoppedError,
    UnreachableError,
    UnreadableError,
)
from ullage.sources.kube_api.events import Event, is_older, read_event
from ullage.sources.kube_api.listing import Listing
from ullage.sources.ports import KindHealth, ObjectSink
from ullage.sources.watched import Resource


class Why(Enum):
    """Why a resource was listed anew."""

    GONE = "gone"
    """The server no longer has the version that we watched from."""
    UNREADABLE = "unreadable"
    """An event could not be read, so that it is not known what changed."""
    DISORDER = "disorder"
    """An event was older than the one before: a stale server, or events out of order."""
    FAILING = "failing"
    """Watches failed again and again for other reasons."""
    SERVED = "served"
    """The resource has vanished and come back."""


class Timing(msgspec.Struct, frozen=True, gc=False):
    """Times of a reflector.

    Attributes
    ----------
    watch_least_seconds, watch_most_seconds
        What a watch asks the server to last, drawn anew each time so that watches do not end all at once.
    silence_seconds
        A watch without a line for so long is dead, whatever TCP says; bookmarks come every 60 to 75 s.
    grace_seconds
        How much longer than asked a watch may last.
    spacing_seconds
        Shortest time from the start of one watch to the next.
    relist_seconds
        Longest time to the next full list after one; shorter for lists of fewer pages, so that it is a request per second.
    failures
        After so many failed watches in a row it is listed anew.
    pace
        Waits after failures.
    """

    watch_least_seconds: float = 240.0
    watch_most_seconds: float = 480.0
    silence_seconds: float = 90.0
    grace_seconds: float = 15.0
    spacing_seconds: float = 1.0
    relist_seconds: float = 30.0
    failures: int = 5
    pace: Pace = Pace()


_NAP_SECONDS: Final = 0.0005
_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True)
class Server:
    """An API server and what is known of it, shared by the reflectors of its resources."""

    connection: Connection
    discovery: Discovery

    @classmethod
    def of(cls, connection: Connection) -> Server:
        """Server behind a connection."""
        return cls(connection, Discovery(connection))


@dataclass
class _Position:
    """How far a reflector is. One thread writes it; others read single values."""

    version: str = ""
    """resourceVersion to watch from; empty if a list is due."""
    why: Why | None = None
    """Why a list is due; ``None`` for the first."""
    is_served: bool = True
    is_absent: bool = False
    """The server has proved that it does not have the resource, and the sink was told."""
    is_synced: bool = False
    heard_at_seconds: float = math.nan
    error: str = ""
    failures: int = 0
    list_from_seconds: float = -math.inf
    relists: Counter[Why] = field(default_factory=Counter)


class Reflector:
    """Follows one resource in a thread of its own.

    Parameters
    ----------
    resource
        What to follow.
    server
        Where.
    sink
        Takes lists and events. A list is handed over while it is read: the sink has to keep what it holds if the iteration
        raises.
    timing
        Times.
    seed
        Of the jitter; each resource draws from its own stream.
    """

    def __init__(
        self, resource: Resource, server: Server, sink: ObjectSink, timing: Timing | None = None, seed: int = 0
    ) -> None:
        self.resource = resource
        self._server = server
        self._clock = server.connection.clock
        self._sink = sink
        self._timing = timing or Timing()
        self._random = Random(f"{seed} {resource.name}")
        self._backoff = Backoff(self._timing.pace, self._random)
        self._at = _Position(is_served=not resource.is_optional)
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._stream: LineStream | None = None
        self._thread = threading.Thread(target=self._run, name=f"watch {resource.name}", daemon=True)

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def stop(self) -> None:
        """End soon; a watch is broken off."""
        self._stop.set()
        with self._lock:
            if self._stream is not None:
                self._stream.interrupt()

    def join(self, timeout_seconds: float) -> bool:
        """Wait for the end, for so long at most; whether it has come. A request without an answer ends by its timeout."""
        if self._thread.ident is not None:
            self._thread.join(timeout_seconds)
        return not self._thread.is_alive()

    def health(self) -> KindHealth:
        """How well the resource is known; what is held is the sink's to say."""
        at = self._at
        return KindHealth(
            resource=self.resource.name,
            is_served=at.is_served,
            is_synced=at.is_synced,
            lag_seconds=self._clock.monotonic() - at.heard_at_seconds,
            relists={why.value: at.relists[why] for why in Why},
            error=at.error,
        )

    def _run(self) -> None:
        while not self._stop.is_set():
            self._clock.wait(self._stop, self._round())

    def _round(self) -> float:
        """List if that is due, then watch until it ends; seconds to wait before the next round."""
        try:
            if not self._at.is_served and not self._server.discovery.serves(self.resource):
                return self._absent()
            if not self._at.version:
                self._list()
            return self._watch()
        except StoppedError:
            return 0.0
        except KubeError as error:
            return self._failed(error)
        except Exception as error:  # noqa: BLE001  # a thread that dies would leave the sink stale for good
            _LOG.exception("A list or watch ended by a program error", extra={"resource": self.resource.name})
            return self._failed(_BrokenError(f"program error: {type(error).__name__}: {error}"))

    def _list(self) -> None:
        listing = Listing(self._fetch, self._pause)
        try:
            self._sink.replace(self.resource, listing.paged())
        except GoneError:
            if listing.pages == 0:
                raise
            self._sink.replace(self.resource, listing.at_once())
        at = self._at
        if at.why is not None:
            at.relists[at.why] += 1
        at.version, at.why = listing.version, None
        at.is_served = at.is_synced = True
        at.is_absent = False
        at.failures, at.error = 0, ""
        at.heard_at_seconds = self._clock.monotonic()
        at.list_from_seconds = at.heard_at_seconds + min(listing.pages + 1, self._timing.relist_seconds)

    def _watch(self) -> float:
        started = self._clock.monotonic()
        lines = self._watched()
        if not lines and self._clock.monotonic() - started < self._timing.spacing_seconds:
            raise UnreachableError("the watch ended at once")
        return max(0.0, started + self._timing.spacing_seconds - self._clock.monotonic())

    def _watched(self) -> int:
        """Lines that a watch brought until it ended."""
        lines = 0
        lasts = self._random.uniform(self._timing.watch_least_seconds, self._timing.watch_most_seconds)
        stream = self._opened(lasts)
        try:
            self._at.error = ""
            for line in stream:
                self._take(read_event(line))
                lines += 1
        finally:
            with self._lock:
                self._stream = None
            stream.close()
        return lines

    def _opened(self, lasts_seconds: float) -> LineStream:
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._at.version,
            "timeoutSeconds": str(math.ceil(lasts_seconds)),
        }
        connect = self._server.connection.limits.connect_seconds
        limits = Limits(connect, self._timing.silence_seconds, lasts_seconds + self._timing.grace_seconds)
        stream = self._server.connection.stream(self.resource.path, query, limits)
        with self._lock:
            self._stream = stream
            if self._stop.is_set():
                stream.interrupt()
        return stream

    def _take(self, event: Event) -> None:
        at = self._at
        if is_older(event.version, at.version):
            raise _DisorderError(f"a watch event of version {event.version} after {at.version}")
        if event.verb is not None:
            self._sink.change(self.resource, event.verb, event.raw)
        at.version = event.version or at.version
        at.heard_at_seconds = self._clock.monotonic()
        at.failures = 0

    def _failed(self, error: KubeError) -> float:
        """Note a failure; seconds to wait."""
        at = self._at
        at.error = error.message
        at.failures += 1
        at.is_served = at.is_served and not self._may_have_vanished(error)
        why = self._reason(error)
        if why is not None and at.version:
            at.version, at.why = "", why
        now = self._clock.monotonic()
        wait = self._backoff.after(now, error.retry_after_seconds)
        return wait if at.version else max(wait, at.list_from_seconds - now)

    def _may_have_vanished(self, error: KubeError) -> bool:
        if not (isinstance(error, NotFoundError) and self.resource.is_optional):
            return False
        self._server.discovery.doubt(self.resource)
        return True

    def _reason(self, error: KubeError) -> Why | None:
        """Why a failed watch means that a new list is needed, if it is."""
        if isinstance(error, _DisorderError):
            return Why.DISORDER
        if isinstance(error, GoneError):
            return Why.GONE
        if isinstance(error, UnreadableError):
            return Why.UNREADABLE
        return Why.FAILING if self._at.failures >= self._timing.failures else None

    def _absent(self) -> float:
        """Say that the resource is not served, and look again later."""
        at = self._at
        if not at.is_absent:
            self._sink.forget(self.resource)
            at.why = Why.SERVED if at.version else at.why
        at.version, at.error, at.failures = "", "", 0
        at.is_absent = at.is_synced = True
        at.heard_at_seconds = self._clock.monotonic()
        return self._server.discovery.look_seconds

    def _fetch(self, query: Params) -> bytes:
        return self._server.connection.get(self.resource.path, query)

    def _pause(self) -> None:
        """Let others run, once there is something that they may be asked for."""
        if self._clock.wait(self._stop, _NAP_SECONDS) if self._at.is_synced else self._stop.is_set():
            raise StoppedError("told to stop")


class _DisorderError(UnreadableError):
    """Events are not in order."""


class _BrokenError(UnreadableError):
    """The sink, or we, have failed over what the server sent: what is held cannot be trusted."""
