"""Every metric of the loop: name, kind, labels and meaning. ``docs/metrics.md`` is made from this table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

PREFIX: Final = "ullage_descheduler_"
FAMILIAR: Final = "descheduler_"
"""Prefix of kubernetes-sigs descheduler."""


class Told(NamedTuple):
    """A metric.

    Attributes
    ----------
    name
        Its whole name; that of a counter ends in ``_total``.
    kind
        Kind of the metric.
    labels
        Names of its labels.
    text
        What it says, in one line.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    text: str


def _own(kind: Literal["counter", "gauge", "histogram"], *told: tuple[str, str, str]) -> tuple[Told, ...]:
    return tuple(Told(PREFIX + name, kind, tuple(labels.split()), text) for name, labels, text in told)


LOOP: Final = (
    Told("ullage_build_info", "gauge", ("version",), "Version of this program."),
    *_own(
        "counter",
        ("cycles_total", "result", "Cycles, by what they came to."),
        ("configuration_reload_failures_total", "", "New configurations that could not be used."),
        ("leader_transitions_total", "", "How often this replica became the leader."),
        (
            "api_requests_total",
            "purpose verb code",
            "Requests to the API server for watching and for acting; code is error where no answer came.",
        ),
    ),
    *_own(
        "gauge",
        ("configuration_valid", "", "Whether the configuration file as it is now is in effect."),
        ("leader", "", "Whether this replica leads and acts."),
        ("mode", "mode", "1 for the mode that it runs in."),
    ),
    *_own("histogram", ("cycle_duration_seconds", "", "Duration of a cycle.")),
)
PLAN: Final = _own(
    "gauge",
    ("nodes", "class", "Nodes, by class."),
    ("moves_proposed", "code", "Moves in the newest plan, by code."),
    ("plan_bytes", "", "Memory that the newest plan would move."),
    ("plan_nodes_over_after", "", "Nodes over after the newest plan."),
    ("node_utilization_ratio", "node resource", "Predicted use over allocatable; not with --no-node-metrics."),
)
ACTING: Final = (
    *_own(
        "counter",
        ("moves_planned_total", "", "Moves of plans that were proposed, or taken up."),
        ("moves_total", "executor phase", "Moves that came into a phase; Running is begun."),
        ("moves_ended_total", "phase code", "Moves that ended, by code; a series begins with its first event."),
        ("blocked_total", "code", "Cycles in which something was held back, by code of budget, breaker or guard."),
        ("eviction_requests_total", "code", "Requests for evictions that were sent, by what the answer means."),
        ("taint_changes_total", "change", "Soft taints that were added, renewed, removed, or could not be changed."),
    ),
    *_own("histogram", ("move_duration_seconds", "executor", "Duration of moves that succeeded.")),
    *_own(
        "gauge",
        ("breaker_open", "name", "Whether a breaker is open."),
        ("held_back", "", "Whether something keeps us from writing."),
        ("moves_held_back", "code", "Pending moves that could not begin in the newest cycle, by code."),
        ("moves_in_flight", "scope", "Moves under way, of anyone: in all, and the most off and to one node."),
        ("budget_remaining", "scope", "How many moves may still begin: at once in the cluster, and within the hour."),
        ("plan_moves", "phase", "Moves of the plan that is carried out."),
        ("workload_moves", "", "Moves of the workload that was moved most within a day."),
        ("taints", "key", "Nodes that carry our soft taint."),
    ),
)
HEALTH: Final = (
    *_own("counter", ("relists_total", "kind why", "Lists after the first one, by why they were needed.")),
    *_own(
        "gauge",
        ("synced", "", "Whether every needed resource was listed."),
        ("watch_lag_seconds", "kind", "Time since something was last heard of a resource."),
        ("objects", "kind", "Objects that are held."),
        ("objects_quarantined", "kind", "Objects that cannot be read."),
        ("watch_failing", "kind", "Whether a watch fails at the moment."),
        ("metrics_age_seconds", "source", "Time since a source of measures last answered."),
        ("metrics_duration_seconds", "source", "Duration of its last answer."),
        ("metrics_failing", "source", "Whether it fails at the moment."),
        ("metrics_rejected", "why", "Values of the newest answers that cannot be used."),
        ("nodes_set_aside", "code", "Nodes that cannot be judged, by code."),
    ),
)
EXISTING: Final = (
    Told(
        f"{FAMILIAR}pods_evicted_total",
        "counter",
        ("result", "strategy", "profile", "namespace", "node"),
        "Moves that ended, as the existing descheduler counts evictions.",
    ),
    Told(
        f"{FAMILIAR}lownodeutilization_node_utilization_value",
        "gauge",
        ("node", "resource"),
        "Predicted use over allocatable.",
    ),
    Told(
        f"{FAMILIAR}lownodeutilization_node_utilization_threshold",
        "gauge",
        ("node", "resource", "threshold_type"),
        "Below low in every resource a node is under, above high in any it is over.",
    ),
    Told(
        f"{FAMILIAR}lownodeutilization_node_classification",
        "gauge",
        ("node",),
        "0 under, 1 neither, 2 over; no series for a node that is not known.",
    ),
    Told(f"{FAMILIAR}lownodeutilization_threshold_mode", "gauge", (), "0: thresholds are fixed, not deviations."),
)
"""Names that dashboards for kubernetes-sigs descheduler and OpenShift's fork know; not with --no-node-metrics."""

GROUPS: Final[Mapping[str, tuple[Told, ...]]] = MappingProxyType(
    {
        "The loop": LOOP,
        "The newest plan": PLAN,
        "Acting": ACTING,
        "What is known of the cluster": HEALTH,
        "Under the names of the existing descheduler": EXISTING,
    }
)
"""All metrics, by what they are about."""
CATALOGUE: Final[Mapping[str, Told]] = MappingProxyType({t.name: t for group in GROUPS.values() for t in group})
"""All metrics by name."""

Values = Iterable[tuple[str | tuple[str, ...], float]]
"""Values by label; several labels stand in a tuple."""


def told(name: str) -> Told:
    """The metric of a name; ours may lack the prefix."""
    return CATALOGUE.get(PREFIX + name) or CATALOGUE[name]


def gauge(name: str, value: float) -> Metric:
    """A gauge without labels."""
    return gauges(name, [((), value)])


def gauges(name: str, values: Values) -> Metric:
    """A gauge by its labels."""
    found = told(name)
    family = GaugeMetricFamily(found.name, found.text, labels=found.labels)
    for labels, value in values:
        family.add_metric(_labels(labels), value)
    return family


def counts(name: str, values: Values) -> Metric:
    """A counter by its labels, whose counting is done elsewhere."""
    found = told(name)
    family = CounterMetricFamily(found.name.removesuffix("_total"), found.text, labels=found.labels)
    for labels, value in values:
        family.add_metric(_labels(labels), value)
    return family


def _labels(labels: str | tuple[str, ...]) -> tuple[str, ...]:
    return (labels,) if isinstance(labels, str) else labels
