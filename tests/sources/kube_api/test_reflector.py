from __future__ import annotations

import itertools
import threading

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sources.kube_api.following import TIMING, following, reflecting, served
from tests.sources.kube_api.server import Handler
from ullage.sources.kube_api.reflector import Why
from ullage.sources.watched import MACHINES, PODS

PATH = PODS.path


def test_a_list_comes_in_pages_and_the_watch_begins_where_it_ends() -> None:
    with following(objects=250) as found:
        assert found.comes_equal()
        pages = found.api.asked(PATH, watch=False)
        assert [each.query["limit"] for each in pages] == ["100", "500"]
        assert "continue" not in pages[0].query
        assert pages[1].query["continue"] != ""
        assert found.sink.calls == ["replace"]
        query = found.api.asked(PATH, watch=True)[0].query
        assert query["resourceVersion"] == str(found.api.version)
        assert query["allowWatchBookmarks"] == "true"
        assert 240 <= int(query["timeoutSeconds"]) <= 480
        assert all("resourceVersion" not in each.query for each in pages)


def test_events_follow_one_another() -> None:
    with following() as found:
        found.api.put(PATH, "more", app="db")
        found.api.delete(PATH, "at-first-0")
        found.api.put(PATH, "more", app="web")
        assert found.comes_equal()
        assert found.sink.calls == ["replace", "ADDED", "DELETED", "MODIFIED"]
        assert not any(found.reflector.health().relists.values())


def test_a_watch_that_ends_goes_on_from_the_newest_bookmark() -> None:
    with following() as found:
        found.api.put(PATH, "more")
        found.api.bookmark(PATH)
        at = found.api.version
        assert found.comes_equal()
        found.api.break_streams()
        assert found.api.seen(lambda: len(found.api.asked(PATH, watch=True)) == 2)
        # Either all events were read before the reset, or the rest comes again.
        found.api.put(PATH, "yet-more")
        assert found.comes_equal()
        assert found.api.asked(PATH, watch=True)[-1].query["resourceVersion"] in {str(at), str(at - 1)}
        assert len(found.api.asked(PATH, watch=False)) == 1


def test_a_page_that_expires_leads_to_a_full_list() -> None:
    expired: list[Handler] = []

    def expire_once(handler: Handler) -> bool:
        if "continue" in handler.query and not expired:
            expired.append(handler)
            handler.fail(410, "Expired")
            return True
        return False

    with served() as api:
        for number in range(150):
            api.put(PATH, f"pod-{number}")
        api.fault = expire_once
        with reflecting(api) as found:
            assert found.comes_equal()
            assert [each.query.get("limit") for each in api.asked(PATH, watch=False)] == ["100", "500", None]
            assert not any(found.reflector.health().relists.values())


def test_one_broken_object_leaves_the_others_in_peace() -> None:
    with served() as api:
        for number in range(3):
            api.put(PATH, f"pod-{number}")
        api.put_raw(PATH, "broken", {"metadata": {"name": "broken", "uid": "b", "namespace": "default", "labels": 5}})
        with reflecting(api) as found:
            assert found.comes_equal()
            assert (len(found.sink.objects), found.sink.quarantined) == (3, 1)
            assert found.watches()
            odd = {"metadata": {"name": "odd", "uid": "o", "namespace": "default", "labels": ["x"]}}
            api.put_raw(PATH, "odd", odd)
            api.put(PATH, "after")
            assert found.comes_equal()
            assert found.sink.quarantined == 2
            assert not any(found.reflector.health().relists.values())
            assert len(api.asked(PATH)) == 2


def test_duplicates_change_nothing() -> None:
    with following() as found:
        found.api.order = lambda events: [twice for each in events for twice in (each, each)]
        found.api.put(PATH, "more")
        found.api.put(PATH, "at-first-0", changed="yes")
        assert found.comes_equal()
        assert not any(found.reflector.health().relists.values())


def test_events_out_of_order_lead_to_a_new_list() -> None:
    with following() as found:
        found.api.order = lambda events: events[::-1]
        with found.api.changed:
            found.api.put(PATH, "at-first-0", changed="once")
            found.api.put(PATH, "at-first-0", changed="twice")
        assert found.sink.comes_to(lambda: found.reflector.health().relists[Why.DISORDER.value] == 1)
        assert found.comes_equal()
        assert found.sink.objects["default", "at-first-0"][1] == {"changed": "twice"}


def test_a_name_that_comes_back_is_another_object() -> None:
    with following() as found:
        found.api.put(PATH, "at-first-0", uid="another")
        assert found.comes_equal()
        assert found.sink.calls == ["replace", "DELETED", "ADDED"]


def test_a_compacted_history_leads_to_a_new_list() -> None:
    with following() as found:
        found.api.fault = lambda handler: _gone_in_the_meantime(handler)
        found.api.break_streams()
        found.api.put(PATH, "more")
        assert found.comes_equal()
        assert found.reflector.health().relists[Why.GONE.value] == 1


def _gone_in_the_meantime(handler: Handler) -> bool:
    if handler.is_watch:
        handler.api.compact(PATH)
        handler.api.fault = None
    return False


