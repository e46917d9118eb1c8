"""Pods per second of a real kube-scheduler: without an extender, with one that decides nothing, and with ours.

``python -m benchmarks.control_plane --nodes 500 --pods 2000 --rounds 3``. All pods wait before a scheduler starts; what is
timed goes from the first placement that is seen to the last one. Each round runs all three, in another order than the one
before. They share the machine with kube-apiserver, etcd and whatever else runs; so ours is compared with the do-nothing one of
the same round, the median over the rounds counts, and its spread is shown. So is the processor time
that scheduler and extender together spend on a pod, where other programs show less.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from statistics import median
from typing import Any, Final

import click
import numpy as np
import urllib3
import yaml
from prometheus_client.parser import text_string_to_metric_families

from benchmarks import extender_load
from benchmarks.extender_load import Server
from benchmarks.extender_payloads import NAME, PREFIX
from benchmarks.tables import Bar, bars, table
from tests.builders import Cluster
from tests.controlplane import binaries
from tests.controlplane.plane import ControlPlane
from tests.controlplane.rest import Rest
from tests.controlplane.waiting import until
from tests.standin.clock import Clock
from tests.standin.nodes import Nodes, NodeShape
from tests.standin.objects import PodShape
from tests.standin.running import Running
from ullage.model.state import ClusterState
from ullage.sources.snapshot import encode

SIZES: Final = {500: 2_000, 5_000: 1_000}
"""Pods by nodes."""
ROUNDS: Final = 5
BAR: Final = 0.95
MOST_LOOKED_AT: Final = 1_000
"""Up to so many nodes all of them are scored, as `deploy/scheduler` advises."""
CONFIGURATION: Final = Path(__file__).parents[1] / "deploy" / "scheduler" / "filter-and-score.yaml"
PODS: Final = "/api/v1/namespaces/default/pods"
WRITERS: Final = 8
SAMPLE_SECONDS: Final = 0.25
"""The scheduler's metrics cost it some milliseconds each time."""
MOST_SECONDS: Final = 900.0
HEADERS: Final = (
    "extender",
    "pods/s",
    "least",
    "most",
    "CPU ms/pod: scheduler",
    "extender",
    "algorithm ms/pod",
    "failed attempts",
)
NONE, NOTHING, OURS = "none", "do-nothing", "ullage"


@dataclass(frozen=True)
class Sample:
    """What the scheduler's metrics say at a moment."""

    at: float
    placed: float
    failed: float
    cpu_seconds: float
    algorithm_seconds: float


@dataclass(frozen=True)
class Found:
    """One run."""

    per_second: float
    cpu_ms: float
    algorithm_ms: float
    extender_ms: float
    failed: int


class Bench:
    """A control plane with nodes, and schedulers on it.

    Parameters
    ----------
    plane, admin
        The control plane, without controllers.
    extenders
        By name.
    nodes
        Number of nodes.
    folder
        For files.
    """

    def __init__(
        self, plane: ControlPlane, admin: Rest, extenders: dict[str, Server], nodes: int, folder: Path
    ) -> None:
        self._plane, self._admin, self._extenders = plane, admin, extenders
        self._nodes, self._folder = nodes, folder

    def run(self, name: str, pods: int) -> Found:
        """Place pods, and take them away again."""
        self._create(pods)
        extender = self._extenders.get(name)
        before = extender.cpu_seconds() if extender else 0.0
        self._plane.start_scheduler(self._configuration(name))
        with self._plane.client(self._plane.scheduler_url) as scheduler:
            first, last = _ends(_samples(scheduler), pods)
        spent = extender.cpu_seconds() - before if extender else 0.0
        self._plane.stop_scheduler()
        self._admin.delete(PODS, {"gracePeriodSeconds": 0})
        until(lambda: not self._admin.get(PODS, limit=1)["items"], "the end of all pods", seconds=120)
        return _between(first, last, 1000 * spent / pods)

    def _create(self, pods: int) -> None:
        shapes = (PodShape(f"pod-{number}") for number in range(pods))
        with ThreadPoolExecutor(WRITERS) as pool:
            list(pool.map(lambda each: self._admin.post(PODS, each.wire()), shapes))

    def _configuration(self, name: str) -> Path:
        given: dict[str, Any] = yaml.safe_load(CONFIGURATION.read_text())
        given["clientConnection"] |= {"qps": 5000, "burst": 10000}
        if self._nodes > MOST_LOOKED_AT:
            del given["percentageOfNodesToScore"]
        if name in self._extenders:
            given["extenders"][0]["urlPrefix"] = f"http://127.0.0.1:{self._extenders[name].port}{PREFIX}"
        else:
            del given["extenders"]
        file = self._folder / f"{name}.yaml"
        file.write_text(yaml.safe_dump(given))
        return file


