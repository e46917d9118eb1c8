"""The whole loop on a real control plane: instances are relieved, by live migrations and by evictions, and then it is still.

``python -m benchmarks.acting --instance bb22-s0-t2160 --as pods``. 22 nodes whose machines are stood in for, each VM of the
instance a VirtualMachineInstance, or a pod of a ReplicaSet of one, with constant use; kube-scheduler with the extender; the
descheduler in the mode Automatic with the rights that are shipped. What is written is taken from the audit log, and where
everything is in the end from the API server.

Times are short, so that a run takes minutes: readings and cycles every two seconds, windows of ten minutes, a node is over
after two readings, moves begin after half a minute, what a pod uses is seen after two readings, and migrations run ten times
as fast. Readings that stay the same are believed, since use is constant. Thresholds (80 % of CPU and of memory, which is what
the instances ask for), budgets and cooldowns are the defaults.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Final

import click
import numpy as np

from benchmarks.instances import ABSENT, Instance, folder, optima, read
from benchmarks.tables import Bar, bars, gib, table
from tests.controlplane import binaries
from tests.controlplane.plane import ControlPlane
from tests.controlplane.processes import reserved_ports
from tests.controlplane.rest import Rest
from tests.controlplane.waiting import until
from tests.e2e.extenders import Launcher
from tests.e2e.schedulers import configuration as scheduling
from tests.e2e.workloads import fresh_namespace
from tests.e2e_acting import audit
from tests.e2e_acting.deployed import deploy
from tests.e2e_acting.history import History
from tests.e2e_acting.oracle import Watcher, broken, loose_ends
from tests.e2e_acting.replicas import Replica, Replicas, configuration
from tests.standin.clock import Clock
from tests.standin.cluster import StandIn
from tests.standin.kubevirt.launcher import guest
from tests.standin.kubevirt.settings import KubeVirtSettings
from tests.standin.nodes import NodeShape
from tests.standin.objects import VmShape
from tests.standin.use import Use
from ullage.estimation.requests import render
from ullage.model.arrays import IntArray
from ullage.model.state import ClusterState

INSTANCES: Final = ("bb22-s0-t2160", "bb22-s1-t5472")
KINDS: Final = ("vms", "pods")
TODAY: Final[Mapping[str, tuple[int, int]]] = {"bb22-s0-t2160": (71, 2), "bb22-s1-t5472": (340, 6)}
"""Evictions, and nodes hot in the end, of kubernetes-sigs descheduler v0.36.0 on the same input, as measured in ten cycles."""
FACTOR: Final = 1.1
SILENT_CYCLES: Final = 10
MOST_SECONDS: Final = 300.0
SPEED: Final = 10.0
INTERVAL: Final = "2s"
WRITERS: Final = 8
SETTINGS: Final[Mapping[str, Mapping[str, object]]] = {
    "telemetry": {
        "refreshSeconds": 2,
        "maxAgeSeconds": 60,
        "frozenReadings": 0,
        "windowSeconds": 600,
        "bucketSeconds": 10,
        "peakWindowSeconds": 600,
    },
    "hysteresis": {"persistenceSeconds": 4},
    "breakers": {"settleSeconds": 30},
    "ledger": {"shownAfterSeconds": 4},
}
HEADERS: Final = (
    "instance",
    "each VM is",
    "moves",
    "optimum",
    "hot before",
    "hot after",
    "highest",
    "GiB",
    "minutes",
    "not done",
    "moves then",
    "broken",
)


@dataclass(frozen=True)
class Found:
    """One run.

    Attributes
    ----------
    moves, failed, later
        Moves that were begun until all was still; steps of plans that were not carried out; moves of ten cycles after that.
    before, after, highest
        Nodes that were hot and that are, and the highest CPU or memory of any in the end.
    bytes
        Memory of what moved, as the plans have it.
    seconds
        From when the descheduler led to the end of its last move, by the machine's clock.
    """

    name: str
    kind: str
    moves: int
    optimum: int
    before: int
    after: int
    highest: float
    bytes: float
    seconds: float
    failed: int
    later: int
    broken: tuple[str, ...]

    def row(self) -> tuple[str, ...]:
        """Return it as a row of the table."""
        counts = (self.moves, self.optimum, self.before, self.after)
        figures = (f"{self.highest:.1%}", gib(self.bytes), f"{self.seconds / 60:.1f}", str(self.failed))
        return self.name, self.kind, *map(str, counts), *figures, str(self.later), str(len(self.broken))


@dataclass(frozen=True)
class Live:
    """The extender knows the cluster by watching it, and has the configuration of the descheduler."""

    plane: ControlPlane
    config: Path

    @property
    def arguments(self) -> list[str]:
        """What says so to the extender."""
        return [f"--kubeconfig={self.plane.admin}", f"--config={self.config}"]

    def tell(self) -> None:
        """It sees by itself."""

    def state(self) -> ClusterState:
        """Nobody asks."""
        raise NotImplementedError


class Bench:
    """A control plane with an instance on it."""

    def __init__(self, instance: Instance, kind: str, standin: StandIn, admin: Rest, namespace: str) -> None:
        self._instance, self._kind, self._standin, self._admin = instance, kind, standin, admin
        self._namespace = namespace

    def fill(self) -> None:
        """Create every VM where the instance has it."""
        with ThreadPoolExecutor(WRITERS) as pool:
            list(pool.map(self._create, range(len(self._instance.home))))
        self._standin.settle(600)

    def places(self) -> IntArray:
        """Node of each VM, int64 (V,), as soon as all of them run."""
        return np.array(until(self._places, "all VMs at some node", seconds=120), dtype=np.int64)

    def _create(self, number: int) -> None:
        given, name = self._instance, self._instance.vms[number]
        cores, memory = given.use[number]
        use = Use(cpu_cores=float(cores), working_set_bytes=int(memory))
        where = {"namespace": self._namespace, "node": given.nodes[given.home[number]]}
        requested, wanted = given.requests[number]
        if self._kind == "pods":
            self._standin.create_replicaset(name, cores=requested, memory_bytes=int(wanted), use=use, **where)
            return
        # KubeVirt requests a tenth of a core for each vCPU.
        size, vcpus = int(max(given.guest_bytes[number], memory)), max(1, round(10 * requested))
        own = int(wanted) - _added(VmShape(name, size, vcpus))
        self._standin.create_vm(name, size, vcpus, use=use, requests_bytes=own, **where)

    def _places(self) -> list[int] | None:
        if self._kind == "vms":
            path = f"/apis/kubevirt.io/v1/namespaces/{self._namespace}/virtualmachineinstances"
            found = {each["metadata"]["name"]: each["status"].get("nodeName") for each in self._admin.list(path)}
        else:
            pods = self._admin.list(f"/api/v1/namespaces/{self._namespace}/pods")
            alive = (each for each in pods if not each["metadata"].get("deletionTimestamp"))
            found = {each["metadata"]["labels"]["app"]: each["spec"].get("nodeName") for each in alive}
        rows = {name: row for row, name in enumerate(self._instance.nodes)}
        places = [rows.get(found.get(name) or "", -1) for name in self._instance.vms]
        return None if -1 in places else places


def _added(shape: VmShape) -> int:
    """What KubeVirt requests on top of what a VM does; the requests of an instance are those of whole pods."""
    added: int = render(guest(shape.wire()), KubeVirtSettings().cluster).overhead_bytes
    return added


def measure(name: str, kind: str, keep: Path | None = None) -> Found:
    """Relieve an instance, and wait until it has been still for ten cycles; logs go to a folder below `keep`, if anywhere."""
    instance = read(name)
    with _bench(instance, kind, keep and _fresh(keep / f"{name}-{kind}")) as (bench, replicas, watcher):
        with replicas.run("loop", "--interval", INTERVAL) as replica:
            cycles = _until_silent(replica, watcher)
            first = watcher.history().ours
            until(lambda: len(replica.cycles()) >= cycles + SILENT_CYCLES, "ten cycles more", seconds=120)
        places, history = bench.places(), watcher.history()
    steps = list(_steps(history))
    return Found(
        name=name,
        kind=kind,
        moves=len(first),
        optimum=round(optima()[name]["opt_moves"]),
        before=len(instance.hot(instance.home)),
        after=len(instance.hot(places)),
        highest=float((instance.load(places) / instance.capacity).max()),
        bytes=sum(memory for phase, memory in steps if phase == "Succeeded"),
        seconds=max((move.ended for move in first), default=history.terms[0].ended) - history.terms[0].ended,
        failed=sum(phase != "Succeeded" for phase, _ in steps),
        later=len(history.ours) - len(first),
        broken=tuple(broken(history, watcher.rules)),
    )


def _steps(history: History) -> Iterator[tuple[str, float]]:
    """Phase and memory of every move of every plan."""
    for plan in history.plans.values():
        for move, step in zip(plan["spec"]["moves"], plan["status"]["steps"], strict=True):
            yield step["phase"], float(move["memoryBytes"])


def _until_silent(replica: Replica, watcher: Watcher) -> int:
    """Wait until nothing was begun for ten cycles, with no plan open; how many cycles that took in all."""

    def silent() -> int:
        cycles, history = replica.cycles(), watcher.history()
        planned = [each for each in cycles if each["result"] == "planned"]
        still = planned[-SILENT_CYCLES:]
        is_still = len(still) == SILENT_CYCLES and not any(each.get("phase") for each in still[:-1])
        has_begun = bool(history.ours) or len(planned) > 4 * SILENT_CYCLES
        return len(cycles) if is_still and has_begun and not loose_ends(history) else 0

    try:
        return until(silent, "silence", seconds=MOST_SECONDS)
    except TimeoutError:  # what there is tells enough
        return len(replica.cycles())


def _fresh(path: Path) -> Path:
    path.mkdir(parents=True)
    return path


@contextmanager
def _bench(instance: Instance, kind: str, keep: Path | None) -> Iterator[tuple[Bench, Replicas, Watcher]]:
    with ExitStack() as running:
        folder_ = keep or Path(running.enter_context(tempfile.TemporaryDirectory(prefix="ullage-bench-")))
        policy = folder_ / "policy.yaml"
        policy.write_text(audit.policy())
        plane = running.enter_context(ControlPlane.start(folder_ / "plane", audit_policy=policy, scheduler=False))
        admin = running.enter_context(plane.client())
        deploy(plane)
        watcher = Watcher(plane.audit_log)
        clock = Clock(speed=SPEED)
        standin = running.enter_context(StandIn(admin, _shapes(instance), clock=clock, shared=False))
        namespace = running.enter_context(fresh_namespace(admin))
        bench = Bench(instance, kind, standin, admin, namespace)
        bench.fill()
        config = configuration(folder_ / "config.yaml", **SETTINGS)
        running.enter_context(_scheduler(plane, config))
        yield bench, Replicas(plane, folder_, config), watcher


@contextmanager
def _scheduler(plane: ControlPlane, config: Path) -> Iterator[None]:
    """kube-scheduler with the extender, both as they are shipped."""
    with reserved_ports(1) as (port,), Launcher(port, Live(plane, config), config.parent / "extender.log").run():
        file = config.parent / "scheduler-with-extender.yaml"
        file.write_text(scheduling("filter-and-score", port))
        plane.start_scheduler(file)
        yield


def _shapes(instance: Instance) -> list[NodeShape]:
    return [
        NodeShape(name, cores=float(cores), memory_bytes=int(memory))
        for name, (cores, memory) in zip(instance.nodes, instance.capacity, strict=True)
    ]


@click.command()
@click.option("--instance", "chosen", multiple=True, help="Name of an instance; may be repeated  [default: two]")
@click.option("--as", "kinds", multiple=True, type=click.Choice(KINDS), help="What each VM is  [default: both]")
@click.option("--keep", type=click.Path(path_type=Path), help="Folder for all logs  [default: none]")
def command(chosen: tuple[str, ...], kinds: tuple[str, ...], keep: Path | None) -> None:
    """Relieve these instances."""
    run(chosen or INSTANCES, kinds or KINDS, keep)


def run(chosen: Sequence[str], kinds: Sequence[str], keep: Path | None = None) -> None:
    """Print what came, beside the bars and what people have today."""
    if (why := binaries.missing()) or folder() is None:
        print(f"missing: {why}" if why else ABSENT)
        return
    found = []
    for name, kind in product(chosen, kinds):
        found.append(measure(name, kind, keep))
        print(table(HEADERS, [found[-1].row()]), "\n", flush=True)
    rows = [each.row() for each in found]
    today = [_today(name) for name in chosen if name in TODAY]
    print(table(HEADERS, [*rows, *today]), "\n")
    for each in found:
        print("".join(f"{each.name} as {each.kind}: {text}\n" for text in each.broken), end="")
    print(bars([bar for each in found for bar in _bars(each)]))


def _today(name: str) -> tuple[str, ...]:
    moves, hot = TODAY[name]
    best = optima()[name]
    shown = (str(moves), str(round(best["opt_moves"])), str(best["hot"]), str(hot))
    return name, "pods, sigs descheduler", *shown, *("-",) * 6


def _bars(found: Found) -> list[Bar]:
    name = f"{found.name} as {found.kind}"
    return [
        Bar(f"{name}: nodes hot in the end", float(found.after), 0.0),
        Bar(f"{name}: moves over the optimum", found.moves / found.optimum, FACTOR),
        Bar(f"{name}: moves in ten cycles more", float(found.later), 0.0),
        Bar(f"{name}: invariants broken", float(len(found.broken)), 0.0),
    ]


def main() -> None:
    """Run with the defaults."""
    run(INSTANCES, KINDS)


if __name__ == "__main__":
    command()
