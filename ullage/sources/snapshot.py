"""Cluster snapshots: a whole `ClusterState` as one JSON document, and back without loss.

``apiVersion: ullage.dev/v1alpha1``, ``kind: ClusterSnapshot``; the parts stand in `ullage.sources.snapshot_wire`. Numbers
come back bit for bit, NaN as NaN, and the same state always gives the same bytes.
"""

from __future__ import annotations

import zlib
from functools import reduce
from operator import or_
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from ullage.errors import InputError
from ullage.model.arrays import FloatArray, Scalar
from ullage.model.measures import NodeMeasure, WorkloadMeasure
from ullage.model.placement import Taint
from ullage.model.qos import QoS
from ullage.model.resources import axis
from ullage.model.state import (
    ClusterState,
    DisruptionBudget,
    EvictionStrategy,
    NodeColumns,
    NodeFlag,
    Owner,
    WorkloadColumns,
    WorkloadFlag,
    WorkloadKind,
)
from ullage.sources.snapshot_columns import Reader, integers, label_table, matrix, measure_tables, numbers, texts
from ullage.sources.snapshot_wire import (
    API_VERSION,
    KIND,
    Budget,
    Document,
    Metadata,
    NamespaceTable,
    NodeTable,
    OwnerTable,
    Spec,
    TaintTable,
    WorkloadTable,
)

MAX_BYTES: Final = 2**31
"""A gzip stream that grows beyond this is refused."""

_GZIP_MAGIC: Final = b"\x1f\x8b"
_INT32_MAX: Final = 2**31 - 1
_NODE_FLAGS: Final = int(reduce(or_, NodeFlag))
_WORKLOAD_FLAGS: Final = int(reduce(or_, WorkloadFlag))


def encode(state: ClusterState) -> bytes:
    """Snapshot of `state` as JSON, UTF-8, ended by a newline; deterministic.

    Raises
    ------
    ValueError
        The state breaks its own rules: an infinite number, labels out of order, an age without a value, no time.
    """
    if not np.isfinite(state.observed_at_seconds):
        raise ValueError("the state does not say when it was observed")
    spec = Spec(
        resources=list(state.resources),
        sources=list(state.sources),
        nodes=_node_table(state),
        workloads=_workload_table(state),
        placements=list(state.placements),
        owners=OwnerTable(
            kind=texts([owner.kind for owner in state.owners]),
            namespace=texts([owner.namespace for owner in state.owners]),
            name=[owner.name for owner in state.owners],
        ),
        namespaces=NamespaceTable(name=list(state.namespaces), labels=label_table(state.namespace_labels)),
        budgets=[
            Budget(
                namespace=budget.namespace,
                name=budget.name,
                disruptions_allowed=budget.disruptions_allowed,
                members=budget.members.tolist(),
            )
            for budget in state.budgets
        ],
        quotas=list(state.quotas),
        kubevirt=state.kubevirt,
        notes=list(state.notes),
    )
    metadata = Metadata(generation=state.generation, observed_at_seconds=state.observed_at_seconds)
    document = Document(api_version=API_VERSION, kind=KIND, metadata=metadata, spec=spec)
    return msgspec.json.encode(document) + b"\n"


def _node_table(state: ClusterState) -> NodeTable:
    nodes = state.nodes
    taints = {row: i for i, row in enumerate(dict.fromkeys(nodes.taints))}
    return NodeTable(
        name=list(nodes.name),
        uid=texts(nodes.uid),
        allocatable=matrix(state.resources, nodes.allocatable),
        capacity=matrix(state.resources, nodes.capacity),
        requested=matrix(state.resources, nodes.requested),
        swap_capacity_bytes=numbers(nodes.swap_capacity_bytes),
        flags=integers(nodes.flags),
        taints=TaintTable(
            table=list(taints), index=integers(np.array([taints[row] for row in nodes.taints], np.int64))
        ),
        labels=label_table(nodes.labels),
        kubelet_version=texts(nodes.kubelet_version),
        measures=measure_tables(nodes.measures, NodeMeasure),
    )


def _workload_table(state: ClusterState) -> WorkloadTable:
    rows = state.workloads
    return WorkloadTable(
        kind=integers(rows.kind),
        namespace=texts(rows.namespace),
        name=list(rows.name),
        uid=texts(rows.uid),
        pod=texts(rows.pod),
        node=integers(rows.node),
        requests=matrix(state.resources, rows.requests),
        limits=matrix(state.resources, rows.limits),
        guest_memory_bytes=numbers(rows.guest_memory_bytes),
        overhead_bytes=numbers(rows.overhead_bytes),
        swap_request_bytes=numbers(rows.swap_request_bytes),
        qos=integers(rows.qos),
        priority=integers(rows.priority),
        owner=integers(rows.owner),
        placement=integers(rows.placement),
        flags=integers(rows.flags),
        eviction_strategy=integers(rows.eviction_strategy),
        migration_target=integers(rows.migration_target),
        started_at_seconds=numbers(rows.started_at_seconds),
        last_moved_at_seconds=numbers(rows.last_moved_at_seconds),
        blocked_reason=texts(rows.blocked_reason),
        labels=label_table(rows.labels),
        measures=measure_tables(rows.measures, WorkloadMeasure),
    )


