"""Settings of VMs and pods that work against overcommit and swap."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from descheduler.audit.context import Context
from descheduler.audit.findings import Finding, Severity
from descheduler.audit.rules.swap import OVERCOMMITTED
from descheduler.audit.telling import Told, in_namespaces, machines, numbers, pods
from ullage.model.arrays import BoolArray, IntArray
from ullage.model.qos import QoS
from ullage.model.quantity import format_bytes
from ullage.model.resources import MEMORY_INDEX
from ullage.model.state import WorkloadFlag

_LIMITS_MEMORY = "limits.memory"


def memory_limit_tight(given: Context) -> Iterator[Finding]:
    """Memory limit and swap limit are smaller than guest and overhead."""
    workloads, own = given.state.workloads, given.shares
    limit = workloads.limits[:, MEMORY_INDEX]

    def tell(rows: IntArray) -> Told:
        commit, held = own.commit_bytes[rows].sum(), (limit + own.swap_limit_bytes)[rows].sum()
        text = f"{machines(given, rows)} may take {format_bytes(commit)}"
        return f"{text}; limits and swap allow {format_bytes(held)}.", numbers(
            machines=len(rows), committed_bytes=commit, allowed_bytes=held
        )

    return in_namespaces(given, _tight(given), "memory-limit-tight", Severity.WARNING, tell)


def memory_limit_set(given: Context) -> Iterator[Finding]:
    """Memory limits in namespaces without a quota on limits, for which KubeVirt would have added them."""
    workloads = given.state.workloads
    limit = workloads.limits[:, MEMORY_INDEX]
    quotas = {quota.namespace for quota in given.state.quotas if _LIMITS_MEMORY in quota.hard}
    automatic = np.fromiter((name in quotas for name in workloads.namespace), np.bool_, len(workloads))

    def tell(rows: IntArray) -> Told:
        total = limit[rows].sum()
        text = f"{machines(given, rows)} {_have(rows)} memory limits set by hand, {format_bytes(total)} in all."
        return text, numbers(machines=len(rows), limit_bytes=total)

    mask = _burstable(given) & ~np.isnan(limit) & ~automatic & ~_tight(given)
    return in_namespaces(given, mask, "memory-limit-set", Severity.INFO, tell)


def own_memory_request(given: Context) -> Iterator[Finding]:
    """VMs with a request of their own in a cluster that overcommits."""
    workloads, ratio = given.state.workloads, given.cluster_overcommit_ratio
    if not ratio > OVERCOMMITTED:
        return
    request = workloads.requests[:, MEMORY_INDEX]
    would = given.shares.commit_bytes / ratio + np.nan_to_num(workloads.overhead_bytes) * (1 - 1 / ratio)

    def tell(rows: IntArray) -> Told:
        asked, usual = request[rows].sum(), np.nansum(would[rows])
        text = f"{machines(given, rows)} {'sets' if len(rows) == 1 else 'set'} requests.memory: {format_bytes(asked)};"
        return f"{text} at {100 * ratio:.0f}% it would be {format_bytes(usual)}.", numbers(
            machines=len(rows), requested_bytes=asked, overcommitted_bytes=float(usual), overcommit_ratio=ratio
        )

    mask = given.machine & workloads.has(WorkloadFlag.MANUAL_REQUEST)
    yield from in_namespaces(given, mask, "own-memory-request", Severity.INFO, tell)


def guaranteed_vm(given: Context) -> Iterator[Finding]:
    """Guaranteed VMs that do not need it, where others live with swap or overcommit."""
    workloads = given.state.workloads
    matters = (given.swap_bytes > 0) | (given.wanted_overcommit_ratio > OVERCOMMITTED)

    def tell(rows: IntArray) -> Told:
        size = workloads.requests[rows, MEMORY_INDEX].sum()
        text = f"{machines(given, rows)} {'is' if len(rows) == 1 else 'are'} Guaranteed:"
        return f"{text} {format_bytes(size)} of RAM without swap.", numbers(machines=len(rows), requested_bytes=size)

    guaranteed = (workloads.qos == QoS.GUARANTEED) & ~workloads.has(WorkloadFlag.HOST_DIRECT)
    mask = given.machine & guaranteed & matters[workloads.node]
    return in_namespaces(given, mask, "guaranteed-vm", Severity.INFO, tell)


def best_effort_pod(given: Context) -> Iterator[Finding]:
    """Pods without requests on nodes with overcommitted VMs."""
    workloads = given.state.workloads
    matters = given.wanted_overcommit_ratio > OVERCOMMITTED

    def tell(rows: IntArray) -> Told:
        use = given.use_bytes[rows].sum()
        known = f" and {'uses' if len(rows) == 1 else 'use'} {format_bytes(use)}" if use == use else ""
        verb = "requests" if len(rows) == 1 else "request"
        return f"{pods(given, rows)} {verb} nothing{known}.", numbers(pods=len(rows), used_bytes=use)

    loose = (workloads.qos == QoS.BEST_EFFORT) & ~workloads.has(WorkloadFlag.MIRROR)
    mask = ~given.machine & loose & matters[workloads.node]
    return in_namespaces(given, mask, "best-effort-pod", Severity.INFO, tell)


def _have(rows: IntArray) -> str:
    return "has" if len(rows) == 1 else "have"


def _burstable(given: Context) -> BoolArray:
    """VMs that are neither Guaranteed nor bound to hardware, for which limits have a purpose."""
    workloads = given.state.workloads
    chosen: BoolArray = given.machine & (workloads.qos == QoS.BURSTABLE)
    return chosen & ~workloads.has(WorkloadFlag.HOST_DIRECT)


def _tight(given: Context) -> BoolArray:
    """Where limit and swap are known to be too small; unknown swap may be enough."""
    own = given.shares
    held = given.state.workloads.limits[:, MEMORY_INDEX] + own.swap_limit_bytes
    small: BoolArray = held < own.commit_bytes
    return _burstable(given) & small
