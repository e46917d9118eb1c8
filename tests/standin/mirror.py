"""What the API server holds of one kind, kept up by list and watch."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from urllib3.exceptions import HTTPError

from tests.controlplane.rest import Rest, RestError
from tests.standin.running import Running
from tests.standin.wire import Json, Key, key_of, version_of

WATCH_SECONDS: Final = 5
"""A watch is renewed this often: so long a thread may go on after the end, doing nothing."""
GONE: Final = 410


class Mirror:
    """Objects of a kind by namespace and name.

    Parameters
    ----------
    running
        Where the watch runs.
    rest
        Client of the API server.
    path
        Collection of the kind.
    selectors
        Such as ``fieldSelector``.
    """

    def __init__(self, running: Running, rest: Rest, path: str, **selectors: str) -> None:
        self._running, self._rest, self.path, self._selectors = running, rest, path, selectors
        self._objects: dict[Key, Json] = {}
        self._handlers: list[Callable[[Key, Json], None]] = []
        self._lock = threading.Lock()
        self.synced = threading.Event()

    def on_change(self, handler: Callable[[Key, Json], None]) -> None:
        """Have ``handler`` called with every object that was added, changed or removed (as it was last)."""
        self._handlers.append(handler)

    def start(self, seconds: float = 30.0) -> None:
        """Start to watch, and wait for the first list."""
        self._running.start(f"{self.path}-watch", self._run)
        if not self.synced.wait(seconds):
            raise TimeoutError(f"{self.path}: no list within {seconds} s; {self._running.failures}")

    def get(self, key: Key) -> Json | None:
        with self._lock:
            return self._objects.get(key)

    def all(self) -> list[Json]:
        with self._lock:
            return list(self._objects.values())

    def learn(self, wire: Json, *, is_new: bool = False) -> Json:
        """Take in what the server answered to a write, before the watch says so."""
        with self._lock:
            known = self._objects.get(key_of(wire))
            if is_new if known is None else version_of(known) < version_of(wire):
                self._objects[key_of(wire)] = wire
        return wire

    def _run(self) -> None:
        while not self._running.is_over:
            with self._running.recording():
                self._follow()
            self._running.pause(0.1)

    def _follow(self) -> None:
        """List, then watch from there until the server has forgotten where that was."""
        version = self._list()
        self.synced.set()
        while version and not self._running.is_over:
            version = self._watch(version)

    def _list(self) -> str:
        found = self._rest.get(self.path, **self._selectors)
        kind, items = found["kind"].removesuffix("List"), found.get("items") or ()
        listed = {key_of(each): {"kind": kind, "apiVersion": found["apiVersion"], **each} for each in items}
        with self._lock:
            before, self._objects = self._objects, listed
        for key, wire in {**before, **listed}.items():
            if key not in listed or version_of(before.get(key, {"metadata": {}})) != version_of(wire):
                self._tell(key, wire)
        return str(found["metadata"]["resourceVersion"])

    def _watch(self, version: str) -> str:
        """Version to go on from; empty if that is too old."""
        query = {"resourceVersion": version, "timeoutSeconds": WATCH_SECONDS, "allowWatchBookmarks": True}
        try:
            for event in self._rest.stream(self.path, **query, **self._selectors):
                if event["type"] == "ERROR" or self._running.is_over:
                    return ""
                version = event["object"]["metadata"]["resourceVersion"]
                self._take(event["type"], event["object"])
        except HTTPError:
            return version if self._running.pause(0.2) else ""
        except RestError as error:
            if error.status != GONE:
                raise
            return ""
        return version

    def _take(self, kind: str, wire: Json) -> None:
        if kind == "BOOKMARK":
            return
        key = key_of(wire)
        with self._lock:
            if kind == "DELETED":
                self._objects.pop(key, None)
            elif version_of(self._objects.get(key, {"metadata": {}})) <= version_of(wire):
                self._objects[key] = wire
        self._tell(key, wire)

    def _tell(self, key: Key, wire: Json) -> None:
        for handler in self._handlers:
            handler(key, wire)
