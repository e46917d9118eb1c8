"""How many migrations KubeVirt lets run at a time, and which comes next."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from tests.standin.kubevirt.names import ENDED
from tests.standin.wire import Json, phase_of
from ullage.estimation.migration import MigrationSettings
from ullage.estimation.overhead import KubeVirtVersion

RANKS: Final = {"system-critical": 100, "user-triggered": 50, "system-maintenance": 20}
RANKED_SINCE: Final = KubeVirtVersion(1, 9)
WAITING: Final = ("", "Pending")


def in_order(migrations: Iterable[Json], version: KubeVirtVersion) -> list[Json]:
    """Unfinished migrations: first the urgent (where KubeVirt ranks them), then the old ones."""

    def order(migration: Json) -> tuple[int, str, str]:
        rank = RANKS.get(migration["spec"].get("priority", ""), 0) if version >= RANKED_SINCE else 0
        metadata = migration["metadata"]
        return -rank, metadata["creationTimestamp"], metadata["name"]

    return sorted((each for each in migrations if phase_of(each) not in ENDED), key=order)


def is_started(migration: Json) -> bool:
    """Whether it takes a slot: it has a target pod."""
    return phase_of(migration) not in (*WAITING, *ENDED)


def has_room(sources: Iterable[str], source: str, limits: MigrationSettings) -> bool:
    """Whether one more migration out of the node ``source`` may start, beside those that run out of ``sources``.

    There is no limit on what comes in at a node: KubeVirt has none.
    """
    running = list(sources)
    outbound = running.count(source)
    return len(running) < limits.parallel_per_cluster and outbound < limits.parallel_outbound_per_node
