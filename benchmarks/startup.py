"""How long ``ullage`` takes to start: help, completion and version as whole processes, and what they import."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Final

RUNS: Final = 15
BAR_SECONDS: Final = 0.30
HEAVY: Final = frozenset(
    {"numpy", "msgspec", "yaml", "kubernetes", "grpc", "google", "highspy", "prometheus_api_client"}
)
_ENTRY: Final = "import sys; sys.argv[0] = 'ullage'; from ullage.cli import main; main()"


@dataclass(frozen=True)
class Case:
    """A process to time: its arguments for `ullage`, and what it needs in the environment."""

    name: str
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


CASES: Final = (
    Case("ullage --help", ("--help",)),
    Case("ullage version", ("version",)),
    Case("ullage version -o json", ("version", "-o", "json")),
    Case("ullage completion bash", ("completion", "bash")),
    Case(
        "completion of commands", (), {"_ULLAGE_COMPLETE": "bash_complete", "COMP_WORDS": "ullage p", "COMP_CWORD": "1"}
    ),
    Case(
        "completion of options", (), {"_ULLAGE_COMPLETE": "zsh_complete", "COMP_WORDS": "ullage --", "COMP_CWORD": "1"}
    ),
)


def _call(command: Sequence[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(command, env={**inherited, **environment}, capture_output=True, text=True, check=True)


def seconds(command: Sequence[str], environment: Mapping[str, str], runs: int = RUNS) -> list[float]:
    """Wall-clock seconds of each run, after one that warms the caches."""
    _call(command, environment)
    found = []
    for _ in range(runs):
        start = perf_counter()
        _call(command, environment)
        found.append(perf_counter() - start)
    return found


def imported(case: Case) -> set[str]:
    """Names of the top-level packages that a case imports, as the interpreter itself reports them."""
    command = [sys.executable, "-X", "importtime", "-c", _ENTRY, *case.arguments]
    trace = _call(command, case.environment).stderr
    return {name.partition(".")[0] for name in re.findall(r"^import time:.*\|\s*([\w.]+)\s*$", trace, re.MULTILINE)}


def main() -> None:
    script = str(Path(sys.executable).with_name("ullage"))
    floor = seconds([sys.executable, "-c", "pass"], {})
    print(f"{'process':26} {'median':>8} {'best':>8} {'bar':>8}   heavy imports")
    print(f"{'python -c pass':26} {median(floor):7.3f}s {min(floor):7.3f}s {'':>8}   (the floor)")
    for case in CASES:
        times = seconds([script, *case.arguments], case.environment)
        heavy = sorted(imported(case) & HEAVY)
        verdict = "ok" if median(times) <= BAR_SECONDS and not heavy else "MISSED"
        names = ", ".join(heavy) or "none"
        print(f"{case.name:26} {median(times):7.3f}s {min(times):7.3f}s {BAR_SECONDS:7.2f}s   {names}  {verdict}")


if __name__ == "__main__":
    main()
