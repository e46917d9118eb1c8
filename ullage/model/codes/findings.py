"""Codes of what an audit finds."""

from __future__ import annotations

from typing import Final

from ullage.model.codes.code import Code, Topic

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

FINDINGS: Final = tuple(Code(name, Topic.FINDING, meaning, remedy) for name, meaning, remedy in _FINDINGS)
