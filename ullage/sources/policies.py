"""Namespaces, disruption budgets, quotas and KubeVirt's own settings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np

from ullage.errors import UsageError
from ullage.estimation.migration import kubevirt_defaults
from ullage.estimation.overhead import MAIN, KubeVirtVersion
from ullage.model.labels import Labels, Requirement
from ullage.model.state import KubeVirt, Quota
from ullage.sources.kubevirt_objects import (
    Configuration,
    Developer,
    KubeVirtResource,
    KubeVirtSpec,
    KubeVirtStatus,
    Migrations,
)
from ullage.sources.machines import strategy_of
from ullage.sources.notes import NoteBook
from ullage.sources.objects import Namespace, PodDisruptionBudget, QuotaAmounts, ResourceQuota
from ullage.sources.selectors import selector
from ullage.sources.wire_values import amount, amounts

_NAME_LABEL: Final = "kubernetes.io/metadata.name"
_OWN_PREFIXES: Final = ("kubevirt-disruption-budget-", "kubevirt-migration-pdb-")
_OWN_OWNERS: Final = ("VirtualMachineInstance", "VirtualMachineInstanceMigration")


def namespaces(known: Iterable[Namespace], used: Iterable[str]) -> tuple[tuple[str, ...], Labels]:
    """Names, ascending, and labels of namespaces; those that only workloads tell of have the label of their name."""
    labels = {name: {_NAME_LABEL: name} for name in used if name}
    labels |= {each.name: {_NAME_LABEL: each.name, **each.labels} for each in known}
    names = tuple(sorted(labels))
    return names, Labels.of([labels[name] for name in names])


def allowed_disruptions(budget: PodDisruptionBudget) -> int:
    """How many disruptions a budget allows; none if it does not say."""
    return max(0, (budget.status.disruptions_allowed if budget.status else None) or 0)


def members_wanted(budget: PodDisruptionBudget) -> tuple[Requirement, ...] | None:
    """What the labels of a budget's members meet; ``None`` if it has no members."""
    wanted = selector(budget.spec.selector if budget.spec else None)
    is_beta = (budget.api_version or "").endswith("/v1beta1")
    return None if is_beta and not wanted else wanted


def is_of_kubevirt(budget: PodDisruptionBudget) -> bool:
    """Whether KubeVirt made the budget, for one of its VMs or migrations."""
    return budget.name.startswith(_OWN_PREFIXES) or any(each.kind in _OWN_OWNERS for each in budget.owners)


def quotas(wires: Iterable[ResourceQuota], notes: NoteBook) -> tuple[Quota, ...]:
    """ResourceQuotas; one without status counts with its spec and nothing used, and is noted."""
    return tuple(_quota(each, notes) for each in wires)


def _quota(wire: ResourceQuota, notes: NoteBook) -> Quota:
    status, spec = wire.status or QuotaAmounts(), wire.spec or QuotaAmounts()

    def complain(message: str) -> None:
        notes.add("malformed-object", f"ResourceQuota {wire.key}", message)

    if status.used is None:
        notes.add("quota-without-status", wire.key)
    hard = amounts(status.hard if status.hard is not None else spec.hard, complain)
    used = amounts(status.used, complain)
    return Quota(wire.namespace, wire.name, hard, {name: used.get(name, 0.0) for name in hard})


def configuration_of(found: KubeVirtResource | None) -> Configuration | None:
    """Configuration of the cluster's KubeVirt; ``None`` if there is none."""
    return (found.spec or KubeVirtSpec()).configuration or Configuration() if found else None


def kubevirt(found: KubeVirtResource | None, notes: NoteBook) -> KubeVirt | None:
    """What the KubeVirt object says; settings that are missing or out of range have KubeVirt's defaults."""
    configuration = configuration_of(found)
    if found is None or configuration is None:
        return None
    version = (found.status or KubeVirtStatus()).observed_kube_virt_version or ""
    migrations = configuration.migrations or Migrations()
    developer = configuration.developer_configuration or Developer()

    def positive(name: str, value: int | None, default: int, lowest: int = 1) -> int:
        if value is not None and value < lowest:
            notes.add("malformed-object", f"KubeVirt {found.key}", f"{name} cannot be {value}")
        return default if value is None or value < lowest else value

    return KubeVirt(
        version=version.removeprefix("v"),
        memory_overcommit_ratio=positive("memoryOvercommit", developer.memory_overcommit, 100, 10) / 100,
        cpu_allocation_ratio=float(positive("cpuAllocationRatio", developer.cpu_allocation_ratio, 10)),
        parallel_migrations_per_cluster=positive(
            "parallelMigrationsPerCluster", migrations.parallel_migrations_per_cluster, 5
        ),
        parallel_outbound_migrations_per_node=positive(
            "parallelOutboundMigrationsPerNode", migrations.parallel_outbound_migrations_per_node, 2
        ),
        bandwidth_per_migration_bytes_per_second=float(np.nan_to_num(amount(migrations.bandwidth_per_migration))),
        completion_timeout_per_gib_seconds=float(
            positive(
                "completionTimeoutPerGiB", migrations.completion_timeout_per_gi_b, _default_timeout_seconds(version)
            )
        ),
        allow_auto_converge=bool(migrations.allow_auto_converge),
        allow_post_copy=bool(migrations.allow_post_copy),
        eviction_strategy=strategy_of(configuration.eviction_strategy),
    )


def _default_timeout_seconds(version: str) -> int:
    """Completion timeout per unit where none is set: that of the version, of a current one if it cannot be read."""
    try:
        parsed = KubeVirtVersion.parse(version)
    except UsageError:
        parsed = MAIN
    return int(kubevirt_defaults(parsed).completion_timeout_per_gib_seconds)
