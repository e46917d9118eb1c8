"""The search on Google's machine reassignment instances: ``python -m benchmarks.machine_reassignment [MODEL INITIAL] ...``.

With two files it solves one instance and writes the new machine of each process; without, it prints the whole table. Every
solution, and with ``--check`` every improvement on the way, is judged by a checker that shares nothing with the search. Time
begins when the files are read and the kernel is compiled (numba keeps compiled code on disk), and is counted in CPU seconds
of this one process, which are seconds on an idle machine.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.reassignment_checker import cost, faults
from benchmarks.reassignment_instance import Model, columns, read_assignment, read_model
from benchmarks.reassignment_table import KNOWN, bar
from benchmarks.tables import bars, table
from descheduler.policy.engines.search.run import Style, kernel_name, search
from descheduler.policy.pace import Clock
from ullage.model.arrays import Int32Array

_DATA = "machine-reassignment-2012"


@dataclass(frozen=True)
class Task:
    """One run: files, kernel, seed and seconds; `check` judges every improvement."""

    model: Path
    initial: Path
    kernel: str
    seed: int
    seconds: float
    check: bool = False

    @property
    def name(self) -> str:
        """Name of the instance."""
        return self.model.name.partition(".")[0]


@dataclass(frozen=True, eq=False)
class Result:
    """What a run found, judged by the checker."""

    task: Task
    place: Int32Array
    initial_cost: int
    cost: int
    seconds: float
    improvements: int
    faults: tuple[str, ...]


def solve(task: Task, clock: Callable[[], float] = time.process_time) -> Result:
    """Run a search and judge what it finds."""
    model = read_model(task.model)
    initial = read_assignment(task.initial, model)
    watch = _Watch(model, initial, check=task.check)
    started: list[float] = []

    def budget() -> Clock:
        started.append(clock())
        return Clock(clock, task.seconds)

    best = search(columns(model, initial), initial, budget, Style(task.kernel, task.seed), watch.see)
    seconds = clock() - started[0]
    found = cost(model, initial, best.place)
    wrong = [*watch.faults, *faults(model, initial, best.place)]
    if found != round(best.cost):
        wrong.append(f"the search says that it costs {best.cost:.0f}")
    first = cost(model, initial, initial)
    return Result(task, best.place, first, found, seconds, watch.seen, tuple(wrong))


class _Watch:
    """Counts improvements, and judges them if asked to."""

    def __init__(self, model: Model, initial: Int32Array, *, check: bool) -> None:
        self._model, self._initial, self._check = model, initial, check
        self.seen, self.faults = 0, list[str]()

    def see(self, place: Int32Array, found: float) -> None:
        """One improvement."""
        self.seen += 1
        if self._check:
            self.faults += faults(self._model, self._initial, place)
            if cost(self._model, self._initial, place) != round(found):
                self.faults.append(f"an improvement does not cost {found:.0f}")


def files(name: str) -> tuple[Path, Path]:
    """Model and initial assignment of a stored instance, in the folder of ``ULLAGE_DATA``, else beside the project."""
    root = Path(os.environ.get("ULLAGE_DATA", Path(__file__).parents[1] / ".." / "shared" / "data")) / _DATA
    return root / f"{name}.model.txt.gz", root / f"{name}.initial.txt.gz"


def report(result: Result) -> str:
    """One line on one run."""
    known = KNOWN.get(result.task.name)
    gap = f", over {known.over(result.cost):.4%}, closed {known.closed(result.cost):.5f}" if known else ""
    state = f"{len(result.faults)} FAULTS: {result.faults[0]}" if result.faults else "feasible"
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return (
        f"{result.task.name} {result.task.kernel} seed {result.task.seed}: cost {result.cost} (from {result.initial_cost})"
        f"{gap}; {state}; {result.improvements} improvements in {result.seconds:.1f} s; at most {memory:.0f} MB"
    )


def write(place: Int32Array, path: Path) -> None:
    """Machine of each process, as the challenge has it."""
    path.write_text(" ".join(map(str, place.tolist())) + "\n")


def _rows(results: Sequence[Result]) -> Iterator[tuple[str, ...]]:
    for name, kernel in dict.fromkeys((r.task.name, r.task.kernel) for r in results):
        runs = [r for r in results if (r.task.name, r.task.kernel) == (name, kernel)]
        costs, known = [r.cost for r in runs], KNOWN[name]
        median, worst = statistics.median(costs), max(costs)
        yield (
            name,
            kernel,
            f"{median:.0f}",
            f"{worst}",
            f"{known.over(median):.4%}",
            f"{known.over(worst):.4%}",
            f"{known.closed(median):.5f}",
            f"{known.closed(worst):.5f}",
            "FAULTS" if any(r.faults for r in runs) else "feasible",
        )


_HEADERS = ("instance", "kernel", "median", "worst", "over", "worst", "closed", "worst", "checked")


def whole_table(instances: Sequence[str], kernels: Sequence[str], seeds: Sequence[int], seconds: float) -> int:
    """Run everything, and print a line per run and the table; returns the number of runs with faults."""
    results: list[Result] = []
    for name in instances:
        for task in (Task(*files(name), kernel, seed, seconds) for kernel in kernels for seed in seeds):
            results.append(solve(task))
            print(report(results[-1]), flush=True)
    rows = list(_rows(results))
    print("\n" + table(_HEADERS, rows))
    found = [bar(name, kernel, float(median)) for name, kernel, median, *_ in rows]
    print("\n" + bars([b for b in found if b is not None]))
    return sum(bool(r.faults) for r in results)


def _arguments(given: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.machine_reassignment", description=__doc__)
    parser.add_argument("model", nargs="?", type=Path, metavar="MODEL")
    parser.add_argument("initial", nargs="?", type=Path, metavar="INITIAL")
    parser.add_argument("--time-limit", type=float, default=60.0, metavar="SECONDS")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kernel", choices=("numpy", "numba"), action="append")
    parser.add_argument("-o", "--output", type=Path, metavar="NEW")
    parser.add_argument("--check", action="store_true", help="judge every improvement")
    parser.add_argument("--wall", action="store_true", help="count seconds on the wall, not of the CPU")
    parser.add_argument("--instances", default=",".join(KNOWN), metavar="NAME,...", help="for the table")
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="for the table: seeds 1..N")
    return parser.parse_args(given)


def main(given: Sequence[str] = ()) -> int:
    """Solve one instance, or print the table; 1 if a solution is not feasible."""
    asked = _arguments(given)
    if asked.model is None and not files("a1_1")[0].exists():
        print(f"{_DATA} is not there (ULLAGE_DATA, else ../shared/data): nothing to measure")
        return 0
    if asked.model is None:
        kernels = asked.kernel or ["numpy", kernel_name("auto")]
        names = asked.instances.split(",")
        seeds = range(1, asked.seeds + 1)
        return int(whole_table(names, list(dict.fromkeys(kernels)), seeds, asked.time_limit) > 0)
    if asked.initial is None:
        print("name both files: MODEL INITIAL", file=sys.stderr)
        return 2
    kernel = kernel_name((asked.kernel or ["auto"])[-1])
    task = Task(asked.model, asked.initial, kernel, asked.seed, asked.time_limit, asked.check)
    result = solve(task, time.perf_counter if asked.wall else time.process_time)
    if asked.output is not None:
        write(result.place, asked.output)
    print(report(result))
    return int(bool(result.faults))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
