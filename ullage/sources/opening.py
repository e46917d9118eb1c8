"""A live cluster as a source of states: what is connected to what."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path

from ullage.config import Configuration
from ullage.sources.kube_api.connection import Connection
from ullage.sources.kube_api.reflector import Server
from ullage.sources.live import LiveSource, LiveTiming, Parts
from ullage.sources.metrics_api import MetricsApiSource
from ullage.sources.monitoring import FoundMonitoring, settings_of
from ullage.sources.polling import PollTiming
from ullage.sources.ports import ReadingSource
from ullage.sources.prometheus.source import PrometheusSource
from ullage.sources.store.cluster_store import ClusterStore
from ullage.telemetry.history import History


def open_cluster(
    kubeconfig: Path | None,
    context: str | None,
    config: Configuration,
    restored_seconds: float | None = None,
    departed: Callable[[str], None] = lambda _: None,
) -> LiveSource:
    """Source of a cluster, not started yet.

    Parameters
    ----------
    kubeconfig, context
        Credentials; without them those of the pod that this runs in, or the user's own kubeconfig.
    config
        The configuration.
    restored_seconds
        How much of the past is asked for before the first state; as long as peaks are remembered if it is not given.
    departed
        Told the uid of each pod that is deleted, in a thread of the source.

    Raises
    ------
    UllageError
        The credentials cannot be used.
    """
    connection = Connection.load(kubeconfig, context)
    readings = (_monitoring(config, connection), MetricsApiSource(connection.get))
    telemetry = config.telemetry
    past = telemetry.peak_window_seconds if restored_seconds is None else restored_seconds
    poll = PollTiming(telemetry.refresh_seconds, past)
    parts = Parts(Server.of(connection), ClusterStore(departed), History(config), readings)
    return LiveSource(parts, LiveTiming(poll=poll, seed=secrets.randbits(32)))


def _monitoring(config: Configuration, connection: Connection) -> ReadingSource:
    """The Prometheus that the configuration names, or else the one that is found."""
    asked = config.prometheus
    if asked.url:
        return PrometheusSource(settings_of(asked, asked.url))
    return FoundMonitoring(connection.get, lambda url: PrometheusSource(settings_of(asked, url)))
