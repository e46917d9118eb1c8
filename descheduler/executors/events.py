"""Events (``events.k8s.io/v1``): what kubectl tells of a workload or a node. One that cannot be told fails no move."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from hashlib import blake2b
from typing import Final

import msgspec

from descheduler.executors.wire import namespaced
from descheduler.executors.writer import HeldBackError, Writer
from descheduler.policy.plan import WorkloadRef
from ullage.sources.kube_api.errors import ConflictError, KubeError

REPORTER: Final = "ullage.dev/descheduler"
WINDOW_SECONDS: Final = 120.0
"""The same is not told again within this time."""
_NOTE_BYTES: Final = 1024
_NAME_CHARACTERS: Final = 128
_CLUSTER_NAMESPACE: Final = "default"
"""Where events of objects without a namespace stand."""
_VERSIONS: Final = {"VirtualMachineInstance": "kubevirt.io/v1", "RebalancePlan": "ullage.dev/v1alpha1"}


class EventType(StrEnum):
    """What kubectl shows in its first column."""

    NORMAL = "Normal"
    WARNING = "Warning"


class Reference(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """An object that an event is about."""

    kind: str
    name: str
    namespace: str = ""
    uid: str = ""
    api_version: str = ""

    @classmethod
    def of(cls, workload: WorkloadRef) -> Reference:
        """A workload of a plan."""
        version = _VERSIONS.get(workload.kind, "v1")
        return cls(workload.kind, workload.name, workload.namespace, workload.uid, version)

    @classmethod
    def node(cls, name: str, uid: str = "") -> Reference:
        """A node; kubectl finds its events by the uid, and by the name in its place, as kubelets write it."""
        return cls("Node", name, uid=uid or name, api_version="v1")


class Happening(msgspec.Struct, frozen=True):
    """Something that happened.

    Attributes
    ----------
    regarding
        The object that it happened to.
    reason, action
        Why, and what was done; CamelCase from a closed set, at most 128 characters.
    note
        One sentence with numbers; what is longer than 1024 bytes is cut.
    kind
        Whether someone should look at it.
    related
        Another object, such as the destination.
    once
        What it can happen to once only, such as a step of a plan: whoever tells of it again is understood to repeat it.
    """

    regarding: Reference
    reason: str
    action: str
    note: str
    kind: EventType = EventType.NORMAL
    related: Reference | None = None
    once: str = ""


class Events:
    """Tells of what happened. Not thread-safe.

    Parameters
    ----------
    writer
        The API server.
    instance
        Who tells: the identity of this replica.

    Attributes
    ----------
    lost
        How many were not told, since the API server did not take them or we were held back.
    """

    def __init__(self, writer: Writer, instance: str) -> None:
        self._writer, self._clock = writer, writer.connection.clock
        self._instance = instance[:_NAME_CHARACTERS]
        self._told: dict[Happening, float] = {}
        self.lost = 0

    def tell(self, happening: Happening) -> bool:
        """Tell of it, unless the same was told within two minutes; whether it was told. Never raises for an API server."""
        if self._is_repeated(happening):
            return False
        namespace = happening.regarding.namespace or _CLUSTER_NAMESPACE
        document = self._document(happening, namespace)
        try:
            self._writer.write("POST", namespaced("/apis/events.k8s.io/v1", namespace, "events"), document)
        except ConflictError:  # it has arrived before, and its reply was lost
            return True
        except (KubeError, HeldBackError):
            self.lost += 1
            return False
        return True

    def _is_repeated(self, happening: Happening) -> bool:
        now = self._clock.monotonic()
        self._told = {each: until for each, until in self._told.items() if until > now}
        same = msgspec.structs.replace(happening, note="")  # its numbers differ each time
        if same in self._told:
            return True
        self._told[same] = now + WINDOW_SECONDS
        return False

    def _document(self, happening: Happening, namespace: str) -> bytes:
        at = datetime.fromtimestamp(self._clock.unix(), UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        related = {} if happening.related is None else {"related": happening.related}
        document = {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"name": _name(happening, at), "namespace": namespace},
            "eventTime": at,
            "reportingController": REPORTER,
            "reportingInstance": self._instance,
            "type": happening.kind,
            "reason": happening.reason[:_NAME_CHARACTERS],
            "action": happening.action[:_NAME_CHARACTERS],
            "note": _cut(happening.note),
            "regarding": happening.regarding,
            **related,
        }
        return msgspec.json.encode(document)


def _name(happening: Happening, at: str) -> str:
    told = (happening.once, happening.reason) if happening.once else (happening, at)
    digest = blake2b(msgspec.json.encode(told), digest_size=8).hexdigest()
    return f"ullage.{digest}"


def _cut(note: str) -> str:
    """The note in at most 1024 bytes, which is how the API server counts."""
    data = note.encode()
    if len(data) <= _NOTE_BYTES:
        return note
    return data[: _NOTE_BYTES - 3].decode(errors="ignore") + "\N{HORIZONTAL ELLIPSIS}"
