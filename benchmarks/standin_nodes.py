"""Nodes without machines on a real control plane with all its controllers: from the first one until all take pods.

``python -m benchmarks.standin_nodes --nodes 5000``. They share the machine with etcd, kube-apiserver, kube-scheduler and
kube-controller-manager; how much each of these worked meanwhile is shown.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import Final

import click

from benchmarks.extender_load import Server
from benchmarks.extender_payloads import NAME
from benchmarks.tables import Bar, bars, table
from tests.controlplane import binaries
from tests.controlplane.plane import ControlPlane
from tests.standin.clock import Clock
from tests.standin.nodes import Nodes, NodeShape
from tests.standin.running import Running
from tests.standin.wire import NODES

COUNT: Final = 5_000
MOST_SECONDS: Final = 60.0
PATIENCE_SECONDS: Final = 600.0
OURS: Final = "stand-in"
GRACE: Final = "--node-monitor-grace-period=300s"
LONGEST_LEASE_SECONDS: Final = 150.0
"""On so many nodes, Leases that are renewed as the default of 50 s demands would take a third of a processor."""


def measure(count: int) -> list[Bar]:
    """Create nodes, wait until no taint of admission is left, and count the ready ones."""
    with (
        tempfile.TemporaryDirectory(prefix="ullage-bench-") as name,
        ControlPlane.start(Path(name) / "plane", controller_flags=[GRACE]) as plane,
    ):
        programs = {OURS: os.getpid(), **{each: program.pid for each, program in plane.programs.items()}}
        running = Running()
        with plane.client() as admin:
            nodes = Nodes(running, admin, Clock(), LONGEST_LEASE_SECONDS)
            nodes.start()
            before, begun = _spent(programs), time.perf_counter()
            nodes.add([NodeShape(NAME % number) for number in range(count)], PATIENCE_SECONDS)
            seconds, after = time.perf_counter() - begun, _spent(programs)
            ready = sum(_is_ready(each) for each in admin.list(NODES))
            running.stop()
    print(f"{ready:,} of {count:,} nodes ready after {seconds:.1f} s, load of the machine {os.getloadavg()[0]:.1f}\n")
    print(table(("program", "CPU s"), [(each, f"{after[each] - before[each]:.1f}") for each in programs]), "\n")
    missing = Bar("nodes that are not ready", count - ready, 0)
    return [Bar(f"{count:,} nodes ready", seconds, MOST_SECONDS, "s"), missing]


def _spent(programs: dict[str, int]) -> dict[str, float]:
    return {name: Server(name, 0, process).cpu_seconds() for name, process in programs.items()}


def _is_ready(node: dict[str, dict[str, object]]) -> bool:
    conditions = node["status"]["conditions"]
    assert isinstance(conditions, list)  # noqa: S101
    return not node["spec"].get("taints") and {"Ready"} <= {c["type"] for c in conditions if c["status"] == "True"}


@click.command()
@click.option("--nodes", type=int, default=COUNT, show_default=True)
def command(nodes: int) -> None:
    """Measure with this many nodes."""
    run(nodes)


def run(nodes: int) -> None:
    """Print what was measured, beside the bar."""
    if why := binaries.missing():
        print(f"missing: {why}")
        return
    print(bars(measure(nodes)))


def main() -> None:
    run(COUNT)


if __name__ == "__main__":
    command()
