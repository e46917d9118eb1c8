"""What a decision remembers from earlier ones: a frozen value in and out, so that any decision can be replayed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import msgspec
import numpy as np

from ullage.estimation.migration import COOLDOWN_CAP_SECONDS, COOLDOWN_WINDOW_SECONDS, cooldown_seconds
from ullage.model.arrays import FloatArray, frozen
from ullage.model.state import ClusterState

_HOUR_SECONDS: Final = 3600.0


class Moved(msgspec.Struct, frozen=True, gc=False):
    """A move that was decided on: of which workload, when, from which node to which, in which namespace, and of which plan."""

    uid: str
    at_seconds: float
    source: str = ""
    target: str = ""
    namespace: str = ""
    plan: str = ""


@dataclass(frozen=True)
class Memory:
    """What earlier decisions left.

    Attributes
    ----------
    moves
        What was decided and may not show in the state yet, oldest first; no older than 48 hours.
    over_since_seconds
        Unix time since which nodes have been over without a break, by name. ``None`` if nothing was watched before: then a
        plan is made out of the blue, and what is over now counts at once.
    """

    moves: tuple[Moved, ...] = ()
    over_since_seconds: Mapping[str, float] | None = None

    @classmethod
    def watching(cls) -> Memory:
        """Memory of one that has just begun to watch: nothing counts as over before it has been so for a while."""
        return cls(over_since_seconds={})

    def moved_at_seconds(self) -> dict[str, float]:
        """Unix time of the last move by uid of the workload."""
        return {m.uid: m.at_seconds for m in sorted(self.moves, key=lambda m: m.at_seconds)}

    def touched_at_seconds(self) -> dict[str, float]:
        """Unix time of the last move off a node or to it, by its name."""
        ordered = sorted(self.moves, key=lambda m: m.at_seconds)
        return {name: m.at_seconds for m in ordered for name in (m.source, m.target)}

    def remember(self, state: ClusterState) -> ClusterState:
        """`state` with the moves that it does not show yet."""
        if not self.moves:
            return state
        at = self.moved_at_seconds()
        mine = np.array([at.get(uid, np.nan) for uid in state.workloads.uid])
        last = np.fmax(state.workloads.last_moved_at_seconds, mine)
        return replace(state, workloads=replace(state.workloads, last_moved_at_seconds=frozen(last, np.float64)))

    def cooldowns_seconds(self, state: ClusterState, base_seconds: float) -> FloatArray:
        """How long each workload rests after a move, float64 (W,): it doubles with every move within 48 hours."""
        counts = Counter(m.uid for m in self.moves)
        moved = np.array([counts.get(uid, 0) for uid in state.workloads.uid], dtype=np.int64)
        return cooldown_seconds(
            moved, np.full(len(moved), np.nan), base_seconds, max(COOLDOWN_CAP_SECONDS, base_seconds)
        )

    def within_an_hour(self, now_seconds: float) -> int:
        """How many moves were decided in the last hour."""
        return sum(now_seconds - m.at_seconds < _HOUR_SECONDS for m in self.moves)

    def after(self, moves: Sequence[Moved], now_seconds: float) -> Memory:
        """Memory after `moves` were decided on; what is too old to bear on anything is dropped."""
        kept = (m for m in (*self.moves, *moves) if now_seconds - m.at_seconds < COOLDOWN_WINDOW_SECONDS)
        return replace(self, moves=tuple(kept))

    def seeing(self, over_since_seconds: Mapping[str, float]) -> Memory:
        """Memory with the nodes that are over now, if it watches."""
        return self if self.over_since_seconds is None else replace(self, over_since_seconds=over_since_seconds)
