"""The state of the cluster, made of typed objects: each state of the one before and of what changed since."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from ullage.model.arrays import Int32Array
from ullage.model.labels import Labels
from ullage.model.placement import Placement
from ullage.model.resources import BASE
from ullage.model.state import ClusterState, DisruptionBudget, NodeColumns, Quota, WorkloadKind
from ullage.sources.kubevirt_objects import KubeVirtResource
from ullage.sources.nodes import NodeRow, node_rows
from ullage.sources.notes import NoteBook
from ullage.sources.objects import Key, Namespace, Node, Pod, PodDisruptionBudget, ResourceQuota
from ullage.sources.policies import configuration_of, kubevirt, namespaces, quotas
from ullage.sources.rows import Row
from ullage.sources.store.budgets import Budgets
from ullage.sources.store.collector import uncollected
from ullage.sources.store.inventory import Changes, Inventory
from ullage.sources.store.node_table import NodeTable
from ullage.sources.store.reading import RowKey, Settings, WorkloadReader
from ullage.sources.store.splice import Splice
from ullage.sources.store.tables import Tables, overlaid
from ullage.sources.store.touched import Touched, pods_touched_by_nodes, touched_by_objects

_SPARE_PLACEMENTS: Final = 4096


@dataclass(eq=False)
class _Parts:
    """What the last state was made of."""

    nodes: NodeTable = field(default_factory=NodeTable)
    columns: NodeColumns | None = None
    tables: Tables = field(default_factory=lambda: Tables.of((), BASE))
    settings: Settings = field(default_factory=Settings)
    spaces: tuple[str, ...] = ()
    namespaces: tuple[tuple[str, ...], Labels] = field(default_factory=lambda: namespaces((), ()))
    budgets: tuple[DisruptionBudget, ...] = ()
    quotas: tuple[Quota, ...] = ()


class Assembly:
    """Makes states of an inventory.

    Parameters
    ----------
    most_at_once
        Pods, and VMs, that are read before their rows become columns, at first; rows take far more memory.

    Attributes
    ----------
    notes
        Takes what could not be read.
    inventory
        The objects; they are changed here.
    """

    def __init__(self, most_at_once: int = 32768) -> None:
        self._most_at_once = most_at_once
        self.notes: Final = NoteBook()
        self.inventory: Final = Inventory(self.notes)
        self._parts = _Parts()
        self._budgets = Budgets()
        self._known: dict[object, Placement] = {}
        self._most_known = _SPARE_PLACEMENTS
        self._astray: dict[Key, str] = {}
        self._reader: WorkloadReader | None = None
        self._edits = -1

    @property
    def has_news(self) -> bool:
        """Whether an object or a note is not what it was when the last state was made, or none was made yet."""
        return bool(self.inventory.changes) or self.notes.edits != self._edits

    @property
    def nodes(self) -> Sequence[NodeRow]:
        """Nodes of the last state, row by row."""
        return self._parts.nodes.rows

    def state(self, generation: int, now_seconds: float) -> ClusterState:
        """State of what the inventory holds, observed at unix time `now_seconds`, without measures."""
        changes = self.inventory.take_changes()
        has_other_settings = self._read_settings(changes)
        before = self._parts.nodes
        touched, nodes = self._read_nodes(changes)
        if has_other_settings:
            touched.machines.update(dict.fromkeys(self.inventory.machines.homes()))
        if has_other_settings or not nodes.is_nothing or self._reader is None:
            self._reader = self._new_reader()
        self._read_budgets(changes)
        resources = self._parts.tables.resources
        self._read_workloads(self._reader, touched, before.numbers(self._parts.nodes))
        self._make_columns(nodes, resources)
        self._read_policies(changes)
        self._forget_placements()
        return self._state(generation, now_seconds)

    def _read_settings(self, changes: Changes) -> bool:
        """Whether what holds for all VMs is not what it was."""
        if not changes.of(KubeVirtResource):
            return False
        found = next(iter(self.inventory.sorted_of(KubeVirtResource)), None)
        self.notes.about(KubeVirtResource)
        before = self._parts.settings
        self._parts.settings = Settings(kubevirt(found, self.notes), configuration_of(found))
        return self._parts.settings != before

    def _read_nodes(self, changes: Changes) -> tuple[Touched, Splice]:
        """What must be read again, and how the node table changed."""
        parts = self._parts
        found = {name: self._node(name) for _, name in changes.of(Node)}
        touched = touched_by_objects(changes, self.inventory)
        pods = pods_touched_by_nodes(parts.nodes, found, parts.tables.workloads) if found else set()
        pods |= {key for key, name in self._astray.items() if name in found}
        for key in pods:
            touched.pods[key] = None
            home = self.inventory.machines.home(key)
            if home is not None:
                touched.machines[home] = None
        parts.nodes, splice = parts.nodes.changed(found)
        return touched, splice

    def _node(self, name: str) -> NodeRow | None:
        wire = self.inventory.of(Node).get(("", name))
        self.notes.about((Node, name))
        return None if wire is None else node_rows([wire], self.notes)[0]

    def _new_reader(self) -> WorkloadReader:
        parts = self._parts
        return WorkloadReader(self.inventory, parts.nodes, parts.settings, self._known, self.notes)

    def _read_workloads(self, reader: WorkloadReader, touched: Touched, nodes: Int32Array | None) -> None:
        parts = self._parts
        if len(parts.tables.workloads):
            splice = self._overlay(self._stale_rows(touched) | self._fresh_rows(reader, touched), nodes)
        else:
            with uncollected():
                for portion in touched.portions(self._most_at_once):
                    self._overlay(self._fresh_rows(reader, portion), None)
            splice = Splice.of(0, (), (0,) * len(parts.tables.workloads))
        parts.budgets = self._budgets.follow(splice, parts.tables.workloads)

    def _overlay(self, fresh: Mapping[RowKey, Row | None], nodes: Int32Array | None) -> Splice:
        """Put rows in place of those of their keys, ``None`` for one that is gone; how the rows changed."""
        parts = self._parts
        keys = sorted(fresh)
        places = parts.tables.places(keys)
        splice = Splice.at_places(len(parts.tables.workloads), places, [fresh[key] is not None for key in keys])
        rows = [row for key in keys if (row := fresh[key]) is not None]
        parts.tables = overlaid(parts.tables, rows, parts.nodes.offered, splice, nodes)
        return splice

    def _make_columns(self, nodes: Splice, resources: tuple[str, ...]) -> None:
        parts, tables = self._parts, self._parts.tables
        old = parts.columns if tables.resources == resources else None
        parts.columns = parts.nodes.columns(old, nodes, tables.resources, tables.workloads)

    def _fresh_rows(self, reader: WorkloadReader, touched: Touched) -> dict[RowKey, Row | None]:
        """Rows of what was touched."""
        pods, machines = self.inventory.of(Pod), self.inventory.machines
        fresh: dict[RowKey, Row | None] = {}
        for key in touched.pods:
            pod = pods.get(key)
            self._watch_astray(key, pod)
            for row in reader.pod(key, pod) if machines.home(key) is None else reader.no_pod(key):
                fresh[row.namespace, row.name, int(row.kind)] = row
        for key in touched.machines:
            for row in reader.machine(key):
                fresh[row.namespace, row.name, int(row.kind)] = row
        return fresh

    def _stale_rows(self, touched: Touched) -> dict[RowKey, Row | None]:
        """Keys of the rows that what was touched may have until now."""
        machines = self.inventory.machines
        members = [(each.namespace, each.name) for key in touched.machines for each in machines.pods(key)]
        found: dict[RowKey, Row | None] = {(*key, int(WorkloadKind.POD)): None for key in (*touched.pods, *members)}
        return found | {(*key, int(WorkloadKind.VMI)): None for key in touched.machines}

    def _watch_astray(self, key: Key, pod: Pod | None) -> None:
        """Remember a pod on a node that is not known, for the time when it will be."""
        self._astray.pop(key, None)
        name = pod.spec.node_name if pod is not None else None
        if name and name not in self._parts.nodes.index:
            self._astray[key] = name

    def _read_budgets(self, changes: Changes) -> None:
        wires = self.inventory.of(PodDisruptionBudget)
        self._budgets.change({key: wires.get(key) for key in changes.of(PodDisruptionBudget)})

    def _read_policies(self, changes: Changes) -> None:
        parts = self._parts
        if changes.of(ResourceQuota):
            self.notes.about(ResourceQuota)
            parts.quotas = quotas(self.inventory.sorted_of(ResourceQuota), self.notes)
        spaces = _distinct(parts.tables.workloads.namespace)
        if changes.of(Namespace) or spaces != parts.spaces:
            parts.spaces = spaces
            parts.namespaces = namespaces(self.inventory.sorted_of(Namespace), spaces)
        pods = len(self.inventory.of(Pod))
        self.notes.say("empty-cluster", "" if parts.nodes.rows else f"The input holds no node; it holds {pods} pods.")

    def _forget_placements(self) -> None:
        # Those in use stay: equal placements must be one object.
        if len(self._known) > self._most_known:
            used = {id(each) for each in self._parts.tables.placements}
            kept = {key: each for key, each in self._known.items() if id(each) in used}
            self._known.clear()
            self._known.update(kept)
            self._most_known = 2 * len(kept) + _SPARE_PLACEMENTS
            self._reader = None  # it remembers those that are not known any more

    def _state(self, generation: int, now_seconds: float) -> ClusterState:
        parts = self._parts
        if parts.columns is None:
            raise AssertionError("columns of nodes are made before a state is")
        names, labels = parts.namespaces
        self._edits = self.notes.edits
        return ClusterState(
            generation=generation,
            observed_at_seconds=now_seconds,
            resources=parts.tables.resources,
            nodes=parts.columns,
            workloads=parts.tables.workloads,
            placements=parts.tables.placements,
            owners=parts.tables.owners,
            namespaces=names,
            namespace_labels=labels,
            budgets=parts.budgets,
            quotas=parts.quotas,
            kubevirt=parts.settings.kubevirt,
            notes=self.notes.finish(),
        )


def _distinct(ascending: Sequence[str]) -> tuple[str, ...]:
    """Distinct values of a sorted column."""
    found, row = [], 0
    while row < len(ascending):
        found.append(ascending[row])
        row = bisect_right(ascending, ascending[row], row)
    return tuple(found)
