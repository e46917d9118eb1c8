"""Swap: who may use how much of it, what is left, and whether the worst case fits.

Sources: KEP-2400 (NodeSwap) and the kubelet's ``swapConfigurationHelper`` (Kubernetes 1.36); wasp-agent 1.1, which grants the
same with the same formula and differs only for a request above the node's RAM; the "Nodes Memory" dashboard of OpenShift for
the node formulas.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
import numpy.typing as npt

from ullage.model.arrays import BoolArray, FloatArray, IntArray
from ullage.model.qos import ContainerResources, QoS, qos_of

PAGE_BYTES: Final = 4096
CRITICAL_PRIORITY: Final = 2_000_000_000

_COUNTER_LIMIT: Final = 2.0**63


def gets_swap(container: ContainerResources) -> bool:
    """Whether LimitedSwap gives a container of a Burstable pod any swap.

    One without a memory request, or whose request equals its limit, gets none.
    """
    return bool(container.requests_memory_bytes) and container.requests_memory_bytes != container.limits_memory_bytes


def eligible_request_bytes(
    containers: Iterable[ContainerResources], *, static: bool = False, priority: int = 0
) -> float:
    """Sum of the memory requests in a pod that LimitedSwap gives swap to.

    Parameters
    ----------
    containers
        All containers of the pod. Init containers that have ended hold no swap and are left out of the sum, but count for
        the QoS class.
    static
        A static or mirror pod: none.
    priority
        The pod's priority; at 2,000,000,000 and more it is critical: none.

    Returns
    -------
    float
        Bytes; 0 also for Guaranteed and BestEffort pods.
    """
    pod = tuple(containers)
    if static or priority >= CRITICAL_PRIORITY or qos_of(pod) is not QoS.BURSTABLE:
        return 0.0
    running = (each for each in pod if each.restartable_init or not each.init)
    return float(sum(each.requests_memory_bytes or 0 for each in running if gets_swap(each)))


def swap_limit_bytes(
    request_bytes: npt.ArrayLike, node_ram_bytes: npt.ArrayLike, node_swap_bytes: npt.ArrayLike
) -> FloatArray:
    """Swap that LimitedSwap grants: the request's share of the node's RAM, of the node's swap.

    ``int(request / RAM * swap)``, in floating point and cut, as the kubelet does it. The KEP's text takes system-reserved off
    the swap; the code does not. For a workload of several containers pass the sum of its eligible requests: the result differs
    from the sum over the containers by less than a byte each.

    Parameters
    ----------
    request_bytes, node_ram_bytes, node_swap_bytes
        float64, shapes that broadcast: eligible request, node *capacity* (not allocatable), swap capacity; bytes, >= 0.

    Returns
    -------
    FloatArray
        Whole bytes, >= 0, never above the swap. 0 where RAM is 0 or the request exceeds it (the kubelet refuses; wasp-agent
        would grant more than there is). NaN where any input is NaN.
    """
    request, ram, swap = (
        np.asarray(each, dtype=np.float64) for each in (request_bytes, node_ram_bytes, node_swap_bytes)
    )
    unknown = np.isnan(request) | np.isnan(ram)
    fits = (request <= ram) & (ram > 0)
    share = np.divide(request, ram, out=np.where(unknown, np.nan, 0.0), where=fits)
    limit: FloatArray = np.trunc(share * swap)
    return limit


def swap_needed_bytes(ram_bytes: npt.ArrayLike, overcommit_ratio: npt.ArrayLike) -> FloatArray:
    """Swap that lets every VM of an overcommitted node use its whole guest: ``RAM x (overcommit - 1)``, at least 0.

    Parameters
    ----------
    ram_bytes
        float64, the node's RAM.
    overcommit_ratio
        float64, guest memory over requested memory: 1.5 for 150 %. NaN in either gives NaN.
    """
    needed: FloatArray = np.asarray(ram_bytes, dtype=np.float64) * np.maximum(np.asarray(overcommit_ratio) - 1.0, 0.0)
    return needed


def share_bytes(
    request_bytes: npt.ArrayLike,
    eligible_bytes: npt.ArrayLike,
    node_ram_bytes: npt.ArrayLike,
    node_swap_bytes: npt.ArrayLike,
) -> FloatArray:
    """A workload's own share of the node's virtual memory: its request and the swap that comes with it.

    Parameters
    ----------
    request_bytes, eligible_bytes
        float64 (W,): memory request of the pod, and the part of it that LimitedSwap gives swap to.
    node_ram_bytes, node_swap_bytes
        float64 (W,) or scalar: of the workload's node.
    """
    return np.asarray(request_bytes, dtype=np.float64) + swap_limit_bytes(
        eligible_bytes, node_ram_bytes, node_swap_bytes
    )


def is_covered(commit_bytes: npt.ArrayLike, own_share_bytes: npt.ArrayLike) -> BoolArray:
    """Whether guest plus overhead fits into the workload's own share; False where either is NaN.

    With ``swap = RAM x (overcommit - 1)`` it does for every VM whose request is ``guest / overcommit + overhead``: request and
    swap limit together are ``guest + overhead x overcommit``.
    """
    covered: BoolArray = np.asarray(commit_bytes) <= np.asarray(own_share_bytes)
    return covered


def worst_case_bytes(
    node: IntArray, node_count: int, commit_bytes: FloatArray, own_share_bytes: FloatArray, other_bytes: FloatArray
) -> FloatArray:
    """Memory that is used on each node if every VM takes all that it may.

    Each VM counts once, with the smaller of guest plus overhead and its own share; what is not a VM counts with what it uses.
    A VM's present use must not be in `other_bytes`: that double count is the known fault of the virtual-commit dashboard.

    Parameters
    ----------
    node
        int (V,), node row of each VM, 0..node_count - 1.
    node_count
        N.
    commit_bytes
        float64 (V,), guest memory plus overhead.
    own_share_bytes
        float64 (V,), `share_bytes`; of a VM that gets no swap and has no limit pass infinity, as nothing holds it back.
        NaN in one of the two leaves the other to decide.
    other_bytes
        float64 (N,), use of everything else that is not reserved for the system.

    Returns
    -------
    FloatArray
        float64 (N,), to be compared with allocatable memory plus usable swap. NaN where a VM has neither number, or
        `other_bytes` is NaN.
    """
    each = np.fmin(commit_bytes, own_share_bytes)
    worst: FloatArray = np.bincount(node, weights=each, minlength=node_count) + other_bytes
    return worst


def virtual_commit_bytes(
    used_bytes: FloatArray, reserved_bytes: FloatArray, vm_used_bytes: FloatArray, domain_bytes: FloatArray
) -> FloatArray:
    """Use of a node if all guests used all of their memory: ``used - reserved - used by VMs + sum of domains``.

    Parameters
    ----------
    used_bytes
        float64 (N,), ``MemTotal - MemAvailable``.
    reserved_bytes
        float64 (N,), capacity less allocatable.
    vm_used_bytes, domain_bytes
        float64 (N,), sums over the node's VMs: what they use now, and what they were given.

    Returns
    -------
    FloatArray
        float64 (N,), >= sum of domains; NaN where any input is NaN.
    """
    commit: FloatArray = np.maximum(used_bytes - reserved_bytes - vm_used_bytes, 0.0) + domain_bytes
    return commit


def virtual_memory_bytes(ram_bytes: npt.ArrayLike, swap_bytes: npt.ArrayLike) -> FloatArray:
    """RAM plus swap; NaN where either is NaN (a node that does not report its swap has unknown virtual memory)."""
    return np.asarray(ram_bytes, dtype=np.float64) + np.asarray(swap_bytes, dtype=np.float64)


def swap_left_bytes(swap_bytes: npt.ArrayLike, used_bytes: npt.ArrayLike) -> FloatArray:
    """Free swap, at least 0; NaN where either is NaN or is an underflowed counter."""
    left: FloatArray = np.maximum(np.asarray(swap_bytes, dtype=np.float64) - plausible(used_bytes), 0.0)
    return left


def plausible(counter: npt.ArrayLike) -> FloatArray:
    """A swap counter with NaN in place of values that are negative, or 2^63 and more.

    On cgroup v2 cAdvisor takes memory off memory-and-swap in unsigned arithmetic; ``container_memory_swap`` then reads
    1.8446744e19 (KEP-2400's own sample shows it). Such a value says nothing; it is not zero either.
    """
    values = np.asarray(counter, dtype=np.float64)
    result: FloatArray = np.where((values >= _COUNTER_LIMIT) | (values < 0), np.nan, values)
    return result


def page_rate_bytes_per_second(
    earlier_pages: npt.ArrayLike,
    later_pages: npt.ArrayLike,
    interval_seconds: npt.ArrayLike,
    page_bytes: int = PAGE_BYTES,
) -> FloatArray:
    """Swap-in or swap-out rate from two readings of ``pswpin`` or ``pswpout``, which count pages.

    Parameters
    ----------
    earlier_pages, later_pages
        float64, shapes that broadcast, counters.
    interval_seconds
        Time between the readings.
    page_bytes
        Size of a page: 4096, on some arm64 kernels 65536.

    Returns
    -------
    FloatArray
        Bytes per second, >= 0; NaN where a reading is missing or implausible, the counter was reset, or no time passed.
    """
    pages = plausible(later_pages) - plausible(earlier_pages)
    seconds = np.asarray(interval_seconds, dtype=np.float64)
    known = (pages >= 0) & (seconds > 0)
    shape = np.broadcast_shapes(pages.shape, seconds.shape)
    rate: FloatArray = np.divide(pages * page_bytes, seconds, out=np.full(shape, np.nan), where=known)
    return rate
