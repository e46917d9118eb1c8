"""When nothing is begun, since something larger is wrong: each breaker is a code and a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from descheduler.policy.plan import NodeClass, RebalancePlan
from ullage.config.schema import Breakers

_RECENT: Final = 6
BREAKERS: Final = ("settling", "nodes-unknown", "moves-fail", "no-gain")
"""Codes, as label values."""


class Ended(msgspec.Struct, frozen=True, gc=False):
    """A move that ended: when, and whether it succeeded."""

    at_seconds: float
    succeeded: bool


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


def opened(
    plan: RebalancePlan, ended: Sequence[Ended], leads_since_seconds: float, config: Breakers, now_seconds: float
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
    """
    found = (
        _settling(leads_since_seconds, config, now_seconds),
        _unknown(plan, config),
        _failing(ended, config, now_seconds),
    )
    return tuple(each for each in (*found, _vain(plan)) if each is not None)


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
    return Open("no-gain", f"All {known} nodes are over: there is nowhere to go.") if everywhere else None
