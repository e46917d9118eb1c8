"""What is asked of HiGHS is what is answered: rows, kinds of variables, hints and options."""

from __future__ import annotations

import numpy as np
import pytest

from descheduler.policy.engines.milp import Answer, Entries, Program, solve

pytest.importorskip("highspy")

INF = float("inf")
AT_ONCE = {"presolve": "off", "mip_heuristic_run_feasibility_jump": False}
"""No work before the search itself, so that a solver knows nothing but its hint when it looks at a limit."""


def program(cost, rows, right, *, binary: int, equal: int = 0, most=None) -> Program:
    """A program with all variables from 0; `rows` is a matrix with its zeros."""
    matrix = np.array(rows, dtype=float).reshape(len(right), len(cost))
    row, column = (index.ravel() for index in np.indices(matrix.shape))
    most = [1.0] * binary + [INF] * (len(cost) - binary) if most is None else most
    return Program(
        cost=np.array(cost, dtype=float),
        least=np.zeros(len(cost)),
        most=np.array(most, dtype=float),
        binary=binary,
        entries=Entries(row, column, matrix.ravel()),
        right=np.array(right, dtype=float),
        equal=equal,
    )


def knapsack() -> Program:
    """Worth 5, 4, 3 and 3 at weights 5, 4, 3 and 2, of which 8 can be borne: the best is 8."""
    return program([-5, -4, -3, -3], [[5, 4, 3, 2]], [8], binary=4)


def values(answer: Answer) -> list[float]:
    return answer.values.round(6).tolist()


def test_upper_rows_bound_from_above_only():
    made = program([-1, -2, 1], [[1, 1, 0], [1, 1, 1]], [1.5, 9], binary=0, most=[1, 1, 1])
    assert values(solve(made, None, {})) == [0.5, 1.0, 0.0]


def test_the_first_rows_equal_their_right_sides_and_the_others_do_not():
    made = program([1, 2, 3], [[1, 1, 1], [1, 0, 0]], [2, 1], binary=0, equal=1)
    assert values(solve(made, None, {})) == [1.0, 1.0, 0.0]
    assert values(solve(made._replace(equal=0), None, {})) == [0.0, 0.0, 0.0]


def test_a_row_without_a_right_side_forbids_nothing():
    made = program([-1], [[1]], [INF], binary=0, most=[3])
    assert values(solve(made, None, {})) == [3.0]


def test_the_first_variables_are_whole_and_the_others_are_not():
    rows, right = [[2, 0], [0, 2]], [1, 1]
    assert values(solve(program([-1, -1], rows, right, binary=1), None, {})) == [0.0, 0.5]
    assert values(solve(program([-1, -1], rows, right, binary=2), None, {})) == [0.0, 0.0]


def test_variables_stay_between_least_and_most():
    made = program([1, -1], [[1, 1]], [9], binary=0, most=[4, 3])
    answer = solve(made._replace(least=np.array([0.25, 0.0])), None, {})
    assert values(answer) == [0.25, 3.0]


def test_the_order_of_entries_does_not_matter():
    made, rng = knapsack(), np.random.default_rng(1)
    rows = program([-5, -4, -3, -3], [[5, 4, 3, 2], [0, 0, 1, 1], [1, 0, 0, 1]], [8, 1, 1], binary=4)
    assert len(solve(made, None, {}).values) == 4
    wanted = values(solve(rows, None, {}))
    assert wanted == [1.0, 0.0, 1.0, 0.0]
    for _ in range(5):
        order = rng.permutation(len(rows.entries.row))
        mixed = Entries(*(part[order] for part in rows.entries))
        assert values(solve(rows._replace(entries=mixed), None, {})) == wanted


def test_the_best_is_found_and_proven_without_a_hint_and_with_a_poor_one():
    for hint in (None, np.zeros(4), np.array([1.0, 0.0, 0.0, 0.0])):
        answer = solve(knapsack(), hint, {})
        assert (answer.found, answer.proven, answer.infeasible) == (True, True, False)
        assert knapsack().cost @ answer.values == pytest.approx(-8)


def test_what_cannot_be_is_said_to_be_infeasible():
    """Two that exclude each other, and of which both are needed."""
    answer = solve(program([1, 1], [[1, 1], [1, 0], [0, 1]], [1, 1, 1], binary=2, equal=3), None, {})
    assert (answer.found, answer.proven, answer.infeasible) == (False, False, True)


def test_who_has_no_time_finds_nothing_and_proves_nothing():
    answer = solve(knapsack(), None, AT_ONCE | {"time_limit": 0.0})
    assert (answer.found, answer.proven, answer.infeasible) == (False, False, False)


@pytest.mark.parametrize("hint", [[0.0, 1.0, 0.0, 1.0], [1.0, 0.0, 0.0, 0.0]])
def test_who_has_no_time_answers_with_the_hint(hint):
    answer = solve(knapsack(), np.array(hint), AT_ONCE | {"time_limit": 0.0})
    assert (answer.found, answer.proven, values(answer)) == (True, False, hint)


def test_options_come_before_what_is_always_asked():
    """No gap is left unless one is allowed; then the hint is good enough."""
    hint = np.array([0.0, 1.0, 0.0, 1.0])
    assert knapsack().cost @ solve(knapsack(), hint, AT_ONCE).values == pytest.approx(-8)
    assert values(solve(knapsack(), hint, AT_ONCE | {"mip_rel_gap": 1e9})) == hint.tolist()


def test_effort_is_counted_and_the_same_every_time():
    rng = np.random.default_rng(1)
    weights = rng.integers(1, 20, size=(4, 20))
    hard = program(-rng.integers(1, 20, size=20), weights, weights.sum(axis=1) // 2, binary=20)
    first, again = (solve(hard, None, {}) for _ in range(2))
    assert first.iterations == again.iterations > 0
    assert solve(hard, None, {"time_limit": 0.0}).iterations < first.iterations


def test_nothing_is_printed(capfd):
    solve(knapsack(), None, {})
    assert capfd.readouterr() == ("", "")
