"""Random small clusters for the planner: some nodes over, some unknown, and every kind of thing that may not move."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from tests.builders import ZONE, Cluster, WorkloadExtras
from ullage.model.labels import Requirement
from ullage.model.measures import NodeMeasure, WorkloadMeasure
from ullage.model.placement import HostPort, Placement, PodTerm, Spread, Toleration
from ullage.model.state import ClusterState, EvictionStrategy, KubeVirt, NodeFlag, WorkloadFlag

GIB = 2.0**30
NOW = 1_000_000.0
"""Time at which all states of these strategies are observed."""

_APP = (Requirement("app", "In", ("a",)),)
PLACEMENTS = (
    Placement(),
    Placement(),
    Placement(node_selector=(Requirement(ZONE, "In", ("a",)),)),
    Placement(tolerations=(Toleration("dedicated", "Exists"),)),
    Placement(anti_affinity=(PodTerm("kubernetes.io/hostname", _APP, ("shop",)),)),
    Placement(affinity=(PodTerm(ZONE, _APP, ("shop",)),)),
    Placement(spread=(Spread(ZONE, 1, _APP),)),
    Placement(spread=(Spread("kubernetes.io/hostname", 1, _APP),)),
    Placement(host_ports=(HostPort(80),)),
)
FLAGS = (
    WorkloadFlag.TERMINATING,
    WorkloadFlag.PREFER_NO_EVICTION,
    WorkloadFlag.CRITICAL,
    WorkloadFlag.LOCAL_STORAGE,
    WorkloadFlag.PAUSED,
    WorkloadFlag.PENDING,
    WorkloadFlag.EVICTION_IN_PROGRESS,
    WorkloadFlag.MIRROR,
    WorkloadFlag.LOCAL_STORAGE | WorkloadFlag.EVICT,
)
_CPU = st.integers(0, 12).map(lambda quarters: quarters / 4)
_MEMORY = st.integers(0, 24).map(lambda gib: gib * GIB)


def seldom(draw: st.DrawFn, one_in: int = 8) -> bool:
    """True now and then, and never in the simplest example."""
    return draw(st.integers(0, one_in - 1)) == one_in - 1


@dataclass(frozen=True)
class Traits:
    """What clusters may have besides nodes and workloads that are measured and free to move.

    Attributes
    ----------
    rules
        Placement rules, taints, disruption budgets.
    gaps
        Measures that are missing or old, nodes that are not ready or do not say what they have.
    bound
        Workloads that may not move.
    spread
        Deviations, peaks and swap.
    """

    rules: bool = True
    gaps: bool = True
    bound: bool = True
    spread: bool = True


PLAIN = Traits(rules=False, gaps=False, bound=False, spread=False)


def tight(seed: int) -> ClusterState:
    """Two or three nodes of unlike sizes, of which half to three quarters are in use by five to seven VMs of all shapes."""
    rng = np.random.Generator(np.random.PCG64(seed))
    nodes, workloads = int(rng.integers(2, 4)), int(rng.integers(5, 8))
    sizes = np.stack([rng.choice([8, 16], nodes), rng.choice([64, 128], nodes)], axis=1)
    shares = rng.dirichlet(np.full(workloads, 2.0), 2).T * sizes.sum(axis=0) * rng.uniform(0.5, 0.78, 2)
    homes = rng.integers(0, nodes - int(rng.integers(0, 2)), workloads)
    cluster = Cluster()
    for n, (cpu, gib) in enumerate(sizes.tolist()):
        cluster.node(f"n{n}", cpu=cpu, memory=gib * GIB)
    for w, (cpu, gib) in enumerate(shares.tolist()):
        cluster.vm(f"shop/w{w}", f"n{homes[w]}", guest="1Gi", requests_cpu=0.1, use_cpu=cpu, use_memory=gib * GIB)
    return cluster.build(NOW)


@st.composite
def clusters(draw: st.DrawFn, traits: Traits = Traits(), nodes: int = 5, workloads: int = 10) -> ClusterState:
    """A state of up to `nodes` nodes of 8 cores and 64Gi or half or twice that, with up to `workloads` workloads."""
    cluster = Cluster()
    if traits.bound and draw(st.booleans()):
        cluster.kubevirt(KubeVirt(version=draw(st.sampled_from(("1.5.2", "1.7.1", "")))))
    names = [f"n{i}" for i in range(draw(st.integers(1, nodes)))]
    rows = [draw(_workload(traits, i, names)) for i in range(draw(st.integers(0, workloads)))]
    for name in names:
        _add_node(draw, cluster, traits, name, [row for row in rows if row["node"] == name])
    for row in rows:
        (cluster.vm if row["machine"] else cluster.pod)(row["key"], row["node"], **row["given"])
    if traits.rules and rows and draw(st.booleans()):
        members = draw(st.lists(st.sampled_from([row["key"] for row in rows]), unique=True, min_size=1))
        cluster.budget("shop/budget", draw(st.integers(0, 2)), members)
    return cluster.build(NOW)


def _add_node(draw: st.DrawFn, cluster: Cluster, traits: Traits, name: str, rows: list[dict[str, Any]]) -> None:
    size = draw(st.sampled_from((1, 1, 2, 4))) / 2
    extras: dict[str, Any] = {}
    if traits.gaps:
        extras |= _gaps(draw)
    if traits.rules:
        extras |= {"zone": draw(st.sampled_from(("a", "b", None)))}
        extras |= {"taints": ("dedicated:NoSchedule",)} if seldom(draw) else {}
        extras |= {"cordoned": True} if seldom(draw) else {}
        extras |= {"flags": NodeFlag.MEMORY_PRESSURE} if seldom(draw) else {}
    if traits.spread and draw(st.booleans()):
        extras |= _host_use(draw, rows)
    cluster.node(name, **{"cpu": 8 * size, "memory": 64 * GIB * size} | extras)


def _gaps(draw: st.DrawFn) -> dict[str, Any]:
    choice = draw(st.integers(0, 14))
    gaps: dict[int, dict[str, Any]] = {
        9: {"cpu": None},
        10: {"memory": 0},
        11: {"use_cpu": None},
        12: {"use_memory": None},
        13: {"age": 1000.0},
        14: {"ready": False},
    }
    return gaps.get(choice, {})


def _host_use(draw: st.DrawFn, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """More use than the workloads have, with deviations and peaks."""
    cpu = sum(row["given"]["use_cpu"] or 0.0 for row in rows) + draw(_CPU)
    memory = sum(row["given"]["use_memory"] or 0.0 for row in rows) + draw(_MEMORY)
    measures = {
        NodeMeasure.CPU_DEVIATION_CORES: draw(st.sampled_from((None, 0.0, 0.25))),
        NodeMeasure.CPU_PEAK_CORES: draw(st.sampled_from((None, cpu, cpu + 1))),
        NodeMeasure.MEMORY_DEVIATION_BYTES: draw(st.sampled_from((None, 0.0, GIB))),
        NodeMeasure.MEMORY_PEAK_BYTES: draw(st.sampled_from((None, memory, memory + 4 * GIB))),
    }
    return {"use_cpu": cpu, "use_memory": memory, "measures": measures}


@st.composite
def _workload(draw: st.DrawFn, traits: Traits, number: int, names: list[str]) -> dict[str, Any]:
    machine, node = draw(st.booleans()), draw(st.sampled_from(names))
    given: dict[str, Any] = {
        "use_cpu": draw(_CPU),
        "use_memory": draw(_MEMORY),
        "requests_cpu": draw(st.sampled_from((0.1, 0.5, 2.0))),
        "requests_memory": draw(st.sampled_from((GIB, 4 * GIB, 16 * GIB))),
    }
    if traits.gaps and seldom(draw, 6):
        given |= draw(
            st.sampled_from(({"use_cpu": None, "use_memory": None}, {"age": 900.0}, {"started_at": NOW, "age": 900.0}))
        )
    if traits.rules:
        given |= {"placement": draw(st.sampled_from(PLACEMENTS)), "labels": draw(st.sampled_from(({"app": "a"}, {})))}
    if traits.spread:
        given |= _spread(draw, machine=machine)
    if traits.bound and seldom(draw, 5):
        given |= _bound(draw, [n for n in names if n != node], machine=machine)
    return {"key": f"shop/w{number:02}", "node": node, "machine": machine, "given": given}


def _spread(draw: st.DrawFn, *, machine: bool) -> WorkloadExtras:
    measures = {
        WorkloadMeasure.CPU_DEVIATION_CORES: draw(st.sampled_from((None, 0.0, 0.25))),
        WorkloadMeasure.MEMORY_PEAK_BYTES: draw(st.sampled_from((None, 0.0, 8 * GIB))),
    }
    return {"measures": measures, "swap_used": draw(st.sampled_from((0, 0, 2 * GIB))) if machine else 0}


def _bound(draw: st.DrawFn, elsewhere: list[str], *, machine: bool) -> dict[str, Any]:
    flags = st.sampled_from(FLAGS).map(lambda flag: {"flags": flag})
    if not machine:
        return draw(flags | st.sampled_from(({"owner": None}, {"owner": ("DaemonSet", "agent")})))
    strategies = st.sampled_from((EvictionStrategy.NONE, EvictionStrategy.UNSET, EvictionStrategy.EXTERNAL))
    moving = st.sampled_from(elsewhere or [None]).map(
        lambda n: {"migration_target": n, "flags": WorkloadFlag.MIGRATING}
    )
    return draw(
        flags
        | moving
        | strategies.map(lambda strategy: {"eviction_strategy": strategy})
        | st.sampled_from(({"live_migratable": False}, {"last_moved": NOW - 60}, {"dirty_rate": 1e9}))
    )
