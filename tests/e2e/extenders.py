"""The extender as a process, and what it knows of the cluster."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import urllib3
from prometheus_client.parser import text_string_to_metric_families

from tests.controlplane.certificates import Authority, Credentials
from tests.controlplane.processes import Program
from tests.controlplane.rest import Rest, RestError
from tests.controlplane.waiting import until
from tests.standin.kubevirt.names import KUBEVIRTS, MACHINES, MIGRATIONS
from tests.standin.metrics_api import PREFIX
from tests.standin.wire import NODES, PODS, Json
from ullage.model.state import ClusterState
from ullage.sources.inputs import load

START_SECONDS: Final = 60.0
OBJECTS: Final = (NODES, PODS, "/api/v1/namespaces", "/apis/policy/v1/poddisruptionbudgets")
OPTIONAL: Final = (MACHINES, MIGRATIONS, KUBEVIRTS, f"{PREFIX}/nodes", f"{PREFIX}/pods")


class Knowledge(Protocol):
    """Where the extender's state comes from."""

    @property
    def arguments(self) -> list[str]:
        """What says so to ``ullage extender``."""

    def tell(self) -> None:
        """Have the state be that of now, soon."""

    def state(self) -> ClusterState:
        """The state that the extender has after it was told."""


class Dumps:
    """A dump of the cluster in a file, written anew whenever a test wants the extender to see what has changed."""

    def __init__(self, admin: Rest, file: Path) -> None:
        self._admin, self._file = admin, file

    @property
    def arguments(self) -> list[str]:
        return [f"--snapshot={self._file}"]

    def tell(self) -> None:
        beside = self._file.with_suffix(".new")
        beside.write_bytes(b"\n".join(self._lists()))
        beside.replace(self._file)

    def state(self) -> ClusterState:
        return load([str(self._file)])

    def _lists(self) -> Iterator[bytes]:
        for path in (*OBJECTS, *OPTIONAL):
            try:
                yield self._admin.raw("GET", path)
            except RestError as error:
                if path in OBJECTS or error.status not in (404, 503):
                    raise


@dataclass(frozen=True)
class Tls:
    """What the extender and its client trust and show.

    Attributes
    ----------
    server, client
        Certificates of both.
    authority
        Who signed them.
    asks_clients
        Whether the extender asks for the client's.
    """

    authority: Authority
    server: Credentials
    client: Credentials
    asks_clients: bool = True

    @property
    def arguments(self) -> list[str]:
        asked = [f"--client-ca={self.authority.certificate}"] if self.asks_clients else []
        return [f"--tls-cert={self.server.certificate}", f"--tls-key={self.server.key}", *asked]

    def pool(self, port: int) -> urllib3.HTTPSConnectionPool:
        return urllib3.HTTPSConnectionPool(
            "127.0.0.1",
            port,
            ca_certs=str(self.authority.certificate),
            cert_file=str(self.client.certificate),
            key_file=str(self.client.key),
        )


class Extender:
    """A running ``ullage extender``."""

    def __init__(self, program: Program, pool: urllib3.HTTPConnectionPool, knowledge: Knowledge) -> None:
        self.program = program
        self._pool, self._knowledge = pool, knowledge

    def learn(self) -> None:
        """Have it know the cluster as it is now."""
        before = self.value("state_generation")
        self._knowledge.tell()
        until(lambda: self.value("state_generation") > before, "a newer state")

    def is_ready(self) -> bool:
        """Whether it says so."""
        return self._status("/readyz") == 200

    def is_alive(self) -> bool:
        """Whether it answers at all."""
        return self._status("/healthz") == 200

    def value(self, name: str, **labels: str) -> float:
        """Value of one of its metrics; 0 if there is none."""
        text = self._pool.request("GET", "/metrics").data.decode()
        samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
        wanted = f"ullage_extender_{name}"
        return sum(each.value for each in samples if each.name == wanted and labels.items() <= each.labels.items())

    def answers(self, outcome: str, verb: str = "filter") -> int:
        """How many requests it has answered so."""
        return int(self.value("requests_total", verb=verb, outcome=outcome))

    def explain(self, pod: Json, *names: str) -> Json:
        """What it thinks of nodes for a pod; by name."""
        asked = {"Pod": pod, **({"NodeNames": list(names)} if names else {})}
        answer = self._pool.request("POST", "/scheduler/explain", body=json.dumps(asked)).json()
        found: Json = answer["explanation"]
        return {**found, "nodes": {each["name"]: each for each in found["nodes"]}}

    @contextmanager
    def hung(self) -> Iterator[None]:
        """It does nothing for a while, as one whose machine is swapping."""
        self.program.send(signal.SIGSTOP)
        try:
            yield
        finally:
            self.program.send(signal.SIGCONT)

    def _status(self, path: str) -> int:
        try:
            return self._pool.request("GET", path, retries=False, timeout=5).status
        except urllib3.exceptions.HTTPError:
            return 0


@dataclass(frozen=True)
class Launcher:
    """Starts extenders, one at a time, on one port.

    Attributes
    ----------
    log
        Where they write to.
    """

    port: int
    knowledge: Knowledge
    log: Path

    @contextmanager
    def run(self, *arguments: str, tls: Tls | None = None, ready: bool = True) -> Iterator[Extender]:
        """An extender; it knows the cluster if it is to be ``ready``, as `deploy/scheduler` wants it to be started."""
        own = [f"--listen=127.0.0.1:{self.port}", "--timeout=500ms", *self.knowledge.arguments]
        if ready:
            self.knowledge.tell()
        command = [sys.executable, "-m", "extender", *own, *(tls.arguments if tls else ()), *arguments]
        with Program(command, self.log) as program:
            pool = tls.pool(self.port) if tls else urllib3.HTTPConnectionPool("127.0.0.1", self.port)
            extender = Extender(program, pool, self.knowledge)
            program.wait_ready(extender.is_ready if ready else extender.is_alive, START_SECONDS)
            yield extender
            pool.close()
