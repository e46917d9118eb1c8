"""What of a node's used memory comes back under pressure, and what of that may be counted on.

The rule everywhere: count on what the kernel can take back without asking anybody and without I/O that makes tenants wait.
What a guest or a write can undo at any moment is real today and counts for nothing in the worst case. NaN in gives NaN out.
"""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt

from ullage.estimation.swap import PAGE_BYTES, plausible
from ullage.model.arrays import FloatArray


def available_bytes(
    free_bytes: npt.ArrayLike,
    file_bytes: npt.ArrayLike,
    slab_reclaimable_bytes: npt.ArrayLike,
    low_watermark_bytes: npt.ArrayLike,
) -> FloatArray:
    """Memory that new work can have without swapping, as the kernel estimates ``MemAvailable``.

    Of page cache and of reclaimable slab the kernel assumes that half, but at most the low watermark, is needed to keep the
    system going. Source: ``si_mem_available`` in ``mm/show_mem.c``. Use it only where ``MemAvailable`` itself is missing.

    Parameters
    ----------
    free_bytes
        float64 (N,), ``MemFree`` less the pages that the kernel keeps back.
    file_bytes
        float64 (N,), active plus inactive file pages; shared memory is anonymous and not in there.
    slab_reclaimable_bytes
        float64 (N,), ``SReclaimable``.
    low_watermark_bytes
        float64 (N,), sum of the zones' low watermarks.

    Returns
    -------
    FloatArray
        float64 (N,), >= 0.
    """
    low = np.asarray(low_watermark_bytes, dtype=np.float64)
    total = np.asarray(free_bytes, dtype=np.float64)
    for part in (np.asarray(file_bytes, dtype=np.float64), np.asarray(slab_reclaimable_bytes, dtype=np.float64)):
        total = total + part - np.minimum(part / 2, low)
    result: FloatArray = np.maximum(total, 0.0)
    return result


def anonymous_bytes(rss_bytes: npt.ArrayLike, shared_bytes: npt.ArrayLike = 0.0) -> FloatArray:
    """Memory that only swap can make room for: anonymous pages and shared memory.

    ``container_memory_rss`` is the anonymous part on cgroup v2. A guest's RAM is anonymous for the host, its page cache
    included: the host cannot drop it, only swap it.
    """
    return np.asarray(rss_bytes, dtype=np.float64) + np.asarray(shared_bytes, dtype=np.float64)


def reclaimable_cache_bytes(
    working_set_bytes: npt.ArrayLike, anonymous: npt.ArrayLike, *, kept_ratio: float = 0.5
) -> FloatArray:
    """Page cache within the working set that may be counted on.

    The working set has lost its inactive file pages already; what stays above the anonymous memory is active file pages and
    kernel memory. Half of that is counted on (the kernel's own caution in ``MemAvailable``): the rest is in use, and dropping
    it comes back as reads.

    Parameters
    ----------
    working_set_bytes, anonymous
        float64, shapes that broadcast, bytes.
    kept_ratio
        Share that is not counted on, 0..1.
    """
    cache = np.maximum(np.asarray(working_set_bytes, dtype=np.float64) - np.asarray(anonymous, dtype=np.float64), 0.0)
    result: FloatArray = cache * (1.0 - kept_ratio)
    return result


def ksm_saved_bytes(pages_sharing: npt.ArrayLike, page_bytes: int = PAGE_BYTES) -> FloatArray:
    """Memory that KSM saves now: one page for each that shares another one.

    Source: ``Documentation/admin-guide/mm/ksm.rst``. ``general_profit`` is this less KSM's own bookkeeping; prefer it if read.
    """
    return plausible(pages_sharing) * page_bytes


def guest_untouched_bytes(
    domain_bytes: npt.ArrayLike, resident_bytes: npt.ArrayLike, swapped_bytes: npt.ArrayLike
) -> FloatArray:
    """Memory of guests that the host does not back now: never touched, or returned by free page reporting or balloon.

    The guest may take it at any moment without asking, so it is a debt of the node and never room.

    Parameters
    ----------
    domain_bytes, resident_bytes, swapped_bytes
        float64 (W,): given to the guest, resident on the host, and in host swap.

    Returns
    -------
    FloatArray
        float64 (W,), >= 0.
    """
    backed = np.asarray(resident_bytes, dtype=np.float64) + plausible(swapped_bytes)
    result: FloatArray = np.maximum(np.asarray(domain_bytes, dtype=np.float64) - backed, 0.0)
    return result


def zswap_saved_bytes(zswapped_bytes: npt.ArrayLike, pool_bytes: npt.ArrayLike) -> FloatArray:
    """RAM that zswap gains: what it holds, uncompressed, less the RAM that its pool takes (``Zswapped - Zswap``), >= 0.

    It adds nothing to RAM plus swap: every page in the pool keeps its slot on the swap device, and the pool is used RAM.
    Source: ``Documentation/admin-guide/mm/zswap.rst``.
    """
    gain = np.asarray(zswapped_bytes, dtype=np.float64) - np.asarray(pool_bytes, dtype=np.float64)
    result: FloatArray = np.maximum(gain, 0.0)
    return result


class Reclaim(msgspec.Struct, frozen=True):
    """What comes back on each node, in bytes.

    Attributes
    ----------
    countable
        float64 (N,): may be counted on as room; the page cache only.
    at_risk
        float64 (N,): saved now and already part of what is free, but gone when guests write: KSM's savings and guest memory
        that is not backed. A worst case adds it to the use.
    """

    countable: FloatArray
    at_risk: FloatArray


def reclaim(cache_bytes: npt.ArrayLike, ksm_bytes: npt.ArrayLike, untouched_bytes: npt.ArrayLike) -> Reclaim:
    """What may be counted on, and what may have to be given back.

    KSM, free page reporting and zswap show in ``MemAvailable`` already: adding them to it would count them twice. The first
    two can be undone by any guest's writes (copy on write; a fault on a returned page), together and at once.

    Parameters
    ----------
    cache_bytes
        float64 (N,), `reclaimable_cache_bytes`.
    ksm_bytes
        float64 (N,), `ksm_saved_bytes`. Pages that KSM shares are resident in each guest's count, so the two do not overlap.
    untouched_bytes
        float64 (N,), sum over the node's guests of `guest_untouched_bytes`.
    """
    at_risk = np.asarray(ksm_bytes, dtype=np.float64) + np.asarray(untouched_bytes, dtype=np.float64)
    return Reclaim(countable=np.asarray(cache_bytes, dtype=np.float64), at_risk=at_risk)
