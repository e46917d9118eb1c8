"""Codes of what becomes of a move that is carried out."""

from __future__ import annotations

from typing import Final

from ullage.model.codes.code import Code, Topic

_ACTING: Final = (
    ("moved", "It runs at the destination."),
    ("moved-elsewhere", "It left the node, and runs at another one than the planned."),
    ("evicted", "The pod is gone; its controller makes another one."),
    ("feasible", "A dry run says that the API server would do it."),
    ("recorded", "A dry run: it was written down, and nothing was done."),
    ("migration-waits", "The migration waits for one of KubeVirt's slots."),
    ("migration-prepares", "The migration's target pod is being scheduled and started."),
    ("migration-runs", "The guest's memory is being copied."),
    ("evacuating", "KubeVirt moves the VM off its node, to where the scheduler finds room."),
    ("eviction-accepted", "The pod is being deleted with its grace period."),
    ("pod-ending", "The pod is ending."),
    ("eviction-in-background", "A controller of its own takes the pod away."),
    ("cancelling", "It is being cancelled."),
    ("cancel-impossible", "It cannot be cancelled: it has to end by itself."),
    ("pending-too-long", "The migration got no slot in time and is being cancelled."),
    ("migration-overdue", "The migration runs beyond KubeVirt's own deadline and is being cancelled."),
    ("disruption-budget-behind", "Its PodDisruptionBudget is being counted anew."),
    ("server-busy", "The API server asks for fewer requests."),
    ("conflict", "Someone else changed the object at the same time."),
    ("unauthorized", "The API server does not accept the credentials.", "Look at the token or certificate in use."),
    ("cannot-read", "The API server could not be asked how things stand."),
    (
        "webhook-down",
        "A webhook in front of the API did not answer.",
        "Look at the pods of virt-api, or of the webhook that the text names.",
    ),
    ("workload-gone", "The workload is not there any more, or another one has its name."),
    ("workload-ended", "The workload has ended by itself."),
    ("workload-elsewhere", "The workload is not where the plan saw it."),
    ("node-gone", "The destination is not there any more."),
    (
        "node-without-hostname",
        "The destination has no label kubernetes.io/hostname, by which a migration could name it.",
        "Set the label: the kubelet does so when it registers.",
    ),
    (
        "would-kill",
        "An eviction would be granted instead of turned into a migration: it would kill the VM.",
        "Set evictionStrategy: LiveMigrate, and look whether KubeVirt's eviction webhook is in place.",
    ),
    ("evacuation-refused", "KubeVirt refused to move the VM off its node."),
    ("several-budgets", "More than one PodDisruptionBudget covers the pod.", "Leave one of them."),
    ("disruption-budget-broken", "Its PodDisruptionBudget is in a state in which nothing is evicted."),
    ("namespace-terminating", "Its namespace is being deleted."),
    ("forbidden", "We lack the right to do this.", "Compare the ClusterRole with the one that is shipped."),
    ("rejected", "The API server, or a policy in front of it, does not want it."),
    ("name-taken", "A migration that is not ours has the name that ours would have."),
    ("migration-failed", "The migration failed; the VM goes on where it was."),
    ("not-applied", "No effect of it was found."),
    ("vm-evicted", "The VM's pod was evicted although KubeVirt had promised to migrate it."),
    ("migration-cancelled", "The migration was cancelled; the VM goes on where it was."),
    ("migration-vanished", "The migration is gone, and the VM is where it was."),
    ("evacuation-ended", "KubeVirt does not move the VM off its node any more."),
    ("no-reply", "No reply came: it may have been applied."),
    ("server-error", "The API server failed: it may have been applied."),
    ("server-timeout", "The API server gave up in time: it may have been applied."),
    ("unreadable-reply", "The reply was not one of an API server: it may have been applied."),
)

ACTING: Final = tuple(Code(name, Topic.ACTING, *said) for name, *said in _ACTING)
