from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.machine_reassignment import files, main, whole_table
from benchmarks.reassignment_checker import cost, faults
from benchmarks.reassignment_instance import read_assignment, read_model
from benchmarks.reassignment_runs import Log, Task, judged
from benchmarks.reassignment_table import KNOWN, Known, Row, bar, memory_bar

MODEL = """2
1 10
0 5
3
0 0 10 20 5 20 0 1 2
0 1 10 20 8 10 1 0 1
1 1 10 20 10 20 2 1 0
2
2 0
1 1 0
4
0 4 6 1
0 3 5 2
1 2 4 1
1 1 3 1
1
0 1 2 7
1 10 100
"""
INITIAL = "0 1 0 1"


@pytest.fixture
def paths(tmp_path: Path) -> tuple[Path, Path]:
    model, initial = tmp_path / "tiny.model.txt.gz", tmp_path / "tiny.initial.txt"
    model.write_bytes(gzip.compress(MODEL.encode()))
    initial.write_text(INITIAL)
    return model, initial


@pytest.fixture
def tiny(paths):
    model = read_model(paths[0])
    return model, read_assignment(paths[1], model)


def test_a_file_is_read_in_the_order_of_the_challenge(tiny):
    model, initial = tiny
    assert model.transient.tolist() == [1, 0]
    assert model.capacity.tolist() == [[10, 20]] * 3
    assert model.safety.tolist() == [[5, 20], [8, 10], [10, 20]]
    assert model.travel[0].tolist() == [0, 1, 2]
    assert [n.tolist() for n in model.needs] == [[], [0]]
    assert model.requirement[2].tolist() == [2, 4]
    assert initial.tolist() == [0, 1, 0, 1]


def test_costs_are_those_of_the_formula(tiny):
    model, initial = tiny
    # Machine 0 uses 6, 10 and machine 1 uses 4, 8: load 10 x 1; balance 7 x max(0, 2 x free 0 - free 1): 0, 0, 0.
    assert cost(model, initial, initial) == 10
    # Process 0 goes to machine 2: no load, one process, one of its service, travel 2.
    assert cost(model, initial, np.array([2, 1, 0, 1], dtype=np.int32)) == 1 + 10 + 200
    # Two of each service go to machine 2.
    assert cost(model, initial, np.full(4, 2, dtype=np.int32)) == _by_hand()


def _by_hand():
    load = 10 * max(0, (4 + 3 + 2 + 1) - 10) + 5 * max(0, (6 + 5 + 4 + 3) - 20)
    balance = 7 * (max(0, 2 * 10 - 20) * 2 + max(0, 2 * 0 - 2))
    return load + balance + (1 + 2 + 1 + 1) + 10 * 2 + 100 * (2 + 1 + 2 + 1)


def _moved(initial, **to):
    place = initial.copy()
    for process, machine in to.items():
        place[int(process[1:])] = machine
    return place


@pytest.mark.parametrize(
    ("change", "to", "word"),
    [
        ({}, {"p2": 1}, "more than once"),
        ({}, {"p0": 2, "p1": 2}, "more than once"),
        ({"spread": np.array([2, 2])}, {"p2": 2}, "covers 1 of 2 locations"),
        ({}, {"p2": 2}, "without service 0"),
        ({"capacity": np.full((3, 2), 6)}, {}, "of machine 0: 10 of 6"),
        ({}, {"p1": 2}, ""),
    ],
)
def test_the_checker_sees_what_is_wrong(tiny, change, to, word):
    model, initial = tiny
    found = faults(replace(model, **change), initial, _moved(initial, **to))
    assert any(word in fault for fault in found) if word else found == []


def test_the_checker_counts_what_moves_at_both_ends(tiny):
    model, initial = tiny
    tight = replace(model, capacity=np.array([[6, 20], [20, 20], [20, 20]]))
    assert faults(tight, initial, initial) == []
    # 3 come, 4 leave: without what is held, 5 of 6.
    swapped = np.array([1, 0, 0, 1], dtype=np.int32)
    assert faults(tight, initial, swapped) == ["resource 0 of machine 0: 9 of 6"]
    assert faults(replace(tight, transient=np.array([0, 0])), initial, swapped) == []


