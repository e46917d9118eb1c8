"""What the containers of a virtual machine's pod request, as KubeVirt renders them.

Source: ``pkg/virt-controller/services/renderresources.go`` and ``template.go``; before 1.6.4, without 1.6.2, the first step
stood in the defaulting webhook. All amounts are exact integers.
"""

from __future__ import annotations

import math
from typing import Final

import msgspec
import numpy as np

from ullage.errors import UsageError
from ullage.estimation.overhead import KubeVirtVersion, Machine, Part, has_page_table_term, overhead_parts
from ullage.model.arrays import FloatArray
from ullage.model.qos import ContainerResources

_MEGA: Final = 10**6
_SIDECARS: Final = {
    # name: requests in millicores and M, limits in millicores and M
    "guest-console-log": (5, 35, 15, 60),
    "container-disk": (1, 1, 10, 40),
}


class Guest(msgspec.Struct, frozen=True, kw_only=True):
    """A virtual machine, as far as its pod's requests depend on it.

    Attributes
    ----------
    guest_memory_bytes
        ``memory.guest``, > 0; ``None`` if the VM does not set it.
    vcpus
        Sockets x cores x threads, >= 1.
    requests_memory_bytes, limits_memory_bytes, requests_cpu_millis, limits_cpu_millis
        ``spec.domain.resources``; ``None`` if not set.
    hugepages_bytes
        ``memory.hugepages.pageSize``; ``None`` without hugepages.
    overcommit_guest_overhead
        ``resources.overcommitGuestOverhead``: the overhead is not requested (a limit still gets it).
    dedicated_cpus, isolate_emulator_thread
        ``cpu.dedicatedCpuPlacement`` and ``cpu.isolateEmulatorThread``.
    io_threads
        ``ioThreads.supplementalPoolThreadCount``.
    container_disks
        Number of containerDisk volumes, >= 0.
    console_log
        The serial console is logged by a sidecar, which is the default.
    machine
        What the overhead depends on; its `vcpus` and `guaranteed` are overruled by what stands here.
    """

    guest_memory_bytes: int | None = None
    vcpus: int = 1
    requests_memory_bytes: int | None = None
    limits_memory_bytes: int | None = None
    requests_cpu_millis: int | None = None
    limits_cpu_millis: int | None = None
    hugepages_bytes: int | None = None
    overcommit_guest_overhead: bool = False
    dedicated_cpus: bool = False
    isolate_emulator_thread: bool = False
    io_threads: int = 0
    container_disks: int = 0
    console_log: bool = True
    machine: Machine = Machine()

    @property
    def is_guaranteed(self) -> bool:
        """Whether KubeVirt counts the VM as Guaranteed: dedicated CPUs, or requests equal to limits for CPU and memory."""
        memory = self.requests_memory_bytes or self.limits_memory_bytes
        cpu = self.requests_cpu_millis or self.limits_cpu_millis
        equal = memory == self.limits_memory_bytes and cpu == self.limits_cpu_millis
        return self.dedicated_cpus or (bool(memory and cpu) and equal)


