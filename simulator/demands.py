"""What the workloads of a made-up cluster demand of a node, and their labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from simulator.names import LabelColumn, label_table
from simulator.population import DAEMONS, Population
from simulator.spec import ClusterSpec
from ullage.model.arrays import IntArray
from ullage.model.labels import Labels, Requirement, equals
from ullage.model.placement import NodeTerm, Placement, PodTerm, Spread, Toleration

HOSTNAME: Final = "kubernetes.io/hostname"
ZONE: Final = "topology.kubernetes.io/zone"
ARCH: Final = "kubernetes.io/arch"
ARCHITECTURE: Final = "amd64"
PAIR: Final = "ullage.dev/pair"
CPU_MODEL: Final = "Icelake-Server"
CPU_MODEL_LABELS: Final = tuple(
    f"{name}.node.kubevirt.io" for name in ("cpu-model", "cpu-model-migration", "host-model-cpu")
)
_SPREAD_SHARE: Final = 0.2

_USUAL: Final = tuple(
    Toleration(f"node.kubernetes.io/{condition}", "Exists", "", "NoExecute")
    for condition in ("not-ready", "unreachable")
)


@dataclass(frozen=True, eq=False)
class Demands:
    """Placements, int64 (W,) rows into them, and the labels of W workloads."""

    placements: tuple[Placement, ...]
    placement: IntArray
    labels: Labels


def draw_demands(
    spec: ClusterSpec,
    people: Population,
    node: IntArray,
    nodes: Sequence[str],
    uids: Sequence[str],
    zone: IntArray,
    rng: np.random.Generator,
) -> Demands:
    """Demands that the given placement meets.

    Parameters
    ----------
    spec
        Shares of paired and of zone-bound VMs.
    people
        The workloads.
    node
        int64 (W,), where they run.
    nodes, uids
        Names of the nodes and uids of the VMs.
    zone
        int64 (N,), zone of each node.
    rng
        Where randomness comes from.
    """
    first, apps, vms = people.first_vm, len(people.replica_set), len(people.guest_bytes)
    pairs = _pairs(spec, people, node, rng)
    codes = np.full(len(people.name), -1, dtype=np.int64)
    table = [_vm_placement(), *[_vm_placement(zone=name) for name in zone_names(spec)]]
    bound = rng.random(vms) < spec.zone_bound_share
    codes[first:] = np.where(bound, 1 + zone[node[first:]], 0)
    for i, (row, other) in enumerate(pairs.tolist()):
        codes[[row, other]] = len(table)
        table.append(_vm_placement(pair=_pair_name(i), namespace=people.namespace[row]))
    codes[apps:first] = len(table)
    table.append(Placement(tolerations=(Toleration(operator="Exists"),)))
    spreading = np.flatnonzero(rng.random(len(people.replica_sets)) < _SPREAD_SHARE)
    of_set = np.full(len(people.replica_sets), len(table))
    of_set[spreading] += 1 + np.arange(len(spreading))
    codes[:apps] = of_set[people.replica_set]
    table.append(Placement(tolerations=_USUAL))
    for i in spreading.tolist():
        app = equals({"app": _app(people.replica_sets[i][1])})
        table.append(Placement(tolerations=_USUAL, spread=(Spread(ZONE, 1, app, hard=False),)))
    used, firsts, inverse = np.unique(codes, return_index=True, return_inverse=True)
    order = np.argsort(firsts)
    return Demands(
        placements=tuple(table[i] for i in used[order].tolist()),
        placement=np.argsort(order)[inverse],
        labels=_labels(people, node, nodes, uids, pairs),
    )


def zone_names(spec: ClusterSpec) -> list[str]:
    """Names of the zones."""
    return [f"zone-{chr(97 + i)}" if spec.zones <= 26 else f"zone-{i + 1:04d}" for i in range(spec.zones)]


def _pair_name(number: int) -> str:
    return f"pair-{number + 1:06d}"


def _app(replica_set: str) -> str:
    return replica_set.rpartition("-")[0]


def _vm_placement(zone: str = "", pair: str = "", namespace: str = "") -> Placement:
    """Demands of a host-model guest, as KubeVirt asks for them: the architecture and the CPU model of its host."""
    models = (Requirement(f"{prefix}/{CPU_MODEL}", "In", ("true",)) for prefix in CPU_MODEL_LABELS)
    return Placement(
        node_selector=equals({ARCH: ARCHITECTURE} | ({ZONE: zone} if zone else {})),
        node_terms=(tuple(NodeTerm(labels=(model,)) for model in models),),
        anti_affinity=(PodTerm(HOSTNAME, equals({PAIR: pair}), (namespace,)),) if pair else (),
        virtual_machine=True,
    )


def _pairs(spec: ClusterSpec, people: Population, node: IntArray, rng: np.random.Generator) -> IntArray:
    """Pairs of neighbouring VMs of one namespace that do not share a node, int64 (P, 2)."""
    vms = len(people.guest_bytes)
    heads = np.sort(rng.permutation(vms // 2)[: round(spec.anti_affinity_share * vms / 2)]) * 2 + people.first_vm
    same = np.array([people.namespace[i] == people.namespace[i + 1] for i in heads.tolist()], dtype=np.bool_)
    heads = heads[same & (node[heads] != node[heads + 1])]
    return np.stack([heads, heads + 1], axis=1)


def _labels(people: Population, node: IntArray, nodes: Sequence[str], uids: Sequence[str], pairs: IntArray) -> Labels:
    """Labels as Kubernetes and KubeVirt set them, ``app`` of ReplicaSets and DaemonSets, and one that names the pair."""
    first, apps = people.first_vm, len(people.replica_set)
    vms, daemons = np.arange(first, len(people.name)), np.arange(apps, first)
    app = [_app(people.replica_sets[i][1]) for i in people.replica_set.tolist()]
    hashes = [people.replica_sets[i][1].rpartition("-")[2] for i in people.replica_set.tolist()]
    on, codes = np.unique(node[first:], return_inverse=True)
    columns = {
        "app": LabelColumn.of(np.arange(first), [*app, *[DAEMONS[d] for d in people.daemons.tolist()]]),
        "controller-revision-hash": LabelColumn.constant(daemons, "7c9d6bf5f4"),
        "pod-template-hash": LabelColumn.of(np.arange(apps), hashes),
        "kubevirt.io": LabelColumn.constant(vms, "virt-launcher"),
        "kubevirt.io/created-by": LabelColumn.of(vms, uids),
        "kubevirt.io/nodeName": LabelColumn(vms, [nodes[i] for i in on.tolist()], codes),
        "vm.kubevirt.io/name": LabelColumn(vms, people.name[first:], np.arange(len(vms))),
        PAIR: LabelColumn(
            pairs.ravel(), [_pair_name(i) for i in range(len(pairs))], np.repeat(np.arange(len(pairs)), 2)
        ),
    }
    return label_table(len(people.name), columns)
