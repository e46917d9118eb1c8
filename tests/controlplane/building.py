"""Builds the programs of the control plane into the cache: ``make control-plane``."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Iterable
from pathlib import Path

import click

from tests.controlplane.binaries import MODULE, PROGRAMS, cache_folder

BINARY = "control-plane"
PACKAGES_PER_LINE = 200
LINES_OF_ERROR = 30


def main() -> None:
    """Build what the cache does not hold yet, and print its folder."""
    folder = cache_folder()
    if not folder.exists():
        go = shutil.which("go")
        if go is None:
            sys.exit("make control-plane needs Go 1.26 or newer (https://go.dev/dl), which is not in PATH")
        build(go, folder)
    click.echo(folder)


def build(go: str, folder: Path) -> None:
    """Put the binary and its five names at ``folder``, all at once."""
    click.echo("Building Kubernetes and etcd, once: one minute of download, then six minutes on two cores")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="building-") as made:
        beside = Path(made) / "programs"
        beside.mkdir()
        _compile(go, beside / BINARY)
        for program in PROGRAMS:
            (beside / program).symlink_to(BINARY)
        if not folder.exists():  # else another build was quicker
            beside.rename(folder)


def linker_flags(module: str) -> str:
    """Flags that write the version into the programs; without one kubectl refuses the server.

    Parameters
    ----------
    module
        Text of ``go.mod``, which says the version of Kubernetes.
    """
    found = re.search(r"k8s\.io/kubernetes (v(\d+)\.(\d+)\.\S+)", module)
    if found is None:
        raise ValueError("go.mod does not require k8s.io/kubernetes")
    version, major, minor = found.groups()
    values = {"gitVersion": version, "gitMajor": major, "gitMinor": minor, "gitCommit": "none", "gitTreeState": "clean"}
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    return "-s -w " + " ".join(f"-X {p}.{name}={value}" for p in packages for name, value in values.items())


def _compile(go: str, binary: Path) -> None:
    flags = linker_flags((MODULE / "go.mod").read_text())
    command = [
        go,
        "build",
        "-v",
        "-trimpath",
        "-buildvcs=false",
        "-mod=readonly",
        "-ldflags",
        flags,
        "-o",
        str(binary),
        ".",
    ]
    # Without cgo the binary needs no C compiler, and runs wherever it is copied.
    environment = {**os.environ, "CGO_ENABLED": "0", "GOWORK": "off"}
    with subprocess.Popen(command, cwd=MODULE, env=environment, stderr=subprocess.PIPE, text=True) as running:
        last = _follow(running.stderr or ())
    if running.returncode:
        sys.exit("".join([*last, "The control plane could not be built\n"]))


def _follow(lines: Iterable[str]) -> Iterable[str]:
    last: deque[str] = deque(maxlen=LINES_OF_ERROR)
    packages = 0
    for line in lines:
        last.append(line)
        packages += not line.startswith("go: ")
        if packages % PACKAGES_PER_LINE == 0 and not line.startswith("go: "):
            click.echo(f"  {packages} packages compiled")
    return last


if __name__ == "__main__":
    main()