class Cluster(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What the requests depend on besides the virtual machine.

    Attributes
    ----------
    version
        KubeVirt's version.
    overcommit_percent
        ``memoryOvercommit``: 100 is none; >= 10.
    cpu_allocation_ratio
        vCPUs per requested core, > 0.
    overhead_ratio
        ``additionalGuestMemoryOverheadRatio``; ``None`` if not set.
    memory_limit_ratio
        Limit over request, >= 1, where a ResourceQuota of the namespace names ``limits.memory``; ``None`` without one. Without
        the namespace label ``alpha.kubevirt.io/auto-memory-limits-ratio`` it is 2.
    """

    version: KubeVirtVersion
    overcommit_percent: int = 100
    cpu_allocation_ratio: int = 10
    overhead_ratio: float | None = None
    memory_limit_ratio: float | None = None


class Amounts(msgspec.Struct, frozen=True, gc=False, rename="camel", omit_defaults=True):
    """Amounts of one container; ``None`` where nothing is set."""

    memory_bytes: int | None = None
    cpu_millis: int | None = None
    hugepages_bytes: int | None = None


class Rendered(msgspec.Struct, frozen=True, rename="camel"):
    """The compute container of a virtual machine's pod.

    Attributes
    ----------
    requests, limits
        What it requests, and its limits.
    overhead_bytes
        Sum of the parts.
    parts
        Every part of the overhead.
    """

    requests: Amounts
    limits: Amounts
    overhead_bytes: int
    parts: tuple[Part, ...]


def guest_request_bytes(guest: Guest, overcommit_percent: int = 100) -> int:
    """Memory request before the overhead is added.

    The VM's own request wins and switches the overcommit off, then its limit, then the guest's memory (or one hugepage)
    divided by the overcommit and rounded down.

    Raises
    ------
    UsageError
        None of these is set, or the overcommit is below 10.
    """
    if overcommit_percent < 10:
        raise UsageError(
            f"overcommit of {overcommit_percent} % is too small", "KubeVirt accepts 10 and more; 100 is none"
        )
    explicit = guest.requests_memory_bytes or guest.limits_memory_bytes
    if explicit:
        return explicit
    memory = guest.guest_memory_bytes or guest.hugepages_bytes
    if not memory or memory < 0:
        raise UsageError("the virtual machine has no memory", "set its guest memory, such as 32Gi")
    return memory * 100 // overcommit_percent


def instancetype_request_bytes(guest_memory_bytes: int, overcommit_percent: int) -> int | None:
    """Memory request that an instance type with ``memory.overcommitPercent`` writes into its VMs; ``None`` for 0 %.

    KubeVirt multiplies in single precision (``pkg/instancetype/apply/memory.go``); so do we, to get its figures to the byte.

    Parameters
    ----------
    guest_memory_bytes
        The instance type's guest memory.
    overcommit_percent
        0..100, by how much the request is smaller than the guest; 50 in the O series, 0 in the U series.
    """
    if not 0 <= overcommit_percent <= 100:
        raise UsageError(
            f"instancetype overcommitPercent {overcommit_percent} is out of range", "it is between 0 and 100"
        )
    if overcommit_percent == 0:
        return None
    share = np.float32(1) - np.float32(overcommit_percent) / np.float32(100)
    return int(np.float32(guest_memory_bytes) * share)


def render(guest: Guest, cluster: Cluster) -> Rendered:
    """Requests and limits of the compute container, with every part of the overhead.

    Raises
    ------
    UsageError
        The VM has no memory at all, or a setting of the cluster is out of range.
    """
    own = guest_request_bytes(guest, cluster.overcommit_percent)
    parts = _parts(guest, cluster, own)
    overhead = sum(part.bytes for part in parts)
    request, limit, hugepages = _memory(guest, own, overhead)
    if limit is None and guest.limits_memory_bytes is None and cluster.memory_limit_ratio is not None:
        limit = int(float(request) * cluster.memory_limit_ratio)
    cpu_request, cpu_limit = _cpu(guest, cluster.cpu_allocation_ratio)
    return Rendered(
        requests=Amounts(request, cpu_request, hugepages),
        limits=Amounts(limit, cpu_limit, hugepages),
        overhead_bytes=overhead,
        parts=parts,
    )


def _parts(guest: Guest, cluster: Cluster, own: int) -> tuple[Part, ...]:
    machine = msgspec.structs.replace(guest.machine, vcpus=guest.vcpus, guaranteed=guest.is_guaranteed)
    in_vmi = own if has_page_table_term(cluster.version) else guest.requests_memory_bytes or 0
    return overhead_parts(machine, cluster.version, in_vmi, cluster.overhead_ratio)


def _memory(guest: Guest, own: int, overhead: int) -> tuple[int, int | None, int | None]:
    """Memory request, limit and hugepages with the overhead in them."""
    limit = own if guest.dedicated_cpus else guest.limits_memory_bytes
    if guest.hugepages_bytes is None:
        request = own if guest.overcommit_guest_overhead else own + overhead
        return request, None if limit is None else limit + overhead, None
    backed = guest.guest_memory_bytes or own
    request = max(0, own - backed) + overhead
    return request, None if limit is None else max(0, limit - backed) + overhead, min(own, backed)


def _cpu(guest: Guest, allocation_ratio: int) -> tuple[int, int | None]:
    """CPU request and limit in millicores; a part of a millicore counts as a whole one, as Kubernetes rounds."""
    if allocation_ratio <= 0:
        raise UsageError(f"cpuAllocationRatio {allocation_ratio} is out of range", "it is at least 1")
    threads = max(1, guest.vcpus) + guest.io_threads
    if guest.dedicated_cpus:
        pinned = (threads + guest.isolate_emulator_thread) * 1000
        return pinned, pinned
    request = guest.requests_cpu_millis or guest.limits_cpu_millis
    return request or -(-threads * 1000 // allocation_ratio), guest.limits_cpu_millis


def sidecars(guest: Guest) -> tuple[ContainerResources, ...]:
    """The other containers of the pod that stay: the console log and one for each containerDisk.

    In a Guaranteed VM their requests equal their limits. Support container resources of the KubeVirt object are not looked at.
    """
    names = ["guest-console-log"] * guest.console_log + ["container-disk"] * guest.container_disks
    return tuple(_sidecar(name, guaranteed=guest.is_guaranteed) for name in names)


def _sidecar(name: str, *, guaranteed: bool) -> ContainerResources:
    cpu, memory, cpu_limit, memory_limit = _SIDECARS[name]
    if guaranteed:
        cpu, memory = cpu_limit, memory_limit
    return ContainerResources(
        name=name,
        requests_cpu_cores=cpu / 1000,
        requests_memory_bytes=memory * _MEGA,
        limits_cpu_cores=cpu_limit / 1000,
        limits_memory_bytes=memory_limit * _MEGA,
        init=name == "guest-console-log",
        restartable_init=name == "guest-console-log",
    )


def pod_request_bytes(rendered: Rendered, guest: Guest) -> int:
    """Memory that the scheduler sees: the compute container and its sidecars."""
    return (rendered.requests.memory_bytes or 0) + sum(int(each.requests_memory_bytes or 0) for each in sidecars(guest))


def pod_request_millis(rendered: Rendered, guest: Guest) -> int:
    """CPU that the scheduler sees, in millicores: the compute container and its sidecars."""
    others = sum(math.ceil(1000 * (each.requests_cpu_cores or 0)) for each in sidecars(guest))
    return (rendered.requests.cpu_millis or 0) + others


def first_known(*candidates: FloatArray | float) -> FloatArray:
    """First value that is known, row by row.

    What a cluster tells wins over the formula: pass the pod's own request first and the computed one last; for the overhead
    the pod's annotation ``kubevirt.io/memory-overhead-bytes`` or ``status.memory.memoryOverhead`` (from KubeVirt 1.8), then
    the metric ``kubevirt_vmi_launcher_memory_overhead_bytes`` (from 1.3), then the formula. The formula's constants differ
    between versions by up to 64Mi + 1 and more, so it must never overrule a reported number.

    Parameters
    ----------
    candidates
        float64, shapes that broadcast to (W,), bytes; NaN where not known.

    Returns
    -------
    FloatArray
        float64 (W,), NaN where no candidate knows it.
    """
    result = np.asarray(candidates[0], dtype=np.float64)
    for candidate in candidates[1:]:
        result = np.where(np.isnan(result), candidate, result)
    return result
