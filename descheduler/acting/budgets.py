"""How much may be under way at once, and be begun within an hour: counted over everything that moves, ours or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from descheduler.policy.memory import Moved
from ullage.config.schema import Budgets
from ullage.model.state import KubeVirt

_HOUR_SECONDS: Final = 3600.0


class Flying(msgspec.Struct, frozen=True, gc=False):
    """Something that is under way: a migration or an eviction, of ours or of others; unknown names are empty."""

    uid: str
    source: str
    target: str
    namespace: str
    owner: str


@dataclass(frozen=True)
class Allowance:
    """What may still begin.

    Parameters
    ----------
    budgets
        The configured limits.
    kubevirt
        KubeVirt's own, which count where they are lower; ``None`` without KubeVirt.
    """

    budgets: Budgets
    kubevirt: KubeVirt | None = None

    @property
    def per_cluster(self) -> int:
        """Moves under way at once."""
        own = self.kubevirt.parallel_migrations_per_cluster if self.kubevirt else self.budgets.in_flight_per_cluster
        return min(own, self.budgets.in_flight_per_cluster)

    @property
    def out_per_node(self) -> int:
        """Moves under way off one node."""
        limit = self.budgets.in_flight_out_per_node
        own = self.kubevirt.parallel_outbound_migrations_per_node if self.kubevirt else limit
        return min(own, limit)

    def refuses(self, wanted: Flying, flying: Sequence[Flying], begun: Sequence[Moved], now_seconds: float) -> str:
        """Code of the budget that `wanted` would pass; empty if it may begin.

        Parameters
        ----------
        wanted
            The move.
        flying
            Everything that is under way.
        begun
            Moves that we have begun, as the ledger has them.
        now_seconds
            Unix time.
        """
        recent = [m for m in begun if now_seconds - m.at_seconds < _HOUR_SECONDS]
        in_namespace = sum(m.namespace == wanted.namespace for m in recent)
        owned = sum(bool(f.owner) and (f.namespace, f.owner) == (wanted.namespace, wanted.owner) for f in flying)
        budgets = self.budgets
        full = (
            ("budget-cluster", len(flying), self.per_cluster),
            ("budget-node-out", sum(f.source == wanted.source for f in flying), self.out_per_node),
            ("budget-node-in", sum(f.target == wanted.target for f in flying), budgets.in_flight_in_per_node),
            ("budget-owner", owned, budgets.in_flight_per_owner),
            ("budget-hour", len(recent), budgets.moves_per_hour),
            ("budget-namespace-hour", in_namespace, budgets.moves_per_namespace_per_hour),
        )
        return next((code for code, found, limit in full if limit is not None and found >= limit), "")

    def left(self, flying: Sequence[Flying], begun: Sequence[Moved], now_seconds: float) -> dict[str, int]:
        """What is left of the budgets of the whole cluster, by scope; for metrics."""
        recent = sum(now_seconds - m.at_seconds < _HOUR_SECONDS for m in begun)
        left = {"cluster": self.per_cluster - len(flying)}
        if self.budgets.moves_per_hour is not None:
            left["hour"] = self.budgets.moves_per_hour - recent
        return {scope: max(0, amount) for scope, amount in left.items()}
