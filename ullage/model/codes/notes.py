"""Codes of what could not be known, or was done in another way."""

from __future__ import annotations

from typing import Final

from ullage.model.codes.code import Code, Topic

NOTES: Final = (
    Code(
        "moves-left-out",
        Topic.NOTE,
        "Moves that would only fit if two or more happened at once were left out of the plan.",
    ),
    Code(
        "no-metrics",
        Topic.NOTE,
        "No use was measured for any node, so that nothing can be judged.",
        "Add NodeMetrics and PodMetrics: kubectl get --raw /apis/metrics.k8s.io/v1beta1/nodes",
    ),
    Code("nodes-without-metrics", Topic.NOTE, "Some nodes have no measured use."),
    Code("stale-metrics", Topic.NOTE, "Some measures are too old to be used."),
    Code(
        "bad-measure",
        Topic.NOTE,
        "Some measures are no possible values (negative, NaN, infinite, out of range) and were dropped.",
    ),
    Code(
        "workloads-estimated",
        Topic.NOTE,
        "Some workloads have no measured use; it was estimated from their siblings, requests and limits.",
    ),
    Code("malformed-object", Topic.NOTE, "An object could not be read and was put aside."),
    Code("unknown-kind", Topic.NOTE, "Objects of kinds that bear on no decision were passed over."),
    Code("duplicate-object", Topic.NOTE, "An object was there more than once; the newest counts."),
    Code("pod-on-unknown-node", Topic.NOTE, "Pods are bound to nodes that the input does not hold."),
    Code("metrics-of-unknown", Topic.NOTE, "Measures of nodes or pods that the input does not hold."),
    Code("pod-not-placed", Topic.NOTE, "Pods are not bound to a node yet and were left out."),
    Code(
        "node-without-allocatable", Topic.NOTE, "A node does not say what it can allocate, so that nothing fits there."
    ),
    Code(
        "vmi-missing",
        Topic.NOTE,
        "Virt-launcher pods without their VirtualMachineInstance: their constraints come from the pod.",
    ),
    Code("vmi-without-pod", Topic.NOTE, "VirtualMachineInstances without their virt-launcher pod were left out."),
    Code(
        "migratability-unknown",
        Topic.NOTE,
        "VMs do not report whether they can migrate live; it must be asked before they move.",
    ),
    Code(
        "eviction-strategy-unknown",
        Topic.NOTE,
        "VMs name no eviction strategy and the version of KubeVirt is not known: an eviction might stop them.",
        "Add the KubeVirt object: kubectl get kubevirt -A -o json",
    ),
    Code(
        "volume-unknown",
        Topic.NOTE,
        "Claims whose volumes the input does not hold: zones and nodes that these are bound to are not known.",
        "Add volumes and claims: kubectl get pv,pvc -A -o json",
    ),
    Code(
        "relief-impossible",
        Topic.NOTE,
        "No plan can bring all nodes under the target: the other nodes have too little room, or the use of a node is not that "
        "of its workloads.",
    ),
    Code(
        "engine-fallback",
        Topic.NOTE,
        "The exact engine did not finish or found no better plan; the greedy plan stands.",
    ),
    Code("quota-without-status", Topic.NOTE, "ResourceQuotas do not report what is used; nothing is counted as used."),
    Code("empty-cluster", Topic.NOTE, "The input holds no node."),
    Code(
        "overhead-by-formula",
        Topic.NOTE,
        "The overhead of some VMs is not reported and was computed for the KubeVirt version.",
    ),
    Code(
        "sysctls-not-visible",
        Topic.NOTE,
        "Kernel settings of the nodes are not in the input: nothing is said about them.",
        "Check on a node: vm.overcommit_memory=1 and vm.panic_on_oom=0, as the kubelet sets them; vm.swappiness above 0.",
    ),
    Code(
        "pressure-not-visible",
        Topic.NOTE,
        "The measures come from a source without pressure stalls, swap rates and growth.",
        "Read Prometheus with node_exporter, too.",
    ),
)
