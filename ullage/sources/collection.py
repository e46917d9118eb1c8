"""Raw objects sorted into typed ones: kinds that matter are decoded, the rest is counted."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Final, TypeVar, cast

import msgspec

from ullage.sources.documents import Item
from ullage.sources.kubevirt_objects import KubeVirtResource, VirtualMachineInstance, VirtualMachineInstanceMigration
from ullage.sources.notes import NoteBook
from ullage.sources.objects import (
    KubernetesObject,
    Namespace,
    Node,
    NodeMetrics,
    PersistentVolume,
    PersistentVolumeClaim,
    Pod,
    PodDisruptionBudget,
    PodMetrics,
    Present,
    ResourceQuota,
)

Object = TypeVar("Object", bound=KubernetesObject)

_CORE: Final = (Node, Pod, Namespace, PersistentVolume, PersistentVolumeClaim, ResourceQuota)
_KUBEVIRT: Final = (VirtualMachineInstance, VirtualMachineInstanceMigration)
_DECODERS: Final = MappingProxyType(
    {("", t.__name__): msgspec.json.Decoder(t) for t in _CORE}
    | {("kubevirt.io", t.__name__): msgspec.json.Decoder(t) for t in _KUBEVIRT}
    | {
        ("kubevirt.io", "KubeVirt"): msgspec.json.Decoder(KubeVirtResource),
        ("policy", "PodDisruptionBudget"): msgspec.json.Decoder(PodDisruptionBudget),
        ("metrics.k8s.io", "NodeMetrics"): msgspec.json.Decoder(NodeMetrics),
        ("metrics.k8s.io", "PodMetrics"): msgspec.json.Decoder(PodMetrics),
    }
)
_GROUPS: Final = MappingProxyType({kind: group for group, kind in _DECODERS})


class _Header(msgspec.Struct, gc=False, rename="camel"):
    kind: str | None = None
    api_version: str | None = None


class _Shape(msgspec.Struct, gc=False, rename="camel"):
    containers: list[Present] | None = None
    allocatable: Present | None = None
    node_info: Present | None = None


class _Shapes(msgspec.Struct, gc=False):
    spec: _Shape | None = None
    status: _Shape | None = None


class _LooseMeta(msgspec.Struct, gc=False):
    name: str = "?"
    namespace: str = ""


class _Loose(msgspec.Struct, gc=False):
    metadata: _LooseMeta = msgspec.field(default_factory=_LooseMeta)


_HEADERS: Final = msgspec.json.Decoder(_Header)


def decoder_of(group: str, kind: str) -> msgspec.json.Decoder[KubernetesObject] | None:
    """Decoder of a kind's objects; ``None`` for one that bears on no decision."""
    return _DECODERS.get((group, kind))


class Collection:
    """Typed objects by kind, each name once.

    Parameters
    ----------
    notes
        Takes what could not be read.
    """

    def __init__(self, notes: NoteBook) -> None:
        self._notes = notes
        self._objects: dict[type[KubernetesObject], dict[tuple[str, str], KubernetesObject]] = {}
        self._seen = 0

    def add(self, item: Item) -> None:
        """Take one object; one that cannot be read is noted and put aside."""
        self._seen += 1
        try:
            group, kind = self._identify(item)
            decoder = decoder_of(group, kind)
            if decoder is None:
                self._notes.count("unknown-kind", kind[:64])
            else:
                self._keep(kind, decoder.decode(item.raw))
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            self._notes.add("malformed-object", self._name(item), str(error))

    def of(self, kind: type[Object]) -> list[Object]:
        """Objects of a kind, in order of namespace and name."""
        found = self._objects.get(kind, {})
        return cast("list[Object]", [found[key] for key in sorted(found)])

    def kinds(self) -> list[type[KubernetesObject]]:
        """Kinds of which there are objects."""
        return list(self._objects)

    def _identify(self, item: Item) -> tuple[str, str]:
        header = _HEADERS.decode(item.raw)
        kind = header.kind or item.kind or _kind_by_shape(item.raw)
        if not kind:
            raise msgspec.ValidationError("Object missing required field `kind`")
        version = header.api_version
        group = _GROUPS.get(kind, "") if version is None else version.rpartition("/")[0]
        return group, kind

    def _keep(self, kind: str, found: KubernetesObject) -> None:
        named = self._objects.setdefault(type(found), {})
        key = found.namespace, found.name
        present = named.get(key)
        if present is not None:
            self._notes.add("duplicate-object", f"{kind} {found.key}")
        if present is None or not is_older(found.metadata.resource_version, present.metadata.resource_version):
            named[key] = found

    def _name(self, item: Item) -> str:
        kind = _attempt(lambda: _HEADERS.decode(item.raw).kind) or item.kind or "object"
        meta = _attempt(lambda: msgspec.json.decode(item.raw, type=_Loose).metadata)
        if meta is None or meta.name == "?":
            return f"{kind} number {self._seen}"
        return f"{kind} {meta.namespace}/{meta.name}" if meta.namespace else f"{kind} {meta.name}"


_Result = TypeVar("_Result")


def _attempt(decode: Callable[[], _Result]) -> _Result | None:
    try:
        return decode()
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None


def _kind_by_shape(raw: bytes | msgspec.Raw) -> str:
    """Kind of an object that does not name it, as archives store them; empty if it is neither pod nor node."""
    shapes = _attempt(lambda: msgspec.json.decode(raw, type=_Shapes))
    if shapes is None:
        return ""
    if shapes.spec is not None and shapes.spec.containers is not None:
        return "Pod"
    status = shapes.status
    return "Node" if status is not None and (status.allocatable is not None or status.node_info is not None) else ""


def is_older(version: str | None, than: str | None) -> bool:
    """Whether a resourceVersion is older than another one; not, if they are no numbers that can be compared."""
    versions = (version or "", than or "")
    if not all(v.isascii() and v.isdigit() and len(v) <= 20 for v in versions):
        return False  # without numbers to compare, what comes later in the input counts
    return int(versions[0]) < int(versions[1])
