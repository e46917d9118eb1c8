"""Readings of the clusters that `tests.builders` builds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum

import numpy as np

from tests.builders import Cluster
from ullage.model.state import ClusterState
from ullage.telemetry.readings import NodeReading, Readings, Table, WorkloadReading

NOON = 1_700_000_400.0
"""Start of a bucket of five minutes."""

GIB = 2.0**30
NAN = float("nan")


def table(
    axis: type[IntEnum], rows: Mapping[object, Mapping[IntEnum, float]], at: float | Mapping[object, float]
) -> Table:
    """Table of these rows; every value was sampled at `at`."""
    value = np.full((len(rows), len(axis)), np.nan)
    when = value.copy()
    for row, (key, cells) in enumerate(rows.items()):
        for column, amount in cells.items():
            value[row, column] = amount
            when[row, column] = at[key] if isinstance(at, Mapping) else at
    return Table(tuple(rows), value, when)


def node(cpu: float = 2.0, memory: float = 8 * GIB, **more: float) -> dict[NodeReading, float]:
    """Cells of a node."""
    cells = {NodeReading.CPU_CORES: cpu, NodeReading.MEMORY_BYTES: memory}
    return cells | {NodeReading[name.upper()]: amount for name, amount in more.items()}


def pod(cpu: float = 0.5, memory: float = 2 * GIB, **more: float) -> dict[WorkloadReading, float]:
    """Cells of a pod or VMI."""
    cells = {WorkloadReading.CPU_CORES: cpu, WorkloadReading.MEMORY_BYTES: memory}
    return cells | {WorkloadReading[name.upper()]: amount for name, amount in more.items()}


def reading(
    now: float,
    nodes: Mapping[str, Mapping[IntEnum, float]] = {},
    pods: Mapping[tuple[str, str], Mapping[IntEnum, float]] = {},
    machines: Mapping[tuple[str, str], Mapping[IntEnum, float]] = {},
    *,
    at: float | Mapping[object, float] | None = None,
) -> Readings:
    """Reading at `now` of samples that were taken then, or at `at`."""
    when = now if at is None else at
    return Readings(
        "test",
        now,
        table(NodeReading, nodes, when),
        table(WorkloadReading, pods, when),
        table(WorkloadReading, machines, when),
    )


def cluster(nodes: Sequence[str] = ("n1", "n2"), vms: Iterable[tuple[str, str]] = ()) -> ClusterState:
    """Nodes of 8 cores and 64 GiB, and VMs of the namespace ``vms`` on them: (name, node)."""
    builder = Cluster()
    for name in nodes:
        builder.node(name, cpu=8, memory="64Gi")
    for name, home in vms:
        builder.vm(f"vms/{name}", home, guest="8Gi")
    return builder.build()
