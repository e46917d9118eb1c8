"""The search on Google's machine reassignment instances: ``python -m benchmarks.machine_reassignment [MODEL INITIAL] ...``.

With two files it solves one instance and writes the new machine of each process; without, it prints the whole table, one run
after the other, each in a process of its own. Every solution, and with ``--check`` every improvement on the way, is judged by a
checker that shares nothing with the search; the table has all improvements of the first seed judged. Time begins when the files
are read and the kernel is compiled (numba keeps compiled code on disk), and is counted in CPU seconds of the one process that
searches, which are seconds on an idle machine. Judging does not count.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.reassignment_instance import read_assignment, read_model
from benchmarks.reassignment_runs import Log, Run, Task, measure, solve
from benchmarks.reassignment_table import KNOWN, LONG, Row, bar, memory_bar, order
from benchmarks.tables import bars, table
from descheduler.policy.engines.search.run import kernel_name
from ullage.model.arrays import Int32Array

_DATA = "machine-reassignment-2012"


def files(name: str) -> tuple[Path, Path]:
    """Model and initial assignment of a stored instance, in the folder of ``ULLAGE_DATA``, else beside the project."""
    root = Path(os.environ.get("ULLAGE_DATA", Path(__file__).parents[1] / ".." / "shared" / "data")) / _DATA
    return root / f"{name}.model.txt.gz", root / f"{name}.initial.txt.gz"


def report(run: Run) -> str:
    """One line on one run."""
    known = KNOWN.get(run.instance)
    gap = f", over {known.over(run.cost):.4%}, closed {known.closed(run.cost):.5f}" if known else ""
    state = f"{len(run.faults)} FAULTS: {run.faults[0]}" if run.faults else "feasible"
    return (
        f"{run.instance} {run.kernel} seed {run.seed}: cost {run.cost} (from {run.initial_cost}){gap}; {state}; "
        f"{run.improvements} improvements ({run.checked} checked) in {run.spent_seconds:.1f} s; at most {run.memory_mb:.0f} MB"
    )


def write(place: Int32Array, path: Path) -> None:
    """Machine of each process, as the challenge has it."""
    path.write_text(" ".join(map(str, place.tolist())) + "\n")


def whole_table(tasks: Sequence[Task], log: Log) -> int:
    """Make all runs that are not in `log`, print a line per run and the table; returns the number of runs with faults."""
    runs: list[Run] = []
    for task in tasks:
        run = log.done(task)
        if run is None:
            run = measure(task)
            log.add(run)
        runs.append(run)
        print(report(run), flush=True)
    rows = [Row.of(group) for group in _groups(runs)]
    print("\n" + table(Row.headers(), [row.cells() for row in rows]))
    found = [b for row in rows for b in (bar(row), memory_bar(row)) if b is not None]
    print("\n" + bars(found))
    return sum(bool(r.faults) for r in runs)


def _groups(runs: Sequence[Run]) -> Iterator[list[Run]]:
    """Runs that differ in the seed alone."""
    for key in dict.fromkeys((r.instance, r.kernel, r.seconds) for r in runs):
        yield [r for r in runs if (r.instance, r.kernel, r.seconds) == key]


def tasks(names: Sequence[str], kernels: Sequence[str], seeds: int, seconds: float) -> Iterator[Task]:
    """The runs of a table: all with the first seed, then all with the second, so that one that is cut short says most."""
    for seed in range(1, seeds + 1):
        for name, kernel in order(names, kernels):
            yield Task(*files(name), kernel, seed, seconds, check=seed == 1)
            if name in LONG and kernel == "numba":
                yield Task(*files(name), kernel, seed, 5 * seconds, check=seed == 1)


def _seconds(text: str) -> float:
    if not (seconds := float(text)) > 0:
        raise argparse.ArgumentTypeError(f"{text}: not a time; give seconds above 0")
    return seconds


def _writable(text: str) -> Path:
    """Known before a search that takes long, not after it."""
    path = Path(text)
    if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        raise argparse.ArgumentTypeError(f"{path} cannot be written; name a file in a folder that can")
    return path


def _arguments(given: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.machine_reassignment", description=__doc__)
    parser.add_argument("model", nargs="?", type=Path, metavar="MODEL")
    parser.add_argument("initial", nargs="?", type=Path, metavar="INITIAL")
    parser.add_argument("--time-limit", type=_seconds, default=60.0, metavar="SECONDS")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kernel", choices=("numpy", "numba"), action="append")
    parser.add_argument("-o", "--output", type=_writable, metavar="NEW")
    parser.add_argument("--check", action="store_true", help="judge every improvement")
    parser.add_argument("--wall", action="store_true", help="count seconds on the wall, not of the CPU")
    parser.add_argument("--instances", default=",".join(KNOWN), metavar="NAME,...", help="for the table")
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="for the table: seeds 1..N")
    parser.add_argument(
        "--log", type=Path, metavar="FILE", help="for the table: keeps runs, and goes on where they end"
    )
    return parser.parse_args(given)


def _one(asked: argparse.Namespace) -> int:
    try:
        read_assignment(asked.initial, read_model(asked.model))
    except (OSError, EOFError, ValueError) as wrong:
        print(f"{wrong}; the format stands in SOURCE.md beside the instances", file=sys.stderr)
        return 2
    kernel = kernel_name((asked.kernel or ["auto"])[-1])
    task = Task(asked.model, asked.initial, kernel, asked.seed, asked.time_limit, asked.check)
    run, place = solve(task, time.perf_counter if asked.wall else time.process_time)
    if asked.output is not None:
        write(place, asked.output)
    print(report(run))
    return int(bool(run.faults))


def main(given: Sequence[str] = ()) -> int:
    """Solve one instance, or print the table; 1 if a solution is not feasible."""
    asked = _arguments(given)
    if asked.model is not None and asked.initial is not None:
        return _one(asked)
    if asked.model is not None:
        print("name both files: MODEL INITIAL", file=sys.stderr)
        return 2
    if not files("a1_1")[0].exists():
        print(f"{_DATA} is not there (ULLAGE_DATA, else ../shared/data): nothing to measure")
        return 0
    kernels = list(dict.fromkeys(asked.kernel or ["numpy", kernel_name("auto")]))
    chosen = list(tasks(asked.instances.split(","), kernels, asked.seeds, asked.time_limit))
    return int(whole_table(chosen, Log(asked.log)) > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
