"""Memory that a virtual machine needs on top of its guest, as KubeVirt computes it.

The terms and their values change with the version of KubeVirt; they stand in two tables here. Source:
``GetMemoryOverhead`` in ``pkg/hypervisor/kvm/hypervisorbackend.go`` (until 1.7 in
``pkg/virt-controller/services/renderresources.go``), read at every release tag from 0.59.0 to 1.9.0 and on main.

Where a cluster tells the real number, that number wins: see `ullage.estimation.requests.first_known`.
"""

from __future__ import annotations

import math
import re
from typing import Final, NamedTuple

import msgspec

from ullage.errors import UsageError

MI: Final = 2**20
GI: Final = 2**30

_VERSION: Final = re.compile(r"v?(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?(?:[-+].{0,64})?")


class KubeVirtVersion(NamedTuple):
    """A release of KubeVirt, in order; `MAIN` is later than every release."""

    major: int
    minor: int
    patch: int = 0

    @classmethod
    def parse(cls, text: str) -> KubeVirtVersion:
        """Version from text such as ``1.7.1``, ``v1.8.0-rc.1``, ``1.6`` (its first patch) or ``main``.

        Raises
        ------
        UsageError
            Not a version, or one before 0.59 whose constants are not known.
        """
        if text.strip() == "main":
            return MAIN
        match = _VERSION.fullmatch(text.strip())
        if match is None:
            raise UsageError(f"kubevirt version {text!r} cannot be read", "write it as 1.7.1, or main")
        version = cls(int(match[1]), int(match[2]), int(match[3] or 0))
        if version < OLDEST:
            raise UsageError(f"kubevirt version {text!r} is too old", "the overhead is known from 0.59.0 on")
        return version

    def __str__(self) -> str:
        return "main" if self == MAIN else f"{self.major}.{self.minor}.{self.patch}"


OLDEST: Final = KubeVirtVersion(0, 59)
MAIN: Final = KubeVirtVersion(9999, 0)


class _Fixed(NamedTuple):
    """Resident sizes that do not depend on the guest, in Mi, from one version on."""

    since: KubeVirtVersion
    monitor: int
    launcher: int
    virtlogd: int
    virtqemud: int
    qemu: int
    video: int


_FIXED: Final = (
    _Fixed(KubeVirtVersion(0, 59), 25, 100, 20, 35, 30, 16),
    _Fixed(KubeVirtVersion(1, 4, 1), 25, 100, 20, 40, 30, 16),
    _Fixed(KubeVirtVersion(1, 5), 25, 100, 25, 40, 30, 16),
    _Fixed(KubeVirtVersion(1, 6), 25, 100, 25, 40, 30, 32),
    _Fixed(KubeVirtVersion(1, 10), 25, 100, 25, 40, 50, 32),
)

_RATIO_SINCE: Final = KubeVirtVersion(1, 0)
_GUARANTEED_SINCE: Final = KubeVirtVersion(1, 1)
_GUARANTEED_IN_RATIO_SINCE: Final = KubeVirtVersion(1, 5, 3)
_PASST_AND_ADDED_SINCE: Final = KubeVirtVersion(1, 8)


class Part(msgspec.Struct, frozen=True, gc=False):
    """One part of the overhead: its name on the wire, and its size."""

    name: str
    bytes: int


