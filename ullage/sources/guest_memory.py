"""Memory of a virtual machine: the guest's, and what it needs on top, reported or by formula."""

from __future__ import annotations

import math
from typing import Final

from ullage.errors import UllageError
from ullage.estimation.overhead import KubeVirtVersion, Machine, has_page_table_term
from ullage.estimation.requests import Cluster, Guest, guest_request_bytes, render
from ullage.model.resources import CPU, MEMORY
from ullage.sources.kubevirt_objects import (
    Devices,
    GuestResources,
    LaunchSecurity,
    MachineSpec,
    Memory,
    ProcessorSpec,
    Topology,
    VirtualMachineInstance,
)
from ullage.sources.objects import Pod, Quantities, Quantity
from ullage.sources.wire_values import amount

OVERHEAD: Final = "kubevirt.io/memory-overhead-bytes"
"""Annotation of a launcher pod."""

_COMPUTE: Final = "compute"


def guest_memory_bytes(machine: VirtualMachineInstance) -> float:
    """Memory that the guest has: as it runs, else as its spec says (``guest``, requests, limits, one hugepage); else NaN."""
    status, domain = machine.status.memory, machine.spec.domain
    memory, resources = domain.memory or Memory(), domain.resources or GuestResources()
    known = (
        amount(status.guest_current) if status else math.nan,
        amount(memory.guest),
        _of(resources.requests, MEMORY),
        _of(resources.limits, MEMORY),
        amount(memory.hugepages.page_size) if memory.hugepages else math.nan,
    )
    return next((value for value in known if value > 0), math.nan)


def requests_memory_itself(guest: Guest, cluster: Cluster | None) -> bool:
    """Whether the VM sets its memory request, which switches the cluster's overcommit off for it.

    Until the overcommit moved to the rendering of the pod, KubeVirt wrote the request into every VMI: there, only one that
    differs from the guest divided by the overcommit is the user's own.
    """
    if not guest.requests_memory_bytes:
        return False
    if cluster is None or not has_page_table_term(cluster.version) or not guest.guest_memory_bytes:
        return True
    return guest.requests_memory_bytes != guest.guest_memory_bytes * 100 // cluster.overcommit_percent


def reported_overhead_bytes(machine: VirtualMachineInstance | None, pod: Pod) -> float:
    """Overhead as KubeVirt reports it (from 1.8 on, in the VMI's status or on its pod); NaN if it does not."""
    status = machine.status.memory if machine else None
    found = amount(status.memory_overhead) if status else math.nan
    return amount(pod.annotations.get(OVERHEAD)) if math.isnan(found) else found


def rendered_overhead_bytes(guest: Guest, pod: Pod, cluster: Cluster | None, computed: float) -> float:
    """Overhead that the pod was rendered with: its compute container's request less the guest's share; NaN if unknown.

    The share is the VM's own request or limit, else the guest divided by the cluster's overcommit. As the overcommit may
    have changed since, and the formula is never far off, less than half or more than twice of what it `computed` (NaN if it
    could not) is not believed.
    """
    containers = (each.resources for each in pod.spec.containers or () if each.name == _COMPUTE and each.resources)
    request = next((_of(each.requests, MEMORY) for each in containers), math.nan)
    is_own = bool(guest.requests_memory_bytes or guest.limits_memory_bytes)
    if guest.overcommit_guest_overhead or not (is_own or cluster):
        return math.nan
    try:
        share = guest_request_bytes(guest, cluster.overcommit_percent if cluster else 100)
    except UllageError:
        return math.nan
    if guest.hugepages_bytes:
        share = max(0, share - (guest.guest_memory_bytes or share))
    found = request - share
    is_believed = found > 0 if math.isnan(computed) else computed / 2 <= found <= computed * 2
    return found if is_believed else math.nan


def computed_overhead_bytes(guest: Guest, cluster: Cluster | None) -> float:
    """Overhead by the formula of the cluster's KubeVirt; NaN if its version is not known or the VM has no memory."""
    if cluster is None:
        return math.nan
    try:
        return float(render(guest, cluster).overhead_bytes)
    except UllageError:
        return math.nan


def cluster_of(version: str, overcommit_percent: int, overhead_ratio: str | None) -> Cluster | None:
    """What overhead depends on besides the VM; ``None`` for a version that is not known."""
    try:
        known = KubeVirtVersion.parse(version)
    except UllageError:
        return None
    ratio = _ratio(overhead_ratio)
    return Cluster(version=known, overcommit_percent=overcommit_percent, overhead_ratio=ratio)


def _ratio(text: str | None) -> float | None:
    try:
        ratio = float(text) if text else math.nan
    except ValueError:
        return None
    return ratio if 0 < ratio < 1000 else None


def guest_of(machine: VirtualMachineInstance) -> Guest:
    """The VMI as the formulas of `ullage.estimation.requests` take it."""
    domain = machine.spec.domain
    memory, resources = domain.memory or Memory(), domain.resources or GuestResources()
    cpu = domain.cpu or ProcessorSpec()
    return Guest(
        guest_memory_bytes=_whole(amount(memory.guest)),
        vcpus=_vcpus(machine, resources),
        requests_memory_bytes=_whole(_of(resources.requests, MEMORY)),
        limits_memory_bytes=_whole(_of(resources.limits, MEMORY)),
        requests_cpu_millis=_whole(1000 * _of(resources.requests, CPU)),
        limits_cpu_millis=_whole(1000 * _of(resources.limits, CPU)),
        hugepages_bytes=_whole(amount(memory.hugepages.page_size)) if memory.hugepages else None,
        overcommit_guest_overhead=bool(resources.overcommit_guest_overhead),
        dedicated_cpus=bool(cpu.dedicated_cpu_placement),
        isolate_emulator_thread=bool(cpu.isolate_emulator_thread),
        machine=_machine(machine.spec, memory),
    )


def _machine(spec: MachineSpec, memory: Memory) -> Machine:
    devices = spec.domain.devices or Devices()
    security = spec.domain.launch_security or LaunchSecurity()
    interfaces = devices.interfaces or ()
    reserved = memory.reserved_overhead
    return Machine(
        arm64=spec.architecture == "arm64",
        graphics=devices.autoattach_graphics_device is not False,
        vfio=bool(devices.host_devices or devices.gpus or any(each.sriov for each in interfaces)),
        downward_metrics=any(volume.downward_metrics for volume in spec.volumes or ()),
        exec_probes=sum(1 for probe in (spec.liveness_probe, spec.readiness_probe) if probe and probe.exec),
        sev=bool(security.sev or security.snp),
        tpm=devices.tpm is not None,
        passt=any(each.passt_binding for each in interfaces),
        added_overhead_bytes=(_whole(amount(reserved.added_overhead)) or 0) if reserved else 0,
    )


def _vcpus(machine: VirtualMachineInstance, resources: GuestResources) -> int:
    cpu = machine.spec.domain.cpu
    now = machine.status.current_cpu_topology or cpu or Topology()
    if now.sockets or now.cores or now.threads:
        return max(1, (now.sockets or 1) * (now.cores or 1) * (now.threads or 1))
    named = (_of(resources.limits, CPU), _of(resources.requests, CPU))
    return max(1, math.ceil(next((value for value in named if value > 0), 1.0)))


def _of(quantities: Quantities | None, name: str) -> float:
    quantity: Quantity | None = (quantities or {}).get(name)
    return amount(quantity)


def _whole(value: float) -> int | None:
    return None if math.isnan(value) else math.ceil(value)
