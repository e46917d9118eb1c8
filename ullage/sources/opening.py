"""A live cluster as a source of states: what is connected to what."""

from __future__ import annotations

from pathlib import Path

from ullage.config import Configuration
from ullage.sources.ports import StateSource


def open_cluster(kubeconfig: Path | None, context: str | None, config: Configuration) -> StateSource:
    """Source of a cluster, not started yet.

    Parameters
    ----------
    kubeconfig, context
        Credentials; without them those of the pod that this runs in, or the user's own kubeconfig.
    config
        The configuration.

    Raises
    ------
    UllageError
        The credentials cannot be used.
    """
    raise NotImplementedError
