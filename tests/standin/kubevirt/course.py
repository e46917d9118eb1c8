"""How far a copy of a running guest is, while the network that it shares changes (kubevirt.md 2.3)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from ullage.estimation.migration import MigrationSettings, deadline_seconds, effective_bandwidth, precopy

Mode: TypeAlias = Literal["PreCopy", "PostCopy", "Paused"]
ALL: Final = 1 - 1e-9
"""Many small steps add up to a little less than one."""
PAUSED_FACTOR: Final = 2.0
"""A guest that is paused at the deadline has as long again."""


@dataclass(frozen=True)
class Link:
    """Where a copy runs."""

    source: str
    target: str


@dataclass(frozen=True)
class Copy:
    """A copy under way.

    Attributes
    ----------
    memory_bytes
        What is to be copied: the resident part of the guest.
    guest_bytes
        What KubeVirt's deadline goes by.
    done_ratio
        0..1.
    passed_seconds
        Since it began.
    stalled_seconds
        For how long the guest has been writing at least as fast as its memory is copied.
    bandwidth
        Bytes per second that it had last.
    """

    memory_bytes: float
    guest_bytes: float
    dirty_bytes_per_second: float
    done_ratio: float = 0.0
    passed_seconds: float = 0.0
    stalled_seconds: float = 0.0
    bandwidth: float = 0.0
    mode: Mode = "PreCopy"

    def advanced(self, seconds: float, bandwidth: float, settings: MigrationSettings) -> Copy:
        """The copy some seconds later, at this bandwidth."""
        duration = self.duration_seconds(bandwidth, settings)
        done = 1.0 if duration <= 0 else self.done_ratio + seconds / duration
        stalls = self.mode == "PreCopy" and self.dirty_bytes_per_second >= bandwidth
        return replace(
            self,
            done_ratio=done if done < ALL else 1.0,
            passed_seconds=self.passed_seconds + seconds,
            stalled_seconds=self.stalled_seconds + seconds if stalls else 0.0,
            bandwidth=bandwidth,
        )

    def duration_seconds(self, bandwidth: float, settings: MigrationSettings) -> float:
        """Length of the whole copy at a bandwidth; infinite if the guest writes too fast."""
        dirty = self.dirty_bytes_per_second if self.mode == "PreCopy" else 0.0
        if bandwidth <= 0:
            return math.inf
        if self.mode != "PreCopy":
            return self.memory_bytes / bandwidth
        return float(precopy(self.memory_bytes, dirty, bandwidth, settings.max_downtime_seconds).duration_seconds)

    def checked(self, settings: MigrationSettings) -> Copy | str:
        """The copy as KubeVirt's monitor goes on with it, or why it gives up."""
        limit = float(deadline_seconds(self.guest_bytes, settings.completion_timeout_per_gib_seconds))
        if self.stalled_seconds > settings.progress_timeout_seconds:
            return f"Live migration stuck for {round(self.stalled_seconds)} seconds and has been aborted"
        late = self.passed_seconds >= (PAUSED_FACTOR * limit if self.mode == "Paused" else limit)
        if not late or self.mode == "PostCopy":
            return self
        if self.mode == "PreCopy" and settings.allow_post_copy:
            return replace(self, mode="PostCopy")
        if self.mode == "PreCopy" and settings.allow_workload_disruption:
            return replace(self, mode="Paused")
        return f"Live migration is not completed after {round(self.passed_seconds)} seconds and has been aborted"


def bandwidths(links: Mapping[str, Link], link_bytes_per_second: float, limit: float) -> dict[str, float]:
    """What each copy gets: its share of the busier of its two ends."""
    out, coming = _count(each.source for each in links.values()), _count(each.target for each in links.values())
    return {
        name: float(effective_bandwidth(link_bytes_per_second, out[link.source], coming[link.target], limit))
        for name, link in links.items()
    }


def _count(ends: Iterable[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for end in ends:
        found[end] = found.get(end, 0) + 1
    return found
