"""Threads, queues and the clock."""

import threading

from tests.controlplane.rest import RestError
from tests.controlplane.waiting import until
from tests.standin.clock import Clock
from tests.standin.queue import WorkQueue
from tests.standin.running import Running


def test_error_in_a_thread_is_kept() -> None:
    running = Running()
    running.start("broken", lambda: [][1])
    until(lambda: running.failures, "a failure")
    assert isinstance(running.failures[0], IndexError)
    running.stop()


def test_passing_error_has_the_key_looked_at_again() -> None:
    running, seen = Running(), []

    def sync(key: str) -> None:
        seen.append(key)
        if len(seen) < 3:
            raise RestError(409, "Conflict", b"")

    queue: WorkQueue[str] = WorkQueue(running, "test", sync)
    queue.start()
    queue.add("a")
    until(lambda: len(seen) == 3 and queue.is_idle, "three tries")
    running.stop()
    assert seen == ["a", "a", "a"]
    assert running.failures == []


def test_other_error_is_kept_and_the_next_key_is_handled() -> None:
    running, seen = Running(), []

    def sync(key: int) -> None:
        seen.append(10 // key)

    queue: WorkQueue[int] = WorkQueue(running, "test", sync, workers=1)
    queue.start()
    queue.add(0)
    queue.add(5)
    until(lambda: seen, "the second key")
    running.stop()
    assert seen == [2]
    assert [type(each) for each in running.failures] == [ZeroDivisionError]


def test_key_is_never_handled_twice_at_a_time() -> None:
    running = Running()
    inside, most, count = threading.Semaphore(1), [], []

    def sync(_: str) -> None:
        most.append(inside.acquire(blocking=False))
        running.pause(0.01)
        inside.release()
        count.append(1)

    queue: WorkQueue[str] = WorkQueue(running, "test", sync)
    queue.start()
    for _ in range(20):
        queue.add("a")
        running.pause(0.003)
    until(lambda: queue.is_idle, "an idle queue")
    running.stop()
    assert all(most)
    assert 1 < len(count) <= 20


def test_clock_runs_fast_and_its_stamps_do_not() -> None:
    clock = Clock(speed=1000.0)
    before, at = clock.wall(), clock.now()
    until(lambda: clock.now() - at > 20, "20 s", seconds=5)
    assert clock.wall() - before < 1.0
