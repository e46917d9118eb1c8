"""Configuration of the KubeVirt that is stood in for, and the object that shows it."""

from __future__ import annotations

from typing import Final

import msgspec

from tests.standin.wire import Json
from ullage.estimation.migration import NIC_BYTES_PER_SECOND, MigrationSettings, kubevirt_defaults
from ullage.estimation.overhead import KubeVirtVersion
from ullage.estimation.requests import Cluster

VERSION: Final = "1.9.0"
NODE_SELECTOR_SINCE: Final = KubeVirtVersion(1, 6)
REPORTS_OVERHEAD_SINCE: Final = KubeVirtVersion(1, 9)
MARKED_BY_SOURCE_SINCE: Final = KubeVirtVersion(1, 7)


class KubeVirtSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the KubeVirt object says, and the network.

    Attributes
    ----------
    eviction_strategy
        Of VMs that name none; ``None`` is KubeVirt's own default.
    migrations
        Limits and deadlines; ``None``: the defaults of the version.
    link_bytes_per_second
        Speed of the migration network at each node.
    """

    version: str = VERSION
    overcommit_percent: int = 100
    cpu_allocation_ratio: int = 10
    overhead_ratio: str | None = None
    eviction_strategy: str | None = None
    migrations: MigrationSettings | None = None
    link_bytes_per_second: float = NIC_BYTES_PER_SECOND

    @property
    def known_version(self) -> KubeVirtVersion:
        return KubeVirtVersion.parse(self.version)

    @property
    def limits(self) -> MigrationSettings:
        return self.migrations or kubevirt_defaults(self.known_version)

    @property
    def cluster(self) -> Cluster:
        """What the requests of a pod depend on."""
        ratio = self.overhead_ratio
        return Cluster(
            version=self.known_version,
            overcommit_percent=self.overcommit_percent,
            cpu_allocation_ratio=self.cpu_allocation_ratio,
            overhead_ratio=None if ratio is None else float(ratio),
        )


def kubevirt_object(settings: KubeVirtSettings) -> Json:
    """The KubeVirt object, without its status."""
    limits = settings.limits
    migrations = {
        "parallelMigrationsPerCluster": limits.parallel_per_cluster,
        "parallelOutboundMigrationsPerNode": limits.parallel_outbound_per_node,
        "bandwidthPerMigration": str(round(limits.bandwidth_bytes_per_second)),
        "completionTimeoutPerGiB": round(limits.completion_timeout_per_gib_seconds),
        "progressTimeout": round(limits.progress_timeout_seconds),
        "allowAutoConverge": limits.allow_auto_converge,
        "allowPostCopy": limits.allow_post_copy,
        "allowWorkloadDisruption": limits.allow_workload_disruption,
    }
    developer = {"memoryOvercommit": settings.overcommit_percent, "cpuAllocationRatio": settings.cpu_allocation_ratio}
    optional = {
        "evictionStrategy": settings.eviction_strategy,
        "additionalGuestMemoryOverheadRatio": settings.overhead_ratio,
    }
    given = {name: value for name, value in optional.items() if value is not None}
    configuration = {"developerConfiguration": developer, "migrations": migrations, **given}
    return {
        "apiVersion": "kubevirt.io/v1",
        "kind": "KubeVirt",
        "metadata": {"name": "kubevirt", "namespace": "kubevirt"},
        "spec": {"configuration": configuration},
    }


def kubevirt_status(settings: KubeVirtSettings) -> Json:
    """Status of the KubeVirt object: it is deployed."""
    version = f"v{settings.version}"
    return {"phase": "Deployed", "observedKubeVirtVersion": version, "targetKubeVirtVersion": version}