def decode(data: bytes, source: str) -> ClusterState:
    """State of a snapshot.

    Parameters
    ----------
    data
        JSON in UTF-8, or the same in gzip.
    source
        Name of the input, for errors.

    Raises
    ------
    InputError
        Not a snapshot of this version; or a part is missing, unknown, of the wrong type, length, order or range. The message
        holds the path of the part and what was expected.
    """
    plain = _unpacked(data, source) if data[:2] == _GZIP_MAGIC else data
    document = _parsed(plain, source)
    reader = Reader(source)
    _refuse_unknown_fields(plain, document, reader)
    return _state(document, reader)


def _unpacked(data: bytes, source: str) -> bytes:
    parts, left = [], MAX_BYTES
    while data:
        stream = zlib.decompressobj(wbits=31)
        try:
            parts.append(stream.decompress(data, left))
        except zlib.error as error:
            raise InputError(source, f"the gzip stream is damaged ({error})") from None
        left -= len(parts[-1])
        if stream.unconsumed_tail or left <= 0:
            raise InputError(source, f"the gzip stream grows beyond {MAX_BYTES} bytes")
        if not stream.eof:
            raise InputError(source, "the gzip stream is cut off")
        data = stream.unused_data
    return b"".join(parts)


class _Header(msgspec.Struct, frozen=True):
    api_version: str = msgspec.field(name="apiVersion", default="")
    kind: str = ""


