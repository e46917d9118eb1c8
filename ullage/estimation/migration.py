"""How long a live migration takes, whether it comes to an end, and what an eviction would really do.

Sources: ``live-migration-source.go`` (deadline), ``pkg/virt-config`` (defaults) and ``pod-eviction-admitter.go`` (the webhook
in front of the Eviction API, in its own order of tests) of KubeVirt; ``descheduler-sim`` for the first-order model of pre-copy;
KubevirtMigrationAware of the descheduler for the cooldown.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, IntEnum, auto
from types import MappingProxyType
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from ullage.estimation.overhead import MAIN, KubeVirtVersion
from ullage.model.arrays import FloatArray, Int8Array
from ullage.model.state import EvictionStrategy

NIC_BYTES_PER_SECOND: Final = 10e9 / 8
"""A link of 10 Gb/s, where nothing is known of the migration network."""
CONVERGENCE_RATIO: Final = 0.9
"""A guest that dirties more than this share of the bandwidth is taken as one that does not converge."""

COOLDOWN_SECONDS: Final = 900.0
COOLDOWN_CAP_SECONDS: Final = 6 * 3600.0
COOLDOWN_WINDOW_SECONDS: Final = 48 * 3600.0
"""Migrations within this time count towards the cooldown."""


class MigrationSettings(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """``spec.configuration.migrations`` of KubeVirt, or the migration policy that applies.

    Attributes
    ----------
    parallel_per_cluster, parallel_outbound_per_node
        Limits on migrations in flight. There is none on what comes in at a node.
    bandwidth_bytes_per_second
        ``bandwidthPerMigration``; 0 is unlimited.
    completion_timeout_per_gib_seconds
        Despite its name it counts decimal gigabytes.
    progress_timeout_seconds
        Without progress for this long the migration is aborted.
    max_downtime_seconds
        The guest is paused for the last copy once that fits in here.
    allow_auto_converge, allow_post_copy, allow_workload_disruption
        What KubeVirt may do to a guest that does not converge.
    """

    parallel_per_cluster: int = 5
    parallel_outbound_per_node: int = 2
    bandwidth_bytes_per_second: float = 0.0
    completion_timeout_per_gib_seconds: float = 150.0
    progress_timeout_seconds: float = 150.0
    max_downtime_seconds: float = 0.3
    allow_auto_converge: bool = False
    allow_post_copy: bool = False
    allow_workload_disruption: bool = False


def kubevirt_defaults(version: KubeVirtVersion) -> MigrationSettings:
    """Defaults of a plain KubeVirt: 800 s per unit before 1.4 and 150 s since; QEMU's 300 ms before 1.9 and 900 ms since."""
    return MigrationSettings(
        completion_timeout_per_gib_seconds=150.0 if version >= (1, 4, 0) else 800.0,
        max_downtime_seconds=0.9 if version >= (1, 9, 0) else 0.3,
    )


def openshift_defaults(version: KubeVirtVersion) -> MigrationSettings:
    """Defaults that the HyperConverged operator writes for the KubeVirt `version` that it ships.

    Its main branch (2026-08) goes over to 20 s per unit and one outbound migration per node; no release has that yet.
    """
    settings = kubevirt_defaults(version)
    if version == MAIN:
        return msgspec.structs.replace(settings, parallel_outbound_per_node=1, completion_timeout_per_gib_seconds=20.0)
    return settings


def effective_bandwidth(
    link_bytes_per_second: npt.ArrayLike,
    out_at_source: npt.ArrayLike,
    in_at_target: npt.ArrayLike,
    limit_bytes_per_second: float = 0.0,
) -> FloatArray:
    """Bandwidth that one migration gets.

    Parameters
    ----------
    link_bytes_per_second
        float64, of the migration network at each node.
    out_at_source, in_at_target
        Migrations that share the link at the two ends, this one included; values below 1 count as 1.
    limit_bytes_per_second
        ``bandwidthPerMigration``; 0 is unlimited.
    """
    sharing = np.maximum(np.maximum(out_at_source, in_at_target), 1)
    bandwidth = np.asarray(link_bytes_per_second, dtype=np.float64) / sharing
    return np.minimum(bandwidth, limit_bytes_per_second) if limit_bytes_per_second > 0 else bandwidth


