"""Replicas of the descheduler as processes, each with a token of its own, so that the audit log tells them apart."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.controlplane import kubeconfig
from tests.controlplane.plane import ControlPlane
from tests.e2e_acting.forked import Forked
from tests.e2e_live.commands import HEAD, SECONDS, Loop

NAMESPACE: Final = "ullage-system"
ACCOUNT: Final = "ullage-descheduler"
LEASE: Final = f"{NAMESPACE}/{ACCOUNT}"
LEASE_PATH: Final = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/{ACCOUNT}"
PLANS: Final = "/apis/ullage.dev/v1alpha1/rebalanceplans"
TIMES: Final = "10s,6s,1s"
"""A write may take 5 s, and a permit ends 1 s early: a lease must last longer than both and a retry."""
HURRIED: Final[Mapping[str, Mapping[str, object]]] = {
    "telemetry": {
        "refreshSeconds": 1,
        "maxAgeSeconds": 10,
        "frozenReadings": 0,
        "windowSeconds": 60,
        "bucketSeconds": 10,
        "peakWindowSeconds": 60,
    },
    "hysteresis": {"persistenceSeconds": 1},
    "breakers": {"settleSeconds": 1},
}


def configuration(path: Path, **parts: Mapping[str, object]) -> Path:
    """Configuration of a loop that is in a hurry; fields of `parts` are further ones or take their places."""
    names = {**HURRIED, **parts}
    whole = {name: {**HURRIED.get(name, {}), **parts.get(name, {})} for name in names}
    path.write_text(json.dumps({**HEAD, **whole}))  # JSON is YAML
    return path


@dataclass
class Replica:
    """A descheduler that runs."""

    name: str
    program: Forked
    loop: Loop = field(init=False)

    def __post_init__(self) -> None:
        self.loop = Loop(self.program)

    @property
    def leads(self) -> bool:
        return self.loop.metric("ullage_descheduler_leader") == 1

    def cycles(self) -> list[dict[str, Any]]:
        """Its cycles so far, as the log has them."""
        return self.loop.said("Cycle")

    def kill(self) -> None:
        """End it without a word."""
        self.program.send(signal.SIGKILL)
        self.program.stop()


@dataclass(frozen=True)
class Replicas:
    """Starts them.

    Attributes
    ----------
    folder
        Where logs and kubeconfigs go.
    config
        File of the configuration.
    interval, times
        From cycle to cycle, and of the Lease.
    """

    plane: ControlPlane
    folder: Path
    config: Path
    interval: str = "500ms"
    times: str = TIMES

    @contextmanager
    def run(self, name: str = "one", *words: str, url: str = "", mode: str = "Automatic") -> Iterator[Replica]:
        """A replica until the context ends; by `url` another way to the API server."""
        with Forked(self.words(name, *words, url=url, mode=mode), self.folder / f"{name}.log") as program:
            replica = Replica(name, program)
            program.wait_ready(lambda: replica.loop.has_said("Serving HTTP"), SECONDS)
            yield replica

    def words(self, name: str, *words: str, url: str = "", mode: str = "Automatic") -> list[str]:
        """Command line of a replica with a fresh token, after the program's name."""
        access = self.folder / f"{name}.kubeconfig"
        token = self.plane.service_account_token(NAMESPACE, ACCOUNT)
        access.write_text(kubeconfig.by_token(url or self.plane.url, self.plane.ca_file, token))
        given = {
            "--mode": mode,
            "--lease": LEASE,
            "--lease-times": self.times,
            "--interval": self.interval,
            "--listen": "127.0.0.1:0",
            "--kubeconfig": str(access),
            "--config": str(self.config),
        }
        return ["descheduler", *(text for pair in given.items() for text in pair), *words]
