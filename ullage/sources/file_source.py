"""A snapshot or dump that is watched for changes, as a source of states: a service can run without a cluster."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

from ullage.errors import UllageError
from ullage.model.state import ClusterState
from ullage.sources.inputs import load
from ullage.sources.ports import Health, ReadingHealth
from ullage.sources.signature import Signature, signature_of

_POLL_SECONDS = 1.0


class FileSource:
    """`StateSource` of one file.

    A file that changes while it is read is read again, and one that cannot be used leaves the state as it is.

    Parameters
    ----------
    path
        Snapshot or dump.
    poll_seconds
        How often the file is looked at.
    """

    def __init__(self, path: Path, poll_seconds: float = _POLL_SECONDS) -> None:
        self._path = path
        self._poll_seconds = poll_seconds
        self._seen: Signature | None = None
        self._state: ClusterState | None = None
        self._error = ""
        self._first = threading.Event()
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._follow, name=f"follow {path.name}", daemon=True)

    def start(self) -> None:
        """Begin to follow the file."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._ends.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5.0)

    def current(self) -> ClusterState | None:
        """State in the file."""
        return self._state

    def wait(self, timeout_seconds: float) -> bool:
        """Wait for the first state, or for the first reason why there is none; whether it is there."""
        self._first.wait(timeout_seconds)
        return self._state is not None

    def health(self) -> Health:
        """Whether the file could be read."""
        reading = ReadingHealth(source=str(self._path), error=self._error)
        return Health(is_synced=self._state is not None, readings=(reading,))

    def look(self) -> bool:
        """Read the file if it has changed; whether there is a new state."""
        signature = signature_of([self._path])
        if signature != (None,) and signature == self._seen:
            return False
        self._seen = signature
        try:
            state = load([str(self._path)])
        except UllageError as error:
            self._error = error.message
            return False
        finally:
            if signature_of([self._path]) != signature:
                self._seen = None
        before = self._state
        self._error = ""
        self._state = state if before is None else replace(state, generation=before.generation + 1)
        return True

    def _follow(self) -> None:
        while not self._ends.is_set():
            self.look()
            self._first.set()
            self._ends.wait(self._poll_seconds)
