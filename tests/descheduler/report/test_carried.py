"""The story of a plan that was carried out, as a page."""

from __future__ import annotations

import re

import pytest

from descheduler.policy.plan import PlannedMove
from descheduler.report.carried import Carried, CarriedMove, CarriedNode, Use
from descheduler.report.carried_html import page
from descheduler.report.figures import NOTHING as DASH
from descheduler.report.passage import MOST_ROWS
from tests.descheduler.report.samples import GIB, HOSTILE, THRESHOLDS, vm
from tests.descheduler.report.test_html import Page

START = 1_700_000_000.0


def moved(number: int = 1, phase: str = "Succeeded", name: str = "db", took: float | None = 80.0) -> CarriedMove:
    planned = PlannedMove(
        workload=vm("shop", name),
        source="n1",
        target="n2",
        memory_bytes=4 * GIB,
        cpu_cores=1.0,
        code="relieve",
        reason="It brings n1 down.",
        expected_seconds=60.0,
    )
    began = None if phase in ("Pending", "Skipped") else START + 10 * number
    ended = None if began is None or took is None else began + took
    code = {"Succeeded": "moved", "Failed": "migration-failed", "Skipped": "not-needed"}.get(phase, "")
    return CarriedMove(number, planned, phase, code, "It said so.", began, ended)


def node(name: str, before: float, foreseen: float, after: float | None) -> CarriedNode:
    """A node by its use of memory; that of CPU is half of it."""
    uses = [None if ratio is None else Use(ratio, ratio / 2) for ratio in (before, foreseen, after)]
    return CarriedNode(name, uses[0], uses[1], uses[2])  # type: ignore[arg-type]


def story(*moves: CarriedMove, nodes: tuple[CarriedNode, ...] | None = None, **more: object) -> Carried:
    known = (node("n1", 0.95, 0.8, 0.81), node("n2", 0.4, 0.5, 0.52)) if nodes is None else nodes
    given = {"phase": "Finished", "message": "", "created": "2026-01-01T00:00:00Z", "finished": "", **more}
    return Carried("relieve-1", "relieve", moves=moves, nodes=known, thresholds=THRESHOLDS, **given)  # type: ignore[arg-type]


def tiles(text: str) -> dict[str, tuple[str, ...]]:
    found = re.findall(r"<div><dt>(.*?)</dt><dd>(.*?)</dd>(?:<dd class=\"sub\">(.*?)</dd>)?</div>", text)
    return {title: tuple(filter(None, rest)) for title, *rest in found}


def test_it_tells_what_was_foreseen_and_what_came():
    text = page(story(moved(1), moved(2, "Failed", "web", 30.0)))
    read = Page(text)
    assert read.said("h1") == ["1 of 2 moves made, and the node that was over is relieved"]
    assert tiles(text) == {
        "Moves": ("1 of 2", "1 failed"),
        "Memory that moved": ("4 GiB",),
        "Time": ("1 min 20 s", "1 min were expected one by one"),
        "Nodes over": ("1 → 0", "0 foreseen, of 2 that it touches"),
    }
    assert "What came differs from what was foreseen by 1.1 points" in text
    (row,) = re.findall(r'<tr><th scope="row" class="one">n1</th>(.*?)</tr>', text)
    assert re.findall(r">([0-9.]+%)<", row) == ["95.0%", "80.0%", "81.0%", "47.5%", "40.0%", "40.5%"]
    assert "▲ 95.0%" not in text
    assert "95.0% → 81.0%" in read.said("text")


def test_a_node_that_stays_over_is_marked_in_more_than_colour():
    text = page(story(moved(), nodes=(node("n1", 1.2, 0.8, 0.9), node("n2", 0.4, 0.5, 0.6))))
    assert "1 of" not in Page(text).said("h1")[0]
    assert Page(text).said("h1") == ["The one move was made, 1 node still over"]
    assert "▲ 120.0% → 90.0%" in Page(text).said("text")


def test_a_node_whose_use_is_lost_is_not_called_relieved():
    nodes = (node("n1", 0.95, 0.8, 0.81), node("n2", 0.4, 0.5, 0.52), node("n3", 0.9, 0.78, None))
    text = page(story(moved(), nodes=nodes))
    assert Page(text).said("h1") == ["The one move was made, the use of 1 node is not known now"]
    assert tiles(text)["Nodes over"] == ("2 → 0", "0 foreseen, of 3 that it touches, 1 not known")
    half = CarriedNode("n3", nodes[2].before, nodes[2].foreseen, Use(0.7, None))
    assert story(nodes=(*nodes[:2], half)).unknown() == 1


def test_phases_and_durations_stand_beside_what_was_expected():
    text = page(story(moved(1), moved(2, "Skipped", "web"), moved(3, "Refused", "old")))
    rows = re.findall(r"<tr><td class=\"num\">(\d+)</td>.*?<td class=\"one ?\w*\">(\w+)</td>(.*?)</tr>", text)
    assert [(number, phase) for number, phase, _ in rows] == [("1", "Succeeded"), ("2", "Skipped"), ("3", "Refused")]
    assert [re.findall(r'class="num">([^<]*)<', rest) for *_, rest in rows] == [
        ["1 min 20 s", "1 min"],
        [DASH, "1 min"],
        [DASH, "1 min"],
    ]
    assert "not-needed" in rows[1][2]
    drawn = [text for text in Page(text).said("text") if text in ("1 min 20 s", "refused")]
    assert drawn == ["1 min 20 s", "refused"]  # what was not begun has no bar


def test_a_plan_under_way_says_that_what_came_is_not_known_yet():
    nodes = (node("n1", 0.95, 0.8, None), node("n2", 0.4, 0.5, None))
    text = page(story(moved(1, "Running", took=None), moved(2, "Pending"), nodes=nodes, phase="Running"))
    assert "What came of the nodes is known once the plan has ended." in text
    assert Page(text).said("h1") == ["0 of 2 moves made"]
    assert "under way" in Page(text).said("text")


def test_a_plan_of_which_nothing_has_begun_is_a_page_as_well():
    read = Page(page(story(moved(1, "Pending"), nodes=(), phase="Proposed")))
    assert read.said("h1") == ["The one move was not made"]
    assert "Moves over time" not in read.said("h2")


def test_a_page_stands_alone_and_no_name_gets_out_of_its_place():
    moves = [moved(i, "Failed", name) for i, name in enumerate(HOSTILE, 1)]
    nodes = tuple(node(name, 0.9, 0.7, 0.7) for name in HOSTILE)
    text = page(story(*moves, nodes=nodes, message="<b>&"))
    read = Page(text)
    attributes = {key for _, given in read.elements for key in given}
    assert not attributes & {"src", "href", "srcset", "action", "xlink:href"}
    assert "http" not in text.replace("http-equiv", "")
    assert "<script" not in text
    assert "\x1b" not in text


@pytest.mark.parametrize("count", [250])
def test_the_largest_plan_stays_small(count: int):
    moves = [moved(i, name=f"a-rather-long-name-of-a-machine-{i}") for i in range(1, count + 1)]
    nodes = tuple(node(f"worker-{i:04}.example.org", 0.9, 0.7, 0.7) for i in range(2 * count))
    text = page(story(*moves, nodes=nodes))
    assert len(text.encode()) < 250_000
    assert f"Moves over time: {MOST_ROWS} of {count}" in Page(text).said("h2")
    assert "and 0 more" not in text
