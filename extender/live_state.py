"""A live cluster in the place of a file."""

from __future__ import annotations

from queue import Empty, SimpleQueue

from ullage.model.state import ClusterState
from ullage.sources.ports import StateSource


class Departures:
    """Pods that were deleted: told by a thread of the source, taken by that of the service."""

    def __init__(self) -> None:
        self._uids: SimpleQueue[str] = SimpleQueue()

    def tell(self, uid: str) -> None:
        """A pod is gone."""
        self._uids.put(uid)

    def take(self) -> list[str]:
        """Uids of the pods that went since the last time."""
        found = []
        try:
            while True:
                found.append(self._uids.get_nowait())
        except Empty:
            return found


class LiveState:
    """States of a source, each once.

    Parameters
    ----------
    source
        Follows the cluster.
    """

    def __init__(self, source: StateSource) -> None:
        self._source = source
        self._seen: ClusterState | None = None

    def start(self) -> None:
        """Begin to follow the cluster."""
        self._source.start()

    def stop(self) -> None:
        """End."""
        self._source.stop()

    def poll(self) -> ClusterState | None:
        """Newest state if it is another than the last time, else ``None``."""
        state = self._source.current()
        if state is self._seen:
            return None
        self._seen = state
        return state
