"""The commands as processes: those that end by themselves, and the loop."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any, Final, Protocol

import urllib3

from tests.controlplane.processes import Program
from tests.controlplane.waiting import until

SECONDS: Final = 60.0
COMMAND: Final = (sys.executable, "-m", "ullage.cli")
HURRIED: Final[Mapping[str, Mapping[str, object]]] = {
    # The stand-in's use stands still, as that of no running node does.
    "telemetry": {"refreshSeconds": 1, "maxAgeSeconds": 10, "frozenReadings": 0},
    "hysteresis": {"persistenceSeconds": 0},
}
"""Configuration of a loop that is in a hurry."""
HEAD: Final = {"apiVersion": "ullage.dev/v1alpha1", "kind": "Configuration"}


class Ullage:
    """Commands against one cluster as one user.

    Parameters
    ----------
    kubeconfig
        The user.
    config
        File of the configuration.
    """

    def __init__(self, kubeconfig: Path, config: Path) -> None:
        self._options = ("--kubeconfig", str(kubeconfig), "--config", str(config))
        self.took_seconds = 0.0

    def __call__(self, *words: str) -> str:
        """What a command prints that ends well."""
        begun = monotonic()
        printed = offline(*words, *self._options)
        self.took_seconds = monotonic() - begun
        return printed

    def json(self, *words: str) -> Any:
        return json.loads(self(*words, "-o", "json"))

    def failing(self, *words: str) -> str:
        """What a command says that ends with status 1."""
        done = _run(*words, *self._options)
        assert done.returncode == 1, done.stdout
        return done.stderr

    @contextmanager
    def loop(self, log: Path, *words: str) -> Iterator[Loop]:
        """The descheduler in its default mode, with short cycles, until the context ends."""
        command = [*COMMAND, "descheduler", "--listen", "127.0.0.1:0", "--interval", "1s"]
        with Program([*command, *words, *self._options], log) as program:
            loop = Loop(program)
            program.wait_ready(lambda: loop.has_said("Serving HTTP"), SECONDS)
            until(lambda: loop.get("/readyz").status == 200, "the first plan", seconds=SECONDS)
            yield loop


class Logged(Protocol):
    """A program that writes a log."""

    log: Path


class Loop:
    """A descheduler that runs."""

    def __init__(self, program: Logged) -> None:
        self._program = program

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.said('Serving HTTP')[0]['port']}"

    def get(self, path: str) -> urllib3.BaseHTTPResponse:
        return urllib3.request("GET", self.url + path, retries=False, timeout=10)

    def json(self, path: str) -> Any:
        return self.get(path).json()

    def kind(self, resource: str) -> Mapping[str, Any]:
        """What it says of a resource."""
        return next(each for each in self.json("/status")["health"]["kinds"] if each["resource"] == resource)

    def metric(self, line: str) -> float:
        """Value of a series, written as in the text format; NaN if there is none."""
        found = (each.rpartition(" ") for each in self.get("/metrics").data.decode().splitlines())
        return next((float(value) for name, _, value in found if name == line), float("nan"))

    def said(self, message: str) -> list[dict[str, Any]]:
        """Lines of the log with a message."""
        lines = self._program.log.read_text().splitlines()
        found = [json.loads(each) for each in lines if each.startswith("{") and each.endswith("}")]
        return [each for each in found if each["msg"] == message]

    def has_said(self, message: str) -> bool:
        return bool(self.said(message))


def offline(*words: str) -> str:
    """What a command prints that asks no cluster and ends well."""
    done = _run(*words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *words], capture_output=True, text=True, timeout=SECONDS, check=False)


def configuration(path: Path, **parts: Mapping[str, object]) -> Path:
    """File of a configuration that has these parts."""
    path.write_text(json.dumps({**HEAD, **parts}))  # JSON is YAML
    return path
