"""Events: what is told, how often, and that nothing depends on it."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from descheduler.executors.events import WINDOW_SECONDS, Events, EventType, Happening, Reference, _cut
from tests.descheduler.executors.api import status
from tests.descheduler.executors.world import World, vm_step

PATH = "/apis/events.k8s.io/v1/namespaces/app/events"
MOVED = Happening(
    regarding=Reference.of(vm_step().move.workload),
    reason="NodeOverutilized",
    action="Migrated",
    note="It moved to node-2 within 90 s.",
    related=Reference.node("node-2"),
)


@pytest.fixture
def events(world: World) -> Events:
    return Events(world.writer, "replica-1")


def test_event_says_what_where_and_why(world: World, events: Events) -> None:
    assert events.tell(MOVED)
    (request,) = world.api.done
    assert (request.method, request.path) == ("POST", PATH)
    body = dict(request.body)
    assert body.pop("metadata")["namespace"] == "app"
    assert body == {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "eventTime": "2026-01-01T00:00:00.000000Z",
        "reportingController": "ullage.dev/descheduler",
        "reportingInstance": "replica-1",
        "type": "Normal",
        "reason": "NodeOverutilized",
        "action": "Migrated",
        "note": "It moved to node-2 within 90 s.",
        "regarding": {
            "kind": "VirtualMachineInstance",
            "name": "db",
            "namespace": "app",
            "uid": "vmi-uid",
            "apiVersion": "kubevirt.io/v1",
        },
        "related": {"kind": "Node", "name": "node-2", "uid": "node-2", "apiVersion": "v1"},
    }


def test_events_of_nodes_stand_in_the_default_namespace(world: World, events: Events) -> None:
    assert events.tell(Happening(Reference.node("node-1", "u"), "Over", "Tainted", "It is over.", EventType.WARNING))
    assert world.api.done[0].path == "/apis/events.k8s.io/v1/namespaces/default/events"
    assert "related" not in world.api.done[0].body
    assert world.api.done[0].body["type"] == "Warning"


def test_the_same_is_told_once_within_two_minutes(world: World, events: Events) -> None:
    again = Happening(MOVED.regarding, MOVED.reason, MOVED.action, "Other numbers.", MOVED.kind, MOVED.related)
    other = Happening(MOVED.regarding, MOVED.reason, "Cancelled", "Another action.", MOVED.kind, MOVED.related)
    assert [events.tell(each) for each in (MOVED, MOVED, again, other)] == [True, False, False, True]
    world.clock.now = WINDOW_SECONDS - 1
    assert not events.tell(again)
    world.clock.now = WINDOW_SECONDS
    assert events.tell(again)
    assert len(world.api.done) == len({each.body["metadata"]["name"] for each in world.api.done}) == 3
    assert events.lost == 0


def test_what_can_happen_once_has_one_name_whoever_tells_of_it(world: World, events: Events) -> None:
    once = msgspec.structs.replace(MOVED, once="plan/1")
    other = msgspec.structs.replace(MOVED, once="plan/2")
    assert events.tell(once)
    world.clock.now = 30.0
    heir = Events(world.writer, "replica-2")
    assert heir.tell(msgspec.structs.replace(once, note="It has moved."))
    assert heir.tell(other)
    assert len({each.body["metadata"]["name"] for each in world.api.done}) == len(world.api.done) == 2
    assert heir.lost == 0


@pytest.mark.parametrize("code", [403, 404, 422, 429, 500])
def test_failure_is_counted_and_not_raised(world: World, events: Events, code: int) -> None:
    world.api.answers = [status(code, "Because", "no")]
    assert not events.tell(MOVED)
    assert events.lost == 1


def test_nothing_is_told_while_we_are_held_back_or_alone(world: World, events: Events) -> None:
    world.held_back = "paused"
    assert not events.tell(MOVED)
    assert world.api.requests == []
    world.held_back = ""
    world.api.close()
    world.clock.now = WINDOW_SECONDS
    assert not events.tell(MOVED)
    assert events.lost == 2


@given(st.text(max_size=1500))
def test_notes_fit(note: str) -> None:
    cut = _cut(note)
    assert len(cut.encode()) <= 1024
    assert cut == note or (cut.endswith("…") and note.startswith(cut[:-1]))
    assert len(note.encode()) > 1024 or cut == note
