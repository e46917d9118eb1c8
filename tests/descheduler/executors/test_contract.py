"""What every executor of moves promises, whatever goes wrong between it and the API server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from descheduler.executors.evacuate import EvacuateExecutor
from descheduler.executors.evict import EvictExecutor
from descheduler.executors.migrate import MigrateExecutor
from descheduler.executors.port import FINAL, MoveExecutor, Receipt, Step, Verdict
from descheduler.executors.recording import RecordingExecutor
from descheduler.executors.unsettled import SETTLES_SECONDS
from descheduler.executors.writer import HeldBackError, Writer
from tests.descheduler.executors.api import Answer, status
from tests.descheduler.executors.world import POD, VMI, World, pod_step, vm_step
from ullage.model.codes import CODES


@dataclass(frozen=True)
class Subject:
    """An executor, a move of its kind, and how the cluster carries it out.

    Attributes
    ----------
    write
        Part of the path of the write that begins a move.
    arrive
        The cluster does what was asked.
    replace
        Another object takes the workload's name.
    """

    make: Callable[[Writer], MoveExecutor]
    step: Step
    write: str
    arrive: Callable[[World], None]
    replace: Callable[[World], None]


def migrated(world: World) -> None:
    world.arrive("node-2")
    world.migrate("Succeeded", startTimestamp="2026-01-01T00:00:10Z", endTimestamp="2026-01-01T00:01:40Z")


def other_vm(world: World) -> None:
    world.api.change(VMI, {"metadata": {"uid": "another"}})


SUBJECTS = {
    "migrate": Subject(MigrateExecutor, vm_step(), "instancemigrations", migrated, other_vm),
    "evict": Subject(
        EvictExecutor,
        pod_step(),
        "/eviction",
        lambda world: world.api.remove(POD),
        lambda world: world.put_pod("another"),
    ),
    "evacuate": Subject(EvacuateExecutor, vm_step(), "/eviction", lambda world: world.arrive("node-2"), other_vm),
    "evacuate-urgent": Subject(
        lambda writer: EvacuateExecutor(writer, urgent=True),
        vm_step(),
        "/eviction",
        lambda world: world.arrive("node-2"),
        other_vm,
    ),
}


@pytest.fixture(params=sorted(SUBJECTS))
def subject(request: pytest.FixtureRequest) -> Subject:
    return SUBJECTS[request.param]


def applied(world: World, subject: Subject) -> int:
    return len(world.api.writes("POST", subject.write))


def sent(world: World, subject: Subject) -> int:
    return sum(each.is_write for each in world.api.asked("POST", subject.write))


def is_told(receipt: Receipt) -> bool:
    """Whether a receipt says what people and metrics need."""
    return receipt.code in CODES and bool(receipt.text)


def test_names_are_those_of_the_registry(world: World) -> None:
    assert {name: each.make(world.writer).name for name, each in SUBJECTS.items()} == {n: n for n in SUBJECTS}


def test_move_is_begun_followed_and_done(world: World, subject: Subject) -> None:
    executor = subject.make(world.writer)
    begun = executor.begin(subject.step)
    assert begun.verdict is Verdict.UNDER_WAY
    assert is_told(begun)
    assert executor.look(subject.step).verdict is Verdict.UNDER_WAY
    subject.arrive(world)
    done = executor.look(subject.step)
    assert done.verdict is Verdict.DONE
    assert is_told(done)
    assert len(world.api.done) == applied(world, subject) == 1


def test_begun_twice_is_applied_once(world: World, subject: Subject) -> None:
    executor = subject.make(world.writer)
    verdicts = [executor.begin(subject.step).verdict for _ in range(3)]
    assert verdicts == [Verdict.UNDER_WAY] * 3
    assert applied(world, subject) == sent(world, subject) == 1


@pytest.mark.parametrize("moment", ["before", "committed"])
@pytest.mark.parametrize("survives", [True, False])
def test_lost_reply_is_looked_for_before_anything_is_asked_again(
    world: World, subject: Subject, moment: str, survives: bool
) -> None:
    """Crash and loss at every boundary of the write; the API server's log is the judge."""
    executor = subject.make(world.writer)
    world.api.lose = moment
    assert executor.begin(subject.step).verdict is Verdict.UNKNOWN
    executor = executor if survives else subject.make(world.writer)
    again = executor.begin(subject.step)
    if moment == "committed":
        assert again.verdict is Verdict.UNDER_WAY
    elif survives:  # it may still be on its way
        assert (again.verdict, sent(world, subject)) == (Verdict.UNKNOWN, 1)
        assert executor.look(subject.step).verdict is Verdict.UNKNOWN
        world.clock.now += SETTLES_SECONDS
        again = executor.begin(subject.step)
    assert again.verdict is Verdict.UNDER_WAY
    assert applied(world, subject) == 1
    subject.arrive(world)
    assert executor.look(subject.step).verdict is Verdict.DONE