class Precopy(msgspec.Struct, frozen=True):
    """What copying guests while they run comes to, row by row.

    Attributes
    ----------
    converges
        float64: 1 if the rest gets small enough for the downtime, 0 if never, NaN if not known.
    duration_seconds
        float64: until the guest runs at the destination; infinity if it does not converge.
    total_bytes
        float64: what goes over the wire; infinity if it does not converge.
    rounds
        float64: passes over memory, the last one with the guest paused; infinity if it does not converge.
    """

    converges: FloatArray
    duration_seconds: FloatArray
    total_bytes: FloatArray
    rounds: FloatArray


def precopy(
    memory_bytes: npt.ArrayLike,
    dirty_bytes_per_second: npt.ArrayLike,
    bandwidth_bytes_per_second: npt.ArrayLike,
    max_downtime_seconds: float = 0.3,
) -> Precopy:
    """Course of a pre-copy migration in the first-order model.

    Each round copies what was dirtied during the round before, so rounds shrink by ``dirty / bandwidth``. The last one is the
    first that fits into the downtime. With ever smaller downtime the duration goes to ``memory / (bandwidth - dirty)``.

    Parameters
    ----------
    memory_bytes
        float64, what there is to copy (the resident part of the guest, plus disks of a block migration), >= 0.
    dirty_bytes_per_second
        float64, >= 0. NaN is not known: all results are NaN then.
    bandwidth_bytes_per_second
        float64, `effective_bandwidth`.
    max_downtime_seconds
        > 0.

    Returns
    -------
    Precopy
        It converges if the dirty rate is below `CONVERGENCE_RATIO` of the bandwidth, or if all fits into the downtime at once.
    """
    memory, dirty, bandwidth = np.broadcast_arrays(
        *(
            np.asarray(each, dtype=np.float64)
            for each in (memory_bytes, dirty_bytes_per_second, bandwidth_bytes_per_second)
        )
    )
    known = ~(np.isnan(memory) | np.isnan(dirty) | np.isnan(bandwidth))
    final = bandwidth * max_downtime_seconds
    ratio = np.divide(dirty, bandwidth, out=np.full(memory.shape, np.inf), where=bandwidth > 0)
    ends = (bandwidth > 0) & ((ratio < CONVERGENCE_RATIO) | (memory <= final))
    rounds = 1.0 + _shrinking_rounds(memory, final, np.where(ends, ratio, 0.0))
    share = np.where(ends & (memory > final), ratio, 0.0)
    total = memory * (1 - share**rounds) / (1 - share)
    seconds = np.divide(total, bandwidth, out=np.full(memory.shape, np.inf), where=ends)
    values = (ends.astype(np.float64), seconds, np.where(ends, total, np.inf), np.where(ends, rounds, np.inf))
    return Precopy(*(np.where(known, each, np.nan) for each in values))


def _shrinking_rounds(memory: FloatArray, final: FloatArray, ratio: FloatArray) -> FloatArray:
    """Smallest n >= 0 with ``memory x ratio^n <= final``; 1 for a ratio of 0 where one is needed."""
    needed = (memory > final) & (final > 0)
    quotient = np.divide(final, memory, out=np.ones(memory.shape), where=needed)
    # A guest that dirties nothing still needs the second, empty round: hence the tiny ratio.
    logarithm = np.log(np.clip(ratio, 1e-300, 1 - 1e-9))
    rounds: FloatArray = np.where(needed, np.ceil(np.log(quotient) / logarithm - 1e-12), 0.0)
    return rounds


def deadline_seconds(memory_bytes: npt.ArrayLike, completion_timeout_per_gib_seconds: npt.ArrayLike) -> FloatArray:
    """KubeVirt's own deadline: the timeout for every decimal gigabyte begun.

    32Gi are 35 units: 5250 s at 150. When it is over KubeVirt switches to post-copy if that is allowed, else pauses the guest
    if a disruption is allowed (and doubles the deadline), else aborts.

    Parameters
    ----------
    memory_bytes
        float64, guest memory, plus ephemeral disks of a block migration and migrated volumes; NaN gives NaN.
    completion_timeout_per_gib_seconds
        float64 or scalar.
    """
    units = np.ceil(np.asarray(memory_bytes, dtype=np.float64) / 1e9)
    deadline: FloatArray = units * np.asarray(completion_timeout_per_gib_seconds, dtype=np.float64)
    return deadline