def test_retry_after_is_honoured() -> None:
    with following() as found:
        started = found.clock.monotonic()

        def busy(handler: Handler) -> bool:
            handler.fail(429, "TooManyRequests", Retry_After="7")
            return True

        found.api.fault = busy
        found.clock.at(started + 40.0, lambda: setattr(found.api, "fault", None))
        found.api.break_streams()
        assert found.clock.reached(started + 40.0)
        refused = [each.at_seconds for each in found.api.asked(PATH) if started <= each.at_seconds <= started + 40.0]
        gaps = [after - before for before, after in itertools.pairwise(refused[1:])]
        assert len(gaps) >= 2
        assert min(gaps) >= 7.0


def test_lag_counts_from_what_was_heard_last() -> None:
    with following() as found:
        found.clock.wait(threading.Event(), 100.0)
        assert 100.0 <= found.reflector.health().lag_seconds <= 110.0
        found.api.bookmark(PATH)
        found.api.put(PATH, "more")
        assert found.comes_equal()
        assert found.sink.comes_to(lambda: found.reflector.health().lag_seconds < 10.0)


def test_health_says_why_it_cannot_be_watched() -> None:
    with served() as api:
        api.tokens = {"another"}
        with reflecting(api) as found:
            assert api.seen(lambda: len(api.asked(PATH)) > 2)
            health = found.reflector.health()
            assert not health.is_synced
            assert health.error == "401 Unauthorized: the server says Unauthorized"
            assert health.lag_seconds != health.lag_seconds


def test_an_optional_resource_appears_and_vanishes_and_appears() -> None:
    with served() as api:
        started = api.clock.monotonic()
        path = MACHINES.path
        api.clock.at(started + 100.0, lambda: api.put(path, "vm-1"))
        with reflecting(api, MACHINES) as found:
            assert api.clock.reached(started + 100.0)
            assert found.comes_equal()
            assert found.sink.calls == ["forget", "replace"]
            group = path.rpartition("/")[0]
            assert len(api.asked(group)) <= 6
            health = found.reflector.health()
            assert (health.is_served, health.is_synced, sum(health.relists.values())) == (True, True, 0)
            assert found.watches()
            api.unserve(path)
            assert found.sink.comes_to(lambda: found.sink.calls[-1] == "forget")
            assert found.sink.comes_to(lambda: not found.reflector.health().is_served)
            assert found.sink.objects == {}
            assert found.reflector.health().is_synced
            api.put(path, "vm-2")
            assert found.sink.comes_to(lambda: ("default", "vm-2") in found.sink.objects)
            assert found.reflector.health().relists[Why.SERVED.value] == 1


def test_a_proxy_that_knows_nothing_does_not_make_machines_vanish() -> None:
    def lost(handler: Handler) -> bool:
        handler.reply_raw(404, b"no such page", "text/plain")
        return True

    with following(MACHINES, objects=2) as found:
        started = found.clock.monotonic()
        found.api.fault = lost
        found.clock.at(started + 60.0, lambda: setattr(found.api, "fault", None))
        found.api.break_streams()
        assert found.clock.reached(started + 60.0)
        found.api.put(MACHINES.path, "later")
        assert found.comes_equal()
        assert "forget" not in found.sink.calls


def test_requests_of_an_absent_resource_are_few() -> None:
    with served() as api:
        api.serve(PATH)
        started = api.clock.monotonic()
        with reflecting(api, MACHINES) as found:
            assert api.clock.reached(started + 3600.0)
            assert found.reflector.health().is_synced
        asked = [each for each in api.requests if each.at_seconds <= started + 3600.0]
        assert len(asked) <= 2 * 3600 / 30 + 2


def test_it_ends_at_once_while_it_watches() -> None:
    with following() as found:
        found.reflector.stop()
        assert found.reflector.join(2.0)


def test_a_sink_that_fails_gets_a_new_list(caplog: pytest.LogCaptureFixture) -> None:
    with following() as found:
        found.api.put_raw(PATH, "odd", {"metadata": {"name": "odd", "uid": "o", "namespace": "default", "labels": 5}})
        assert found.sink.comes_to(lambda: found.sink.quarantined == 1)
        found.api.delete(PATH, "odd")  # which this sink takes for granted that it can read
        assert found.sink.comes_to(lambda: found.reflector.health().relists[Why.UNREADABLE.value] == 1)
        found.api.put(PATH, "more")
        assert found.comes_equal()
        assert found.reflector.health().error == ""
    assert "ended by a program error" in caplog.text


@settings(max_examples=5, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["put", "swap", "delete", "reset"]), st.integers(0, 3)), max_size=25))
def test_whatever_happens_both_ends_become_equal(steps: list[tuple[str, int]]) -> None:
    with following(timing=msgspec.structs.replace(TIMING, spacing_seconds=0.0)) as found:
        for number, (what, which) in enumerate(steps):
            name = f"pod-{which}"
            if what == "reset":
                found.api.break_streams()
            elif what == "delete" and ("default", name) in found.api.held(PATH):
                found.api.delete(PATH, name)
            else:
                found.api.put(PATH, name, uid=f"uid-{number}" if what == "swap" else "", step=str(number))
        assert found.comes_equal()
