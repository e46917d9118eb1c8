"""Real use of virtual machines: the Bitbrains trace (see its SOURCE.md), and machines packed onto nodes by their requests.

The data stand beside the project (``ULLAGE_DATA``, else ``../shared/data``) and are only read.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import Final

import numpy as np

from benchmarks.instances import folder
from ullage.model.arrays import FloatArray, IntArray

MIB: Final = 2.0**20
CORE_MHZ: Final = 2600.0
NODE_CORES: Final = 24.0
NODE_BYTES: Final = 128 * 1024 * MIB
STEP_SECONDS: Final = 300.0

_ABSENT: Final = 65_535
_LARGEST_MIB: Final = 65_536.0


@dataclass(frozen=True, eq=False)
class Trace:
    """Use of V machines at T times, `STEP_SECONDS` apart.

    Attributes
    ----------
    cpu_cores
        float64 (V, T); 0 where a machine is absent.
    limit_cores
        float64 (V,): what each was given.
    requests
        float64 (V, 2): a tenth of a core per vCPU, and memory as with an overcommit of 1.75 and its overhead.
    """

    cpu_cores: FloatArray
    limit_cores: FloatArray
    requests: FloatArray

    def part(self, machines: IntArray) -> Trace:
        """Some of the machines."""
        return Trace(self.cpu_cores[machines], self.limit_cores[machines], self.requests[machines])


def read() -> Trace | None:
    """The trace without machines that were never on or have more than 64 GiB; ``None`` if the data are not there."""
    beside = folder()
    path = beside.parent / "bitbrains-rnd-2013-08" if beside else None
    if path is None or not path.is_dir():
        return None
    with (path / "vms.csv").open() as lines:
        rows = [
            (float(r["cores"]), float(r["cpu_capacity_mhz"]), float(r["mem_capacity_mib"]))
            for r in csv.DictReader(lines)
        ]
    cores, mhz, mib = np.array(rows).T
    kept = np.flatnonzero((cores > 0) & (mib <= _LARGEST_MIB))
    with np.load(path / "usage.npz") as arrays:
        used = arrays["cpu_mhz"][kept].astype(np.float64)
    requests = np.stack([0.1 * cores, (mib / 1.75 + 218) * MIB], axis=1)
    return Trace(np.where(used == _ABSENT, 0, used) / CORE_MHZ, mhz[kept] / CORE_MHZ, requests[kept])


def packed(trace: Trace, nodes: int, seed: int) -> IntArray:
    """Node of each machine, int64 (V,): as kube-scheduler would place them by requests, one by one in random order.

    LeastAllocated and BalancedAllocation count the same; ties go to the first node.
    """
    size = np.array([NODE_CORES, NODE_BYTES])
    held, home = np.zeros((nodes, 2)), np.zeros(len(trace.requests), np.int64)
    for machine in np.random.default_rng(seed).permutation(len(home)):
        share = (held + trace.requests[machine]) / size
        score = 1 - share.mean(axis=1) + 1 - np.abs(share[:, 0] - share[:, 1]) / 2
        home[machine] = np.argmax(np.where((share <= 1).all(axis=1), score, -np.inf))
        held[home[machine]] += trace.requests[machine]
    return home


def summed(home: IntArray, nodes: int, values: FloatArray) -> FloatArray:
    """Sums by node, float64 (N,) or (N, T), of float64 (V,) or (V, T)."""
    member = np.zeros((nodes, len(home)))
    member[home, np.arange(len(home))] = 1.0
    return member @ values
