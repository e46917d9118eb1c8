"""A small cluster, and the service on it: as plain calls, or on real sockets."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from extender.app import Extender, Settings, decision
from extender.http_protocol import Request
from extender.http_verbs import HttpVerbs
from extender.ledger import Ledger
from extender.metrics import Metrics
from extender.scheduling import Clocks, Decision, Scheduling, Timing
from tests.builders import Cluster
from ullage.config import defaults
from ullage.model.state import ClusterState
from ullage.serving.address import Address
from ullage.sources.snapshot import encode

OBSERVED_AT = 1_000_000.0
NAMES = ["n1", "n2", "n3"]
POD = {
    "metadata": {"name": "web", "namespace": "shop", "uid": "uid-web", "creationTimestamp": None},
    "spec": {"containers": [{"name": "c", "resources": {"requests": {"cpu": "500m", "memory": "4Gi"}}}]},
    "status": {},
}


def cluster(*, nodes: int = 3, generation: int = 1) -> ClusterState:
    """n1 is nearly idle, n2 half full, n3 above its memory limit; further ones are half full."""
    built = Cluster()
    use = {1: (1, "8Gi"), 3: (2, "63Gi")}
    for number in range(1, nodes + 1):
        cores, memory = use.get(number, (4, "32Gi"))
        built.node(f"n{number}", cpu=16, memory="64Gi", use_cpu=cores, use_memory=memory, age=10)
    return built.build(observed_at=OBSERVED_AT, generation=generation)


def args(names: object = None, pod: object = POD) -> dict[str, object]:
    """``ExtenderArgs`` in the form of names."""
    return {"Pod": pod, "Nodes": None, "NodeNames": NAMES if names is None else names}


def node_list(names: list[str]) -> dict[str, object]:
    """``ExtenderArgs`` in the form of Node objects."""
    items = [{"metadata": {"name": name, "labels": {"a": name}}, "status": {"images": []}} for name in names]
    return {"Pod": POD, "Nodes": {"metadata": {}, "items": items}, "NodeNames": None}


@dataclass
class Clock:
    """Time that moves when a test says so."""

    passed: float = 100.0
    day: float = OBSERVED_AT + 60

    def now(self) -> float:
        return self.passed

    def wall(self) -> float:
        return self.day


@dataclass
class Service:
    """The verbs without a server."""

    state: ClusterState | None = None
    decides: Decision = field(default_factory=lambda: decision(defaults()))
    timing: Timing = field(default_factory=Timing)

    def __post_init__(self) -> None:
        self.clock = Clock()
        self.metrics = Metrics()
        self.ledger = Ledger(defaults(), self.clock)
        clocks = Clocks(self.clock.now, self.clock.wall)
        self.scheduling = Scheduling(self.decides, self.ledger, clocks, self.metrics, self.timing)
        self.verbs = HttpVerbs(self.scheduling)
        if self.state is not None:
            self.publish(self.state)

    def publish(self, state: ClusterState) -> None:
        self.scheduling.publish(self.scheduling.prepare(state))

    def call(self, verb: str, body: object, begun_at: float | None = None) -> bytes:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        # As from the protocol: a view of a buffer that is used again.
        buffer = bytearray(data)
        begun = self.clock.now() if begun_at is None else begun_at
        response = getattr(self.verbs, verb)(Request(b"POST", b"/", memoryview(buffer), begun))
        answer = b"".join(response.parts)
        buffer[:] = b"x" * len(buffer)
        return answer

    def value(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"ullage_extender_{name}", labels)


def failing(service: Decision) -> Decision:
    """A decision that raises in every verb."""

    def fail(*_: object) -> object:
        raise ZeroDivisionError("secret of the decision")

    return replace(service, filter_nodes=fail, prioritize=fail, explain=fail)


def scoring(service: Decision, score: int) -> Decision:
    """A decision that gives every node one score."""
    return replace(service, prioritize=lambda *asked: np.full(len(asked[2]), score, dtype=np.int16))


@dataclass
class Running:
    """An extender that serves from another thread."""

    extender: Extender
    loop: asyncio.AbstractEventLoop
    grpc_port: int = 0

    @property
    def port(self) -> int:
        return self.extender.http.addresses[0][1]

    def wait_for(self, generation: int) -> None:
        """Wait until a state of at least this generation is published."""
        changed = self.extender.scheduling.changed(generation - 1)
        asyncio.run_coroutine_threadsafe(changed, self.loop).result(20)


def write_state(path: Path, state: ClusterState) -> Path:
    """Put a snapshot in place as a whole."""
    beside = path.with_suffix(".new")
    beside.write_bytes(encode(state))
    beside.replace(path)
    return path


@contextmanager
def running(snapshot: Path, *, ready: bool = True, **settings: object) -> Iterator[Running]:
    """An extender on loopback; it has read the snapshot if it is to be `ready`."""
    chosen = Settings(snapshot, defaults(), listen=Address("127.0.0.1", 0), poll_seconds=0.02, **settings)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        extender = asyncio.run_coroutine_threadsafe(_made(chosen), loop).result(20)
        served = Running(extender, loop, extender.grpc_port)
        if ready:
            served.wait_for(1)
        yield served
        asyncio.run_coroutine_threadsafe(extender.stop(), loop).result(20)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _made(settings: Settings) -> Extender:
    extender = Extender(settings)
    await extender.start()
    return extender
