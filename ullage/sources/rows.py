"""Workload rows as they are read, and the columns that they become."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias, TypeVar

import msgspec
import numpy as np

from ullage.model.arrays import FloatArray, frozen
from ullage.model.labels import Labels
from ullage.model.measures import Measures
from ullage.model.placement import Placement
from ullage.model.qos import QoS
from ullage.model.resources import axis
from ullage.model.state import EvictionStrategy, Owner, WorkloadColumns, WorkloadKind

ResourceRows: TypeAlias = Sequence[Mapping[str, float]]
Value = TypeVar("Value")


class Row(msgspec.Struct, gc=False, kw_only=True):
    """One workload; members as the columns of `WorkloadColumns`."""

    kind: WorkloadKind
    namespace: str
    name: str
    uid: str
    pod: str
    node: int
    requests: dict[str, float]
    limits: dict[str, float]
    swap_request_bytes: float
    qos: QoS
    priority: int
    owner: Owner | None
    placement: Placement
    flags: int
    labels: dict[str, str]
    started_at_seconds: float
    guest_memory_bytes: float = math.nan
    overhead_bytes: float = math.nan
    eviction_strategy: EvictionStrategy = EvictionStrategy.UNSET
    migration_target: int = -1
    last_moved_at_seconds: float = math.nan
    blocked_reason: str = ""

    @property
    def sort_key(self) -> tuple[str, str, int, str]:
        """Place in the order of rows."""
        return self.namespace, self.name, int(self.kind), self.uid


def axis_of(names: Iterable[str]) -> tuple[str, ...]:
    """Resource axis of what nodes offer and workloads request, without the limits on attached volumes."""
    return axis(name for name in set(names) if not name.startswith("attachable-volumes-"))


def matrix(maps: ResourceRows, resources: Sequence[str], missing: float) -> FloatArray:
    """float64 (len(maps), R) of amounts by resource; `missing` where a map does not name the resource."""
    index = {name: i for i, name in enumerate(resources)}
    # Pods of one template share their maps, so that few of many rows are read.
    distinct = {id(each): each for each in maps}
    number = {key: i for i, key in enumerate(distinct)}
    result = np.full((len(distinct), len(resources)), missing)
    for row, each in enumerate(distinct.values()):
        for name, value in each.items():
            if name in index:
                result[row, index[name]] = value
    return frozen(result[[number[id(each)] for each in maps]], np.float64)


def owners_of(rows: Iterable[Row]) -> tuple[Owner, ...]:
    """Distinct owners, sorted."""
    return tuple(sorted({row.owner for row in rows if row.owner is not None}))


def placements_of(rows: Iterable[Row]) -> tuple[Placement, ...]:
    """Distinct placements in the order of the first row that has each."""
    return tuple(dict.fromkeys({id(row.placement): row.placement for row in rows}.values()))


def workload_columns(
    rows: Sequence[Row],
    resources: Sequence[str],
    tables: tuple[Sequence[Owner], Sequence[Placement]],
    measures: Measures,
) -> WorkloadColumns:
    """Columns of `rows`, which stand in order of `Row.sort_key`.

    Parameters
    ----------
    rows
        W rows.
    resources
        The resource axis.
    tables
        Owners and placements that rows point into.
    measures
        Measures of W rows.
    """
    owners = _index(tables[0])
    interned = _index(tables[1])
    places = {id(row.placement): row.placement for row in rows}
    place_rows = {key: interned[placement] for key, placement in places.items()}
    return WorkloadColumns(
        kind=frozen([row.kind for row in rows], np.int8),
        namespace=tuple(row.namespace for row in rows),
        name=tuple(row.name for row in rows),
        uid=tuple(row.uid for row in rows),
        pod=tuple(row.pod for row in rows),
        node=frozen([row.node for row in rows], np.int32),
        requests=matrix([row.requests for row in rows], resources, 0.0),
        limits=matrix([row.limits for row in rows], resources, math.nan),
        guest_memory_bytes=frozen([row.guest_memory_bytes for row in rows], np.float64),
        overhead_bytes=frozen([row.overhead_bytes for row in rows], np.float64),
        swap_request_bytes=frozen([row.swap_request_bytes for row in rows], np.float64),
        qos=frozen([row.qos for row in rows], np.int8),
        priority=frozen([row.priority for row in rows], np.int32),
        owner=frozen([-1 if row.owner is None else owners[row.owner] for row in rows], np.int32),
        placement=frozen([place_rows[id(row.placement)] for row in rows], np.int32),
        flags=frozen([row.flags for row in rows], np.int32),
        eviction_strategy=frozen([row.eviction_strategy for row in rows], np.int8),
        migration_target=frozen([row.migration_target for row in rows], np.int32),
        started_at_seconds=frozen([row.started_at_seconds for row in rows], np.float64),
        last_moved_at_seconds=frozen([row.last_moved_at_seconds for row in rows], np.float64),
        blocked_reason=tuple(row.blocked_reason for row in rows),
        labels=_labels([row.labels for row in rows]),
        measures=measures,
    )


def _labels(maps: Sequence[Mapping[str, str]]) -> Labels:
    """As `Labels.of`; pods of one owner share their maps, so that few of many are read."""
    distinct = {id(each): each for each in maps}
    number = {key: i for i, key in enumerate(distinct)}
    found = Labels.of(list(distinct.values()))
    rows = np.array([number[id(each)] for each in maps], np.int64)
    lengths = np.diff(found.offsets)[rows]
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    entries = np.arange(offsets[-1]) + np.repeat(found.offsets[rows] - offsets[:-1], lengths)
    return Labels(found.keys, found.values, frozen(offsets, np.int64), frozen(found.pairs[entries], np.int32))


def _index(table: Sequence[Value]) -> dict[Value, int]:
    return {value: i for i, value in enumerate(table)}
