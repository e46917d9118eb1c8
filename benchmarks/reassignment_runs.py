"""Runs of the search on machine reassignment instances, each judged by the checker, each in a process of its own if need be."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import msgspec

from benchmarks.reassignment_checker import cost, faults
from benchmarks.reassignment_instance import Model, columns, read_assignment, read_model
from descheduler.policy.engines.search.run import Style, search
from descheduler.policy.pace import Clock
from ullage.model.arrays import Int32Array


@dataclass(frozen=True)
class Task:
    """What to run: files, kernel, seed and seconds; `check` judges every improvement, outside of the time limit."""

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


class Run(msgspec.Struct, frozen=True):
    """What a run found, as it is kept in a log.

    Attributes
    ----------
    instance, kernel, seed, seconds
        What was asked for.
    initial_cost, cost
        By the checker.
    spent_seconds
        What the search took by its clock.
    improvements, checked
        How many there were, and how many of them the checker judged.
    memory_mb
        The most that the process held so far.
    faults
        Constraints that were broken, and costs that were not what the search said.
    """

    instance: str
    kernel: str
    seed: int
    seconds: float
    initial_cost: int
    cost: int
    spent_seconds: float
    improvements: int
    checked: int
    memory_mb: float
    faults: tuple[str, ...]


class _Watch:
    """Counts improvements, judges them if asked to, and knows the time without its own."""

    def __init__(self, model: Model, initial: Int32Array, clock: Callable[[], float], *, check: bool) -> None:
        self._model, self._initial, self._clock, self._check = model, initial, clock, check
        self.seen, self.checked, self.faults, self._own_seconds = 0, 0, list[str](), 0.0

    def now(self) -> float:
        """Seconds without those that judging took."""
        return self._clock() - self._own_seconds

    def see(self, place: Int32Array, found: float) -> None:
        """One improvement."""
        self.seen += 1
        if not self._check:
            return
        begin = self._clock()
        self.checked += 1
        self.faults += judged(self._model, self._initial, place, found)
        self._own_seconds += self._clock() - begin


def judged(model: Model, initial: Int32Array, place: Int32Array, found: float) -> list[str]:
    """What is wrong with `place`, said to cost `found`."""
    real, wrong = cost(model, initial, place), faults(model, initial, place)
    return (
        wrong if real == round(found) else [*wrong, f"the search says that it costs {found:.0f}, and it costs {real}"]
    )


def solve(task: Task, clock: Callable[[], float] = time.process_time) -> tuple[Run, Int32Array]:
    """Run a search and judge what it finds, int32 (P,)."""
    model = read_model(task.model)
    initial = read_assignment(task.initial, model)
    watch = _Watch(model, initial, clock, check=task.check)
    started: list[float] = []

    def budget() -> Clock:
        started.append(watch.now())
        return Clock(watch.now, task.seconds)

    best = search(columns(model, initial), initial, budget, Style(task.kernel, task.seed), watch.see)
    run = Run(
        instance=task.name,
        kernel=task.kernel,
        seed=task.seed,
        seconds=task.seconds,
        initial_cost=cost(model, initial, initial),
        cost=cost(model, initial, best.place),
        spent_seconds=watch.now() - started[0],
        improvements=watch.seen,
        checked=watch.checked,
        memory_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        faults=(*watch.faults, *judged(model, initial, best.place, best.cost)),
    )
    return run, best.place


def measure(task: Task) -> Run:
    """Run in a fresh process, so that memory is that of this run alone."""
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_run, task).result()


def _run(task: Task) -> Run:
    return solve(task)[0]


class Log:
    """Runs that are kept in a file, one JSON value per line, so that a table that was interrupted goes on.

    Parameters
    ----------
    path
        Where; `None` keeps nothing.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        lines = path.read_bytes().splitlines() if path is not None and path.exists() else []
        self._runs = {_key(run): run for run in (msgspec.json.decode(line, type=Run) for line in lines)}

    def done(self, task: Task) -> Run | None:
        """The run of `task`, if it was made before."""
        return self._runs.get((task.name, task.kernel, task.seed, task.seconds))

    def add(self, run: Run) -> None:
        """Keep a run."""
        if self._path is not None:
            with self._path.open("ab") as file:
                file.write(msgspec.json.encode(run) + b"\n")


def _key(run: Run) -> tuple[str, str, int, float]:
    return run.instance, run.kernel, run.seed, run.seconds
