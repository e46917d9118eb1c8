"""Options that say where the state of a cluster comes from: a file, or a cluster."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from ullage.config import Configuration, override
from ullage.errors import UllageError

if TYPE_CHECKING:
    from ullage.model.state import ClusterState
    from ullage.sources.ports import Health, StateSource

CommandT = TypeVar("CommandT", bound=Callable[..., Any])

BRIEF_PAST_SECONDS: Final = 900.0
"""What a command that looks once asks for of the past: the four steps of one range query each, which take seconds. A day,
as a service wants it, takes minutes in a large cluster."""


@dataclass(frozen=True)
class Where:
    """Where the state comes from.

    Attributes
    ----------
    snapshot
        A snapshot or dump; then nothing else counts.
    kubeconfig, context
        A cluster; without them the one that this process runs in, or that the user's kubeconfig names.
    """

    snapshot: Path | None = None
    kubeconfig: Path | None = None
    context: str | None = None

    @property
    def is_live(self) -> bool:
        """Whether it is a cluster."""
        return self.snapshot is None


def cluster_options(function: CommandT) -> CommandT:
    """Options that name a cluster: ``kubeconfig`` and ``context``."""
    for option in (
        click.option("--context", metavar="NAME", help="Context of the kubeconfig  [default: its current one]"),
        click.option(
            "--kubeconfig",
            metavar="FILE",
            type=click.Path(path_type=Path),
            help="Cluster to connect to  [default: the one that it runs in, or $KUBECONFIG, or ~/.kube/config]",
        ),
    ):
        function = option(function)
    return function


def open_source(
    where: Where,
    config: Configuration,
    restored_seconds: float | None = None,
    departed: Callable[[str], None] = lambda _: None,
) -> StateSource:
    """The source, not started yet.

    Parameters
    ----------
    where
        Where the state comes from.
    config
        The configuration.
    restored_seconds
        How much of the past a cluster's monitoring is asked for first; as long as peaks are remembered if it is not given.
    departed
        Told the uid of each pod of a cluster that is deleted, in a thread of the source.

    Raises
    ------
    UllageError
        The libraries for it are not installed, or the cluster's credentials cannot be used.
    """
    if where.snapshot is not None:
        from ullage.sources.file_source import FileSource

        return FileSource(where.snapshot)
    try:
        from ullage.sources.opening import open_cluster
    except ModuleNotFoundError as error:
        raise UllageError(f"{error.name} is not installed", "pip install 'ullage[live]'") from None
    return open_cluster(where.kubeconfig, where.context, config, restored_seconds, departed)


def open_briefly(where: Where, config: Configuration) -> StateSource:
    """The source for one look, not started yet: little of the past, and one sample of each measure has to do.

    Raises
    ------
    UllageError
        As `open_source`.
    """
    return open_source(where, override(config, "telemetry.minimumSamples", 1), BRIEF_PAST_SECONDS)


def observe(where: Where, config: Configuration, timeout_seconds: float) -> ClusterState:
    """State of a cluster at this moment: connect, wait for the first full state, and leave; see `open_briefly`.

    Raises
    ------
    InputError
        It is a file that cannot be used.
    UllageError
        The cluster cannot be reached, or is not known in time.
    """
    if where.snapshot is not None:
        from ullage.sources.inputs import load

        return load([str(where.snapshot)])
    source = open_briefly(where, config)
    source.start()
    try:
        source.wait(timeout_seconds)
        state = source.current()
        if state is None:
            raise UllageError(why_not(source.health(), timeout_seconds), "ullage status says more")
    finally:
        source.stop()
    return state


def why_not(health: Health, waited_seconds: float) -> str:
    """Why there is no state, from what is known of the source."""
    errors = [f"{k.resource}: {k.error}" for k in health.kinds if k.error]
    errors += [f"{r.source}: {r.error}" for r in health.readings if r.error]
    return "; ".join(errors) or f"the cluster was not known within {waited_seconds:.0f} s"
