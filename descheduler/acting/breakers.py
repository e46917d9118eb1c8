"""When nothing is begun, since something larger is wrong: each breaker is a code and a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec

from descheduler.policy.plan import NodeClass, RebalancePlan
from ullage.config.schema import Breakers
from ullage.config.windows import is_open

_RECENT: Final = 6
_NAMED: Final = 5
BREAKERS: Final = (
    "settling",
    "nodes-unknown",
    "moves-fail",
    "all-over",
    "alerts-firing",
    "alerts-unknown",
    "outside-window",
)
"""Codes, as label values."""


class Ended(msgspec.Struct, frozen=True, gc=False):
    """A move that ended: when, whether it succeeded, and which step of which plan it was."""

    at_seconds: float
    succeeded: bool
    plan: str = ""
    step: int = 0


class Open(msgspec.Struct, frozen=True, gc=False):
    """A breaker that is open.

    Attributes
    ----------
    code
        One of `BREAKERS`.
    text
        One sentence with numbers.
    """

    code: str
    text: str


class Alerts(msgspec.Struct, frozen=True, gc=False):
    """What Prometheus says of the alerts that are to stop moves: names of those that fire, or why it cannot be asked."""

    firing: tuple[str, ...] = ()
    error: str = ""


def opened(
    plan: RebalancePlan,
    ended: Sequence[Ended],
    leads_since_seconds: float,
    config: Breakers,
    now_seconds: float,
    alerts: Alerts = Alerts(),  # noqa: B008  # a frozen value
) -> tuple[Open, ...]:
    """Breakers that are open now.

    Parameters
    ----------
    plan
        The newest plan, for what it says of the nodes.
    ended
        Moves that ended, oldest first.
    leads_since_seconds
        Unix time since which we lead.
    config
        When they open.
    now_seconds
        Unix time.
    alerts
        What is known of alerts; nothing fires where none is to count.
    """
    found = (
        _settling(leads_since_seconds, config, now_seconds),
        _unknown(plan, config),
        _failing(ended, config, now_seconds),
        _vain(plan),
        _alarmed(alerts),
        _untimely(config, now_seconds),
    )
    return tuple(each for each in found if each is not None)


def only_one(ended: Sequence[Ended], config: Breakers) -> bool:
    """Whether moves kept failing until now: then one is tried before others follow."""
    return _failures(ended) >= config.failures


def _settling(since: float, config: Breakers, now_seconds: float) -> Open | None:
    left = since + config.settle_seconds - now_seconds
    return (
        Open("settling", f"It leads since {now_seconds - since:.0f} s; it moves after {config.settle_seconds:.0f} s.")
        if left > 0
        else None
    )


def _unknown(plan: RebalancePlan, config: Breakers) -> Open | None:
    nodes = plan.status.nodes
    unknown = sum(n.before.node_class is NodeClass.UNKNOWN for n in nodes)
    most = max(config.unknown_ratio * len(nodes), config.unknown_nodes)
    return (
        Open("nodes-unknown", f"{unknown} of {len(nodes)} nodes cannot be judged.")
        if unknown and unknown >= most
        else None
    )


def _failing(ended: Sequence[Ended], config: Breakers, now_seconds: float) -> Open | None:
    failures = _failures(ended)
    if failures < config.failures:
        return None
    last = max(e.at_seconds for e in ended if not e.succeeded)
    if now_seconds - last >= config.half_open_seconds:
        return None
    return Open("moves-fail", f"{failures} of the last {min(len(ended), _RECENT)} moves failed.")


def _failures(ended: Sequence[Ended]) -> int:
    return sum(not e.succeeded for e in ended[-_RECENT:])


def _vain(plan: RebalancePlan) -> Open | None:
    summary = plan.status.summary
    known = summary.nodes - summary.nodes_unknown
    everywhere = known > 1 and summary.nodes_over_before == known
    return Open("all-over", f"All {known} nodes are over: there is nowhere to go.") if everywhere else None


def _alarmed(alerts: Alerts) -> Open | None:
    if alerts.error:  # an alert that nobody can see may fire
        return Open("alerts-unknown", f"Prometheus cannot be asked for alerts: {alerts.error}.")
    if not alerts.firing:
        return None
    more = f" and {len(alerts.firing) - _NAMED} more" if len(alerts.firing) > _NAMED else ""
    return Open("alerts-firing", f"Alerts fire: {', '.join(alerts.firing[:_NAMED])}{more}.")


def _untimely(config: Breakers, now_seconds: float) -> Open | None:
    if is_open(config.windows, now_seconds):
        return None
    at = datetime.fromtimestamp(now_seconds, UTC)
    return Open("outside-window", f"It is {at:%a %H:%M} UTC, and moves may not begin then.")