def test_hanging_server_costs_seconds_and_is_unknown(world: World, subject: Subject) -> None:
    executor = subject.make(world.writer)
    world.api.lose = "hang"
    assert executor.begin(subject.step).verdict is Verdict.UNKNOWN
    assert executor.begin(subject.step).verdict is Verdict.UNDER_WAY
    assert applied(world, subject) == 1


def test_reply_of_success_that_is_no_reply_is_unknown(world: World, subject: Subject) -> None:
    executor = subject.make(world.writer)
    world.api.answers = [(200, "a proxy's page")]  # type: ignore[list-item]
    receipt = executor.begin(subject.step)
    assert (receipt.verdict, receipt.code) == (Verdict.UNKNOWN, "unreadable-reply")


def test_another_object_of_the_name_is_left_alone(world: World, subject: Subject) -> None:
    executor = subject.make(world.writer)
    subject.replace(world)
    receipt = executor.begin(subject.step)
    assert (receipt.verdict, receipt.code) == (Verdict.GONE, "workload-gone")
    assert not [each for each in world.api.requests if each.is_write]


def test_object_replaced_between_look_and_write_is_left_alone(world: World, subject: Subject) -> None:
    """Only a precondition can tell; a migration names no uid, and the VM's new one shows it at the next look."""
    executor = subject.make(world.writer)
    world.api.meanwhile = lambda _: subject.replace(world)
    if subject.write == "/eviction" and subject.step.move.workload.kind == "Pod":
        assert executor.begin(subject.step).code == "workload-gone"
        assert applied(world, subject) == 0
    else:
        assert executor.begin(subject.step).verdict is Verdict.UNDER_WAY
        assert executor.look(subject.step).verdict in FINAL | {Verdict.UNDER_WAY}


def test_workload_that_is_gone_is_nothing_to_do(world: World, subject: Subject) -> None:
    world.api.remove(POD)
    world.api.remove(VMI)
    receipt = subject.make(world.writer).begin(subject.step)
    assert (receipt.verdict, receipt.code) == (Verdict.GONE, "workload-gone")
    assert not [each for each in world.api.requests if each.is_write]


def test_held_back_write_is_not_sent_and_says_so(world: World, subject: Subject) -> None:
    executor = subject.make(world.writer)
    world.held_back = "we do not lead any more"
    with pytest.raises(HeldBackError, match="do not lead"):
        executor.begin(subject.step)
    assert not [each for each in world.api.requests if each.is_write]
    world.held_back = ""
    assert executor.begin(subject.step).verdict is Verdict.UNDER_WAY