class Machine(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What the overhead of a virtual machine depends on.

    Attributes
    ----------
    vcpus
        Sockets x cores x threads that the guest has now, >= 1.
    arm64
        The guest's architecture is arm64.
    graphics
        ``autoattachGraphicsDevice`` is not false.
    vfio
        It has a host device, a GPU or an SR-IOV interface.
    downward_metrics
        It has a downwardMetrics disk.
    exec_probes
        Liveness and readiness probes that are exec probes: 0, 1 or 2.
    sev
        SEV, SEV-ES or SEV-SNP.
    tpm
        It has a TPM device.
    guaranteed
        Dedicated CPUs, or equal requests and limits of CPU and memory.
    passt
        It has a passt interface.
    added_overhead_bytes
        ``memory.reservedOverhead.addedOverhead``.
    network_binding_bytes
        Sum of ``computeResourceOverhead.requests.memory`` over its distinct network binding plugins.
    """

    vcpus: int = 1
    arm64: bool = False
    graphics: bool = True
    vfio: bool = False
    downward_metrics: bool = False
    exec_probes: int = 0
    sev: bool = False
    tpm: bool = False
    guaranteed: bool = False
    passt: bool = False
    added_overhead_bytes: int = 0
    network_binding_bytes: int = 0


def has_page_table_term(version: KubeVirtVersion) -> bool:
    """Whether a VM that sets only its guest memory pays for page tables on this version.

    The term is taken from ``requests.memory`` of the VMI. Until the overcommit moved from the webhook to the rendering of the
    pod (kubevirt#15681, #15896), the webhook had filled that in; since then it is empty unless the user set it.
    """
    if version[:2] == (1, 6):
        return version.patch in (0, 1, 3)
    return version < (1, 5, 4)


def page_table_bytes(vmi_request_bytes: int) -> int:
    """Page tables of a request: one bit for 512 bits of the request rounded up to whole thousands of bytes."""
    return -(-vmi_request_bytes // 1000) * 1000 // 512


def overhead_parts(
    machine: Machine, version: KubeVirtVersion, vmi_request_bytes: int = 0, ratio: float | None = None
) -> tuple[Part, ...]:
    """Parts of the overhead, in KubeVirt's order, without those of zero bytes.

    Parameters
    ----------
    machine
        What the overhead depends on.
    version
        KubeVirt's version.
    vmi_request_bytes
        ``requests.memory`` as it stands in the VMI; 0 if there is none (see `has_page_table_term`).
    ratio
        ``additionalGuestMemoryOverheadRatio`` of the KubeVirt object, > 0; ``None`` if not set. It scales all that was summed
        up until then, and not what network bindings need.

    Returns
    -------
    tuple of Part
        Bytes; only the part ``ratio`` may be negative. The overhead is their sum.

    Raises
    ------
    UsageError
        The ratio is not above 0, or not finite.
    """
    fixed = next(row for row in reversed(_FIXED) if row.since <= version)
    guaranteed = Part("guaranteed", 100 * MI if machine.guaranteed and version >= _GUARANTEED_SINCE else 0)
    scaled = [Part("pageTables", page_table_bytes(vmi_request_bytes)), *_processes(fixed), *_devices(machine, fixed)]
    late = [guaranteed]
    if version >= _GUARANTEED_IN_RATIO_SINCE:
        scaled, late = [*scaled, guaranteed], []
    if version >= _PASST_AND_ADDED_SINCE:
        scaled.append(Part("addedOverhead", machine.added_overhead_bytes))
        late.append(Part("passt", 250 * MI * machine.passt))
    late.append(Part("networkBindings", machine.network_binding_bytes))
    if ratio is not None and version >= _RATIO_SINCE:
        late.insert(0, Part("ratio", _ratio_bytes(sum(part.bytes for part in scaled), ratio)))
    return tuple(part for part in (*scaled, *late) if part.bytes)


def overhead_bytes(
    machine: Machine, version: KubeVirtVersion, vmi_request_bytes: int = 0, ratio: float | None = None
) -> int:
    """Sum of `overhead_parts`, in bytes."""
    return sum(part.bytes for part in overhead_parts(machine, version, vmi_request_bytes, ratio))


def _processes(fixed: _Fixed) -> tuple[Part, ...]:
    return (
        Part("virtLauncherMonitor", fixed.monitor * MI),
        Part("virtLauncher", fixed.launcher * MI),
        Part("virtlogd", fixed.virtlogd * MI),
        Part("virtqemud", fixed.virtqemud * MI),
        Part("qemu", fixed.qemu * MI),
    )


def _devices(machine: Machine, fixed: _Fixed) -> tuple[Part, ...]:
    probes = machine.exec_probes
    return (
        Part("vcpus", 8 * MI * max(1, machine.vcpus)),
        Part("ioThread", 8 * MI),
        Part("video", fixed.video * MI * machine.graphics),
        Part("arm64Firmware", 128 * MI * machine.arm64),
        Part("vfio", GI * machine.vfio),
        Part("downwardMetrics", MI * machine.downward_metrics),
        Part("execProbes", (10 * probes + 100) * MI if probes else 0),
        Part("sev", 256 * MI * machine.sev),
        Part("tpm", 53 * MI * machine.tpm),
    )


def _ratio_bytes(overhead: int, ratio: float) -> int:
    if not 0 < ratio < math.inf:
        raise UsageError(f"overhead ratio {ratio} is out of range", "write a number above 0, such as 1.2")
    # The number of whole thousands is scaled in floating point and cut towards zero, as KubeVirt does it.
    return math.trunc(-(-overhead // 1000) * (ratio - 1.0)) * 1000
