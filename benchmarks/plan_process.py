"""``ullage plan`` as a whole process on a dump of 2 MB: median time, and where it goes."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Final

from benchmarks.startup import seconds
from benchmarks.tables import Bar, bars, milliseconds, table
from descheduler.policy.decide import decide
from descheduler.policy.memory import Memory
from descheduler.report import page, render
from simulator.dump import encode
from simulator.generator import generate
from simulator.spec import ClusterSpec
from ullage.config import defaults
from ullage.model.state import ClusterState
from ullage.sources.inputs import load

RUNS: Final = 7
SECONDS: Final = 1.5
DUMP_BYTES: Final = 2_000_000
_TRIAL_NODES: Final = 10
_SLOWEST: Final = 10
_ENTRY: Final = "import sys; sys.argv[0] = 'ullage'; from ullage.cli import main; main()"


def dump() -> tuple[ClusterState, bytes]:
    """A made-up cluster whose dump has about 2 MB."""
    trial = len(encode(generate(ClusterSpec(nodes=_TRIAL_NODES))))
    state = generate(ClusterSpec(nodes=max(1, round(_TRIAL_NODES * DUMP_BYTES / trial))))
    return state, encode(state)


def _cases(file: Path) -> dict[str, list[str]]:
    script = str(Path(sys.executable).with_name("ullage"))
    page_file = str(file.with_name("plan.html"))
    return {
        "python -c pass": [sys.executable, "-c", "pass"],
        "import what plan imports": [sys.executable, "-c", "import ullage.cli, descheduler.commands"],
        "ullage plan dump.json": [script, "plan", str(file)],
        "ullage plan dump.json -o json": [script, "plan", str(file), "-o", "json"],
        "ullage plan dump.json --report plan.html": [script, "plan", str(file), "--report", page_file],
    }


def slowest_imports(trace: str) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """From what ``-X importtime`` writes: the slowest packages, all modules of each together, and the slowest modules.

    Rows of name, milliseconds without what each imports itself, and for packages the number of modules.
    """
    found = re.findall(r"^import time:\s*(\d+) \|\s*\d+ \|\s*([\w.]+)\s*$", trace, re.MULTILINE)
    modules = Counter({name: int(microseconds) for microseconds, name in found})
    packages: Counter[str] = Counter()
    for name, microseconds in modules.items():
        packages[name.partition(".")[0]] += microseconds
    sizes = Counter(name.partition(".")[0] for name in modules)
    by_package = [(n, f"{us / 1000:.1f}", str(sizes[n])) for n, us in packages.most_common(_SLOWEST)]
    total = (f"all {len(packages)} packages", f"{sum(packages.values()) / 1000:.1f}", str(len(modules)))
    return [*by_package, total], [(n, f"{us / 1000:.1f}") for n, us in modules.most_common(_SLOWEST)]


def _phases(file: Path) -> list[tuple[str, str]]:
    """Milliseconds of each phase inside a warm process."""
    state = load([str(file)])
    plan, _ = decide(state, Memory(), defaults(), state.observed_at_seconds)
    phases: dict[str, Callable[[], object]] = {
        "read and assemble": lambda: load([str(file)]),
        "decide": lambda: decide(state, Memory(), defaults(), state.observed_at_seconds),
        "table": lambda: render(plan, "table", color=False, width=100),
        "json": lambda: render(plan, "json", color=False, width=100),
        "report": lambda: page(plan),
    }
    return [(name, milliseconds(min(_timed(run) for _ in range(3)))) for name, run in phases.items()]


def _timed(run: Callable[[], object]) -> float:
    start = perf_counter()
    run()
    return perf_counter() - start


def _print_imports(file: Path) -> None:
    command = [sys.executable, "-X", "importtime", "-c", _ENTRY, "plan", str(file)]
    trace = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=True).stderr
    packages, modules = slowest_imports(trace)
    print(table(("slowest imports by package", "ms", "modules"), packages), end="\n\n")
    print(table(("slowest modules", "ms"), modules), end="\n\n")


def main() -> None:
    state, data = dump()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "dump.json"
        file.write_bytes(data)
        size = f"{len(data) / 1e6:.2f} MB"
        print(f"{size}: {len(state.nodes)} nodes, {len(state.workloads)} workloads; median of {RUNS}\n")
        times = {name: seconds(command, {}, RUNS) for name, command in _cases(file).items()}
        rows = [(name, milliseconds(median(t)), milliseconds(min(t))) for name, t in times.items()]
        print(table(("process", "median ms", "best ms"), rows), end="\n\n")
        print(table(("phase in a warm process", "best ms"), _phases(file)), end="\n\n")
        _print_imports(file)
    print(bars(Bar(name, median(t), SECONDS, "s") for name, t in times.items() if name.startswith("ullage")))


if __name__ == "__main__":
    main()
