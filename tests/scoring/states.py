"""Random clusters and demands for filters and scorers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import strategies as st

from tests.builders import Cluster
from ullage.config import Configuration, defaults
from ullage.model.arrays import frozen
from ullage.model.measures import NodeMeasure
from ullage.model.state import ClusterState
from ullage.scoring.assumed import Assumed
from ullage.scoring.demand import Demand

GIB = 2.0**30
CORES = 16
RAM_GIB = 64

RATIOS = st.one_of(st.none(), st.floats(0, 1.3))
SMALL = st.one_of(st.none(), st.floats(0, 1))
LOADS = (
    NodeMeasure.CPU_MEAN_CORES,
    NodeMeasure.CPU_DEVIATION_CORES,
    NodeMeasure.MEMORY_MEAN_BYTES,
    NodeMeasure.MEMORY_DEVIATION_BYTES,
    NodeMeasure.MEMORY_GROWTH_BYTES_PER_SECOND,
    NodeMeasure.SWAP_USED_BYTES,
    NodeMeasure.PSI_CPU_SOME_RATIO,
    NodeMeasure.PSI_MEMORY_SOME_RATIO,
    NodeMeasure.PSI_MEMORY_FULL_RATIO,
)
"""Measures of which more means more load."""
LIMITED = Configuration()
LIMITED = type(LIMITED)(memory=type(LIMITED.memory)(worst_case_limit_ratio=1.0))
"""The defaults with a limit on the worst case, so that every filter may reject."""


def of(value: float | None, unit: float) -> float | None:
    return None if value is None else value * unit


@st.composite
def clusters(draw: st.DrawFn, least: int = 0, most: int = 6) -> ClusterState:
    """Clusters with gaps in every measure, VMs, and nodes that are not ready."""
    cluster = Cluster().kubevirt(memory_overcommit_ratio=draw(st.sampled_from([1.0, 1.5])))
    for i in range(draw(st.integers(least, most))):
        cluster.node(
            f"n{i}",
            cpu=draw(st.sampled_from([None, CORES, 2 * CORES])),
            memory=f"{RAM_GIB}Gi",
            use_cpu=of(draw(RATIOS), CORES),
            use_memory=of(draw(RATIOS), RAM_GIB * GIB),
            age=draw(st.sampled_from([10.0, 10.0, 1000.0])),
            ready=draw(st.sampled_from([True, True, True, False])),
            swap=draw(st.sampled_from([None, 0, "32Gi"])),
            use_swap=of(draw(SMALL), 32 * GIB),
            measures={
                NodeMeasure.CPU_DEVIATION_CORES: of(draw(SMALL), 4),
                NodeMeasure.MEMORY_DEVIATION_BYTES: of(draw(SMALL), 4 * GIB),
                NodeMeasure.MEMORY_GROWTH_BYTES_PER_SECOND: of(draw(st.floats(-1, 1)), 2**20),
                NodeMeasure.PSI_CPU_SOME_RATIO: draw(SMALL),
                NodeMeasure.PSI_MEMORY_SOME_RATIO: draw(SMALL),
                NodeMeasure.PSI_MEMORY_FULL_RATIO: draw(SMALL),
            },
        )
        for j in range(draw(st.integers(0, 2))):
            cluster.vm(
                f"shop/vm-{i}-{j}",
                f"n{i}",
                guest=f"{draw(st.integers(1, 40))}Gi",
                use_memory=draw(st.sampled_from([None, "3Gi"])),
            )
    return cluster.build()


def demands() -> st.SearchStrategy[Demand]:
    """Demands from nothing to more than a node."""
    amount = st.floats(0, 1.5)
    return st.builds(
        lambda cpu, memory, commit, asked: Demand(
            cpu_cores=cpu * CORES,
            memory_bytes=memory * RAM_GIB * GIB,
            committed_bytes=commit * RAM_GIB * GIB,
            requested_cpu_cores=asked * CORES,
            requested_memory_bytes=asked * RAM_GIB * GIB,
        ),
        amount,
        amount,
        amount,
        amount,
    )


@st.composite
def assumptions(draw: st.DrawFn, nodes: int) -> Assumed:
    """What is assumed on some of the nodes."""
    rows = sorted(draw(st.sets(st.integers(0, max(0, nodes - 1)), max_size=nodes)))
    part = st.floats(0, 1)
    return Assumed.on(
        {row: (draw(part) * CORES, draw(part) * RAM_GIB * GIB, draw(part) * RAM_GIB * GIB) for row in rows}
    )


def with_measure(state: ClusterState, node: int, measure: NodeMeasure, value: float) -> ClusterState:
    """`state` with one measure of one node replaced; its age is that of a fresh one."""
    measures = state.nodes.measures
    values, ages = measures.value.copy(), measures.age_seconds.copy()
    values[node, measure], ages[node, measure] = value, 10.0
    changed = replace(measures, value=frozen(values, np.float64), age_seconds=frozen(ages, np.float64))
    return replace(state, nodes=replace(state.nodes, measures=changed))


def everything() -> Configuration:
    """Configuration in which every scorer has a weight."""
    config = defaults()
    weights = type(config.scoring.weights)(**dict.fromkeys(config.scoring.weights.__struct_fields__, 1.0))
    return type(config)(scoring=type(config.scoring)(weights=weights), memory=LIMITED.memory)
