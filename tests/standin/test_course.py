"""Durations of migrations, and how KubeVirt ends those that take too long."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.standin.kubevirt.course import Copy, Link, bandwidths
from tests.standin.kubevirt.slots import has_room, in_order
from ullage.estimation.migration import MigrationSettings
from ullage.estimation.overhead import KubeVirtVersion

GB = 10**9
LIMITS = MigrationSettings()


def run(copy: Copy, bandwidth: float, limits: MigrationSettings, step: float = 1.0) -> Copy | str:
    while copy.done_ratio < 1:
        copy = copy.advanced(step, bandwidth, limits)
        checked = copy if copy.done_ratio >= 1 else copy.checked(limits)
        if isinstance(checked, str):
            return checked
        copy = checked
    return copy


def test_idle_guest_takes_its_memory_over_the_bandwidth() -> None:
    assert Copy(10 * GB, 16 * GB, 0.0).duration_seconds(GB, LIMITS) == pytest.approx(10.0)


def test_busy_guest_takes_about_memory_over_what_is_left_of_the_bandwidth() -> None:
    tight = MigrationSettings(max_downtime_seconds=1e-6)
    assert Copy(10 * GB, 16 * GB, 0.5 * GB).duration_seconds(GB, tight) == pytest.approx(20.0, rel=1e-3)


def test_copy_goes_on_where_it_was_when_the_bandwidth_changes() -> None:
    copy = Copy(10 * GB, 16 * GB, 0.0).advanced(5, GB, LIMITS).advanced(4, GB / 2, LIMITS)
    assert copy.done_ratio == pytest.approx(0.5 + 0.2)
    assert copy.passed_seconds == 9


@given(st.lists(st.floats(0.01, 3.0), min_size=1, max_size=40), st.floats(0.0, 0.8))
def test_steps_do_not_matter(steps: list[float], dirty: float) -> None:
    copy = once = Copy(100 * GB, 100 * GB, dirty * GB)
    for step in steps:
        copy = copy.advanced(step, GB, LIMITS)
    assert copy.done_ratio == pytest.approx(once.advanced(sum(steps), GB, LIMITS).done_ratio)


def test_guest_that_writes_faster_than_it_is_copied_is_stuck() -> None:
    ended = run(Copy(10 * GB, 16 * GB, 2.0 * GB), GB, LIMITS)
    assert ended == "Live migration stuck for 151 seconds and has been aborted"


def test_slow_copy_is_aborted_at_the_deadline() -> None:
    limits = MigrationSettings(completion_timeout_per_gib_seconds=20)
    ended = run(Copy(10 * GB, 32 * 2**30, 0.0), 1e7, limits)
    assert ended == "Live migration is not completed after 700 seconds and has been aborted"


@pytest.mark.parametrize(
    ("limits", "mode"),
    [
        (MigrationSettings(completion_timeout_per_gib_seconds=1, allow_post_copy=True), "PostCopy"),
        (MigrationSettings(completion_timeout_per_gib_seconds=1, allow_workload_disruption=True), "Paused"),
    ],
)
def test_guest_is_pushed_over_at_the_deadline_where_that_is_allowed(limits: MigrationSettings, mode: str) -> None:
    ended = run(Copy(10 * GB, 10 * GB, 0.95 * GB), GB, limits)
    assert isinstance(ended, Copy)
    assert ended.mode == mode
    assert ended.passed_seconds == 20


def test_migrations_share_the_busier_of_their_ends() -> None:
    links = {"a": Link("n1", "n2"), "b": Link("n1", "n3"), "c": Link("n4", "n3"), "d": Link("n5", "n6")}
    assert bandwidths(links, 12.0, 0.0) == {"a": 6.0, "b": 6.0, "c": 6.0, "d": 12.0}
    assert bandwidths(links, 12.0, 5.0)["d"] == 5.0


def test_slots_are_five_in_the_cluster_and_two_out_of_a_node() -> None:
    assert has_room(["n1"], "n1", LIMITS)
    assert not has_room(["n1", "n1"], "n1", LIMITS)
    assert has_room(["n1", "n1"], "n2", LIMITS)
    assert not has_room(["n1", "n1", "n2", "n2", "n3"], "n4", LIMITS)


def test_urgent_migrations_come_first_from_1_9_on() -> None:
    def vmim(name: str, phase: str, priority: str = "") -> dict[str, object]:
        spec = {"priority": priority} if priority else {}
        return {"metadata": {"name": name, "creationTimestamp": name}, "spec": spec, "status": {"phase": phase}}

    waiting = [vmim("a", "Pending"), vmim("b", "", "system-critical"), vmim("c", "Failed"), vmim("d", "Running", "x")]
    names = [each["metadata"]["name"] for each in in_order(waiting, KubeVirtVersion(1, 9))]
    assert names == ["b", "a", "d"]
    assert [each["metadata"]["name"] for each in in_order(waiting, KubeVirtVersion(1, 8))] == ["a", "b", "d"]
