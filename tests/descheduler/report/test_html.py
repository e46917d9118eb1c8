"""The HTML page: it stands alone, it is well formed, and no name gets out of its place."""

import re
from html.parser import HTMLParser

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from descheduler.policy.plan import Goal
from descheduler.report import page
from descheduler.report.flow import MOST_MOVES
from descheduler.report.style import CSS
from tests.descheduler.report import samples
from tests.descheduler.report.test_wire import named
from ullage.model.codes import CODES

VOID = {"meta"}
ELEMENTS = set(
    re.findall(
        r"\w+",
        "html head meta title style body header main footer section h1 h2 h3 p b span code dl div dt dd ul li details summary "
        "table caption thead tbody tr th td svg g desc text rect path",
    )
)
PLANS = {
    "small": samples.small,
    "large": samples.large,
    "huge": lambda: samples.large(5000),
    "hostile": samples.hostile,
    "empty": samples.empty,
}


class Page(HTMLParser):
    """Reads a page strictly: every element is known, closed and in its place."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        assert tag in ELEMENTS
        assert len(dict(attrs)) == len(attrs)
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        assert tag in {"rect", "path"}
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open:
            self.texts.append((self.open[-1], data))

    def handle_comment(self, data):
        raise AssertionError(f"a comment: {data}")

    def said(self, *tags: str) -> list[str]:
        return [text for tag, text in self.texts if tag in tags]


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return {name: page(make()) for name, make in PLANS.items()}


@pytest.mark.parametrize("name", PLANS)
def test_a_page_stands_alone(pages, name: str) -> None:
    read = Page(pages[name])
    attributes = [(key, value or "") for _, attributes in read.elements for key, value in attributes.items()]
    assert not {key for key, _ in attributes} & {"src", "href", "srcset", "action", "xlink:href", "data", "poster"}
    assert not [key for key, _ in attributes if key.startswith("on")]
    assert "url(" not in CSS
    assert "@import" not in CSS
    assert (
        "meta",
        {"http-equiv": "Content-Security-Policy", "content": "default-src 'none'; style-src 'unsafe-inline'"},
    ) in (read.elements)
    assert "http:" not in pages[name]
    assert "https:" not in pages[name]


@pytest.mark.parametrize("name", PLANS)
def test_a_page_is_small_and_deterministic(pages, name: str) -> None:
    assert len(pages[name].encode()) <= 200_000
    assert page(PLANS[name]()) == pages[name]


def test_a_page_stays_small_when_everything_is_bad() -> None:
    plan = samples.large(5000, over=0.5)
    long = "n" * 240

    def renamed(node):
        return msgspec.structs.replace(node, name=long + node.name, code="node-over-no-room", reason=long)

    moves = tuple(msgspec.structs.replace(move, reason=long * 4) for move in plan.spec.moves)
    status = msgspec.structs.replace(plan.status, nodes=tuple(map(renamed, plan.status.nodes)))
    text = page(msgspec.structs.replace(plan, spec=msgspec.structs.replace(plan.spec, moves=moves), status=status))
    Page(text)
    assert len(text.encode()) <= 200_000
    assert "more; -o json lists all." in text


def test_the_page_says_what_the_plan_does(pages) -> None:
    read = Page(pages["small"])
    assert read.said("h1") == ["5 moves relieve 3 of 4 nodes over the threshold"]
    assert "No plan can do with less than 4 moves or 52 GiB." in " ".join(read.said("p"))
    assert read.said("h2") == [
        "Not reached: 1 node",
        "Nodes before and after",
        "Moves",
        "What does not move",
        "Evicted first if memory ran out",
        "What was assumed",
    ]
    assert {"5", "84 GiB", "4 → 1"} <= set(read.said("dd"))
    assert "worker-03 is over: memory above 85.0 %; worker-16 stays under 80.0 % with this VM " in read.said("td")
    assert "Look at its LiveMigratable condition" in "".join(read.said("p"))


def test_pictures_can_be_heard(pages) -> None:
    read = Page(pages["small"])
    pictures = [attributes for tag, attributes in read.elements if tag == "svg" and "aria-hidden" not in attributes]
    assert [attributes["role"] for attributes in pictures] == ["img", "img"]
    assert len(read.said("desc")) == 2
    assert "Memory: 4 of 22 nodes over the threshold before, 1 after." in read.said("desc")[0]
    heads = [attributes for tag, attributes in read.elements if tag == "th"]
    assert {attributes["scope"] for attributes in heads} == {"row", "col"}


def test_what_is_over_carries_a_mark_besides_its_colour(pages) -> None:
    assert pages["small"].count("▲ 9") == 4
    assert "▲ 50 over" in pages["large"]


def test_few_nodes_are_rows_and_many_are_a_map(pages) -> None:
    assert 'class="heat"' not in pages["small"]
    assert pages["small"].count(">worker-01</text>") == 1
    assert 'class="heat"' in pages["large"]
    assert "Nodes that change: 60 of " in pages["large"]
    assert ">node-00423</text>" in pages["large"]


def test_a_map_has_a_cell_for_every_node(pages) -> None:
    heat = re.search(r'<svg[^>]*class="heat".*?</svg>', pages["large"], re.DOTALL)
    assert heat is not None
    cells = re.findall(r'd="([^"]*)" class="c ', heat[0])
    assert sum(int(run) for path in cells for run in re.findall(r"h(\d+)", path)) == 4 * 1000


def test_many_moves_are_not_drawn_as_a_flow() -> None:
    def moved(count: int) -> str:
        builder = samples.Builder(nodes=[samples.Node("a", 0.5, 0.9, memory_bytes=2**50), samples.Node("b", 0.1, 0.1)])
        for index in range(count):
            builder.move(f"vm-{index}", "a", "b", 0 if index % 2 else 1)
        return page(builder.plan())

    assert moved(MOST_MOVES).count('class="ribbon"') == MOST_MOVES
    assert 'class="ribbon"' not in moved(MOST_MOVES + 1)


@pytest.mark.parametrize("goal", Goal)
def test_every_goal_has_its_figures(goal: Goal) -> None:
    plan = samples.small()
    read = Page(page(msgspec.structs.replace(plan, spec=msgspec.structs.replace(plan.spec, goal=goal))))
    last = {"relieve": "Memory of the fullest node", "balance": "Deviation of memory use"}
    assert read.said("dt")[-1] == last.get(goal.value, "Nodes emptied")


def test_hostile_names_are_shown_as_they_are(pages) -> None:
    read = Page(pages["hostile"])
    said = read.said("th")
    assert "<script>alert(1)</script>" in said
    assert "\\x1b[31mred" in said
    assert "a\\u202eb" in said
    assert "<script" not in pages["hostile"]


@given(st.text(max_size=40).filter(lambda name: name not in CODES))  # a known code brings its remedy along
@settings(max_examples=40, deadline=None)
def test_no_name_gets_out_of_its_place(name: str) -> None:
    tags = [tag for tag, _ in Page(page(named(name))).elements]
    assert tags == [tag for tag, _ in Page(page(named("x"))).elements]


def _luminance(colour: str) -> float:
    full = "".join(2 * digit for digit in colour) if len(colour) == 3 else colour
    parts = [int(full[index : index + 2], 16) / 255 for index in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    dark, light = sorted(map(_luminance, (one, other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_text_has_the_contrast_of_wcag_aa(theme: int) -> None:
    colours = dict(re.findall(r"--([a-z0-9-]+):#([0-9a-f]+);", CSS.split(":root{")[theme + 1]))
    for ink in ("ink", "soft", "over-ink", "good-ink"):
        for ground in ("page", "card", "warn"):
            assert _contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)
    for mark in ("bar", "over", "good", "more"):
        assert _contrast(colours[mark], colours["card"]) >= 3, mark
