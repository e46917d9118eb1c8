"""Servers as processes, and wrk against them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.extender_payloads import NAME, PREFIX

SECONDS: Final = float(os.environ.get("BENCH_SECONDS", "2"))
_GO: Final = Path(__file__).parent / "go_extender"
_UNITS: Final = {"us": 1e-3, "ms": 1.0, "s": 1e3}

_SCRIPT: Final = """
local all, at = {}, -1
for i = 0, %(count)d - 1 do
  local file = io.open("%(folder)s/request-" .. i, "rb")
  all[i] = file:read("*a")
  file:close()
end
function request()
  at = (at + 1) %% %(count)d
  return all[at]
end
"""


@dataclass(frozen=True)
class Server:
    """A server that runs.

    Attributes
    ----------
    name, port, process
        What it is, where it listens, and its process.
    """

    name: str
    port: int
    process: int

    def cpu_seconds(self) -> float:
        """Processor time that it has taken."""
        fields = Path(f"/proc/{self.process}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mib(self, which: str = "VmRSS") -> float:
        """Resident memory."""
        status = Path(f"/proc/{self.process}/status").read_text()
        found = re.search(rf"{which}:\s+(\d+) kB", status)
        return int(found[1]) / 1024 if found else float("nan")


@dataclass(frozen=True)
class Load:
    """What wrk measured on one connection."""

    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float
    errors: int


@contextmanager
def ours(snapshot: Path) -> Iterator[Server]:
    """The extender on a snapshot, once it is ready."""
    command = [sys.executable, "-m", "extender", "--snapshot", str(snapshot), "--listen", "127.0.0.1:0"]
    with _process(command, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None  # noqa: S101
        port = json.loads(process.stderr.readline())["addresses"][0][1]
        process.stderr.readline()  # a state is published
        yield Server("ullage", port, process.pid)


@contextmanager
def canned(folder: Path) -> Iterator[Server]:
    """The server of canned bytes: files named like the verbs."""
    with _process([sys.executable, "-m", "benchmarks.extender_canned", str(folder)], stdout=subprocess.PIPE) as process:
        yield Server("canned bytes", _said(process), process.pid)


@contextmanager
def go(folder: Path, nodes: int) -> Iterator[Server | None]:
    """The extender in Go; ``None`` where there is no Go."""
    if shutil.which("go") is None:
        yield None
        return
    binary = folder / "go_extender"
    subprocess.run(["go", "build", "-o", str(binary), "."], cwd=_GO, check=True)
    with _process([str(binary), str(nodes), NAME], stdout=subprocess.PIPE) as process:
        yield Server("Go encoding/json", _said(process), process.pid)


def load(server: Server, requests: Sequence[tuple[str, bytes]], folder: Path) -> Load:
    """What one connection gets out of a server that is sent some requests, verb and body, over and over."""
    for number, (verb, body) in enumerate(requests):
        head = f"POST {PREFIX}/{verb} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        (folder / f"request-{number}").write_bytes(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    script = folder / "wrk.lua"
    script.write_text(_SCRIPT % {"folder": folder, "count": len(requests)})
    command = [
        "wrk",
        "-t1",
        "-c1",
        f"-d{SECONDS:g}s",
        "--latency",
        "-s",
        str(script),
        f"http://127.0.0.1:{server.port}/",
    ]
    before = server.cpu_seconds()
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    spent = server.cpu_seconds() - before
    count = int(_found(r"(\d+) requests in", text))
    errors = int(_found(r"Non-2xx or 3xx responses: (\d+)", text, "0"))
    per_second = float(_found(r"Requests/sec:\s+([\d.]+)", text))
    return Load(per_second, _latency("50%", text), _latency("99%", text), 1000 * spent / max(count, 1), errors)


def has_wrk() -> bool:
    """Whether the load generator is there (Debian: apt-get install wrk)."""
    return shutil.which("wrk") is not None


def _found(pattern: str, text: str, default: str = "nan") -> str:
    found = re.search(pattern, text)
    return found[1] if found else default


def _latency(share: str, text: str) -> float:
    found = re.search(rf"{share}\s+([\d.]+)(us|ms|s)", text)
    return float(found[1]) * _UNITS[found[2]] if found else float("nan")


def _said(process: subprocess.Popen[str]) -> int:
    assert process.stdout is not None  # noqa: S101
    return int(process.stdout.readline())


@contextmanager
def _process(command: Sequence[str], **pipes: int) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(command, text=True, **pipes)  # type: ignore[call-overload]
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=10)