@pytest.mark.parametrize("code", [400, 401, 403, 404, 409, 410, 422, 429, 500, 502, 503, 504])
def test_every_status_has_a_receipt(world: World, subject: Subject, code: int) -> None:
    executor = subject.make(world.writer)
    world.api.answers = [status(code, "Because", "the server says so")] * 2
    begun = executor.begin(subject.step)
    assert is_told(begun)
    assert begun.verdict not in {Verdict.DONE, Verdict.UNDER_WAY}
    assert applied(world, subject) == 0
    world.api.answers = []
    world.clock.now += SETTLES_SECONDS
    assert executor.begin(subject.step).verdict is Verdict.UNDER_WAY


def test_what_is_not_seen_any_more_ends(world: World, subject: Subject) -> None:
    """A move of which nothing came is not followed for ever."""
    executor = subject.make(world.writer)
    world.api.lose = "before"
    executor.begin(subject.step)
    world.clock.now += SETTLES_SECONDS
    assert executor.look(subject.step).verdict in {Verdict.FAILED, Verdict.CANCELLED}


@pytest.mark.parametrize("page", [(404, {"what": "page not found"}), (200, "a page"), (503, {})])
def test_page_of_a_proxy_is_no_word_of_the_server(world: World, subject: Subject, page: Answer) -> None:
    """Nothing is taken as gone, and nothing is begun or ended, because a proxy finds nothing."""
    executor = subject.make(world.writer)
    world.api.page = page
    for call in (executor.begin, executor.look, executor.cancel):
        receipt = call(subject.step)
        assert (receipt.verdict, receipt.code) == (Verdict.LATER, "cannot-read")
    assert not [each for each in world.api.requests if each.is_write]


def test_unreachable_server_is_asked_again_later(world: World, subject: Subject) -> None:
    executor = subject.make(world.writer)
    world.api.close()
    for call in (executor.begin, executor.look, executor.cancel):
        receipt = call(subject.step)
        assert (receipt.verdict, receipt.code) == (Verdict.LATER, "cannot-read")
        assert receipt.retry_after_seconds > 0


def test_cancelled_move_ends_or_says_that_it_cannot(world: World, subject: Subject) -> None:
    executor = subject.make(world.writer)
    executor.begin(subject.step)
    receipt = executor.cancel(subject.step)
    assert receipt.verdict is Verdict.UNDER_WAY
    assert receipt.code in {"cancelling", "cancel-impossible"}
    world.clock.now += SETTLES_SECONDS
    after = executor.look(subject.step)
    assert after.verdict is (Verdict.CANCELLED if receipt.code == "cancelling" else Verdict.UNDER_WAY)


def test_cancelling_what_is_done_changes_nothing(world: World, subject: Subject) -> None:
    executor = subject.make(world.writer)
    executor.begin(subject.step)
    subject.arrive(world)
    before = len(world.api.done)
    assert executor.cancel(subject.step).verdict is Verdict.DONE
    assert len(world.api.done) == before


def test_probe_writes_nothing_even_while_we_are_held_back(world: World, subject: Subject) -> None:
    executor = subject.make(world.writer)
    world.held_back = "paused"
    receipt = executor.probe(subject.step)
    assert (receipt.verdict, receipt.code) == (Verdict.DONE, "feasible")
    assert not [each for each in world.api.requests if each.is_write]
    assert world.api.done == []
    world.held_back = ""
    assert executor.begin(subject.step).verdict is Verdict.UNDER_WAY


@pytest.mark.parametrize("step", [vm_step(), pod_step()])
def test_recording_executor_asks_for_nothing(world: World, step: Step) -> None:
    noted = []
    executor = RecordingExecutor(Receipt(Verdict.UNDER_WAY, "recorded", "Would begin."), note=noted.append)
    assert executor.begin(step).verdict is Verdict.UNDER_WAY
    assert executor.look(step).verdict is Verdict.DONE
    assert executor.cancel(step).verdict is Verdict.CANCELLED
    assert [(each.call, each.step) for each in executor.calls] == [("begin", step), ("look", step), ("cancel", step)]
    assert tuple(noted) == executor.calls
    assert world.api.requests == []
