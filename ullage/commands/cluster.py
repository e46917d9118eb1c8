"""What commands share that read and change objects of a cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

import click

from ullage.errors import UllageError

if TYPE_CHECKING:
    from ullage.sources.kube_api.connection import Connection

CommandT = TypeVar("CommandT", bound=Callable[..., Any])
DryRun = Literal["none", "client", "server"]

DONE: Final[Mapping[DryRun, str]] = MappingProxyType(
    {"none": "", "client": " (dry run)", "server": " (server dry run)"}
)
"""What kubectl puts behind the name of an object that was changed, or would have been."""


def connect(kubeconfig: Path | None, context: str | None) -> Connection:
    """Connection to the cluster that the options of `cluster_options` name.

    Raises
    ------
    UllageError
        The libraries for it are not installed, or the cluster's credentials cannot be used.
    """
    try:
        from ullage.sources.kube_api.connection import Connection

        return Connection.load(kubeconfig, context)
    except ModuleNotFoundError as error:
        raise UllageError(f"{error.name} is not installed", "pip install 'ullage[live]'") from None


def dry_run_option(function: CommandT) -> CommandT:
    """Option ``dry_run``, as kubectl has it."""
    return click.option(
        "--dry-run",
        type=click.Choice(list(DONE)),
        default="none",
        show_default=True,
        help="client sends nothing; server has the API server check it, and changes nothing",
    )(function)
