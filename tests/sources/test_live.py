from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from tests.sources.kube_api.following import TIMING, access, served
from tests.sources.kube_api.server import FakeApi
from tests.sources.live_parts import CountingWindows, ListedSource, NodeStore, comes_to
from ullage.sources.kube_api.clock import SystemClock
from ullage.sources.kube_api.connection import Connection, Limits
from ullage.sources.kube_api.reflector import Server, Why
from ullage.sources.live import LiveSource, LiveTiming, Parts
from ullage.sources.polling import PollTiming
from ullage.sources.watched import MACHINES, NODES, Resource

QUICK = LiveTiming(publish_seconds=0.01, longest_seconds=1000.0, watch=TIMING, poll=PollTiming(0.01, 60.0))
ONCE = LiveTiming(publish_seconds=0.01, longest_seconds=1000.0, watch=TIMING, poll=PollTiming(1000.0, 0.0))


@dataclass
class Live:
    api: FakeApi
    source: LiveSource
    store: NodeStore
    windows: CountingWindows

    def names(self) -> tuple[str, ...]:
        state = self.source.current()
        return () if state is None else tuple(state.nodes.name)


@contextmanager
def live(
    readings: Sequence[ListedSource] = (), timing: LiveTiming = QUICK, resources: Sequence[Resource] = (NODES, MACHINES)
) -> Iterator[Live]:
    with served() as api:
        api.put(NODES.path, "node-1")
        connection = Connection(lambda: access(api), SystemClock(), Limits(2.0, 2.0, 10.0))
        store, windows = NodeStore(), CountingWindows()
        source = LiveSource(Parts(Server.of(connection), store, windows, readings, resources), timing)
        try:
            yield Live(api, source, store, windows)
        finally:
            source.stop()


def test_states_follow_the_cluster() -> None:
    with live() as found:
        assert found.source.current() is None
        assert not found.source.health().is_synced
        found.source.start()
        assert found.source.wait(10.0)
        assert found.names() == ("node-1",)
        first = found.source.current()
        found.api.put(NODES.path, "node-2")
        assert comes_to(lambda: found.names() == ("node-1", "node-2"))
        second = found.source.current()
        assert first is not None
        assert second is not None
        assert second.generation > first.generation
        assert first.nodes.name == ("node-1",)
        health = found.source.health()
        assert health.is_synced
        kinds = {each.resource: each for each in health.kinds}
        assert (kinds["nodes"].objects, kinds["nodes"].is_served) == (2, True)
        assert (kinds[MACHINES.name].objects, kinds[MACHINES.name].is_served) == (0, False)
        requests = {(verb, code): count for verb, code, count in health.requests}
        assert requests["GET", "200"] >= 2
        assert kinds["nodes"].relists == dict.fromkeys((why.value for why in Why), 0)


def test_without_changes_the_state_stays_the_same() -> None:
    with live([ListedSource("prometheus")], ONCE) as found:
        found.source.start()
        assert found.source.wait(10.0)
        assert comes_to(lambda: len(found.windows.observed) == 1)
        looks = found.store.looks
        assert comes_to(lambda: found.store.looks > looks + 2)
        before = found.source.current()
        assert comes_to(lambda: found.store.looks > looks + 10)
        assert found.source.current() is before
        assert len(found.api.asked(NODES.path)) == 2


def test_the_first_state_has_the_past_and_the_first_reading() -> None:
    with live([ListedSource("prometheus", past=5)], ONCE_WITH_PAST) as found:
        found.source.start()
        assert found.source.wait(10.0)
        state = found.source.current()
        assert state is not None
        assert state.sources == ("6 readings",)
        aside = found.source.health().set_aside
        assert [(each.node, each.code) for each in aside] == [("node-1", "missing")]


ONCE_WITH_PAST = LiveTiming(publish_seconds=0.01, longest_seconds=1000.0, watch=TIMING, poll=PollTiming(1000.0, 60.0))


def test_readings_make_new_states() -> None:
    with live([ListedSource("prometheus")]) as found:
        found.source.start()
        assert found.source.wait(10.0)
        assert comes_to(lambda: len(found.windows.observed) > 5)
        state = found.source.current()
        assert state is not None
        assert comes_to(lambda: (found.source.current() or state).generation > state.generation)
        assert found.source.health().readings[0].source == "prometheus"


def test_a_reading_is_joined_with_objects_as_they_are_after_it() -> None:
    """It may show what came after the newest state: joined with that, it would show it as load of the others."""
    source = ListedSource("prometheus")
    with live([source]) as found:
        found.source.start()
        assert found.source.wait(10.0)
        before: list[int] = []
        source.meanwhile.append(lambda: before.append(_add_node(found)))
        assert comes_to(lambda: bool(before) and len(found.windows.joined) > before[0])
        assert found.windows.joined[: before[0] + 1][-2:] == [("node-1",), ("node-1", "node-2")]


def _add_node(found: Live) -> int:
    """Add a node that the store has and no state, since none is published while this runs; how many readings there were."""
    with found.store.pause:
        found.api.put(NODES.path, "node-2")
        assert comes_to(lambda: len(found.store.identities().names) == 2)
        return len(found.windows.joined)


def test_without_telemetry_there_is_a_state_all_the_same() -> None:
    broken = ListedSource("prometheus")
    broken.fails = "connection refused"
    with live([broken]) as found:
        found.source.start()
        assert found.source.wait(10.0)
        assert found.names() == ("node-1",)
        assert found.source.health().readings[0].error == "connection refused"


def test_the_first_state_does_not_wait_for_its_turn() -> None:
    slow = LiveTiming(publish_seconds=60.0, watch=TIMING, poll=PollTiming(1000.0, 0.0))
    with live([ListedSource("prometheus")], slow) as found:
        found.source.start()
        assert found.source.wait(10.0)
        assert found.windows.joined


def test_before_everything_is_listed_there_is_no_state() -> None:
    with live() as found:
        found.api.fault = lambda handler: handler.target == NODES.path and handler.fail(500, "InternalError") is None
        found.source.start()
        assert found.api.seen(lambda: len(found.api.asked(NODES.path)) > 0)
        assert comes_to(lambda: _error(found) == "500 InternalError: the server says InternalError")
        assert found.source.current() is None
        assert not found.source.health().is_synced
        found.api.fault = None
        assert found.source.wait(10.0)


def _error(found: Live) -> str:
    return next(each.error for each in found.source.health().kinds if each.resource == "nodes")


def test_what_cannot_be_published_leaves_the_state(caplog: pytest.LogCaptureFixture) -> None:
    with live() as found:
        found.source.start()
        assert found.source.wait(10.0)
        found.windows.fails = True
        found.api.put(NODES.path, "node-2")
        assert comes_to(lambda: not found.source.health().is_synced)
        assert found.names() == ("node-1",)
        found.windows.fails = False
        assert comes_to(lambda: found.names() == ("node-1", "node-2"))
        assert found.source.health().is_synced
    assert "could not be published" in caplog.text


def test_it_ends_within_two_seconds() -> None:
    with live() as found:
        found.source.start()
        assert found.source.wait(10.0)
        started = time.monotonic()
        found.source.stop()
        assert time.monotonic() - started < 2.0
        assert not [each.name for each in threading.enumerate() if each.name.startswith(("watch ", "publish", "poll"))]


def test_it_ends_without_having_begun() -> None:
    with live() as found:
        found.source.stop()
        assert found.source.current() is None
