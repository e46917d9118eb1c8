"""The live state as a whole: 5,000 nodes and 100,000 pods of an API server, and a Prometheus, over TLS on loopback.

Once all pods are ordinary ones, once most of them run VMs: each VM brings a VirtualMachineInstance, a claim and a volume, and
series of its own. The allocator is set as in the Deployments.

Server and objects are in processes of their own (`benchmarks.live_api`), so that time and memory are those of the program.
CPU is that of its process: other programs on the machine make the cold start longer, and not its CPU.
"""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, process_time, thread_time
from typing import Final
from urllib.request import urlopen

from benchmarks.live_api import RATE_WINDOW_SECONDS
from benchmarks.tables import Bar, bars, table
from ullage.config import defaults
from ullage.model.state import ClusterState
from ullage.sources.kube_api.connection import Connection
from ullage.sources.kube_api.reflector import Server
from ullage.sources.live import LiveSource, LiveTiming, Parts
from ullage.sources.polling import PollTiming
from ullage.sources.prometheus.settings import PrometheusSettings
from ullage.sources.prometheus.source import PrometheusSource
from ullage.sources.store.cluster_store import ClusterStore
from ullage.sources.watched import MACHINES, PODS
from ullage.telemetry.history import History
from ullage.telemetry.identity import NodeIdentities
from ullage.telemetry.readings import Problem, Readings

NODES: Final = 5_000
WORKLOADS: Final = 100_000
VM_SHARES: Final = (0.0, 0.7)
ALLOCATOR: Final = {"MALLOC_MMAP_THRESHOLD_": "131072"}
"""Large blocks go back to the system when they are free."""
REFRESH_SECONDS: Final = 60.0
EVENTS_PER_SECOND: Final = 1_000
EVENTS_FOR_SECONDS: Final = 25.0
COLD_SECONDS: Final = 15.0
RESIDENT_MIB: Final = 500.0
CORE_RATIO: Final = 0.3
READING_SECONDS: Final = 3.0
_PAUSE: Final = threading.Event()


class TimedReadings:
    """A source of readings, and the CPU seconds of each reading."""

    def __init__(self, source: PrometheusSource) -> None:
        self._source = source
        self.seconds: list[float] = []
        self.problems: list[tuple[Problem, ...]] = []

    @property
    def name(self) -> str:
        """Name of the source."""
        return self._source.name

    def read(self, nodes: NodeIdentities, now_seconds: float) -> Readings:
        """A reading."""
        start = thread_time()
        readings = self._source.read(nodes, now_seconds)
        self.seconds.append(thread_time() - start)
        self.problems.append(readings.problems)
        return readings

    def history(self, nodes: NodeIdentities, start_seconds: float, end_seconds: float) -> Iterator[Readings]:
        """Readings of the past."""
        return self._source.history(nodes, start_seconds, end_seconds)


class TimedHistory:
    """Windows, and the CPU seconds of each reading that they took and of each state that they made."""

    def __init__(self) -> None:
        self._history = History(defaults())
        self.observing: list[float] = []
        self.measuring: list[float] = []

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What could not be used."""
        return self._history.problems

    def observe(self, readings: Readings, state: ClusterState) -> None:
        """Take a reading."""
        start = thread_time()
        self._history.observe(readings, state)
        self.observing.append(thread_time() - start)

    def measured(self, state: ClusterState, now_seconds: float) -> ClusterState:
        """Make measures."""
        start = thread_time()
        found = self._history.measured(state, now_seconds)
        self.measuring.append(thread_time() - start)
        return found

    def set_aside(self, state: ClusterState, now_seconds: float) -> tuple[tuple[str, str, str], ...]:
        """Nodes that cannot be judged."""
        return self._history.set_aside(state, now_seconds)


class Api:
    """The server's side."""

    def __init__(self, url: str, authority: str) -> None:
        self.url, self.authority = url, authority
        self._trust = ssl.create_default_context(cafile=authority)

    def get(self, path: str) -> dict[str, int]:
        """Answer of a path that is ours."""
        with urlopen(self.url + path, context=self._trust) as answer:  # noqa: S310 - our own address
            found: dict[str, int] = json.load(answer)
            return found

    def kubeconfig(self, folder: Path) -> Path:
        """File of a kubeconfig of nobody in particular."""
        cluster = {"server": self.url, "certificate-authority": self.authority}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "c",
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": "u", "user": {"token": "t"}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        }
        path = folder / "kubeconfig"
        path.write_text(json.dumps(document))  # JSON is YAML
        return path


