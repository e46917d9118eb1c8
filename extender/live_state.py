"""A live cluster in the place of a file."""

from __future__ import annotations

from ullage.model.state import ClusterState
from ullage.sources.ports import StateSource


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
