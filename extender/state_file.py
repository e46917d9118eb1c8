"""A snapshot or dump that is watched for changes."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from extender.reading import load_apart
from ullage.errors import UllageError
from ullage.model.state import ClusterState
from ullage.sources.inputs import load
from ullage.sources.signature import Signature, signature_of

_SMALL_BYTES: Final = 2**18
"""A file that is read so fast that no call notices."""


class StateFile:
    """A file that holds the state of a cluster. Everything here blocks; it belongs in a thread.

    Parameters
    ----------
    path
        Snapshot or dump.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: Signature | None = None

    def poll(self) -> ClusterState | None:
        """State in the file if it has changed since the last time, else ``None``.

        A file that changes while it is read is read again at the next call, and one that cannot be used is not tried again
        until it changes.

        Raises
        ------
        UllageError
            The new file cannot be used, or is not there.
        """
        before = signature_of([self.path])
        if before == self._seen:
            return None
        self._seen = before
        if before == (None,):
            raise UllageError(f"{self.path}: is not there, or may not be read")
        try:
            state = load([str(self.path)]) if self._is_small() else load_apart(self.path)
        finally:
            if signature_of([self.path]) != before:
                self._seen = None
        return state

    def _is_small(self) -> bool:
        signature = self._seen[0] if self._seen else None
        return signature is not None and signature[1] <= _SMALL_BYTES
