"""Paths, labels and annotations of KubeVirt."""

from __future__ import annotations

from typing import Final

from tests.standin.wire import Key, in_namespace

GROUP: Final = "kubevirt.io"
API: Final = f"/apis/{GROUP}/v1"
MACHINES: Final = f"{API}/virtualmachineinstances"
MIGRATIONS: Final = f"{API}/virtualmachineinstancemigrations"
KUBEVIRTS: Final = f"{API}/namespaces/kubevirt/kubevirts"

APP: Final = "kubevirt.io"
LAUNCHER: Final = "virt-launcher"
CREATED_BY: Final = "kubevirt.io/created-by"
NAME_LABEL: Final = "vm.kubevirt.io/name"
ID_LABEL: Final = "vmi.kubevirt.io/id"
NODE_LABEL: Final = "kubevirt.io/nodeName"
SCHEDULABLE: Final = "kubevirt.io/schedulable"
JOB_LABEL: Final = "kubevirt.io/migrationJobUID"
VMI_LABEL: Final = "kubevirt.io/vmi-name"

DOMAIN: Final = "kubevirt.io/domain"
JOB_NAME: Final = "kubevirt.io/migrationJobName"
OVERHEAD: Final = "kubevirt.io/memory-overhead-bytes"
EVICT_ONLY: Final = "descheduler.alpha.kubernetes.io/request-evict-only"
EVICTING: Final = "descheduler.alpha.kubernetes.io/eviction-in-progress"
EVACUATION: Final = "kubevirt.io/evacuationMigration"
EVICTION_SOURCE: Final = "kubevirt.io/eviction-source"
FINALIZER: Final = "kubevirt.io/migrationJobFinalize"

FIRST_NODE: Final = "standin.ullage.dev/first-node"
"""Annotation of a VMI: the node that its first pod is bound to without the scheduler."""
NOT_MIGRATABLE: Final = "standin.ullage.dev/not-migratable"
"""Annotation of a VMI: the reason for which it cannot be migrated."""

ENDED: Final = ("Succeeded", "Failed")


def machine_path(key: Key) -> str:
    return in_namespace(API, "virtualmachineinstances", key)


def migration_path(key: Key) -> str:
    return in_namespace(API, "virtualmachineinstancemigrations", key)
