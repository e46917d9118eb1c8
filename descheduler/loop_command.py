"""``ullage descheduler``: the loop as a command."""

from __future__ import annotations

import math
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import click

from descheduler.leading.election import Timing
from descheduler.loop.modes import Mode
from descheduler.policy.memory import Memory
from descheduler.report import FORMATS, render
from ullage.commands import current_console
from ullage.commands.config import configuration_option, read_configuration
from ullage.commands.files import save
from ullage.commands.serving import seconds, tls_files, tls_options
from ullage.commands.sources import Where, cluster_options, observe, open_source
from ullage.errors import ConfigError, UllageError, UsageError

if TYPE_CHECKING:
    from descheduler.loop.app import ActingHands
    from descheduler.loop.cycle import Hands
    from descheduler.loop.rehearsal import Rehearsed
    from ullage.config import Configuration
    from ullage.model.state import ClusterState

_HELP: Final = """Watch a cluster, plan again and again, and carry plans out if the mode says so.

Modes: Predictive (the default) plans and shows, and writes nothing. Manual marks nodes that are over with a soft taint and
proposes plans, which "ullage plans approve" sets going. Automatic carries them out by itself. Off takes its marks off and
does nothing. Replicas in a mode that writes elect a leader by a Lease; its annotation ullage.dev/paused=true stops every write
at once.

Every interval the newest state is judged and a plan is made, as "ullage plan" makes it, but that a node must have been over for
a while before anything is moved off it. The plan is shown over HTTP: /report for people, /plan and /status as JSON, /metrics
for Prometheus, /healthz and /readyz for the kubelet.

\b
Examples:
  ullage descheduler                                   The cluster of the current kubeconfig, or the one it runs in
  ullage descheduler --snapshot state/cluster.snapshot --interval 10s
  ullage descheduler --once -o json > plan.json        One plan out of the blue, and end
  ullage descheduler --once --dry-run                  And what of it would be begun now, on stderr

SIGHUP reads the configuration again, as a change of its file does; one that is not valid leaves the old one in effect. SIGTERM
and Ctrl-C end it. The log goes to stderr, a JSON object per line."""


@click.command("descheduler", help=_HELP, short_help="Watch a cluster, and plan again and again")
@click.option("--snapshot", metavar="FILE", type=click.Path(path_type=Path), help="State from a file, not a cluster")
@cluster_options
@click.option(
    "--mode",
    type=click.Choice([m.value for m in Mode], case_sensitive=False),
    default=Mode.PREDICTIVE.value,
    show_default=True,
    help="What it may do with a plan",
)
@click.option(
    "--lease",
    default="ullage-system/ullage-descheduler",
    show_default=True,
    metavar="NAMESPACE/NAME",
    help="Lease of the leader election",
)
@click.option(
    "--lease-times", default="15s,10s,2s", show_default=True, metavar="T,T,T", help="Its duration, deadline, retry"
)
@click.option("--interval", default="60s", show_default=True, metavar="TIME", help="From cycle to cycle")
@click.option("--listen", default="127.0.0.1:8889", show_default=True, metavar="ADDRESS", help="Where to serve HTTP")
@click.option("--grpc-listen", metavar="ADDRESS", help="Where to serve gRPC  [default: nowhere]")
@tls_options
@click.option(
    "--plans", metavar="FOLDER", type=click.Path(path_type=Path), help="Write plans that hold moves to files there"
)
@click.option(
    "--keep-plans", default=100, show_default=True, type=click.IntRange(min=1), metavar="N", help="How many files stay"
)
@click.option("--no-node-metrics", is_flag=True, help="No metrics with a series per node")
@click.option("--once", is_flag=True, help="Print one plan, and end")
@click.option(
    "--dry-run", is_flag=True, help="Say what would be begun, and write nothing: no election, no taints, no moves"
)
@click.option("-o", "--output", type=click.Choice(list(FORMATS)), default="table", help="Format, with --once")
@click.option("--save-snapshot", metavar="FILE", help="With --once: write the state that was planned on to a snapshot")
@click.option(
    "--sync-timeout", default="60s", show_default=True, metavar="TIME", help="With --once: wait for the state"
)
@configuration_option
def descheduler(
    snapshot: Path | None,
    kubeconfig: Path | None,
    context: str | None,
    mode: str,
    once: bool,  # noqa: FBT001
    dry_run: bool,  # noqa: FBT001
    output: str,
    save_snapshot: str | None,
    sync_timeout: str,
    config_file: str | None,
    lease: str,
    lease_times: str,
    **served: str | int | bool | Path | None,
) -> None:
    """Watch until told to end, or plan once."""
    config, chosen = read_configuration(config_file), Mode(mode)
    where, election = Where(snapshot, kubeconfig, context), _Election.of(lease, lease_times)
    hands = _WIRING[dry_run](_Asked(where, chosen, election, once=once))
    if once:
        state = observe(where, config, seconds("--sync-timeout", sync_timeout))
        if save_snapshot is not None:
            from ullage.sources.snapshot import encode

            save(save_snapshot, encode(state), overwrite=True)
        _print_plan(state, config, output, hands)
    else:
        _serve(where, config, config_file, hands, mode=chosen, **served)  # type: ignore[arg-type]


