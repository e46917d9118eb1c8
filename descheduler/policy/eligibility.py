"""Which workloads may move at all, each with the code of the reason why not."""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass
from typing import Final

import numpy as np

from ullage.model.arrays import BoolArray, FloatArray, Int16Array, IntArray
from ullage.model.resources import PODS
from ullage.model.state import ClusterState, EvictionStrategy, Quota, WorkloadFlag, WorkloadKind

_MIGRATES: Final = (EvictionStrategy.LIVE_MIGRATE, EvictionStrategy.LIVE_MIGRATE_IF_POSSIBLE)
_COUNTED_PODS: Final = "count/pods"
_TARGETED_SINCE: Final = (1, 6)
"""KubeVirt version whose migrations can name their destination (``spec.addedNodeSelector``)."""


@dataclass(frozen=True, eq=False)
class Protection:
    """What the configuration protects.

    Attributes
    ----------
    excluded_namespaces
        Glob patterns.
    local_storage
        Whether pods with emptyDir or hostPath volumes stay.
    cooldown_seconds
        How long a workload rests after a move; one number for all, or float64 (W,).
    """

    excluded_namespaces: tuple[str, ...] = ()
    local_storage: bool = True
    cooldown_seconds: float | FloatArray = 3600.0


@dataclass(frozen=True, eq=False)
class Eligibility:
    """Why workloads may not move.

    Attributes
    ----------
    codes
        The codes that occur; ``codes[0]`` is empty and means that nothing forbids it.
    row
        int16 (W,), index into `codes`.
    """

    codes: tuple[str, ...]
    row: Int16Array

    def movable(self) -> BoolArray:
        """Workloads that may move, bool (W,)."""
        return np.equal(self.row, 0)

    def code(self, workload: int) -> str:
        """Code of one workload; empty if it may move."""
        return self.codes[int(self.row[workload])]


def eligibility(
    state: ClusterState, protection: Protection, now_seconds: float, measured: BoolArray, hopeless: BoolArray
) -> Eligibility:
    """Judge every workload; the first rule that forbids a move gives the code.

    Parameters
    ----------
    state
        The cluster.
    protection
        What the configuration protects.
    now_seconds
        Unix time, for cooldowns.
    measured
        bool (W,): workloads of known use; the others may not move to relieve a node.
    hopeless
        bool (W,): VMs whose live migration would not end.
    """
    rules = [
        *_flag_rules(state, protection),
        *_machine_rules(state),
        ("converges-not", hopeless),
        ("cooldown", now_seconds - state.workloads.last_moved_at_seconds < protection.cooldown_seconds),
        ("quota", (state.workloads.kind == WorkloadKind.VMI) & _over_quota(state)),
        ("use-unknown", ~measured),
    ]
    row = np.zeros(len(state.workloads), dtype=np.int16)
    for i, (_, forbids) in enumerate(rules, start=1):
        row[(row == 0) & forbids] = i
    return Eligibility(("", *(code for code, _ in rules)), row)


def _flag_rules(state: ClusterState, protection: Protection) -> list[tuple[str, BoolArray]]:
    """Rules that read one flag; an explicit permission of the owner (`EVICT`) lifts the protections among them."""
    workloads = state.workloads
    pod = workloads.kind == WorkloadKind.POD
    guarded = pod & ~workloads.has(WorkloadFlag.EVICT)
    excluded = _excluded(state, protection.excluded_namespaces)
    return [
        ("migration-target", workloads.has(WorkloadFlag.MIGRATION_TARGET)),
        ("migrating", workloads.has(WorkloadFlag.MIGRATING)),
        ("daemonset", workloads.has(WorkloadFlag.DAEMONSET)),
        ("mirror-pod", workloads.has(WorkloadFlag.MIRROR)),
        ("terminating", workloads.has(WorkloadFlag.TERMINATING)),
        ("pending", workloads.has(WorkloadFlag.PENDING)),
        ("eviction-in-progress", workloads.has(WorkloadFlag.EVICTION_IN_PROGRESS)),
        ("excluded-namespace", excluded),
        ("prefer-no-eviction", workloads.has(WorkloadFlag.PREFER_NO_EVICTION) & ~workloads.has(WorkloadFlag.EVICT)),
        ("critical", workloads.has(WorkloadFlag.CRITICAL) & ~workloads.has(WorkloadFlag.EVICT)),
        ("bare-pod", workloads.has(WorkloadFlag.BARE) & guarded),
        ("local-storage", workloads.has(WorkloadFlag.LOCAL_STORAGE) & guarded & protection.local_storage),
    ]


def _machine_rules(state: ClusterState) -> list[tuple[str, BoolArray]]:
    """Rules of virtual machines: a VM that an eviction would kill, or that cannot follow, stays."""
    workloads = state.workloads
    machine = workloads.kind == WorkloadKind.VMI
    strategy = workloads.eviction_strategy
    forbidden = (strategy == EvictionStrategy.NONE) | (strategy == EvictionStrategy.EXTERNAL)
    unset = ~np.isin(strategy, _MIGRATES)
    return [
        ("not-live-migratable", machine & workloads.has(WorkloadFlag.NOT_LIVE_MIGRATABLE)),
        ("eviction-strategy", machine & forbidden),
        ("no-targeted-migration", machine & unset & _older_than_targeted(state)),
        ("paused", machine & workloads.has(WorkloadFlag.PAUSED)),
    ]


def _older_than_targeted(state: ClusterState) -> bool:
    match = re.match(r"v?(\d+)\.(\d+)", state.kubevirt.version) if state.kubevirt else None
    return match is not None and (int(match[1]), int(match[2])) < _TARGETED_SINCE


def _excluded(state: ClusterState, patterns: tuple[str, ...]) -> BoolArray:
    namespaces = set(state.workloads.namespace)
    excluded = {n for n in namespaces if any(fnmatch.fnmatchcase(n, p) for p in patterns)}
    return np.fromiter((n in excluded for n in state.workloads.namespace), dtype=np.bool_, count=len(state.workloads))


def _over_quota(state: ClusterState) -> BoolArray:
    """Workloads whose second pod, needed while the first still runs, would pass a quota of their namespace."""
    over = np.zeros(len(state.workloads), dtype=np.bool_)
    namespace = np.array(state.workloads.namespace, dtype=object)
    for quota in state.quotas:
        here = np.flatnonzero(namespace == quota.namespace)
        over[here] |= _second_pod_passes(state, quota, here)
    return over


def _second_pod_passes(state: ClusterState, quota: Quota, rows: IntArray) -> BoolArray:
    passes = np.zeros(len(rows), dtype=np.bool_)
    for name, hard in quota.hard.items():
        prefixed = name.startswith(("requests.", "limits."))
        kind, _, resource = (
            name.partition(".") if prefixed else ("requests", "", PODS if name == _COUNTED_PODS else name)
        )
        if resource in state.resources:
            table = state.workloads.limits if kind == "limits" else state.workloads.requests
            demand = np.nan_to_num(table[rows, state.resource(resource)])
            passes |= (demand > 0) & (quota.used.get(name, 0.0) + demand > hard)
    return passes
