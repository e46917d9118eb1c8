"""Soft taints: ours are as they shall be, and those of others stay as they are, whoever writes at the same time."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from descheduler.executors.taint import EFFECT, HOLDS_SECONDS, KEY, Change, SoftTaints, TaintChange
from descheduler.executors.writer import HeldBackError
from tests.descheduler.executors.api import Json, Request, status
from tests.descheduler.executors.world import World
from ullage.sources.kube_api.errors import KubeError

NOW = 1_767_225_600.0
NODE_1 = "/api/v1/nodes/node-1"
UID_1 = "uid-of-node-1"
FOREIGN = [
    {"key": "node.kubernetes.io/unreachable", "effect": "NoExecute", "timeAdded": "2026-01-01T00:00:00Z"},
    {"key": KEY, "effect": "NoSchedule", "value": "not-ours"},
    {"effect": EFFECT, "value": "x", "key": f"{KEY}-other"},
]


def mark(until: object) -> Json:
    return {"key": KEY, "value": str(until), "effect": EFFECT}


def taints(world: World, node: str = "node-1") -> list[Json]:
    return world.api.objects[f"/api/v1/nodes/{node}"]["spec"].get("taints", [])


def put(world: World, *found: Json, node: str = "node-1", uid: str = "") -> None:
    world.api.change(
        f"/api/v1/nodes/{node}", {"metadata": {"uid": uid} if uid else {}, "spec": {"taints": list(found)}}
    )


@pytest.fixture
def soft(world: World) -> SoftTaints:
    return SoftTaints(world.writer)


def test_wanted_node_is_marked_behind_the_taints_of_others(world: World, soft: SoftTaints) -> None:
    put(world, *FOREIGN)
    assert soft.reconcile({"node-1": UID_1}, NOW) == (TaintChange("node-1", Change.ADDED),)
    assert taints(world) == [*FOREIGN, mark(round(NOW + HOLDS_SECONDS))]
    assert [list(each) for each in taints(world)] == [*(list(each) for each in FOREIGN), ["key", "value", "effect"]]
    (request,) = world.api.done
    assert request.body["metadata"].keys() == {"resourceVersion"}


def test_others_are_unmarked_and_their_taints_stay(world: World, soft: SoftTaints) -> None:
    put(world, FOREIGN[0], mark(NOW + 800), *FOREIGN[1:])
    put(world, mark("junk"), node="node-2")
    assert set(soft.reconcile({}, NOW)) == {TaintChange(f"node-{n}", Change.REMOVED) for n in (1, 2)}
    assert taints(world) == FOREIGN
    assert taints(world, "node-2") == []
    assert soft.reconcile({}, NOW) == ()


@pytest.mark.parametrize(
    ("left", "changes"),
    [
        (HOLDS_SECONDS, ()),
        (HOLDS_SECONDS / 2, ()),
        (HOLDS_SECONDS / 2 - 1, (TaintChange("node-1", Change.RENEWED),)),
        (-5, (TaintChange("node-1", Change.RENEWED),)),
        (HOLDS_SECONDS + 60, (TaintChange("node-1", Change.RENEWED),)),
    ],
)
def test_taint_is_renewed_before_it_lapses_and_not_each_cycle(
    world: World, soft: SoftTaints, left: float, changes: tuple[TaintChange, ...]
) -> None:
    put(world, mark(round(NOW + left)))
    assert soft.reconcile({"node-1": UID_1}, NOW) == changes
    assert taints(world) == [mark(round(NOW + (HOLDS_SECONDS if changes else left)))]


@pytest.mark.parametrize("value", ["junk", "", "-1", "٣", "1e9", "nan"])
def test_value_that_is_none_of_ours_is_written_anew(world: World, soft: SoftTaints, value: str) -> None:
    put(world, mark(value))
    assert math.isnan(soft.listed()[0].until_seconds)
    assert soft.reconcile({"node-1": UID_1}, NOW) == (TaintChange("node-1", Change.RENEWED),)
    assert taints(world) == [mark(round(NOW + HOLDS_SECONDS))]


def test_another_node_of_the_name_is_not_marked(world: World, soft: SoftTaints) -> None:
    put(world, mark(NOW + 800), uid="made-anew")
    assert soft.reconcile({"node-1": UID_1}, NOW) == (TaintChange("node-1", Change.REMOVED),)
    assert soft.reconcile({"node-1": UID_1, "node-9": "x"}, NOW) == ()
    assert taints(world) == []


def test_racing_writer_loses_nothing(world: World, soft: SoftTaints) -> None:
    """Three of its writes fall between ours and what ours was made from."""
    added = [{"key": f"theirs-{number}", "effect": "NoSchedule"} for number in range(3)]

    def race(_: Request) -> None:
        if len(taints(world)) < 3:
            put(world, *taints(world), added[len(taints(world))])

    world.api.meanwhile = race
    assert soft.reconcile({"node-1": UID_1}, NOW) == (TaintChange("node-1", Change.ADDED),)
    assert taints(world) == [*added, mark(round(NOW + HOLDS_SECONDS))]
    assert len(world.api.asked("PATCH")) == 4


def test_node_is_decided_on_anew_after_a_conflict(world: World, soft: SoftTaints) -> None:
    """Another node has the name now: it is not ours to mark."""

    def recreated(_: Request) -> None:
        put(world, uid="made-anew")

    world.api.meanwhile = recreated
    assert soft.reconcile({"node-1": UID_1}, NOW) == ()
    assert taints(world) == []


def test_storm_of_conflicts_ends_after_five_tries(world: World, soft: SoftTaints) -> None:
    world.api.meanwhile = lambda _: put(world, FOREIGN[0])
    (change,) = soft.reconcile({"node-1": UID_1}, NOW)
    assert (change.change, len(world.api.asked("PATCH"))) == (Change.FAILED, 5)
    assert taints(world) == [FOREIGN[0]]


def test_node_that_fails_keeps_no_other_from_its_change(world: World, soft: SoftTaints) -> None:
    put(world, mark(NOW))
    put(world, mark(NOW), node="node-2")
    world.api.answers = [status(403, "Forbidden", "not yours")]
    first, second = soft.reconcile({}, NOW)
    assert (first.change, second.change) == (Change.FAILED, Change.REMOVED)
    assert "not yours" in first.text
    assert soft.reconcile({}, NOW) == (TaintChange(first.node, Change.REMOVED),)


def test_node_that_goes_meanwhile_is_no_failure(world: World, soft: SoftTaints) -> None:
    world.api.meanwhile = lambda _: world.api.remove(NODE_1)
    assert soft.reconcile({"node-1": UID_1}, NOW) == ()


@pytest.mark.parametrize("moment", ["before", "committed"])
def test_lost_reply_is_made_good_by_the_next_cycle(world: World, soft: SoftTaints, moment: str) -> None:
    world.api.lose = moment
    (change,) = soft.reconcile({"node-1": UID_1}, NOW)
    assert change.change is Change.FAILED
    assert len(soft.reconcile({"node-1": UID_1}, NOW)) == (moment == "before")
    assert taints(world) == [mark(round(NOW + HOLDS_SECONDS))]
    assert len(world.api.writes("PATCH")) == 1


def test_another_replica_finds_and_clears_what_was_left(world: World, soft: SoftTaints) -> None:
    soft.reconcile({"node-1": UID_1, "node-2": "uid-of-node-2"}, NOW)
    successor = SoftTaints(world.writer)
    found = [(each.node, each.uid, each.until_seconds) for each in successor.listed()]
    assert found == [(f"node-{n}", f"uid-of-node-{n}", NOW + HOLDS_SECONDS) for n in (1, 2)]
    assert {each.change for each in successor.clear()} == {Change.REMOVED}
    assert successor.listed() == ()


def test_nodes_are_listed_in_pages(world: World, soft: SoftTaints) -> None:
    for number in range(150):
        made = {"metadata": {}, "spec": {"taints": [mark(NOW)] if number % 2 else []}}
        world.api.put(f"/api/v1/nodes/more-{number:03}", made)
    assert len(soft.listed()) == 75
    assert len(world.api.asked("GET", "/nodes")) == 2


def test_node_that_cannot_be_read_keeps_no_other_from_its_change(world: World, soft: SoftTaints) -> None:
    world.api.put("/api/v1/nodes/broken", {"metadata": {}, "spec": {"taints": [{"key": 7}]}})
    put(world, mark(NOW))
    assert soft.reconcile({}, NOW) == (TaintChange("node-1", Change.REMOVED),)


def test_held_back_and_unreachable(world: World, soft: SoftTaints) -> None:
    world.held_back = "paused"
    assert soft.reconcile({}, NOW) == ()
    with pytest.raises(HeldBackError):
        soft.reconcile({"node-1": UID_1}, NOW)
    assert world.api.asked("PATCH") == []
    world.api.close()
    with pytest.raises(KubeError):
        soft.reconcile({}, NOW)


def test_the_kill_switch_stops_the_removal_of_marks_as_well(world: World, soft: SoftTaints) -> None:
    """It stops every write; what is left carries its time, and the first cycle after it takes it away."""
    soft.reconcile({"node-1": UID_1}, NOW)
    held = taints(world)
    world.held_back = "kill-switch"
    for call in (soft.clear, lambda: soft.reconcile({}, NOW + 10 * HOLDS_SECONDS)):
        with pytest.raises(HeldBackError, match=r"ullage.dev/paused") as caught:
            call()
        assert caught.value.code == "kill-switch"
    assert taints(world) == held
    assert len(world.api.writes("PATCH")) == 1
    assert [each.until_seconds for each in soft.listed()] == [NOW + HOLDS_SECONDS]
    world.held_back = ""
    assert soft.reconcile({}, NOW) == (TaintChange("node-1", Change.REMOVED),)
    assert taints(world) == []


texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
foreign = st.fixed_dictionaries(
    {"key": st.one_of(texts, st.just(KEY)), "effect": st.sampled_from(["NoSchedule", "NoExecute", EFFECT])},
    optional={"value": texts, "timeAdded": st.just("2026-01-01T00:00:00Z"), "of-a-later-release": st.floats(0, 1e9)},
).filter(lambda each: (each["key"], each["effect"]) != (KEY, EFFECT))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(foreign, max_size=5), st.none() | st.integers(0, 5), st.booleans(), st.integers(-2000, 2000))
def test_taints_of_others_stay_as_they_are(
    world: World, others: list[Json], at: int | None, wanted: bool, left: int
) -> None:
    held = others if at is None else [*others[:at], mark(round(NOW + left)), *others[at:]]
    put(world, *held)
    before = len(world.api.done)
    SoftTaints(world.writer).reconcile({"node-1": UID_1} if wanted else {}, NOW)
    after = taints(world)
    ours = [each for each in after if (each["key"], each["effect"]) == (KEY, EFFECT)]
    assert json.dumps([each for each in after if each not in ours]) == json.dumps(others)
    assert len(ours) == wanted
    assert all(NOW < int(each["value"]) <= NOW + HOLDS_SECONDS for each in ours)
    assert len(world.api.done) - before <= 1
