"""Stable codes: every move, refusal, note and finding carries one.

A code never changes its meaning; a new meaning is a new code. ``docs/codes.md`` is made from this table.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Topic(StrEnum):
    """What a code is said of."""

    MOVE = "move"
    REFUSED = "refused"
    DESTINATION = "destination"
    NODE = "node"
    NOTE = "note"
    FINDING = "finding"


@dataclass(frozen=True)
class Code:
    """A stable code.

    Attributes
    ----------
    name
        Lower case with hyphens.
    topic
        What it is said of.
    meaning
        One sentence for people who meet it.
    remedy
        What one can do about it; empty if there is nothing to do.
    """

    name: str
    topic: Topic
    meaning: str
    remedy: str = ""


def _table(*codes: Code) -> dict[str, Code]:
    table = {code.name: code for code in codes}
    if len(table) != len(codes):
        raise ValueError("a code stands twice in the table")
    return table


_FINDINGS: Final = (
    (
        "memory-pressure",
        "The kubelet reports MemoryPressure: it evicts, and it takes no BestEffort pods.",
        "Move VMs off the node now: ullage plan --goal relieve.",
    ),
    (
        "eviction-near",
        "The expected peak of a node's memory reaches the kubelet's eviction threshold, which does not look at swap.",
        "Move VMs off the node: ullage plan --goal relieve.",
    ),
    (
        "exhaustion-near",
        "At its present growth a node's memory is used up within hours.",
        "Find what grows, or move VMs off the node.",
    ),
    (
        "memory-stalled",
        "Tasks on the node wait for memory much of the time.",
        "Move VMs off the node, or add RAM; faster swap shortens the waits.",
    ),
    (
        "swap-storm",
        "The node swaps in and out at the same time: it works on more memory than its RAM holds.",
        "Move VMs off the node.",
    ),
    (
        "swap-nearly-full",
        "The node's swap is nearly used up; what is swapped next ends in an eviction or a kill.",
        "Move VMs off the node, or add swap.",
    ),
    (
        "memory-over",
        "A node's expected memory use is above the threshold.",
        "See ullage plan for moves that bring it down.",
    ),
    (
        "worst-case-unfit",
        "If all guests used their whole memory, they would not fit into the node's RAM and swap.",
        "Add swap, lower the overcommit, or limit it: memory.worstCaseLimitRatio.",
    ),
    (
        "swap-missing",
        "The node has no swap although its VMs are overcommitted.",
        "Add swap of RAM x (overcommit - 1), and let the kubelet use it: failSwapOn false, swapBehavior LimitedSwap.",
    ),
    (
        "swap-too-small",
        "The node's swap is smaller than RAM x (overcommit - 1).",
        "Enlarge the swap, or lower the overcommit.",
    ),
    (
        "swap-unknown",
        "Nodes with overcommitted VMs do not report their swap; without any, their guests may not fit.",
        "Kubelets of recent versions report it (status.nodeInfo.swap); else look on the nodes.",
    ),
    (
        "control-plane-swap",
        "A control-plane node has swap: etcd and the API server slow down when they are swapped out.",
        "Swap belongs on workers only.",
    ),
    (
        "ksm-debt",
        "Memory that KSM saves would not fit if guests wrote to it: each write undoes the sharing of a page.",
        "Do not count on KSM; move VMs off the node.",
    ),
    (
        "system-reserved-small",
        "The node reserves less memory than its system uses, so pods are promised memory that is not there.",
        "Raise systemReserved in the kubelet's configuration (OpenShift: autoSizingReserved).",
    ),
    (
        "high-priority-first",
        "The first victim of an eviction is a VM of higher priority than others, since it is above its request.",
        "Give the VM a request near to its use; the kubelet looks at priority only afterwards.",
    ),
    (
        "no-spare-node",
        "The rest of the cluster could not take over the memory of its largest node.",
        "Add a node, or free memory.",
    ),
    (
        "overcommit-too-high",
        "The measured use does not bear the configured memory overcommit.",
        "Lower the overcommit, or add RAM.",
    ),
    (
        "eviction-kills",
        "An eviction, and so a drain, would kill these VMs rather than move them.",
        "Set evictionStrategy: LiveMigrate on the VMs or for the cluster; make them migratable.",
    ),
    (
        "drain-blocked",
        "These VMs ask to be migrated, but they cannot be: a drain of their node waits for ever.",
        "Look at their LiveMigratable condition; shared storage and masquerade networking make most VMs migratable.",
    ),
    (
        "migration-would-fail",
        "A live migration of these VMs would not end: they write faster than it copies, or KubeVirt's deadline cuts it off.",
        "Raise the migration bandwidth or completionTimeoutPerGiB, or allow auto-converge or post-copy for them.",
    ),
    (
        "quota-blocks-migration",
        "The namespace's ResourceQuota has no room for the second pod that a migration needs.",
        "Raise the quota by the size of the largest VM.",
    ),
    (
        "memory-limit-tight",
        "A memory limit that guest and overhead do not fit into: the VM is killed although its node has room.",
        "Remove the limit, or raise it above guest and overhead.",
    ),
    (
        "memory-limit-set",
        "Memory limits that were set by hand: such a VM can be killed inside its own cgroup.",
        "Remove the limit, unless a ResourceQuota asks for one.",
    ),
    (
        "own-memory-request",
        "VMs that set requests.memory take no part in the cluster's overcommit.",
        "Remove requests.memory from the VM or its instance type, unless it is meant so.",
    ),
    (
        "share-too-small",
        "Request and swap limit do not cover guest and overhead: a full guest lives on what others leave.",
        "Raise the VM's memory request, or the node's swap.",
    ),
    (
        "guaranteed-vm",
        "Guaranteed VMs get no swap and hold their memory in RAM.",
        "Remove the limits, unless the VM needs dedicated resources.",
    ),
    (
        "best-effort-pod",
        "BestEffort pods beside overcommitted VMs: no swap, evicted and killed first, and not seen by the scheduler.",
        "Give them memory requests.",
    ),
    (
        "over-reserved",
        "Workloads request far more memory than they use at their peak.",
        "Lower their requests, or raise the overcommit.",
    ),
    (
        "overcommit-room",
        "The measured use would bear a higher memory overcommit.",
        "Raise it in steps, and watch the nodes' peaks.",
    ),
    (
        "metrics-missing",
        "Nodes without a fresh measure of memory: nothing is known of their danger.",
        "Look at why their metrics are missing or old.",
    ),
    (
        "psi-off",
        "Nodes are measured, but not their pressure stalls, the earliest sign of a shortage.",
        "Boot with psi=1, which RHEL's kernels need, and let node_exporter read pressure.",
    ),
)

CODES: Final = _table(
    Code(
        "relieve",
        Topic.MOVE,
        "The node is over its threshold; the move brings it down and the destination stays under its target.",
    ),
    Code("balance", Topic.MOVE, "The move makes nodes more alike, and the gain pays for it."),
    Code("evacuate", Topic.MOVE, "The node is to be emptied; the destination was checked."),
    Code("consolidate", Topic.MOVE, "The move empties a node, so that it can be switched off or kept as a reserve."),
    Code("make-room", Topic.MOVE, "The workload steps aside so that another one fits."),
    Code("daemonset", Topic.REFUSED, "A DaemonSet's pod would come back to the same node."),
    Code("mirror-pod", Topic.REFUSED, "The kubelet runs this pod from a file of its own; it cannot be evicted."),
    Code(
        "bare-pod",
        Topic.REFUSED,
        "The pod has no controller: evicted, it would be gone for good.",
        "Run it under a controller, or annotate it with descheduler.alpha.kubernetes.io/evict.",
    ),
    Code(
        "local-storage",
        Topic.REFUSED,
        "The pod has emptyDir or hostPath volumes, whose content an eviction loses.",
        "Annotate it with descheduler.alpha.kubernetes.io/evict if the content may be lost.",
    ),
    Code("critical", Topic.REFUSED, "The workload has a system-critical priority."),
    Code("terminating", Topic.REFUSED, "The workload is about to end anyway."),
    Code("pending", Topic.REFUSED, "The workload does not run yet."),
    Code(
        "prefer-no-eviction",
        Topic.REFUSED,
        "Its owner asks that it is not evicted (descheduler.alpha.kubernetes.io/prefer-no-eviction).",
    ),
    Code("eviction-in-progress", Topic.REFUSED, "An eviction of it is under way already."),
    Code("migrating", Topic.REFUSED, "A live migration of this VM is under way."),
    Code("migration-target", Topic.REFUSED, "It is the target pod of a migration in flight."),
    Code(
        "not-live-migratable",
        Topic.REFUSED,
        "KubeVirt says that this VM cannot be migrated live.",
        "Look at the VM's LiveMigratable condition: shared storage, masquerade networking and no host devices make it migratable.",
    ),
    Code(
        "eviction-strategy",
        Topic.REFUSED,
        "The VM's eviction strategy forbids it: with None an eviction would kill it, with External another controller must act.",
        "Set evictionStrategy: LiveMigrate on the VM or in the cluster's configuration.",
    ),
    Code(
        "no-targeted-migration",
        Topic.REFUSED,
        "This KubeVirt is older than 1.6 and the VM has no eviction strategy that migrates: nothing could move it but an eviction that kills it.",
        "Set evictionStrategy: LiveMigrate, or upgrade KubeVirt.",
    ),
    Code("paused", Topic.REFUSED, "The VM is paused."),
    Code("cooldown", Topic.REFUSED, "It moved a short while ago."),
    Code("excluded-namespace", Topic.REFUSED, "The configuration leaves its namespace alone."),
    Code(
        "disruption-budget",
        Topic.REFUSED,
        "Its PodDisruptionBudget allows no further disruption.",
        "Raise the budget, or wait until its pods are healthy.",
    ),
    Code(
        "quota",
        Topic.REFUSED,
        "Its namespace's ResourceQuota has no room for the second pod that a move needs for a while.",
        "Raise the quota by the size of the largest VM.",
    ),
    Code("use-unknown", Topic.REFUSED, "Its use is not known, and there is nothing to estimate it from."),
    Code(
        "converges-not",
        Topic.REFUSED,
        "It writes memory faster than a migration could copy it, or than KubeVirt's deadline for migrations allows.",
    ),
    Code("no-destination", Topic.REFUSED, "No node passes all filters and stays under its target with this workload."),
    Code("move-budget", Topic.REFUSED, "The plan's limit on moves is reached.", "Raise --max-moves."),
    Code("not-needed", Topic.REFUSED, "It may move, but the plan reaches its goal without it."),
    Code("no-gain", Topic.REFUSED, "Moving it would cost more than it gains."),
    Code("node-kept", Topic.REFUSED, "Its node cannot be emptied, so that nothing is moved off it."),
    Code("same-node", Topic.DESTINATION, "It runs there."),
    Code("node-not-ready", Topic.DESTINATION, "The node is not ready, or reports pressure."),
    Code("node-unschedulable", Topic.DESTINATION, "The node is cordoned."),
    Code("node-use-unknown", Topic.DESTINATION, "The node's use is not known, so that it is no destination."),
    Code("node-over", Topic.DESTINATION, "The node is over its own threshold."),
    Code("node-excluded", Topic.DESTINATION, "The node is being emptied or was left out by the configuration."),
    Code("taint", Topic.DESTINATION, "The node has a taint that the workload does not tolerate."),
    Code("node-selector", Topic.DESTINATION, "The node does not match the workload's node selector."),
    Code(
        "node-affinity",
        Topic.DESTINATION,
        "The node does not match the workload's required node affinity, or a volume is bound elsewhere.",
    ),
    Code("kubevirt-node", Topic.DESTINATION, "The node is not schedulable for VMs (label kubevirt.io/schedulable)."),
    Code(
        "allocatable",
        Topic.DESTINATION,
        "The workload's requests do not fit into what is left of the node's allocatable.",
    ),
    Code("host-port", Topic.DESTINATION, "A host port is taken."),
    Code(
        "pod-affinity",
        Topic.DESTINATION,
        "A pod that it must run beside is not in the node's domain.",
    ),
    Code("pod-anti-affinity", Topic.DESTINATION, "A pod that must not run beside it is in the node's domain."),
    Code("topology-spread", Topic.DESTINATION, "The move would skew the spread over domains."),
    Code("target-cpu", Topic.DESTINATION, "The node's predicted CPU use would pass its target."),
    Code("target-memory", Topic.DESTINATION, "The node's predicted memory use would pass its target."),
    Code(
        "worst-case-memory",
        Topic.DESTINATION,
        "Guests and overhead in the worst case would not fit into the node's RAM and swap.",
    ),
    Code(
        "limit-memory",
        Topic.DESTINATION,
        "The node's predicted memory peak would pass the hard limit with this pod (scoring.limits.memory).",
    ),
    Code(
        "limit-cpu",
        Topic.DESTINATION,
        "The node's predicted CPU peak would pass the hard limit with this pod (scoring.limits.cpu).",
    ),
    Code(
        "limit-swap",
        Topic.DESTINATION,
        "The node's swap is used beyond its limit (scoring.limits.swapUsed).",
        "Move VMs off the node, or add swap.",
    ),
    Code(
        "limit-pressure",
        Topic.DESTINATION,
        "Tasks on the node stall on memory beyond the limit (scoring.limits.memoryStalled).",
        "Move VMs off the node.",
    ),
    Code("node-over-no-victim", Topic.NODE, "The node stays over: none of its workloads may move."),
    Code(
        "node-over-no-room",
        Topic.NODE,
        "The node stays over: what could move fits nowhere.",
        "Add a node, or raise the target.",
    ),
    Code(
        "node-over-not-attributed",
        Topic.NODE,
        "The node stays over: its use does not come from workloads that could move.",
    ),
    Code(
        "node-over-budget",
        Topic.NODE,
        "The node stays over: the plan's limit on moves is reached.",
        "Raise --max-moves.",
    ),
    Code(
        "node-over-other-goal",
        Topic.NODE,
        "The node stays over: the plan has another goal.",
        "Plan with the goal relieve.",
    ),
    Code(
        "node-unknown",
        Topic.NODE,
        "The node's use is not known: it is neither a source nor a destination.",
        "Look at why its metrics are missing or old.",
    ),
    Code("node-not-emptied", Topic.NODE, "The node could not be emptied: something on it cannot move."),
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
        "relief-impossible",
        Topic.NOTE,
        "No plan can bring all nodes under the target: the other nodes have too little room, or the use of a node is not that "
        "of its workloads.",
    ),
    Code("lower-bound", Topic.NOTE, "No plan can do with less moves, or less bytes, than this."),
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
    *(Code(name, Topic.FINDING, meaning, remedy) for name, meaning, remedy in _FINDINGS),
)
"""All codes by name."""
