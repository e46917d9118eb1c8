"""Codes of what keeps moves from being begun: budgets, breakers, and guards of every write."""

from __future__ import annotations

from typing import Final

from ullage.model.codes.code import Code, Topic

_BUDGETS: Final = (
    ("budget-cluster", "As many moves as may be are under way in the cluster.", "budgets.inFlightPerCluster"),
    ("budget-node-out", "As many moves as may be are under way off its node.", "budgets.inFlightOutPerNode"),
    ("budget-node-in", "As many moves as may be are under way to the destination.", "budgets.inFlightInPerNode"),
    ("budget-owner", "Another workload of the same owner is under way.", "budgets.inFlightPerOwner"),
    ("budget-hour", "As many moves as may be were begun within the hour.", "budgets.movesPerHour"),
    (
        "budget-namespace-hour",
        "As many moves as may be were begun within the hour in its namespace.",
        "budgets.movesPerNamespacePerHour",
    ),
    ("budget-half-open", "Moves failed a while ago: one is tried before others follow.", "breakers.failures"),
)
_BREAKERS: Final = (
    (
        "settling",
        "This replica has begun to lead a short while ago: it waits for measures of its own.",
        "Wait; breakers.settleSeconds sets for how long.",
    ),
    (
        "nodes-unknown",
        "Too many nodes are not ready or cannot be judged: it is the cluster, or the metrics, that fail.",
        "Look at the nodes and their metrics: ullage status. breakers.unknownRatio sets how many are too many.",
    ),
    (
        "moves-fail",
        "Too many of the last moves failed.",
        "Look at why: ullage plans show NAME. One is tried again after breakers.halfOpenSeconds.",
    ),
    ("all-over", "Every node is over: there is nowhere to go.", "Add a node, or raise the thresholds."),
    (
        "alerts-firing",
        "An alert fires that is to stop all moves.",
        "See to the alert; breakers.alerts sets which ones count.",
    ),
    (
        "alerts-unknown",
        "Prometheus cannot be asked for the alerts that are to stop all moves.",
        "Look at prometheus.url, or leave breakers.alerts empty.",
    ),
    ("outside-window", "Moves may not begin at this time.", "breakers.windows sets when they may, in UTC."),
)
_GUARDS: Final = (
    ("not-leading", "This replica does not lead, or not for long enough to end a write."),
    (
        "kill-switch",
        "The annotation ullage.dev/paused of the Lease stops every write.",
        "Take it off when all is well again: kubectl annotate lease NAME ullage.dev/paused-.",
    ),
)

BUDGETS: Final = tuple(Code(name, Topic.HOLDING, meaning, f"{field} sets it.") for name, meaning, field in _BUDGETS)
"""Budgets that one move would pass."""
BREAKERS: Final = tuple(Code(name, Topic.HOLDING, *said) for name, *said in _BREAKERS)
"""Why nothing is begun."""
GUARDS: Final = tuple(Code(name, Topic.HOLDING, *said) for name, *said in _GUARDS)
"""Why nothing is written."""

STEERING: Final = Code(
    "not-steered-yet",
    Topic.HOLDING,
    "The extender must have seen the plan before a pod is evicted, so that its replacement goes where it is planned.",
    "Wait: it begins with the next cycle.",
)

HOLDING: Final = (*BUDGETS, STEERING, *BREAKERS, *GUARDS)
