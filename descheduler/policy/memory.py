"""What a decision remembers from earlier ones: a frozen value in and out, so that any decision can be replayed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from ullage.model.arrays import frozen
from ullage.model.state import ClusterState


@dataclass(frozen=True)
class Memory:
    """What earlier decisions left.

    Attributes
    ----------
    moved_at_seconds
        Unix time of the last move of a workload, by uid: what was decided and may not show in the state yet.
    """

    moved_at_seconds: Mapping[str, float] = field(default_factory=dict)

    def remember(self, state: ClusterState) -> ClusterState:
        """`state` with the moves that it does not show yet."""
        if not self.moved_at_seconds:
            return state
        mine = np.array([self.moved_at_seconds.get(uid, np.nan) for uid in state.workloads.uid])
        last = np.fmax(state.workloads.last_moved_at_seconds, mine)
        return replace(state, workloads=replace(state.workloads, last_moved_at_seconds=frozen(last, np.float64)))

    def after(self, uids: tuple[str, ...], now_seconds: float) -> Memory:
        """Memory after the workloads `uids` were decided to move at `now_seconds`."""
        return Memory({**self.moved_at_seconds, **dict.fromkeys(uids, now_seconds)})
