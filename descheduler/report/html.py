"""The plan as one HTML page that stands alone: no script, no network, readable on screen (light and dark) and on paper."""

from __future__ import annotations

from typing import Final

from descheduler.policy.plan import RebalancePlan
from descheduler.report import sections, story
from descheduler.report.figures import count
from descheduler.report.frame import head
from descheduler.report.markup import Markup, el, joined

_PAGE_BYTES: Final = 185_000
_MOVES_LEAST_BYTES: Final = 20_000


def _header(plan: RebalancePlan) -> Markup:
    numbers, status = plan.status.summary, plan.status
    about = [
        f"Rebalance plan: {plan.spec.goal.value}",
        count(numbers.nodes, "node"),
        count(numbers.workloads, "workload"),
    ]
    if status.observed_at:
        about.append(f"observed {status.observed_at}")
    headline, *rest = story.sentences(plan)
    return el(
        "header",
        el("p", " · ".join(about), class_="eyebrow"),
        el("h1", headline.removesuffix(".")),
        el("p", " ".join(rest), class_="lead") if rest else "",
    )


def _footer(plan: RebalancePlan) -> Markup:
    status = plan.status
    text = (
        f"Made by Ullage with the {status.engine} engine, which minimized {status.minimize}. This page loads nothing."
    )
    return el("footer", el("p", text))


def page(plan: RebalancePlan) -> str:
    """The plan as one HTML page.

    The page holds no script and refers to nothing outside itself. Lists are cut, with a count of the rest, so that it stays
    within some 200 kB whatever the size of the cluster. Every text is escaped.
    """
    above = [sections.tiles(plan), sections.staying(plan), sections.nodes(plan)]
    below = [sections.refused(plan), sections.dies_next(plan), sections.notes(plan)]
    top, header, footer = head(story.headline(plan)), _header(plan), _footer(plan)
    taken = sum(len(part.encode()) for part in (*above, *below, top, header, footer))
    moves = sections.moves(plan, max(_MOVES_LEAST_BYTES, _PAGE_BYTES - taken))
    body = el("body", header, el("main", joined([*above, moves, *below])), footer)
    return f"<!DOCTYPE html>\n{el('html', top, body, lang='en')}\n"