class MigrationEnd(IntEnum):
    """How a migration is expected to end."""

    UNKNOWN = 0
    COMPLETES = 1
    """By pre-copy, before KubeVirt's deadline."""
    POST_COPY = 2
    """At the deadline the guest goes over and fetches its memory; it dies if the network fails meanwhile."""
    PAUSED = 3
    """At the deadline the guest is paused until all is copied."""
    ABORTED = 4
    """It stays where it was; all that was copied is lost."""


def expected_end(course: Precopy, deadline: npt.ArrayLike, settings: MigrationSettings) -> Int8Array:
    """How each migration ends, int8 of `MigrationEnd`.

    Auto-converge, which slows the guest down, is not counted on.

    Parameters
    ----------
    course
        `precopy`.
    deadline
        float64, `deadline_seconds`.
    settings
        What KubeVirt may do.
    """
    late = MigrationEnd.ABORTED
    if settings.allow_workload_disruption:
        late = MigrationEnd.PAUSED
    if settings.allow_post_copy:
        late = MigrationEnd.POST_COPY
    limit = np.asarray(deadline, dtype=np.float64)
    ends = np.where(course.duration_seconds <= limit, MigrationEnd.COMPLETES, late)
    unknown = np.isnan(course.duration_seconds) | np.isnan(limit)
    return np.where(unknown, MigrationEnd.UNKNOWN, ends).astype(np.int8)


def waves(migrations: npt.ArrayLike, slots: npt.ArrayLike) -> FloatArray:
    """How many times in a row a number of migrations fills the slots: ``ceil(migrations / slots)``, infinity without a slot.

    Parameters
    ----------
    migrations
        Number of migrations out of a node, or in the cluster.
    slots
        `MigrationSettings.parallel_outbound_per_node` or `parallel_per_cluster`.
    """
    wanted, offered = np.asarray(migrations, dtype=np.float64), np.asarray(slots, dtype=np.float64)
    shape = np.broadcast_shapes(wanted.shape, offered.shape)
    result: FloatArray = np.ceil(np.divide(wanted, offered, out=np.full(shape, np.inf), where=offered > 0))
    return result


def cooldown_seconds(
    migrations_in_window: npt.ArrayLike,
    last_duration_seconds: npt.ArrayLike,
    base_seconds: float = COOLDOWN_SECONDS,
    cap_seconds: float = COOLDOWN_CAP_SECONDS,
) -> FloatArray:
    """How long a VM is left alone after its last migration: ``min(cap, max(base, last duration) x 2^(n - 1))``.

    Parameters
    ----------
    migrations_in_window
        int, n: completed migrations in the last 48 h; 0 counts as 1.
    last_duration_seconds
        float64; NaN (not known) counts as shorter than the base.
    base_seconds, cap_seconds
        Defaults 15 min and 6 h: 15 min, 30 min, 1 h, 2 h, 4 h, then 6 h.
    """
    doublings = np.clip(np.asarray(migrations_in_window) - 1, 0, 60)
    base = np.fmax(np.asarray(last_duration_seconds, dtype=np.float64), base_seconds)
    cooldown: FloatArray = np.minimum(base * np.exp2(doublings), cap_seconds)
    return cooldown


class EvictionOutcome(Enum):
    """What becomes of the VM."""

    MOVED = auto()
    """It migrates in the background; the API answers 429 nevertheless."""
    KILLED = auto()
    """The pod is evicted; the VM restarts elsewhere or stays down, by its run strategy."""
    REFUSED = auto()
    """429, and nothing happens."""
    EXTERNAL = auto()
    """It is marked, and only a controller outside of KubeVirt acts."""


class Eviction(msgspec.Struct, frozen=True, gc=False):
    """Outcome of an eviction, and what KubeVirt says (after ``admission webhook "..." denied the request:``); may be empty."""

    outcome: EvictionOutcome
    reason: str = ""


