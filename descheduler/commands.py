"""``ullage plan``: read, decide, show."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from descheduler.policy.decide import GOALS, decide
from descheduler.policy.engines import ENGINES
from descheduler.policy.memory import Memory
from descheduler.policy.plan import RebalancePlan
from descheduler.report import FORMATS, page, render
from descheduler.watching import watched
from ullage.commands import Console, current_console
from ullage.commands.config import configuration_option, read_configuration
from ullage.commands.files import save
from ullage.commands.serving import seconds
from ullage.commands.sources import Where, cluster_options, observe
from ullage.config import Configuration, override, parse_thresholds, with_thresholds
from ullage.errors import UsageError
from ullage.model.state import ClusterState
from ullage.sources.inputs import load

NOTHING_TO_DO: Final = 3
STAYS_OVER: Final = 4

_PLAN_HELP = """Plan which workloads to move where, and why.

FILE is a Kubernetes dump (JSON or YAML, also .gz, - for stdin) as kubectl prints it, or a snapshot. Several files are read
as one cluster. With --live the cluster itself is looked at, and there is no FILE. Nothing is written to any cluster.

\b
Examples:
  kubectl get nodes,pods,pdb,vmi,vmim,kubevirt -A -o json > cluster.json
  kubectl get --raw /apis/metrics.k8s.io/v1beta1/nodes > nodes.json
  kubectl get --raw /apis/metrics.k8s.io/v1beta1/pods > pods.json
  ullage plan cluster.json nodes.json pods.json
  ullage plan cluster.json nodes.json pods.json --high memory=85% --target memory=75% --report plan.html
  ullage plan cluster.snapshot.gz --goal evacuate --node node-7 -o json > plan.json
  ullage plan --live --report plan.html                The cluster of the current kubeconfig, as it is now
  ullage why node-7 --plan plan.json

