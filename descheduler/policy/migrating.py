"""What a live migration of each workload is expected to take, and which would not end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ullage.config.schema import Migration
from ullage.estimation.migration import deadline_seconds, precopy
from ullage.model.arrays import BoolArray, FloatArray
from ullage.model.measures import WorkloadMeasure
from ullage.model.state import ClusterState, KubeVirt, WorkloadKind


@dataclass(frozen=True, eq=False)
class Course:
    """Expected course of moving each workload.

    Attributes
    ----------
    seconds
        float64 (W,), expected duration of the pre-copy; NaN for pods. A VM whose dirty rate is not known counts as idle, so
        that this is the least that it can take.
    hopeless
        bool (W,): the dirty rate is known, and the VM writes faster than it can be copied, or KubeVirt's own deadline would
        end the migration.
    """

    seconds: FloatArray
    hopeless: BoolArray


def course(state: ClusterState, volume_bytes: FloatArray, config: Migration) -> Course:
    """Expected course of every workload's migration.

    Parameters
    ----------
    state
        The cluster.
    volume_bytes
        float64 (W,), memory to copy.
    config
        Bandwidth and the dirty ratio above which nothing is tried.
    """
    machine = state.workloads.kind == WorkloadKind.VMI
    dirty = state.workloads.measures.column(WorkloadMeasure.DIRTY_RATE_BYTES_PER_SECOND)
    cluster = state.kubevirt or KubeVirt()
    limit = cluster.bandwidth_per_migration_bytes_per_second
    bandwidth = min(config.bandwidth_bytes_per_second, limit) if limit > 0 else config.bandwidth_bytes_per_second
    expected = precopy(volume_bytes, np.nan_to_num(dirty), bandwidth)
    # KubeVirt reckons with the guest's whole memory, however little of it is resident.
    guest = state.workloads.guest_memory_bytes
    size = np.where(np.isnan(guest), volume_bytes, guest)
    deadline = deadline_seconds(size, cluster.completion_timeout_per_gib_seconds)
    helped = cluster.allow_post_copy or cluster.allow_auto_converge
    late = (expected.duration_seconds > deadline) & (not helped)
    hopeless = machine & ~np.isnan(dirty) & ((dirty > config.maximum_dirty_ratio * bandwidth) | late)
    return Course(np.where(machine, expected.duration_seconds, np.nan), hopeless)