def test_one_instance_is_solved_and_written(paths, tiny, tmp_path, capsys):
    new = tmp_path / "new.txt"
    arguments = [*map(str, paths), "--time-limit", "0.05", "--kernel", "numpy", "--check", "-o", str(new)]
    assert main(arguments) == 0
    model, initial = tiny
    place = read_assignment(new, model)
    assert faults(model, initial, place) == []
    assert cost(model, initial, place) <= 10
    assert f"cost {cost(model, initial, place)} (from 10); feasible" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["0 1 0", "0 1 0 3", "0 1 0 -1", ""])
def test_an_assignment_that_does_not_fit_is_refused(tiny, tmp_path, text):
    path = tmp_path / "wrong.txt"
    path.write_text(text)
    with pytest.raises(ValueError, match="one machine for each of 4 processes"):
        read_assignment(path, tiny[0])


def test_a_model_that_ends_early_is_refused(tmp_path):
    path = tmp_path / "short.txt"
    path.write_text(" ".join(MODEL.split()[:-5]))
    with pytest.raises(ValueError, match="the file ends after"):
        read_model(path)


def row(name, kernel, cost, seconds=60.0):
    return Row(name, kernel, seconds, (0, int(cost), 10**18), 201.0, feasible=True)


def test_bars_are_those_of_the_table():
    bound = KNOWN["b_02"].bound
    assert not bar(row("b_02", "numba", 1.0008 * bound)).met
    assert bar(row("b_02", "numba", 1.0006 * bound)).met
    assert bar(row("a1_4", "numba", 262086758)).met
    assert not bar(row("a1_4", "numba", 262086759)).met
    assert bar(row("a1_4", "numpy", 0)) is None
    bound = KNOWN["b_01"].bound
    assert bar(row("b_01", "numba", 1.009 * bound)).met
    assert not bar(row("b_01", "numba", 1.009 * bound, 300.0)).met
    assert [memory_bar(row("b_08", kernel, 0)).met for kernel in ("numpy", "numba")] == [False, True]


def test_a_table_that_was_interrupted_goes_on(paths, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(KNOWN, "tiny", Known(10, 1))
    log, task = tmp_path / "log", Task(*paths, "numpy", 1, 0.05, check=True)
    assert whole_table([task], Log(log)) == 0
    first, kept = capsys.readouterr().out, log.read_bytes()
    assert whole_table([task, replace(task, seed=2)], Log(log)) == 0
    again = capsys.readouterr().out
    assert first.splitlines()[0] == again.splitlines()[0]
    assert "tiny numpy seed 2: " in again
    assert log.read_bytes().startswith(kept)
    assert len(log.read_bytes().splitlines()) == 2


def test_what_a_search_says_is_judged(tiny):
    model, initial = tiny
    assert judged(model, initial, initial, 10.0) == []
    assert judged(model, initial, initial, 11.0) == ["the search says that it costs 11, and it costs 10"]


@pytest.mark.skipif(not files("a1_1")[0].exists(), reason="needs the instances of ROADEF/EURO 2012 (ULLAGE_DATA)")
@pytest.mark.parametrize("name", ["a1_1", "a2_5", "b_01"])
def test_initial_costs_come_out_exactly(name):
    paths = files(name)
    model = read_model(paths[0])
    initial = read_assignment(paths[1], model)
    assert faults(model, initial, initial) == []
    assert cost(model, initial, initial) == KNOWN[name].initial


def _reading(where: Path, initial: str) -> list[str]:
    model, given = where / "m.txt", where / "i.txt"
    model.write_text(MODEL)
    given.write_text(initial)
    return [str(model), str(given), "--kernel", "numpy"]


@pytest.mark.parametrize(("initial", "said"), [("0 1 0", "4 processes"), ("0 1 0 9", "4 processes"), ("a", "a")])
def test_an_assignment_that_does_not_fit_is_said_in_a_sentence(tmp_path, capsys, initial, said):
    assert main(_reading(tmp_path, initial)) == 2
    error = capsys.readouterr().err
    assert said in error
    assert "SOURCE.md" in error
    assert error.count("\n") == 1


def test_a_file_that_is_not_there_is_named(tmp_path, capsys):
    assert main([str(tmp_path / "nowhere"), *_reading(tmp_path, INITIAL)[1:]]) == 2
    assert "nowhere" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", [("--time-limit", "0"), ("--time-limit", "-3"), ("-o", "nowhere/new"), ("-o", ".")])
def test_what_cannot_be_done_is_known_before_the_search(tmp_path, capsys, monkeypatch, wrong):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as left:
        main([*_reading(tmp_path, INITIAL), *wrong])
    assert left.value.code == 2
    assert wrong[1] in capsys.readouterr().err
