"""The Prometheus of a cluster: the one that the configuration names, or the first of its services that answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import urlsplit

from ullage.config.schema import Prometheus
from ullage.errors import UllageError
from ullage.sources.ports import ReadingSource
from ullage.sources.prometheus.discovery import Get, discover
from ullage.sources.prometheus.settings import PrometheusSettings
from ullage.sources.prometheus.source import SOURCE
from ullage.telemetry.identity import NodeIdentities
from ullage.telemetry.readings import Readings

SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_RESERVED: Final = ".openshift-monitoring.svc"
"""Services of a namespace that only the platform can fill. Elsewhere a tenant could put one that collects tokens."""
_SERVING_AUTHORITY: Final = "service-ca.crt"
"""Where OpenShift puts the authority of its services' certificates."""


class Reader(ReadingSource, Protocol):
    """A source that holds a connection."""

    def close(self) -> None:
        """End the connection."""


class FoundMonitoring:
    """A `ReadingSource` that looks for its server when it is asked, and again after the server has failed.

    Parameters
    ----------
    get
        Asks the Kubernetes API for services.
    opened
        Source for an address.
    """

    def __init__(self, get: Get, opened: Callable[[str], Reader]) -> None:
        self._get = get
        self._opened = opened
        self._reader: Reader | None = None

    @property
    def name(self) -> str:
        """Name in measures, metrics and logs."""
        return SOURCE

    def read(self, nodes: NodeIdentities, now_seconds: float) -> Readings:
        """Instant values of all nodes and workloads.

        Raises
        ------
        UllageError
            No server was found, or it cannot be asked.
        """
        if self._reader is None:
            return self._find(nodes, now_seconds)
        try:
            return self._reader.read(nodes, now_seconds)
        except UllageError:
            self._reader.close()
            self._reader = None
            raise

    def history(self, nodes: NodeIdentities, start_seconds: float, end_seconds: float) -> Iterator[Readings]:
        """Readings of the past, oldest first.

        Raises
        ------
        UllageError
            No server was found, or it cannot be asked.
        """
        if self._reader is None:
            self._find(nodes, end_seconds)
        if self._reader is not None:
            yield from self._reader.history(nodes, start_seconds, end_seconds)

    def _find(self, nodes: NodeIdentities, now_seconds: float) -> Readings:
        """First reading of the likeliest server that knows a node; that server is kept."""
        reasons = []
        for candidate in discover(self._get):
            reader = self._opened(candidate.url)
            try:
                readings = reader.read(nodes, now_seconds)
            except UllageError as error:
                reasons.append(f"{candidate.url}: {error.message}")
            else:
                if readings.nodes.keys:
                    self._reader = reader
                    return readings
                reasons.append(f"{candidate.url}: it knows no node of this cluster")
            reader.close()
        hint = "name it in the configuration: prometheus.url"
        raise UllageError(
            "no Prometheus was found among the services; " + ("; ".join(reasons) or "none looks like one"), hint
        )


def settings_of(config: Prometheus, url: str, account: Path = SERVICE_ACCOUNT) -> PrometheusSettings:
    """How a server is asked.

    Parameters
    ----------
    config
        The configuration. What it leaves open comes from the service account, if the address is the configuration's own or
        one of the platform's, and has TLS: nobody else is to see the token.
    url
        Address of the server.
    account
        Folder of the service account.
    """
    host = urlsplit(url).hostname or ""
    is_safe = url.startswith("https:") and (url == config.url or host.endswith(_RESERVED))
    return PrometheusSettings(
        url=url,
        token_file=config.token_file or (_existing(account / "token") if is_safe else ""),
        ca_file=config.ca_file or (_existing(account / _SERVING_AUTHORITY) if is_safe else ""),
        cert_file=config.cert_file,
        key_file=config.key_file,
        headers=tuple(_pair(each, ":") for each in config.headers),
        parameters=tuple(_pair(each, "=") for each in config.parameters),
        matchers=config.matchers,
        timeout_seconds=config.timeout_seconds,
        rate_window_seconds=config.rate_window_seconds,
        step_seconds=config.step_seconds,
    )


def _existing(path: Path) -> str:
    return str(path) if path.exists() else ""


def _pair(text: str, separator: str) -> tuple[str, str]:
    name, _, value = text.partition(separator)
    return name.strip(), value.strip()