def _print_plan(state: ClusterState, config: Configuration, output: str, hands: Hands | None) -> None:
    """Print the plan; what the hands would do with it goes to stderr."""
    from descheduler.policy.decide import decide

    console, now = current_console(), state.observed_at_seconds
    plan, memory = decide(state, Memory(), config, now)
    console.write(render(plan, output, color=console.colored, width=shutil.get_terminal_size().columns))
    if hands is None:
        return
    from descheduler.acting.actor import Decided

    acted = hands.cycle(Decided(state, plan, memory), config, 0.0, now)
    for breaker in acted.open:
        console.note(f"dry run: nothing would be begun. {breaker.text}")
    for code, moves in Counter(acted.waiting).items():
        console.note(f"dry run: {moves} would wait: {code}")


def _noted(rehearsed: Rehearsed) -> None:
    current_console().note(f"dry run: would move {rehearsed}")


def _logged(rehearsed: Rehearsed) -> None:
    from descheduler.loop.app import LOG

    move = rehearsed.move
    LOG(
        "Would move",
        workload=str(move.workload),
        source=move.source,
        target=move.target,
        executor=rehearsed.executor,
        code=move.code,
        reason=move.reason,
    )


@contextmanager
def _installed() -> Iterator[None]:
    """Say what to install where a library is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise UllageError(f"{error.name} is not installed", "pip install 'ullage[descheduler]'") from None


def _serve(
    where: Where,
    config: Configuration,
    config_file: str | None,
    hands: ActingHands | None,
    *,
    mode: Mode,
    interval: str,
    listen: str,
    grpc_listen: str | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    client_ca: Path | None,
    allow_plain_http: bool,
    plans: Path | None,
    keep_plans: int,
    no_node_metrics: bool,
) -> None:
    import asyncio
    import time

    with _installed():
        from descheduler.loop.app import LOG, Descheduler
    from descheduler.loop.cycle import Clocks
    from descheduler.loop.settings import ConfigurationFile, Settings
    from ullage.serving.address import Address

    every = seconds("--interval", interval)
    settings = Settings(
        mode=mode,
        interval_seconds=every,
        max_state_age_seconds=2 * every + 60 if where.is_live else math.inf,
        listen=Address.parse(listen),
        grpc_listen=Address.parse(grpc_listen) if grpc_listen else None,
        tls=tls_files(tls_cert, tls_key, client_ca),
        plain=allow_plain_http,
        plans=plans,
        keep_plans=keep_plans,
        metrics_by_node=not no_node_metrics,
    )
    configuration = ConfigurationFile(Path(config_file) if config_file else None, read_configuration)
    source = open_source(where, config)
    console = current_console()

    async def serve() -> None:
        clocks = Clocks(time.monotonic, time.time)  # noqa: TID251  # the one place that time comes from
        await Descheduler(settings, source, configuration, clocks, hands).run()

    handler = LOG.to(console.stderr, console.verbosity)
    try:
        asyncio.run(serve())
    finally:
        LOG.off(handler)


@dataclass(frozen=True)
class _Election:
    """The Lease and its times, as they were given."""

    namespace: str
    name: str
    timing: Timing

    @classmethod
    def of(cls, lease: str, times: str) -> _Election:
        """Election of the flags; raises `UsageError` if they cannot work."""
        namespace, slash, name = lease.partition("/")
        if not (namespace and slash and name):
            hint = "write it as ullage-system/ullage-descheduler"
            raise UsageError(f"--lease: {lease!r} is no namespace and name", hint)
        each = [seconds("--lease-times", text) for text in times.split(",")]
        if len(each) != 3:
            raise UsageError(f"--lease-times: {times!r} are not three times", "write them as 15s,10s,2s")
        timing = Timing(*each)
        try:
            timing.check()
        except ConfigError as error:
            raise UsageError(f"--lease-times: {times!r} cannot work", error.hint) from None
        return cls(namespace, name, timing)


@dataclass(frozen=True)
class _Asked:
    """What hands are wired for."""

    where: Where
    mode: Mode
    election: _Election
    once: bool


def _live(asked: _Asked) -> ActingHands | None:
    """Hands that carry plans out; ``None`` where nothing is written."""
    where, mode, election = asked.where, asked.mode, asked.election
    if asked.once or not mode.writes:
        return None
    if not where.is_live:
        raise UsageError(f"--mode {mode}: a snapshot cannot be acted on", "use the mode Predictive, or a cluster")
    with _installed():
        from descheduler.loop.app import LOG
        from descheduler.loop.hands import LiveHands
        from ullage.sources.kube_api.connection import Connection

    lease = election.namespace, election.name
    return LiveHands(lambda: Connection.load(where.kubeconfig, where.context), mode, lease, election.timing, LOG)


def _rehearsing(asked: _Asked) -> ActingHands:
    """Hands that write nothing, and say what they would begin."""
    where, mode = asked.where, asked.mode
    if mode is Mode.OFF:
        raise UsageError("--dry-run: in the mode Off nothing is begun", "leave out either of them")
    with _installed():
        from descheduler.loop.alarms import Alarms
        from descheduler.loop.rehearsal import Rehearsal, no_alerts
        from ullage.sources.kube_api.connection import Connection

    alerts = Alarms(Connection.load(where.kubeconfig, where.context).get) if where.is_live else no_alerts
    return Rehearsal(_noted if asked.once else _logged, approves=mode is not Mode.MANUAL, alerts=alerts)


_WIRING: Final[Mapping[bool, Callable[[_Asked], ActingHands | None]]] = MappingProxyType(
    {False: _live, True: _rehearsing}
)
"""What carries plans out, by ``--dry-run``."""