Exit codes: 0 ok; 1 error; 2 bad usage or input; 3 nothing to do, with --error-unchanged; 4 nodes stay over, with --fail-on
over."""


@dataclass(frozen=True)
class _Flags:
    """Flags that go above the configuration; ``None`` where one was not given."""

    goal: str | None
    engine: str | None
    minimize: str | None
    max_moves: int | None
    time_limit: str | None
    seed: int | None
    high: str | None
    target: str | None

    def above(self, config: Configuration) -> Configuration:
        """`config` with the flags that were given."""
        paths: Mapping[str, object] = {
            "planning.goal": self.goal,
            "planning.engine": self.engine,
            "planning.minimize": self.minimize,
            "planning.maxMoves": self.max_moves,
            "planning.seed": self.seed,
            **self._limits(),
        }
        for path, value in paths.items():
            if value is not None:
                config = override(config, path, value)
        high, target = (parse_thresholds(text) if text else {} for text in (self.high, self.target))
        return with_thresholds(config, high, target)

    def _limits(self) -> Mapping[str, object]:
        """The time limit, for the solver and for the search alike."""
        if self.time_limit is None:
            return {}
        plain = self.time_limit.replace(".", "", 1).isdigit()
        limit = seconds("--time-limit", f"{self.time_limit}s" if plain else self.time_limit)
        most = 3600.0
        return {"planning.exactTimeLimitSeconds": min(limit, most), "planning.searchTimeLimitSeconds": limit}


@click.command(help=_PLAN_HELP)
@click.argument("files", nargs=-1, metavar="[FILE]...", type=click.Path(allow_dash=True))
@click.option("--live", is_flag=True, help="Plan for a running cluster instead of files")
@cluster_options
@click.option("--timeout", default="60s", show_default=True, metavar="TIME", help="With --live: wait for the state")
@click.option("--goal", type=click.Choice([g.value for g in GOALS]), help="What the plan is for  [default: relieve]")
@click.option(
    "--node", "nodes", multiple=True, metavar="NODE", help="Node to empty, with --goal evacuate; may be repeated"
)
@click.option("--high", metavar="cpu=80%,memory=80%", help="Above it a node is over")
@click.option("--target", metavar="cpu=80%,memory=80%", help="Sources come down to it, destinations stay under it")
@click.option("--minimize", type=click.Choice(["moves", "bytes"]), help="What to spare first  [default: moves]")
@click.option("--engine", type=click.Choice(list(ENGINES)), help="How to search  [default: greedy]")
@click.option("--time-limit", metavar="TIME", help="Such as 30s, for the engines search and exact  [default: 10s, 4s]")
@click.option("--seed", type=click.IntRange(min=0), metavar="N", help="Of all that is random  [default: 2]")
@click.option(
    "--max-moves", type=click.IntRange(min=0), metavar="N", help="Largest number of moves  [default: no limit]"
)
@click.option(
    "-o", "--output", type=click.Choice(list(FORMATS)), default="table", show_default=True, help="Format of stdout"
)
@click.option(
    "--report", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE.html", help="Also write an HTML page"
)
@configuration_option
@click.option("--error-unchanged", is_flag=True, help="Exit with 3 if there is nothing to do")
@click.option("--fail-on", type=click.Choice(["over"]), help="Exit with 4 if nodes stay over")
def plan(
    files: tuple[str, ...],
    live: bool,  # noqa: FBT001
    kubeconfig: Path | None,
    context: str | None,
    timeout: str,
    nodes: tuple[str, ...],
    output: str,
    report: Path | None,
    config_file: str | None,
    error_unchanged: bool,  # noqa: FBT001
    fail_on: str | None,
    **flags: str | int | None,
) -> int:
    """Read, decide, show."""
    console = current_console()
    config = _Flags(**flags).above(read_configuration(config_file))  # type: ignore[arg-type]
    files, nodes = _split(files, nodes, config.planning.goal, live=live)
    if live:
        wait, where = seconds("--timeout", timeout), Where(kubeconfig=kubeconfig, context=context)
        made = _make("the cluster", lambda: observe(where, config, wait), nodes, config, console)
    else:
        made = _make(", ".join(files), lambda: load(files), nodes, config, console)
    console.write(render(made, output, color=console.colored, width=shutil.get_terminal_size().columns))
    if report is not None:
        save(str(report), page(made).encode(), overwrite=True)
        console.note(f"report written to {report}")
    if fail_on == "over" and made.status.summary.nodes_over_after:
        return STAYS_OVER
    return NOTHING_TO_DO if error_unchanged and not made.spec.moves else 0


def _make(
    what: str, read: Callable[[], ClusterState], nodes: Sequence[str], config: Configuration, console: Console
) -> RebalancePlan:
    console.progress(f"reading {what} ...")
    state = read()
    console.progress(f"planning for {len(state.nodes)} nodes and {len(state.workloads)} workloads ...")
    with watched(console) if config.planning.engine == "search" else nullcontext() as watch:
        pace = watch.pace() if watch else None
        made, _ = decide(state, Memory(), config, state.observed_at_seconds, nodes, pace)
    console.progress("")
    console.detail(f"read {what}: {len(state.nodes)} nodes, {len(state.workloads)} workloads")
    console.detail(f"planned with goal {made.spec.goal}, engine {made.status.engine}: {len(made.spec.moves)} moves")
    return made


def _split(
    files: tuple[str, ...], nodes: tuple[str, ...], goal: str, *, live: bool
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """With the goal evacuate, arguments that are no files are names of nodes: ``plan dump.json --goal evacuate node-7``."""
    if not files and not live:
        raise UsageError("there is no FILE", "name at least one dump or snapshot, or pass --live")
    named = tuple(f for f in files if goal == "evacuate" and f != "-" and "/" not in f and not Path(f).exists())
    dumps = tuple(f for f in files if f not in named)
    if live and dumps:
        raise UsageError(f"{dumps[0]}: with --live there is no FILE", "leave either of them out")
    if not dumps and not live:
        raise UsageError(f"no such file: {named[0]}", "name at least one dump or snapshot")
    return dumps, tuple(n for text in (*nodes, *named) for n in text.split(",") if n)
