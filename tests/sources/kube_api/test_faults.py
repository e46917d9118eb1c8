"""Faults on the server's side for a minute: the cache equals the server soon after, and the server was left in peace."""

from __future__ import annotations

import pytest

from tests.sources.kube_api.following import IMPATIENT, PATIENT, QUICK, TIMING, Following, following
from tests.sources.kube_api.server import Fault, Handler
from ullage.sources.kube_api.reflector import Why
from ullage.sources.watched import PODS

FAULT_SECONDS = 60.0
RECOVERY_SECONDS = 10.0


def reset(handler: Handler) -> bool:
    handler.reset()
    return True


def hang(handler: Handler) -> bool:
    with handler.api.changed:
        handler.api.changed.wait_for(lambda: not handler.api.is_open, 5.0)
    handler.close_connection = True
    return True


def half_open(handler: Handler) -> bool:
    handler.is_frozen = True
    return False


def truncated(handler: Handler) -> bool:
    if handler.is_watch:
        handler.begin_stream()
        handler.send_chunk(b'{"type":"MODIFIED","object":{"metadata":{"na')
    else:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b'{"kind":"PodList","items":[')
    return reset(handler)


def half_document(handler: Handler) -> bool:
    handler.reply_raw(200, b'{"kind":"PodList","metadata":{"resourceVersion":"1"},"items":[', "application/json")
    return True


def empty_document(handler: Handler) -> bool:
    handler.reply({})
    return True


def html(handler: Handler) -> bool:
    handler.reply_raw(200, b"<html><body>Please log in</body></html>", "text/html")
    return True


def ends_at_once(handler: Handler) -> bool:
    if not handler.is_watch:
        return False
    handler.begin_stream()
    handler.end_stream()
    return True


def ends_after_a_line(handler: Handler) -> bool:
    if not handler.is_watch:
        return False
    handler.begin_stream()
    handler.send_event("BOOKMARK", {"metadata": {"resourceVersion": handler.query["resourceVersion"]}})
    handler.end_stream()
    return True


def no_watches(handler: Handler) -> bool:
    if handler.is_watch:
        handler.fail(500, "InternalError")
    return handler.is_watch


def gone_in_watch(handler: Handler) -> bool:
    return error_in_watch(handler, 410)


def failure_in_watch(handler: Handler) -> bool:
    return error_in_watch(handler, 500)


def error_in_watch(handler: Handler, code: int) -> bool:
    if not handler.is_watch:
        return False
    handler.begin_stream()
    handler.send_event("ERROR", {"kind": "Status", "code": code, "message": "no"})
    handler.end_stream()
    return True


def unreadable_event(handler: Handler) -> bool:
    if not handler.is_watch:
        return False
    handler.begin_stream()
    handler.send_chunk(b'{"type":"MODIFIED","object":{"metadata":}}\n')
    handler.end_stream()
    return True


def status(code: int, reason: str, **headers: str) -> Fault:
    def answer(handler: Handler) -> bool:
        handler.fail(code, reason, **headers)
        return True

    answer.__name__ = f"status_{code}{'_'.join(['', *headers])}"
    return answer


FAULTS: tuple[Fault, ...] = (
    reset, hang, half_open, truncated, half_document, empty_document, html, ends_at_once,
    ends_after_a_line, no_watches,
    gone_in_watch, failure_in_watch, unreadable_event,
    status(401, "Unauthorized"), status(403, "Forbidden"), status(404, "NotFound"), status(410, "Expired"),
    status(429, "TooManyRequests"), status(429, "TooManyRequests", Retry_After="5"),
    status(500, "InternalError"), status(503, "ServiceUnavailable", Retry_After="1"),
)  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.__name__ for fault in FAULTS])
def test_a_fault_of_a_minute(fault: Fault) -> None:
    is_silent = fault in {hang, half_open}
    timing, limits = (IMPATIENT, QUICK) if is_silent else (TIMING, PATIENT)
    with following(timing=timing, limits=limits) as found:
        started = found.clock.monotonic()
        found.api.fault = fault
        found.clock.at(started + FAULT_SECONDS, lambda: _end(found))
        if fault is half_open:
            found.api.freeze()
        else:
            found.api.break_streams()
        _change_everything(found)
        _check(found, started)


def test_lists_of_many_pages_are_not_repeated_at_the_pace_of_one_request() -> None:
    with following(objects=2600) as found:
        started = found.clock.monotonic()
        found.api.fault = gone_in_watch
        found.clock.at(started + FAULT_SECONDS, lambda: _end(found))
        found.api.break_streams()
        _change_everything(found)
        assert found.clock.reached(started + FAULT_SECONDS)
        assert found.comes_equal()
        asked = found.api.asked(PODS.path)
        assert len([each for each in asked if started + 10.0 <= each.at_seconds <= started + FAULT_SECONDS]) <= 50
        assert sum(found.reflector.health().relists.values()) >= 5


def test_where_watches_fail_again_and_again_lists_keep_the_cache_true() -> None:
    with following() as found:
        found.api.fault = no_watches
        found.api.break_streams()
        _change_everything(found)
        assert found.comes_equal()
        assert found.reflector.health().relists[Why.FAILING.value] >= 1
        said = "500 InternalError: the server says InternalError"
        assert found.sink.comes_to(lambda: found.reflector.health().error == said)


def test_refused_connections() -> None:
    with following() as found:
        started = found.clock.monotonic()
        found.clock.at(started + FAULT_SECONDS, found.api.accept)
        found.api.refuse()
        found.api.break_streams()
        _change_everything(found)
        _check(found, started)
        assert found.reflector.health().error == ""


def _end(found: Following) -> None:
    found.api.fault = None


def _change_everything(found: Following) -> None:
    path = found.resource.path
    found.api.put(path, "at-first-0", changed="yes")
    found.api.put(path, "at-first-1", uid="another")
    found.api.delete(path, "at-first-2")
    found.api.put(path, "later")


def _check(found: Following, started: float) -> None:
    ended = started + FAULT_SECONDS
    assert found.clock.reached(ended)
    assert found.comes_equal()
    assert found.sink.objects[("default", "at-first-1")][0] == "another"
    assert found.sink.changed_at_seconds <= ended + RECOVERY_SECONDS
    at = [each.at_seconds for each in found.api.asked(PODS.path) if started + 10.0 <= each.at_seconds <= ended]
    assert len(at) <= ended - started - 10.0
    assert _most_within(at, 4.9) <= 5


def _most_within(times: list[float], window_seconds: float) -> int:
    return max((sum(start <= at < start + window_seconds for at in times) for start in times), default=0)
