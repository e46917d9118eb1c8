"""The resources of the Kubernetes API that are listed and watched."""

from __future__ import annotations

from enum import Enum
from typing import Final

import msgspec


class Verb(Enum):
    """What a watch event says."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"


class Resource(msgspec.Struct, frozen=True, gc=False):
    """One resource.

    Attributes
    ----------
    group
        API group; empty for the core group.
    version
        Version that is asked for.
    plural, kind
        Its names in paths and in objects.
    is_optional
        A CRD that may be absent, or appear and vanish at run time: without it the state is complete all the same.
    """

    group: str
    version: str
    plural: str
    kind: str
    is_optional: bool = False

    @property
    def path(self) -> str:
        """Path of its collection over all namespaces, such as ``/api/v1/pods``."""
        base = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        return f"{base}/{self.plural}"

    @property
    def name(self) -> str:
        """``plural.group``, as ``kubectl`` takes it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


NODES: Final = Resource("", "v1", "nodes", "Node")
PODS: Final = Resource("", "v1", "pods", "Pod")
MACHINES: Final = Resource("kubevirt.io", "v1", "virtualmachineinstances", "VirtualMachineInstance", is_optional=True)
MIGRATIONS: Final = Resource(
    "kubevirt.io", "v1", "virtualmachineinstancemigrations", "VirtualMachineInstanceMigration", is_optional=True
)
KUBEVIRTS: Final = Resource("kubevirt.io", "v1", "kubevirts", "KubeVirt", is_optional=True)

WATCHED: Final = (
    NODES,
    PODS,
    Resource("", "v1", "namespaces", "Namespace"),
    Resource("", "v1", "persistentvolumes", "PersistentVolume"),
    Resource("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim"),
    Resource("", "v1", "resourcequotas", "ResourceQuota"),
    Resource("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget"),
    MACHINES,
    MIGRATIONS,
    KUBEVIRTS,
)
"""All of them, one line each."""