class Run:
    """One live source, and what it takes."""

    def __init__(self, api: Api, folder: Path) -> None:
        self.api = api
        settings = PrometheusSettings(url=api.url, ca_file=api.authority, rate_window_seconds=RATE_WINDOW_SECONDS)
        self.readings, self.history, self.store = (
            TimedReadings(PrometheusSource(settings)),
            TimedHistory(),
            ClusterStore(),
        )
        server = Server.of(Connection.load(api.kubeconfig(folder), None))
        parts = Parts(server, self.store, self.history, (self.readings,))
        self.source = LiveSource(parts, LiveTiming(poll=PollTiming(REFRESH_SECONDS, 0.0)))

    def cold(self) -> tuple[float, float]:
        """Wall and CPU seconds until the first state."""
        wall, cpu = monotonic(), process_time()
        self.source.start()
        if not self.source.wait(300):
            raise TimeoutError(str(self.source.health()))
        return monotonic() - wall, process_time() - cpu

    def wait_for_reading(self, number: int) -> None:
        """Wait until so many readings were taken and shown."""
        while len(self.history.observing) < number:
            _PAUSE.wait(0.1)
        shown = len(self.history.measuring)
        while len(self.history.measuring) == shown:
            _PAUSE.wait(0.1)

    def share(self, seconds: float) -> tuple[float, dict[str, float]]:
        """Share of a core that is used for so long, in all and by thread."""
        before, cpu, wall = self._by_thread(), process_time(), monotonic()
        _PAUSE.wait(seconds)
        after, passed = self._by_thread(), monotonic() - wall
        by_thread = {name: (after[name] - before.get(name, 0.0)) / passed for name in after}
        return (process_time() - cpu) / passed, by_thread

    def _by_thread(self) -> dict[str, float]:
        """CPU seconds of each thread, by its name."""
        return {each.name: _thread_seconds(each.native_id or 0) for each in threading.enumerate()}


def _thread_seconds(number: int) -> float:
    fields = Path(f"/proc/self/task/{number}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def memory_mib(key: str) -> float:
    """A figure of this process's memory."""
    text = Path("/proc/self/status").read_text(encoding="ascii")
    return float(next(line.split()[1] for line in text.splitlines() if line.startswith(key))) / 1024


def measure(url: str, authority: str) -> None:
    """Measure, in a process that does nothing else, and print."""
    with tempfile.TemporaryDirectory() as folder:
        run = Run(Api(url, authority), Path(folder))
        before = memory_mib("VmRSS")
        wall, cpu = run.cold()
        resident, peak = memory_mib("VmRSS"), memory_mib("VmHWM")
        state = run.source.current()
        if state is None:
            raise TimeoutError("no state")
        pods = run.store.counts()[PODS]
        objects = sum(held for held, _ in run.store.counts().values())
        print(
            f"{len(state.nodes):,} nodes, {pods[0]:,} pods, {run.store.counts()[MACHINES][0]:,} VMs, {objects:,} objects"
        )
        idle, _ = run.share(5)
        run.wait_for_reading(2)
        steady = memory_mib("VmRSS")
        busy, by_thread, events = _under_events(run)
        _print(run, by_thread)
        reading = run.readings.seconds[1] + run.history.observing[1]
        print(
            f"cold start: {wall:.1f} s, of them {cpu:.1f} s CPU; memory: {before:.0f} MiB before, {resident:.0f} after,"
        )
        print(
            f"{steady:.0f} after the second reading, {memory_mib('VmRSS'):.0f} at the end, {memory_mib('VmHWM'):.0f} at most"
        )
        print(f"idle: {idle:.3f} of a core; {events:,.0f} events a second: {busy:.3f} of a core\n")
        found = (
            Bar("cold start, until the first state", wall, COLD_SECONDS, "s"),
            Bar("resident after the cold start", resident, RESIDENT_MIB, "MiB"),
            Bar("highest resident by then", peak, RESIDENT_MIB, "MiB"),
            Bar("1,000 events and a state a second", busy * EVENTS_PER_SECOND / events, CORE_RATIO, "core"),
            Bar("a reading of everything, CPU", reading, READING_SECONDS, "s"),
        )
        print(bars(found))
        run.source.stop()


def _under_events(run: Run) -> tuple[float, dict[str, float], float]:
    """Share of a core under events, by thread too, and how many came a second."""
    run.api.get(f"/start?rate={EVENTS_PER_SECOND}")
    _PAUSE.wait(2)
    sent, begun = run.api.get(f"/start?rate={EVENTS_PER_SECOND}")["sent"], monotonic()
    busy, by_thread = run.share(EVENTS_FOR_SECONDS)
    events = (run.api.get("/stop")["sent"] - sent) / (monotonic() - begun)
    return busy, by_thread, events


def _print(run: Run, by_thread: dict[str, float]) -> None:
    rows = [
        ("read and joined", *(f"{each:.2f}" for each in run.readings.seconds[:2])),
        ("judged and kept", *(f"{each:.2f}" for each in run.history.observing[:2])),
        ("made measures of", *(f"{each:.2f}" for each in run.history.measuring[:2])),
    ]
    print(table(("CPU seconds of a reading", "first", "second"), rows), end="\n\n")
    threads = sorted(by_thread.items(), key=lambda each: -each[1])[:4]
    print(table(("thread", "share of a core"), [(name, f"{share:.3f}") for name, share in threads]), end="\n\n")


@contextmanager
def served(folder: str, nodes: int, workloads: int, vm_share: float) -> Iterator[tuple[str, str]]:
    """Address and authority of a server in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.live_api", folder, str(nodes), str(workloads), str(vm_share)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            url, authority = next(iter(server.stdout or ())).split()
            yield url, authority
        finally:
            server.kill()


def main(nodes: int = NODES, workloads: int = WORKLOADS) -> None:
    run = "import sys; from benchmarks.live_cluster import measure; measure(*sys.argv[1:])"
    for share in VM_SHARES:
        with tempfile.TemporaryDirectory() as folder, served(folder, nodes, workloads, share) as (url, authority):
            subprocess.run([sys.executable, "-c", run, url, authority], check=True, env=os.environ | ALLOCATOR)


if __name__ == "__main__":
    main(*(int(text) for text in sys.argv[1:]))
