"""Tables of the HTML page: headers with their scope, figures flush right, and no more rows than there is room for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from descheduler.policy.plan import WorkloadRef
from descheduler.report import story
from descheduler.report.figures import number
from descheduler.report.markup import Markup, el, escaped, within


@dataclass(frozen=True)
class Rows:
    """Rows of a table, made one by one until the room is used up.

    Attributes
    ----------
    rows
        The rows; may be a generator.
    total
        How many there are.
    room_bytes
        What the page grants them.
    elsewhere
        Where the rest can be read.
    """

    rows: Iterable[Markup]
    total: int
    room_bytes: int = 1 << 40
    elsewhere: str = "-o json"


def num(text: str) -> Markup:
    """A cell with a figure."""
    return el("td", text, class_="num")


def cell(*content: str, class_: str | None = None) -> Markup:
    """A cell with text."""
    return el("td", *content, class_=class_)


def _one_line(name: str) -> str | None:
    return "one" if len(name) <= 28 else None


def named(name: str, *below: Markup) -> Markup:
    """The cell that names its row; a name of usual length stays on one line."""
    return el("th", name, *below, scope="row", class_=_one_line(name))


def node(name: str) -> Markup:
    """A cell with a node's name."""
    return cell(name, class_=_one_line(name))


def row(*cells: Markup) -> Markup:
    """A row."""
    return el("tr", *cells)


def workload(reference: WorkloadRef) -> Markup:
    """The cell that names its row by a workload: the name, and below it kind and namespace."""
    below = f"{story.SHORT_KIND[reference.kind]} in {reference.namespace}"
    return named(reference.name, el("span", below, class_="ns"))


def way(source: str, target: str) -> Markup:
    """A cell with two nodes one below the other."""
    return cell(source, el("span", f"→ {target}", class_="to"), class_=_one_line(max(source, target, key=len)))


def explained(code: str, reason: str, remedy: str = "") -> Markup:
    """A reason with its code, and below it what helps."""
    helps = [el("span", f"What helps: {remedy}", class_="helps")] if remedy else []
    return cell(reason or story.meaning(code), " ", el("code", code), *helps, class_="why")


def _head(title: str) -> Markup:
    figures = title.startswith(">")
    return el("th", title.removeprefix(">"), scope="col", class_="num" if figures else None)


def table(titles: str, body: Rows, caption: str = "") -> Markup:
    """A table in a box that scrolls sideways on small screens.

    Parameters
    ----------
    titles
        Column titles separated by ``|``; those that begin with ``>`` stand over figures.
    body
        Rows.
    caption
        What the table shows, where its section's title does not say it.
    """
    heads = [_head(title) for title in titles.split("|")]
    shown = list(within(body.rows, body.room_bytes))
    left = body.total - len(shown)
    if left > 0:
        rest = f"and {number(left)} more; {body.elsewhere} lists all."
        shown.append(el("tr", el("td", rest, colspan=len(heads), class_="soft")))
    captioned = el("caption", caption) if caption else escaped("")
    content = el("table", captioned, el("thead", el("tr", *heads)), el("tbody", *shown))
    return el("div", content, class_="scroll", tabindex="0", role="region", aria_label=caption or titles.split("|")[0])
