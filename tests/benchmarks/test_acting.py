from __future__ import annotations

from dataclasses import replace

from benchmarks.acting import HEADERS, Found, _added, _bars, _steps
from tests.e2e_acting.audit import Entry
from tests.e2e_acting.history import History
from tests.standin.objects import VmShape

MIB = 2**20
FOUND = Found(
    name="bb",
    kind="pods",
    moves=14,
    optimum=13,
    before=8,
    after=0,
    highest=0.799,
    bytes=2.5 * 2**30,
    seconds=90.0,
    failed=1,
    later=0,
    broken=(),
)


def test_a_row_is_as_wide_as_its_headers() -> None:
    row = FOUND.row()
    assert len(row) == len(HEADERS)
    assert row == ("bb", "pods", "14", "13", "8", "0", "79.9%", "2.50", "1.5", "1", "0", "0")


def test_bars_are_met_up_to_a_tenth_above_the_optimum_and_in_silence_only() -> None:
    assert [bar.met for bar in _bars(FOUND)] == [True] * 4
    assert [bar.met for bar in _bars(replace(FOUND, moves=15))] == [True, False, True, True]
    assert [bar.met for bar in _bars(replace(FOUND, after=1, later=1, broken=("S1: ...",)))] == [
        False,
        True,
        False,
        False,
    ]


def test_steps_are_those_of_all_plans_as_they_stood_last() -> None:
    def written(name: str, *phases: str) -> Entry:
        moves = [{"memoryBytes": 2**30 * number} for number, _ in enumerate(phases, 1)]
        body = {
            "metadata": {"name": name, "uid": name, "resourceVersion": "1"},
            "spec": {"moves": moves},
            "status": {"steps": [{"phase": phase} for phase in phases]},
        }
        return Entry("update", "rebalanceplans/status", name=name, who="", received=0.0, ended=1.0, response=body)

    history = History(
        [written("p", "Running", "Pending"), written("p", "Succeeded", "Skipped"), written("q", "Failed")]
    )
    assert sorted(_steps(history)) == [("Failed", 2.0**30), ("Skipped", 2.0**31), ("Succeeded", 2.0**30)]


def test_what_kubevirt_adds_is_not_asked_for_twice() -> None:
    added = _added(VmShape("vm", 8 * 2**30, 2))
    assert 200 * MIB < added < 400 * MIB
