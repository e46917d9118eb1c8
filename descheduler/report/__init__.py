"""The plan, told: as tables, as data, as one HTML page, and as an answer to "why".

All functions here are pure: a plan goes in, text comes out. Names are made harmless for the place where they are shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from descheduler.policy.plan import RebalancePlan
from descheduler.report import text, wire
from descheduler.report.frame import chosen
from descheduler.report.html import page
from descheduler.report.text import Screen
from descheduler.report.why import why
from descheduler.report.wire import parse

__all__ = ["FORMATS", "Screen", "page", "parse", "render", "why"]

FORMATS: Final[Mapping[str, Callable[[RebalancePlan, Screen], str]]] = MappingProxyType(
    {
        "table": text.table,
        "wide": lambda plan, screen: text.table(plan, replace(screen, wide=True)),
        "json": lambda plan, _: wire.to_json(plan),
        "yaml": lambda plan, _: wire.to_yaml(plan),
        "csv": lambda plan, _: wire.to_csv(plan),
        "name": lambda plan, _: wire.to_names(plan),
    }
)
"""Output formats by the name that ``-o`` takes; a new one is a line here."""


def render(plan: RebalancePlan, output: str = "table", *, color: bool = False, width: int = 100) -> str:
    """The plan in one of the `FORMATS`, ending in a line feed.

    Parameters
    ----------
    plan
        The plan.
    output
        A key of `FORMATS`.
    color
        Whether text formats may hold ANSI colours; data formats never do.
    width
        Columns at which sentences wrap; tables are never cut.

    Raises
    ------
    UsageError
        No such format.
    """
    return chosen(FORMATS, output)(plan, Screen(color=color, width=width))
