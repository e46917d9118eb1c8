"""Tables for a terminal."""

import re

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from descheduler.policy.plan import Goal, LowerBound, NodeClass, RebalancePlan
from descheduler.report import render
from descheduler.report.figures import count, duration, percent, size
from descheduler.report.story import Part, headline, part, sentences
from tests.descheduler.report import samples
from tests.descheduler.report.test_wire import named

ANSI = re.compile(r"\x1b\[\d+m")


def sections(text: str) -> list[str]:
    return text.rstrip("\n").split("\n\n")


def test_the_headline_states_moves_bytes_and_the_bound() -> None:
    first = " ".join(render(samples.small()).split("\n\n")[0].split())
    assert first == (
        "5 moves relieve 3 of 4 nodes over the threshold. 84 GiB of memory moves. "
        "No plan can do with less than 4 moves or 52 GiB. The use of 1 node is not known."
    )


def test_nodes_that_matter_come_first_and_the_rest_is_one_line() -> None:
    lines = sections(render(samples.small()))[1].splitlines()
    assert lines[0].split() == ["NODE", "CLASS", "CPU", "MEMORY", "WORKLOADS", "OUT", "IN"]
    assert [line.split()[0] for line in lines[1:9]] == [
        f"worker-{number}" for number in ("19", "07", "03", "12", "16", "21", "05", "14")
    ]
    assert re.search(r"worker-07 +over -> fit +88.3% -> 72.3% +93.4% -> 79.9% +14 -> 12 +2 +0$", lines[2])
    assert lines[9] == "14 more nodes do not change: CPU 15.6% to 59.8%, memory 26.3% to 63.4%."
    assert len(lines) == 10


def test_wide_shows_all_nodes_and_more_columns() -> None:
    nodes, moves = sections(render(samples.small(), "wide"))[1:3]
    assert len(nodes.splitlines()) == 23
    assert "MEMORY-WORST-CASE" in nodes.splitlines()[0]
    assert moves.splitlines()[0].split()[-3:] == ["KIND", "TAKES", "REASON"]
    assert "worker-03 is over: memory above 85.0 %" in moves


def test_moves_stand_in_the_order_of_execution() -> None:
    lines = sections(render(samples.small()))[2].splitlines()
    assert lines[0].split() == ["NAMESPACE", "NAME", "STEP", "FROM", "TO", "MEMORY", "CPU", "CODE"]
    assert lines[3].split() == ["platform", "cache-1", "3", "worker-07", "worker-16", "12.5Gi", "4.25", "relieve"]
    assert len(lines) == 6


def test_what_stays_over_and_what_is_refused_is_told() -> None:
    _, _, _, staying, refused, notes = sections(render(samples.small()))
    assert staying.splitlines()[1].split()[:2] == ["worker-19", "node-over-no-victim"]
    assert [line.split()[:2] for line in refused.splitlines()[1:]] == [
        ["12", "not-needed"],
        ["9", "not-live-migratable"],
        ["5", "daemonset"],
        ["1", "disruption-budget"],
    ]
    assert notes.splitlines()[0] == "Note: 1 of 22 nodes has no measured use [nodes-without-metrics]"


@pytest.mark.parametrize("output", ["table", "wide"])
def test_colour_is_paint_only(output: str) -> None:
    plan = samples.small()
    plain, painted = render(plan, output), render(plan, output, color=True)
    assert "\x1b" not in plain
    assert ANSI.sub("", painted) == plain
    assert re.search(r"\x1b\[31mover +\x1b\[0m", painted)
    assert re.search(r"\x1b\[32mover -> fit *\x1b\[0m", painted)
    assert re.search(r"\x1b\[33munknown +\x1b\[0m", painted)


@given(st.text(max_size=30))
@settings(max_examples=60, deadline=None)
def test_no_name_reaches_the_terminal_raw(name: str) -> None:
    for output in ("table", "wide"):
        assert render(named(name), output).replace("\n", "").isprintable()


def test_sentences_wrap_and_tables_do_not() -> None:
    narrow = render(samples.small(), width=50).split("\n\n")
    assert max(map(len, narrow[0].splitlines())) <= 50
    assert narrow[1:-1] == render(samples.small(), width=200).split("\n\n")[1:-1]


