"""The sections of the configuration that say how much may move, and when nothing may."""

from __future__ import annotations

from typing import Annotated, Final

from ullage.config.kinds import ListOf, Number, OrNull, Ratio, Text
from ullage.config.section import MATCHER, Section
from ullage.config.windows import Weekly, Window

_ALERTS: Final = Text(rf"|{MATCHER}(?:,{MATCHER}){{0,9}}", 'label matchers such as severity="critical", or nothing')


class Budgets(Section, frozen=True):
    """How much may move at once and per hour, when plans are carried out. Migrations of others count; null is no limit.

    Attributes
    ----------
    moves_per_hour
        Moves begun within any hour, over restarts and changes of the leader. 60: one a minute brings the worst clusters of the
        benchmarks down within a quarter of an hour, and a mistake stays small.
    moves_per_namespace_per_hour
        The same for each namespace. null: a namespace may hold the whole cluster.
    in_flight_per_cluster
        Moves under way at once; KubeVirt's own limit counts where it is lower. 5, KubeVirt's default.
    in_flight_out_per_node
        Moves under way off one node; KubeVirt's own limit counts where it is lower. 2, KubeVirt's default.
    in_flight_in_per_node
        Moves under way to one node. 2: KubeVirt has no limit of its own, and each brings load that is not measured there yet.
    in_flight_per_owner
        Moves under way of workloads of one owner. 1: what serves together must not pause together.
    """

    moves_per_hour: Annotated[int | None, OrNull(Number(0, 100_000, whole=True))] = 60
    moves_per_namespace_per_hour: Annotated[int | None, OrNull(Number(0, 100_000, whole=True))] = None
    in_flight_per_cluster: Annotated[int, Number(0, 1000, whole=True)] = 5
    in_flight_out_per_node: Annotated[int, Number(0, 100, whole=True)] = 2
    in_flight_in_per_node: Annotated[int, Number(0, 100, whole=True)] = 2
    in_flight_per_owner: Annotated[int, Number(1, 1000, whole=True)] = 1


class Breakers(Section, frozen=True):
    """When nothing is begun, since something larger is wrong.

    Attributes
    ----------
    unknown_ratio
        Share of nodes that are not ready or cannot be judged, from which on nothing moves. 30 %: then it is the cluster, or the
        metrics, that fail, and moving VMs helps neither.
    unknown_nodes
        Where that share is fewer nodes than this, this many must be unknown. 2: one lost node of three is no storm.
    failures
        How many of the last six moves must have failed to stop. 3, half of them.
    half_open_seconds
        Time after the last failure at which one move is tried. 900 s.
    settle_seconds
        Time after a start, or after another replica led, before the first move. 300 s: a window of measures of its own.
    alerts
        Label matchers of alerts; while one that has them fires nothing is begun, such as ``severity="critical"``. Prometheus is
        asked for them every cycle (``ALERTS``), and where it cannot be asked nothing is begun either. Empty: no alert counts,
        since which ones mean trouble for moves is for those who wrote them to say.
    windows
        Times of the week, in UTC, at which moves may begin, such as ``"Mon-Fri 22:00-05:00"``; what has begun by the end of one
        goes on. A window without days is one of every day; one that ends before it begins ends on the next day. Empty: always,
        since a node that is over cannot wait for the night.
    """

    unknown_ratio: Annotated[float, Ratio(1)] = 0.3
    unknown_nodes: Annotated[int, Number(1, 10_000, whole=True)] = 2
    failures: Annotated[int, Number(1, 6, whole=True)] = 3
    half_open_seconds: Annotated[float, Number(0, 86_400)] = 900.0
    settle_seconds: Annotated[float, Number(0, 86_400)] = 300.0
    alerts: Annotated[str, _ALERTS] = ""
    windows: Annotated[tuple[Window, ...], ListOf(Weekly())] = ()
