"""Objects that tests create: VMs, pods and ReplicaSets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tests.standin.kubevirt import names
from tests.standin.use import Use, annotation
from tests.standin.wire import Json

IMAGE: Final = "registry.example/app:1"


@dataclass(frozen=True)
class VmShape:
    """A VMI as it should look.

    Attributes
    ----------
    node
        Where it starts, past the scheduler; later it may go anywhere.
    requests_bytes
        Its own memory request, which switches the overcommit off.
    not_migratable
        Reason for which it cannot be migrated; empty: it can.
    spec
        Further fields of its spec.
    """

    name: str
    guest_bytes: int
    vcpus: int
    namespace: str = "default"
    node: str | None = None
    requests_bytes: int | None = None
    eviction_strategy: str | None = "LiveMigrate"
    not_migratable: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    spec: Mapping[str, Any] = field(default_factory=dict)

    def wire(self) -> Json:
        """The VirtualMachineInstance."""
        own = {names.FIRST_NODE: self.node or "", names.NOT_MIGRATABLE: self.not_migratable}
        annotations = {**{name: text for name, text in own.items() if text}, **self.annotations}
        requests = {} if self.requests_bytes is None else {"requests": {"memory": str(self.requests_bytes)}}
        domain = {
            "cpu": {"sockets": self.vcpus, "cores": 1, "threads": 1},
            "memory": {"guest": str(self.guest_bytes)},
            "resources": requests,
            "devices": {},
        }
        strategy = {"evictionStrategy": self.eviction_strategy} if self.eviction_strategy else {}
        return {
            "apiVersion": "kubevirt.io/v1",
            "kind": "VirtualMachineInstance",
            "metadata": _metadata(self.name, self.namespace, self.labels, annotations),
            "spec": {"domain": domain, **strategy, **self.spec},
        }


@dataclass(frozen=True)
class PodShape:
    """A pod as it should look.

    Attributes
    ----------
    cores, memory_bytes
        What it requests.
    node
        Where it is bound, past the scheduler; ``None``: the scheduler decides.
    use
        What it uses.
    """

    name: str
    cores: float = 0.1
    memory_bytes: int = 2**27
    namespace: str = "default"
    node: str | None = None
    use: Use | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    spec: Mapping[str, Any] = field(default_factory=dict)

    def wire(self) -> Json:
        """The Pod."""
        bound = {"nodeName": self.node} if self.node else {}
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": _metadata(self.name, self.namespace, self.labels, self._annotations()),
            "spec": {**self._spec(), **bound},
        }

    def replicaset(self, replicas: int) -> Json:
        """A ReplicaSet of such pods; they are told by the label ``app``, and go where the scheduler sends them."""
        labels = {"app": self.name, **self.labels}
        template = {"metadata": {"labels": labels, "annotations": self._annotations()}, "spec": self._spec()}
        spec = {"replicas": replicas, "selector": {"matchLabels": {"app": self.name}}, "template": template}
        metadata = _metadata(self.name, self.namespace, labels, {})
        return {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": metadata, "spec": spec}

    def _annotations(self) -> dict[str, str]:
        return {**(annotation(self.use) if self.use else {}), **self.annotations}

    def _spec(self) -> Json:
        requests = {"cpu": f"{round(1000 * self.cores)}m", "memory": str(self.memory_bytes)}
        container = {"name": "app", "image": IMAGE, "resources": {"requests": requests}}
        return {
            "containers": [container],
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 0,
            **self.spec,
        }


def _metadata(name: str, namespace: str, labels: Mapping[str, str], annotations: Mapping[str, str]) -> Json:
    return {"name": name, "namespace": namespace, "labels": dict(labels), "annotations": dict(annotations)}