@pytest.mark.parametrize(
    ("goal", "said"),
    [
        (Goal.RELIEVE, "5 moves relieve 3 of 4 nodes over the threshold"),
        (Goal.BALANCE, "5 moves balance the nodes: memory deviates by 17.0% -> 12.0%"),
        (Goal.EVACUATE, "5 moves empty 0 nodes"),
        (Goal.CONSOLIDATE, "5 moves empty 0 nodes"),
    ],
)
def test_each_goal_has_its_headline(goal: Goal, said: str) -> None:
    plan = samples.small()
    assert headline(msgspec.structs.replace(plan, spec=msgspec.structs.replace(plan.spec, goal=goal))) == said


@pytest.mark.parametrize(
    ("nodes", "moves", "said"),
    [
        ([], 0, "Nothing to do: the cluster has no nodes"),
        ([("a", 0.1, 0.2)], 0, "Nothing to do: no node is over its threshold"),
        ([("a", None, None)], 0, "Nothing can be judged: the use of no node is known"),
        ([("a", 0.1, 0.9)], 0, "No move helps: 1 node misses the goal"),
        ([("a", 0.1, 0.86), ("b", 0.1, 0.2)], 1, "1 move relieves the one node over the threshold"),
        ([("a", 0.1, 0.99), ("b", 0.1, 0.2)], 1, "1 move planned; 1 node still over"),
        ([("a", 0.1, 0.5), ("b", 0.1, 0.2)], 1, "1 move planned; no node is over its threshold"),
    ],
)
def test_the_headline_fits_what_happened(nodes, moves: int, said: str) -> None:
    builder = samples.Builder(nodes=[samples.Node(*node) for node in nodes])
    for _ in range(moves):
        builder.move("vm", "a", "b")
    assert headline(builder.plan()) == said


def test_nodes_that_are_over_for_a_moment_only_are_not_called_beyond_help() -> None:
    made = samples.Builder(nodes=[samples.Node("a", 0.1, 0.9), samples.Node("b", 0.1, 0.9)]).plan()

    def coded(*codes: str) -> RebalancePlan:
        nodes = tuple(msgspec.structs.replace(n, code=c) for n, c in zip(made.status.nodes, codes, strict=True))
        return msgspec.structs.replace(made, status=msgspec.structs.replace(made.status, nodes=nodes))

    assert headline(coded("node-over-not-due", "node-over-not-due")) == "2 nodes over, not for long enough yet"
    assert headline(coded("node-over-not-due", "no-room")) == "No move helps: 2 nodes miss the goal"


def test_a_plan_that_meets_the_bound_says_so() -> None:
    builder = samples.Builder(nodes=[samples.Node("a", 0.1, 0.86), samples.Node("b", 0.1, 0.2)], bound=LowerBound(1, 5))
    builder.move("vm", "a", "b")
    assert "No plan can do with fewer moves." in sentences(builder.plan())


def test_every_part_is_found() -> None:
    roles = {node.name: part(node) for node in samples.small().status.nodes}
    assert roles["worker-19"] is Part.STAYS
    assert roles["worker-07"] is Part.RELIEVED
    assert roles["worker-16"] is Part.TAKES
    assert roles["worker-14"] is Part.UNKNOWN
    assert roles["worker-01"] is Part.SAME
    builder = samples.Builder(nodes=[samples.Node("a", 0.1, 0.5), samples.Node("b", 0.1, 0.2)])
    builder.move("vm", "a", "b")
    assert part(builder.plan().status.nodes[0]) is Part.GIVES
    assert builder.plan().status.nodes[1].before.node_class is NodeClass.UNDER


def test_figures() -> None:
    assert [percent(value) for value in (0.8004, None, float("nan"), 12.0)] == ["80.0%", "?", "?", "1200.0%"]
    assert [size(value) for value in (0, 1536, 61.2 * 2**30)] == ["0 B", "1.5 KiB", "61.2 GiB"]
    assert [duration(value) for value in (0.2, 60, 61, 3600, 9999, None)] == [
        "1 s",
        "1 min",
        "1 min 1 s",
        "1 h",
        "2 h 46 min",
        "?",
    ]
    assert [count(value, "node") for value in (0, 1, 2000)] == ["0 nodes", "1 node", "2,000 nodes"]
