"""The document of a cluster snapshot: its parts as structs, and the JSON schema that is made from them.

Names inside ``spec`` are those of `ullage.model`. A table of rows is written column by column; see `Fill`, `Dictionary` and
`LabelTable` for how a column is kept short. A column of numbers that is left out was not measured in any row.
"""

from __future__ import annotations

import inspect
import re
from typing import Annotated, Any, Final, Literal, TypeAlias

import msgspec

from ullage.model.placement import Placement, Taint
from ullage.model.state import KubeVirt, Note, Quota

API_VERSION: Final = "ullage.dev/v1alpha1"
KIND: Final = "ClusterSnapshot"
SCHEMA_ID: Final = "https://ullage.dev/schemas/v1alpha1/cluster-snapshot.schema.json"

Int32: TypeAlias = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]


class Wire(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A part of the document; unknown fields are refused."""


class Fill(Wire, frozen=True, kw_only=True):
    """A column of numbers with one value in every row; of an age: in every row that was measured."""

    fill: float


class IntegerFill(Wire, frozen=True, kw_only=True):
    """A column of integers with one value in every row; of a source: in every row that was measured."""

    fill: Int32


Numbers: TypeAlias = list[float | None] | Fill
Integers: TypeAlias = list[Int32] | IntegerFill


class Dictionary(Wire, frozen=True, kw_only=True):
    """A column of texts that repeat.

    Attributes
    ----------
    table
        The distinct texts.
    index
        Row by row, a position in `table`.
    """

    table: list[str]
    index: Integers


Texts: TypeAlias = list[str] | Dictionary


class TaintTable(Wire, frozen=True, kw_only=True):
    """The taints of each node.

    Attributes
    ----------
    table
        The distinct lists of taints.
    index
        Node by node, a position in `table`.
    """

    table: list[tuple[Taint, ...]]
    index: Integers


class LabelTable(Wire, frozen=True, kw_only=True):
    """The labels of each row.

    Attributes
    ----------
    vocabulary
        The values that each key has, keys and values ascending. Pair p is the p-th value, counted through all keys.
    counts
        Row by row, how many pairs it has.
    pairs
        The pairs of all rows, one row after the other, ascending within a row.
    """

    vocabulary: dict[str, list[str]]
    counts: Integers
    pairs: list[Int32]


class MeasureTable(Wire, frozen=True, kw_only=True):
    """One measure of all rows.

    Attributes
    ----------
    value
        In the unit that the measure's name ends in; null where it was not measured.
    age_seconds
        Age of each value when the state was observed, 0 or more; null where the value is null. A text names a measure further
        up, in the order of the model, that has the same ages.
    source
        Position in ``spec.sources``; -1 where the value is null.
    """

    value: Numbers
    age_seconds: Numbers | str | None = None
    source: Integers


class NodeTable(Wire, frozen=True, kw_only=True):
    """The nodes, in order of name.

    Attributes
    ----------
    name
        Ascending, without duplicates.
    uid
        As Kubernetes gave it.
    allocatable, capacity
        By resource, in base units (cores, bytes, counts), 0 or more; null where the node does not say.
    requested
        By resource, the sum of the requests of the workloads bound there.
    swap_capacity_bytes
        0 or more; null where not reported.
    flags
        Sum of: 1 ready, 2 unschedulable, 4 memory pressure, 8 disk pressure, 16 PID pressure, 32 network unavailable,
        64 control plane, 128 schedulable for VMs.
    taints
        As a dictionary.
    labels
        As a table of labels.
    kubelet_version
        Such as v1.34.2.
    measures
        By the name of the measure, such as ``cpu_mean_cores``.
    """

    name: list[str]
    uid: Texts
    allocatable: dict[str, Numbers]
    capacity: dict[str, Numbers]
    requested: dict[str, Numbers]
    swap_capacity_bytes: Numbers | None = None
    flags: Integers
    taints: TaintTable
    labels: LabelTable
    kubelet_version: Texts
    measures: dict[str, MeasureTable]


class WorkloadTable(Wire, frozen=True, kw_only=True):
    """The workloads, in order of namespace, name, kind and uid.

    Attributes
    ----------
    kind
        0 a pod, 1 a VirtualMachineInstance together with its virt-launcher pod.
    namespace, name, uid
        As Kubernetes has them.
    pod
        Name of the virt-launcher pod, or the pod's own.
    node
        Position in ``spec.nodes``.
    requests
        By resource, as kube-scheduler counts them, 0 or more.
    limits
        By resource, 0 or more; null where some container has none.
    guest_memory_bytes, overhead_bytes
        Of a VM: what the guest was given, and what the virtual machine monitor needs on top. 0 or more.
    swap_request_bytes
        Sum of the memory requests of the containers that may swap, 0 or more.
    qos
        0 BestEffort, 1 Burstable, 2 Guaranteed.
    priority
        The pod's priority.
    owner
        Position in ``spec.owners``; -1 without one.
    placement
        Position in ``spec.placements``.
    flags
        Sum of the bits of ``ullage.model.state.WorkloadFlag``.
    eviction_strategy
        0 unset, 1 None, 2 LiveMigrate, 3 LiveMigrateIfPossible, 4 External.
    migration_target
        Position in ``spec.nodes`` that a migration in flight goes to; -1 if there is none.
    started_at_seconds, last_moved_at_seconds
        Unix times; null if unknown.
    blocked_reason
        Why a VM cannot migrate, as KubeVirt says; may be empty.
    labels
        Labels of the pod.
    measures
        By the name of the measure, such as ``memory_mean_bytes``.
    """

    kind: Integers
    namespace: Texts
    name: list[str]
    uid: Texts
    pod: Texts
    node: Integers
    requests: dict[str, Numbers]
    limits: dict[str, Numbers]
    guest_memory_bytes: Numbers | None = None
    overhead_bytes: Numbers | None = None
    swap_request_bytes: Numbers | None = None
    qos: Integers
    priority: Integers
    owner: Integers
    placement: Integers
    flags: Integers
    eviction_strategy: Integers
    migration_target: Integers
    started_at_seconds: Numbers | None = None
    last_moved_at_seconds: Numbers | None = None
    blocked_reason: Texts
    labels: LabelTable
    measures: dict[str, MeasureTable]


class OwnerTable(Wire, frozen=True, kw_only=True):
    """The controllers of workloads.

    Attributes
    ----------
    kind, namespace, name
        Such as ReplicaSet, shop, web-6d4f.
    """

    kind: Texts
    namespace: Texts
    name: list[str]


class NamespaceTable(Wire, frozen=True, kw_only=True):
    """The namespaces.

    Attributes
    ----------
    name
        Ascending, without duplicates.
    labels
        As a table of labels.
    """

    name: list[str]
    labels: LabelTable


class Budget(Wire, frozen=True, kw_only=True):
    """A PodDisruptionBudget.

    Attributes
    ----------
    namespace, name
        As Kubernetes has them.
    disruptions_allowed
        How many members may be disrupted now.
    members
        Positions in ``spec.workloads``, ascending.
    """

    namespace: str
    name: str
    disruptions_allowed: Int32
    members: list[Int32]


class Metadata(Wire, frozen=True, kw_only=True):
    """When the state was observed.

    Attributes
    ----------
    generation
        Grows with every published state.
    observed_at_seconds
        Unix time that ages are counted from.
    """

    generation: int
    observed_at_seconds: float


class Spec(Wire, frozen=True, kw_only=True):
    """The state of the cluster.

    Attributes
    ----------
    resources
        cpu, memory, pods and ephemeral-storage, then all others in order of name.
    sources
        Where measures come from; at most 128.
    placements
        The distinct demands that workloads make of a node.
    owners, namespaces, nodes, workloads
        Tables, column by column.
    budgets, quotas
        PodDisruptionBudgets and ResourceQuotas.
    kubevirt
        What the KubeVirt object says; left out if there is none.
    notes
        What the input could not tell.
    """

    resources: list[str]
    sources: list[str]
    nodes: NodeTable
    workloads: WorkloadTable
    placements: list[Placement]
    owners: OwnerTable
    namespaces: NamespaceTable
    budgets: list[Budget] = []
    quotas: list[Quota] = []
    kubevirt: KubeVirt | None = None
    notes: list[Note] = []


class Document(Wire, frozen=True, kw_only=True):
    """A snapshot of a cluster: all that Ullage knew of it at one moment.

    Attributes
    ----------
    api_version, kind
        What this document is.
    metadata
        When the state was observed.
    spec
        The state.
    """

    api_version: Literal["ullage.dev/v1alpha1"] = msgspec.field(name="apiVersion")
    kind: Literal["ClusterSnapshot"]
    metadata: Metadata
    spec: Spec


def schema() -> bytes:
    """JSON schema (2020-12) of a snapshot, made from the structs and their docstrings; indented, ends in a newline."""
    (reference,), definitions = msgspec.json.schema_components([Document], ref_template="#/$defs/{name}")
    for name, definition in definitions.items():
        if "properties" in definition:
            _describe(definition, _STRUCTS[name])
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        **reference,
        "$defs": dict(sorted(definitions.items())),
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def _structs(kind: object, found: dict[str, type[msgspec.Struct]]) -> dict[str, type[msgspec.Struct]]:
    """Every struct that `kind` is made of, by name."""
    pending = [msgspec.inspect.type_info(kind)]
    while pending:
        each = pending.pop()
        if isinstance(each, msgspec.inspect.StructType) and each.cls.__name__ not in found:
            found[each.cls.__name__] = each.cls
            pending += [field.type for field in each.fields]
        pending += list(getattr(each, "types", ()))
        pending += [getattr(each, part) for part in ("item_type", "value_type") if hasattr(each, part)]
    return found


_STRUCTS: Final = _structs(Document, {})


def _describe(definition: dict[str, Any], struct: type[msgspec.Struct]) -> None:
    text = inspect.cleandoc(struct.__doc__ or "")
    definition["description"] = _one_line(text.split("\n\n", 1)[0])
    definition["additionalProperties"] = False
    told = _attributes(text)
    names = zip(struct.__struct_fields__, struct.__struct_encode_fields__, strict=True)
    for name, wire_name in names:
        if name in told:
            definition["properties"][wire_name] = {"description": told[name], **definition["properties"][wire_name]}


def _attributes(text: str) -> dict[str, str]:
    """What the Attributes section of a numpydoc docstring says of each name."""
    _, _, section = text.partition("Attributes\n----------\n")
    entries = re.findall(r"^(\w[\w, ]*)\n((?:[ ]+.*\n?)+)", section, flags=re.MULTILINE)
    return {name: _one_line(said) for names, said in entries for name in names.split(", ")}


def _one_line(text: str) -> str:
    return " ".join(text.split()).replace("``", "`")