def _sample(scheduler: Rest) -> Sample:
    text = scheduler.raw("GET", "/metrics").decode()
    wanted = ("scheduler_schedule_attempts", "process_cpu", "scheduler_scheduling_algorithm_duration")
    lines = "\n".join(line for line in text.splitlines() if line.startswith(wanted)) + "\n"
    found = [each for family in text_string_to_metric_families(lines) for each in family.samples]

    def total(name: str, **labels: str) -> float:
        return sum(each.value for each in found if each.name == name and labels.items() <= each.labels.items())

    attempts = "scheduler_schedule_attempts_total"
    placed = total(attempts, result="scheduled")
    return Sample(
        at=time.perf_counter(),
        placed=placed,
        failed=total(attempts) - placed,
        cpu_seconds=total("process_cpu_seconds_total"),
        algorithm_seconds=total("scheduler_scheduling_algorithm_duration_seconds_sum"),
    )


def _samples(scheduler: Rest) -> Iterator[Sample]:
    begun, pause = time.perf_counter(), threading.Event()
    while time.perf_counter() - begun < MOST_SECONDS:
        yield _sample(scheduler)
        pause.wait(SAMPLE_SECONDS)
    raise TimeoutError(f"not all pods are placed after {MOST_SECONDS:g} s")


def _ends(samples: Iterator[Sample], pods: int) -> tuple[Sample, Sample]:
    """The first sample with a placement, and the first with all."""
    first = next(each for each in samples if each.placed)
    return first, next(each for each in chain([first], samples) if each.placed >= pods)


def _between(first: Sample, last: Sample, extender_ms: float) -> Found:
    placed = last.placed - first.placed
    per_pod = 1000 / max(placed, 1)
    return Found(
        placed / (last.at - first.at),
        per_pod * (last.cpu_seconds - first.cpu_seconds),
        per_pod * (last.algorithm_seconds - first.algorithm_seconds),
        extender_ms,
        int(last.failed),
    )


@contextmanager
def bench(nodes: int) -> Iterator[Bench]:
    """Everything that runs stays the same; only the scheduler is exchanged."""
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="ullage-bench-")))
        snapshot = folder / "cluster.snapshot"
        snapshot.write_bytes(encode(_calm(nodes)))
        servers = {
            NOTHING: running.enter_context(_nothing(snapshot)),
            OURS: running.enter_context(extender_load.ours(snapshot)),
        }
        for server in servers.values():
            until(partial(_is_ready, server.port), "an extender that is ready", seconds=60)
        plane = running.enter_context(ControlPlane.start(folder / "plane", controllers=False, scheduler=False))
        admin = running.enter_context(plane.client())
        shapes = [NodeShape(NAME % number) for number in range(nodes)]
        Nodes(Running(), admin, Clock()).add(shapes)
        yield Bench(plane, admin, servers, nodes, folder)


