"""The smallest objects that a cluster takes."""

from __future__ import annotations

from typing import Any


def node(name: str, *, cpu: str = "4", memory: str = "8Gi", pods: str = "110") -> dict[str, Any]:
    """A Node that is ready, as if a kubelet had said so just now."""
    size = {"cpu": cpu, "memory": memory, "pods": pods}
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "as a test says"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
        "status": {"capacity": size, "allocatable": size, "conditions": [ready]},
    }


def pod(name: str, *, cpu: str = "100m", memory: str = "64Mi", **spec: object) -> dict[str, Any]:
    """A Pod of one container; further members of its spec by name."""
    container = {"name": "main", "image": "example.org/none", "resources": {"requests": {"cpu": cpu, "memory": memory}}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"containers": [container], **spec}}
