"""Shapes of nodes and sizes of machines that a made-up cluster is drawn from.

The numbers are our own. What they follow: node shapes with about 4 GiB per hardware thread, as most nodes of the Alibaba
openb 2023 list (96 threads with 384 GiB) and of the IFCA 2025 cloud have; guest sizes on a ladder with a heavy tail and about
3 GiB per vCPU, as the provisioned sizes of the Bitbrains Rnd 2013-8 trace (4.4 TiB over 1,438 vCPU; the correlation of the
logarithms of vCPUs and memory is 0.75) and the flavours of IFCA (2.3 GB per vCPU).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from ullage.model.arrays import FloatArray, IntArray

KIB: Final = 2**10
MIB: Final = 2**20
GIB: Final = 2**30

GUEST_LADDER_GIB: Final = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)
VCPU_LADDER: Final = (1, 2, 4, 8, 16, 32, 64)
GIB_PER_VCPU: Final = ((2.0, 0.5), (4.0, 0.35), (8.0, 0.15))
"""GiB of guest memory per vCPU, and the share of VMs that have it."""

GUEST_SIGMA: Final = 1.0
"""Standard deviation of the logarithm of the guest memory."""


@dataclass(frozen=True)
class Shape:
    """A kind of node.

    Attributes
    ----------
    name
        Value of the label ``node.kubernetes.io/instance-type``.
    cores
        Hardware threads.
    memory_gib
        Installed memory.
    weight
        How common it is, > 0.
    """

    name: str
    cores: int
    memory_gib: int
    weight: float

    @property
    def allocatable_cores(self) -> float:
        """Threads less half a core and one in a hundred for the system."""
        return round(self.cores * 0.99 - 0.5, 3)

    @property
    def allocatable_bytes(self) -> int:
        """Memory less 2 GiB and one in a hundred for the system, in whole MiB."""
        return (self.memory_gib * 1024 * 99 // 100 - 2048) * MIB


SHAPES: Final = (
    Shape("c24-m96", 24, 96, 0.15),
    Shape("c32-m128", 32, 128, 0.35),
    Shape("c48-m192", 48, 192, 0.30),
    Shape("c64-m256", 64, 256, 0.20),
)


def guest_sizes(rng: np.random.Generator, count: int, mean_gib: float, largest_gib: float) -> IntArray:
    """Guest memory in bytes, int64 (count,): lognormal steps of the ladder.

    Parameters
    ----------
    rng
        Where randomness comes from.
    count
        How many.
    mean_gib
        The mean comes as near to it as the ladder allows.
    largest_gib
        No guest is larger, unless the smallest step is.
    """
    ladder = np.array([step for step in GUEST_LADDER_GIB if step <= largest_gib] or GUEST_LADDER_GIB[:1], np.float64)
    if count == 0:
        return np.zeros(0, dtype=np.int64)
    edges = (ladder[1:] + ladder[:-1]) / 2
    drawn = np.exp(GUEST_SIGMA * rng.standard_normal(count))
    low, high = 1e-3, 1e4
    for _ in range(48):
        middle = (low * high) ** 0.5
        too_large = ladder[np.searchsorted(edges, drawn * middle)].mean() > mean_gib
        low, high = (low, middle) if too_large else (middle, high)
    return (ladder[np.searchsorted(edges, drawn * low)] * GIB).astype(np.int64)


def vcpus(rng: np.random.Generator, guest_bytes: IntArray, most: int) -> IntArray:
    """Virtual CPUs of guests, int64 (count,): memory over the drawn GiB per vCPU, as a step of the ladder, at most `most`."""
    ratios, shares = zip(*GIB_PER_VCPU, strict=True)
    ratio = rng.choice(np.array(ratios), size=len(guest_bytes), p=np.array(shares))
    ladder = np.array([step for step in VCPU_LADDER if step <= most] or VCPU_LADDER[:1])
    wanted: FloatArray = guest_bytes / GIB / ratio
    return ladder[np.minimum(np.searchsorted(ladder, wanted), len(ladder) - 1)].astype(np.int64)