def _calm(nodes: int) -> ClusterState:
    """The same nodes, all used alike: so pods land alike whoever decides, and only what a decision costs makes a difference."""
    built = Cluster()
    for number in range(nodes):
        built.node(NAME % number, cpu=16, memory="64Gi", use_cpu=4, use_memory="16Gi", age=10)
    return built.build()


@contextmanager
def _nothing(snapshot: Path) -> Iterator[Server]:
    command = [sys.executable, "-m", "benchmarks.extender_nothing", str(snapshot)]
    with subprocess.Popen(command, text=True, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None  # noqa: S101
            yield Server(NOTHING, int(process.stdout.readline()), process.pid)
        finally:
            process.terminate()


def _is_ready(port: int) -> bool:
    return urllib3.request("GET", f"http://127.0.0.1:{port}/readyz", retries=False).status == 200


def measure(nodes: int, pods: int, rounds: int) -> list[Bar]:
    """All rounds on one cluster: a table, and the bar."""
    names = [NONE, NOTHING, OURS]
    found: dict[str, list[Found]] = {name: [] for name in names}
    with bench(nodes) as running:
        for number in range(rounds):
            for name in names[number % 3 :] + names[: number % 3]:
                found[name].append(running.run(name, pods))
                click.echo(
                    f"{nodes:,} nodes, round {number + 1}: {name} {found[name][-1].per_second:,.0f} pods/s", err=True
                )
    print(f"{pods:,} pods on {nodes:,} nodes, {rounds} rounds, load of the machine {os.getloadavg()[0]:.1f}\n")
    print(table(HEADERS, [_row(name, found[name]) for name in names]), "\n")
    shares = [a.per_second / b.per_second for a, b in zip(found[OURS], found[NOTHING], strict=True)]
    costs = [_cost_ms(b) / _cost_ms(a) for a, b in zip(found[OURS], found[NOTHING], strict=True)]
    print(
        f"ours over do-nothing, of the same round: {_spread('pods per second', shares)}; {_spread('by CPU', costs)}\n"
    )
    return [Bar(f"{nodes:,} nodes: do-nothing over ours, pods per second", 1 / median(shares), 1 / BAR)]


def _cost_ms(found: Found) -> float:
    return found.cpu_ms + found.extender_ms


def _spread(name: str, shares: Sequence[float]) -> str:
    low, middle, high = np.percentile(shares, (25, 50, 75))
    return f"{name} {middle:.1%} (middle half {low:.1%} to {high:.1%}, all {min(shares):.1%} to {max(shares):.1%})"


def _row(name: str, runs: Sequence[Found]) -> tuple[str, ...]:
    rates = [each.per_second for each in runs]
    of_pod = [median(getattr(each, field) for each in runs) for field in ("cpu_ms", "extender_ms", "algorithm_ms")]
    figures = [*(f"{rate:,.0f}" for rate in (median(rates), min(rates), max(rates))), *(f"{x:.2f}" for x in of_pod)]
    return name, *figures, str(sum(each.failed for each in runs))


@click.command()
@click.option("--nodes", type=int, multiple=True, help="Number of nodes; may be repeated  [default: 500 and 5000]")
@click.option("--pods", type=int, help="Number of pods  [default: 2000, and 1000 on 5000 nodes]")
@click.option("--rounds", type=int, default=ROUNDS, show_default=True)
def command(nodes: tuple[int, ...], pods: int | None, rounds: int) -> None:
    """Measure on clusters of these sizes."""
    run(nodes or tuple(SIZES), pods, rounds)


def run(nodes: Sequence[int], pods: int | None, rounds: int) -> None:
    """Print what was measured, beside the bars."""
    if why := binaries.missing():
        print(f"missing: {why}")
        return
    found = [bar for size in nodes for bar in measure(size, pods or SIZES.get(size, 1_000), rounds)]
    print(bars(found))


def main() -> None:
    run(tuple(SIZES), None, ROUNDS)


if __name__ == "__main__":
    command()
