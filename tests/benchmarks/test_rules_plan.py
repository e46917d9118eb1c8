import numpy as np
import pytest

from benchmarks.instances import state
from benchmarks.rebalance_instances import configuration, plan
from benchmarks.rules_plan import Step, moved_bytes, places_after, steps_of, violations
from tests.benchmarks.small import GIB, instance

HOT = ((0, 1, 50), (0, 1, 29), (0, 1, 15), (1, 1, 60), (2, 1, 10))
"""Node a is over: 94 of 80 GiB; b has room for 20 GiB, c for 70."""


def _wrong(*steps: Step, request: float = 0.0, requests: bool = False) -> list[str]:
    return violations(instance(*HOT, request=request), steps, requests=requests)


def test_a_sound_plan_passes() -> None:
    assert _wrong(Step(2, 0, 1)) == []
    assert _wrong(Step(2, 0, 2), Step(1, 0, 2)) == []


def test_a_node_left_over_is_found() -> None:
    assert _wrong() == ["node 0 is over in the end"]


def test_a_destination_above_its_limit_is_found() -> None:
    found = _wrong(Step(1, 0, 1))
    assert found[0].startswith("step 0: use of memory on node 1 is ")
    assert "step 0: node 1 was not over before" in found
    assert found[-1] == "node 1 is over in the end"


def test_cpu_counts_as_memory_does() -> None:
    found = violations(instance((0, 9, 10), (1, 7, 10)), [Step(0, 0, 1)], requests=False)
    assert found[0] == "step 0: use of CPU on node 1 is 16 of 8"


def test_the_order_counts_with_memory_at_both_ends() -> None:
    swap = ((0, 1, 60), (0, 1, 25), (1, 1, 55), (2, 1, 10))
    away_first, away_last = [Step(2, 1, 2), Step(0, 0, 1)], [Step(0, 0, 1), Step(2, 1, 2)]
    assert violations(instance(*swap), away_first, requests=False) == []
    found = violations(instance(*swap), away_last, requests=False)
    assert found[0].startswith("step 0: use of memory on node 1 is ")
    assert not any("in the end" in text for text in found)


def test_a_move_from_where_the_vm_is_not_is_found() -> None:
    assert "step 0: VM 2 is on node 0, not on 1" in _wrong(Step(2, 1, 2))
    assert "step 0: VM 2 is there already" in _wrong(Step(2, 0, 0))


def test_a_second_move_of_a_vm_is_found() -> None:
    assert _wrong(Step(2, 0, 1), Step(2, 1, 2)) == ["VM 2 moves more than once"]


def test_requests_bind_only_if_asked() -> None:
    assert _wrong(Step(2, 0, 1), request=60.0) == []
    assert _wrong(Step(2, 0, 1), request=60.0, requests=True) == [
        f"step 0: requests of memory on node 1 is {120 * GIB:.6g} of {100 * GIB:.6g}"
    ]


def test_places_and_bytes_follow_the_steps() -> None:
    steps = [Step(2, 0, 1), Step(0, 0, 2)]
    np.testing.assert_array_equal(places_after(instance(*HOT), steps), [2, 0, 1, 1, 2])
    assert moved_bytes(instance(*HOT), steps) == 65 * GIB


@pytest.mark.parametrize(("minimize", "expected"), [("moves", 1), ("bytes", 1)])
def test_the_planner_passes_the_check(minimize: str, expected: int) -> None:
    small = instance(*HOT, request=1.0)
    steps = steps_of(plan(state(small), configuration("greedy", minimize)), small)
    assert violations(small, steps, requests=True) == []
    assert len(steps) == expected
    assert moved_bytes(small, steps) == 15 * GIB