def _parsed(data: bytes, source: str) -> Document:
    try:
        return msgspec.json.decode(data, type=Document)
    except msgspec.ValidationError as error:
        _check_header(data, source)
        what, _, path = str(error).partition(" - at `$")
        raise InputError(source, f"{path.rstrip('`').lstrip('.') or 'document'}: {what}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(source, f"not readable as JSON ({error})", "the file may be cut off") from None


def _check_header(data: bytes, source: str) -> None:
    try:
        header = msgspec.json.decode(data, type=_Header)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InputError(source, f"document: expected an object of kind {KIND}") from None
    for name, found, expected in (("apiVersion", header.api_version, API_VERSION), ("kind", header.kind, KIND)):
        if found != expected:
            raise InputError(source, f"{name}: found {found[:80]!r}, expected {expected!r}")


class _LooseTaints(msgspec.Struct, frozen=True):
    table: Any


class _LooseNodes(msgspec.Struct, frozen=True):
    taints: _LooseTaints


class _LooseSpec(msgspec.Struct, frozen=True):
    nodes: _LooseNodes
    placements: Any
    quotas: Any = None
    kubevirt: Any = None
    notes: Any = None


class _Loose(msgspec.Struct, frozen=True):
    """The parts whose structs belong to the model, which does not refuse unknown fields itself."""

    spec: _LooseSpec


def _refuse_unknown_fields(data: bytes, document: Document, reader: Reader) -> None:
    try:
        loose = msgspec.json.decode(data, type=_Loose).spec
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(reader.source, f"a part that is not known is not readable ({error})") from None
    spec = document.spec
    _compare("spec.nodes.taints.table", loose.nodes.taints.table, spec.nodes.taints.table, reader)
    for name in ("placements", "quotas", "kubevirt", "notes"):
        _compare(f"spec.{name}", getattr(loose, name), getattr(spec, name), reader)


def _compare(path: str, raw: object, value: object, reader: Reader) -> None:
    if isinstance(value, msgspec.Struct) and isinstance(raw, dict):
        reader.check_names(path, raw, value.__struct_encode_fields__)
        for name in raw:
            _compare(f"{path}.{name}", raw[name], getattr(value, name), reader)
    elif isinstance(value, list | tuple) and isinstance(raw, list):
        for i, (one, other) in enumerate(zip(raw, value, strict=True)):
            _compare(f"{path}[{i}]", one, other, reader)


def _state(document: Document, reader: Reader) -> ClusterState:
    spec = document.spec
    if tuple(spec.resources) != axis(spec.resources):
        reader.fail("spec.resources", f"found {spec.resources}, expected {list(axis(spec.resources))}")
    if len(spec.sources) > 128:
        reader.fail("spec.sources", f"found {len(spec.sources)}, expected at most 128")
    reader.check_ascending("spec.namespaces.name", spec.namespaces.name)
    nodes = _nodes(spec, reader)
    workloads = _workloads(spec, reader, len(nodes))
    return ClusterState(
        generation=document.metadata.generation,
        observed_at_seconds=document.metadata.observed_at_seconds,
        resources=tuple(spec.resources),
        nodes=nodes,
        workloads=workloads,
        placements=tuple(spec.placements),
        owners=_owners(spec.owners, reader),
        namespaces=tuple(spec.namespaces.name),
        namespace_labels=reader.labels("spec.namespaces.labels", spec.namespaces.labels, len(spec.namespaces.name)),
        budgets=_budgets(spec.budgets, reader, len(workloads)),
        quotas=tuple(spec.quotas),
        kubevirt=spec.kubevirt,
        sources=tuple(spec.sources),
        notes=tuple(spec.notes),
    )


def _nodes(spec: Spec, reader: Reader) -> NodeColumns:
    table, rows, path = spec.nodes, len(spec.nodes.name), "spec.nodes"
    reader.check_ascending(f"{path}.name", table.name)
    return NodeColumns(
        name=tuple(table.name),
        uid=reader.texts(f"{path}.uid", table.uid, rows),
        allocatable=reader.matrix(f"{path}.allocatable", table.allocatable, spec.resources, rows),
        capacity=reader.matrix(f"{path}.capacity", table.capacity, spec.resources, rows),
        requested=reader.matrix(f"{path}.requested", table.requested, spec.resources, rows, -np.inf),
        swap_capacity_bytes=reader.column(f"{path}.swap_capacity_bytes", table.swap_capacity_bytes, rows),
        flags=reader.integers(f"{path}.flags", table.flags, rows, 0, _NODE_FLAGS, np.int32),
        taints=_taints(table.taints, reader, rows),
        labels=reader.labels(f"{path}.labels", table.labels, rows),
        kubelet_version=reader.texts(f"{path}.kubelet_version", table.kubelet_version, rows),
        measures=reader.measures(f"{path}.measures", table.measures, NodeMeasure, rows, len(spec.sources)),
    )


def _taints(table: TaintTable, reader: Reader, rows: int) -> tuple[tuple[Taint, ...], ...]:
    index = reader.integers("spec.nodes.taints.index", table.index, rows, 0, len(table.table) - 1, np.int32)
    return tuple([table.table[i] for i in index.tolist()])


def _workloads(spec: Spec, reader: Reader, nodes: int) -> WorkloadColumns:
    table, path = spec.workloads, "spec.workloads"
    rows = len(table.name)

    def integers_of(name: str, lowest: int, highest: int, dtype: type[Scalar]) -> npt.NDArray[Scalar]:
        return reader.integers(f"{path}.{name}", getattr(table, name), rows, lowest, highest, dtype)

    def numbers_of(name: str) -> FloatArray:
        return reader.column(f"{path}.{name}", getattr(table, name), rows)

    def texts_of(name: str) -> tuple[str, ...]:
        return reader.texts(f"{path}.{name}", getattr(table, name), rows)

    columns = WorkloadColumns(
        kind=integers_of("kind", 0, max(WorkloadKind), np.int8),
        namespace=texts_of("namespace"),
        name=tuple(table.name),
        uid=texts_of("uid"),
        pod=texts_of("pod"),
        node=integers_of("node", 0, nodes - 1, np.int32),
        requests=reader.matrix(f"{path}.requests", table.requests, spec.resources, rows),
        limits=reader.matrix(f"{path}.limits", table.limits, spec.resources, rows),
        guest_memory_bytes=numbers_of("guest_memory_bytes"),
        overhead_bytes=numbers_of("overhead_bytes"),
        swap_request_bytes=numbers_of("swap_request_bytes"),
        qos=integers_of("qos", 0, max(QoS), np.int8),
        priority=integers_of("priority", -(2**31), _INT32_MAX, np.int32),
        owner=integers_of("owner", -1, len(spec.owners.name) - 1, np.int32),
        placement=integers_of("placement", 0, len(spec.placements) - 1, np.int32),
        flags=integers_of("flags", 0, _WORKLOAD_FLAGS, np.int32),
        eviction_strategy=integers_of("eviction_strategy", 0, max(EvictionStrategy), np.int8),
        migration_target=integers_of("migration_target", -1, nodes - 1, np.int32),
        started_at_seconds=numbers_of("started_at_seconds"),
        last_moved_at_seconds=numbers_of("last_moved_at_seconds"),
        blocked_reason=texts_of("blocked_reason"),
        labels=reader.labels(f"{path}.labels", table.labels, rows),
        measures=reader.measures(f"{path}.measures", table.measures, WorkloadMeasure, rows, len(spec.sources)),
    )
    keys = zip(columns.namespace, columns.name, columns.kind.tolist(), columns.uid, strict=True)
    reader.check_ascending(path, keys)
    return columns


def _owners(table: OwnerTable, reader: Reader) -> tuple[Owner, ...]:
    rows = len(table.name)
    kind = reader.texts("spec.owners.kind", table.kind, rows)
    namespace = reader.texts("spec.owners.namespace", table.namespace, rows)
    return tuple(map(Owner, kind, namespace, table.name))


def _budgets(budgets: list[Budget], reader: Reader, workloads: int) -> tuple[DisruptionBudget, ...]:
    result = []
    for i, each in enumerate(budgets):
        path = f"spec.budgets[{i}].members"
        members = reader.integers(path, each.members, len(each.members), 0, workloads - 1, np.int32)
        reader.check_ascending(path, each.members)
        result.append(DisruptionBudget(each.namespace, each.name, each.disruptions_allowed, members))
    return tuple(result)
