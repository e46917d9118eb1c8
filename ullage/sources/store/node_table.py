"""Node rows, and the same after some were replaced."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import chain

import numpy as np

from ullage.model.arrays import Int32Array
from ullage.model.measures import Measures, NodeMeasure
from ullage.model.state import NodeColumns, WorkloadColumns
from ullage.sources.nodes import NodeRow, node_columns, requested_by_node
from ullage.sources.store.label_tables import spliced_labels
from ullage.sources.store.splice import Splice, place


@dataclass(frozen=True, eq=False)
class NodeTable:
    """Nodes in order of name.

    Attributes
    ----------
    rows
        Nodes with their amounts, in order of name.
    index
        Row of each by name.
    offered
        Resources that some node offers.
    """

    rows: tuple[NodeRow, ...] = ()
    index: Mapping[str, int] = field(default_factory=dict)
    offered: frozenset[str] = frozenset()

    def changed(self, changes: Mapping[str, NodeRow | None]) -> tuple[NodeTable, Splice]:
        """Table with new rows by name, ``None`` for a node that is gone, and how its rows changed."""
        keys, names = sorted(changes), list(self.index)
        places = [place(names, key) for key in keys]
        splice = Splice.at_places(len(names), places, [changes[key] is not None for key in keys])
        if splice.is_nothing:
            return self, splice
        rows = splice.sequence(self.rows, [row for key in keys if (row := changes[key]) is not None])
        offers = (offer for row in rows for offer in (row.allocatable, row.capacity) if offer)
        index = {row.wire.name: number for number, row in enumerate(rows)}
        return NodeTable(rows, index, frozenset(chain.from_iterable(offers))), splice

    def numbers(self, new: NodeTable) -> Int32Array | None:
        """Row in the table `new` of each node of this one, int32 (N + 1,); -1 for one that is gone, and at the end.

        ``None`` if all stay where they are.
        """
        if self.index.keys() == new.index.keys():
            return None
        return np.array([*(new.index.get(name, -1) for name in self.index), -1], dtype=np.int32)

    def columns(
        self, old: NodeColumns | None, splice: Splice, resources: tuple[str, ...], workloads: WorkloadColumns
    ) -> NodeColumns:
        """Columns of the nodes.

        Parameters
        ----------
        old
            Those of the table before, over the same resource axis; ``None`` makes them anew.
        splice
            How the table changed since.
        resources
            The resource axis.
        workloads
            The rows bound to the nodes.
        """
        if old is None:
            found = node_columns(self.rows, resources)
        elif splice.is_nothing:
            found = old
        else:
            fresh = node_columns([self.rows[row] for row in splice.fresh.tolist()], resources)
            found = _spliced(old, fresh, splice)
        requested = requested_by_node(workloads, len(self.rows))
        return found if np.array_equal(requested, found.requested) else replace(found, requested=requested)


def _spliced(old: NodeColumns, fresh: NodeColumns, splice: Splice) -> NodeColumns:
    return NodeColumns(
        name=splice.sequence(old.name, fresh.name),
        uid=splice.sequence(old.uid, fresh.uid),
        allocatable=splice.array(old.allocatable, fresh.allocatable),
        capacity=splice.array(old.capacity, fresh.capacity),
        requested=splice.array(old.requested, fresh.requested),
        swap_capacity_bytes=splice.array(old.swap_capacity_bytes, fresh.swap_capacity_bytes),
        flags=splice.array(old.flags, fresh.flags),
        taints=splice.sequence(old.taints, fresh.taints),
        labels=spliced_labels(old.labels, fresh.labels, splice),
        kubelet_version=splice.sequence(old.kubelet_version, fresh.kubelet_version),
        measures=old.measures if splice.new_size == splice.size else Measures.none(splice.new_size, NodeMeasure),
    )
