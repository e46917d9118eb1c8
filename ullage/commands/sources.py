"""Options that say where the state of a cluster comes from: a file, or a cluster."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ullage.config import Configuration
from ullage.errors import UllageError

if TYPE_CHECKING:
    from ullage.sources.ports import StateSource

CommandT = TypeVar("CommandT", bound=Callable[..., Any])


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


def open_source(where: Where, config: Configuration) -> StateSource:
    """The source, not started yet.

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
    return open_cluster(where.kubeconfig, where.context, config)