class Launcher(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A pod of a virtual machine that is to be evicted.

    Attributes
    ----------
    namespace, name
        Of the VMI.
    strategy
        The VMI's eviction strategy, else the cluster's.
    migratable
        Condition LiveMigratable is True.
    marked
        ``status.evacuationNodeName`` is set already.
    migration_target
        The pod is the target of a migration: it is not on the VMI's node.
    hotplug
        The pod is an attachment pod of hotplugged volumes.
    """

    namespace: str
    name: str
    strategy: EvictionStrategy = EvictionStrategy.UNSET
    migratable: bool = False
    marked: bool = False
    migration_target: bool = False
    hotplug: bool = False


def evict(pod: Launcher) -> Eviction:
    """What the Eviction API would do to the pod, and to its VM.

    A dry run of the API gives the same answer without marking the VMI. Everything else that ends a pod goes past KubeVirt's
    webhook and kills the VM: the kubelet under node pressure, preemption, NoExecute taints and a plain delete.
    """
    if pod.hotplug:
        return Eviction(
            EvictionOutcome.REFUSED,
            f"cannot evict hotplug pod associated with running vmi: {pod.name} in namespace {pod.namespace}",
        )
    if pod.strategy in (EvictionStrategy.UNSET, EvictionStrategy.NONE):
        return Eviction(EvictionOutcome.KILLED)
    if not pod.migratable and pod.strategy != EvictionStrategy.EXTERNAL:
        return _not_migratable(pod)
    return _marked(pod)


def _not_migratable(pod: Launcher) -> Eviction:
    if pod.strategy == EvictionStrategy.LIVE_MIGRATE_IF_POSSIBLE:
        return Eviction(EvictionOutcome.KILLED)
    reason = f"VMI {pod.name} is configured with an eviction strategy but is not live-migratable"
    return Eviction(EvictionOutcome.REFUSED, reason)


def _marked(pod: Launcher) -> Eviction:
    external = pod.strategy == EvictionStrategy.EXTERNAL
    outcome = EvictionOutcome.EXTERNAL if external else EvictionOutcome.MOVED
    reason = f'Eviction triggered evacuation of VMI "{pod.namespace}/{pod.name}"'
    if pod.marked:
        return Eviction(outcome, f"Evacuation in progress: {reason}")
    if pod.migration_target:
        return Eviction(EvictionOutcome.REFUSED, "Eviction request for target Pod")
    return Eviction(outcome, reason)


NOT_MIGRATABLE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "DisksNotLiveMigratable": "A disk is on storage that only one node can use: a volume that is not ReadWriteMany, or an "
        "unshared hostDisk.",
        "InterfaceNotLiveMigratable": "An interface is bridged to the pod network, so the guest's address would change; "
        "masquerade does not have this problem.",
        "HostDeviceNotLiveMigratable": "A device of the host is passed through (PCI or GPU), and its state cannot be copied.",
        "SEVNotLiveMigratable": "The guest's memory is encrypted by AMD SEV with a key that does not leave the host.",
        "TDXNotLiveMigratable": "The guest's memory is encrypted by Intel TDX with a key that does not leave the host.",
        "SecureExecutionNotLiveMigratable": "The guest runs under IBM Secure Execution, bound to its host.",
        "CPUModeLiveMigratable": "The CPU model is that of a host (host-model), and no other node can offer it.",
        "NoTSCFrequencyNotLiveMigratable": "The guest needs a fixed clock frequency (TSC) that this node does not report.",
        "HypervPassthroughNotLiveMigratable": "Hyper-V features of this host are passed through to the guest as they are.",
        "HotplugNotLiveMigratable": "A hotplugged volume is on storage that only one node can use.",
        "VirtIOFSNotLiveMigratable": "A file system is shared with the host through virtiofs.",
        "PersistentReservationNotLiveMigratable": "A disk holds a SCSI persistent reservation for this host.",
    }
)
"""Why a VM cannot migrate, by the reason of its condition LiveMigratable."""


def why_not_migratable(reason: str) -> str:
    """Sentence for the reason of a LiveMigratable condition that is False; an unknown reason is repeated."""
    return NOT_MIGRATABLE.get(reason, f"KubeVirt says {reason}." if reason else "KubeVirt does not say why.")
