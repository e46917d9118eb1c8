"""Pieces of Kubernetes objects."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable
from typing import Any, Final, TypeAlias

Json: TypeAlias = dict[str, Any]
Key: TypeAlias = tuple[str, str]
"""Namespace and name; the namespace is empty for what has none."""

PODS: Final = "/api/v1/pods"
NODES: Final = "/api/v1/nodes"


def timestamp(seconds: float) -> str:
    """RFC 3339 in whole seconds."""
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def micro_timestamp(seconds: float) -> str:
    """RFC 3339 in microseconds, as Leases have it."""
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def key_of(wire: Json) -> Key:
    metadata = wire["metadata"]
    return metadata.get("namespace", ""), metadata["name"]


def version_of(wire: Json) -> int:
    """Resource versions are ordered numbers (KEP-5504)."""
    return int(wire["metadata"].get("resourceVersion") or 0)


def labels_of(wire: Json) -> dict[str, str]:
    return wire["metadata"].get("labels") or {}


def annotations_of(wire: Json) -> dict[str, str]:
    return wire["metadata"].get("annotations") or {}


def status_of(wire: Json) -> Json:
    return wire.get("status") or {}


def phase_of(wire: Json) -> str:
    return str(status_of(wire).get("phase") or "")


def is_going(wire: Json) -> bool:
    return bool(wire["metadata"].get("deletionTimestamp"))


def is_running(pod: Json) -> bool:
    """Whether its containers use something: it runs, though it may be about to end."""
    return phase_of(pod) == "Running"


def condition(kind: str, holds: bool, since: float, reason: str = "", message: str = "") -> Json:
    more = {name: text for name, text in (("reason", reason), ("message", message)) if text}
    return {"type": kind, "status": str(holds), "lastTransitionTime": timestamp(since), **more}


def condition_of(wire: Json, kind: str) -> Json:
    """Condition of an object; empty if it has none of the kind."""
    return next((each for each in status_of(wire).get("conditions") or () if each["type"] == kind), {})


def with_condition(conditions: Iterable[Json], new: Json) -> list[Json]:
    """Conditions with one of them set anew."""
    return [*(each for each in conditions if each["type"] != new["type"]), new]


def owner_reference(owner: Json) -> Json:
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def suffix(seed: str) -> str:
    """Five letters for a name, always the same for the same seed."""
    return hashlib.sha256(seed.encode()).hexdigest()[:5]


def in_namespace(prefix: str, plural: str, key: Key) -> str:
    """Path of an object."""
    return f"{prefix}/namespaces/{key[0]}/{plural}/{key[1]}"


def pod_path(key: Key) -> str:
    return in_namespace("/api/v1", "pods", key)
