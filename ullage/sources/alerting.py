"""Which of the alerts that are to stop moves fire now, as Prometheus says: the configured one, or the one that is found."""

from __future__ import annotations

from contextlib import closing

from ullage.config import Configuration
from ullage.errors import UllageError
from ullage.sources.monitoring import settings_of
from ullage.sources.prometheus.alerts import firing, promql
from ullage.sources.prometheus.connection import Connection
from ullage.sources.prometheus.discovery import Get, discover


class Alerting:
    """Asks for alerts.

    Parameters
    ----------
    get
        Asks the Kubernetes API for services, where the configuration names no address.
    """

    def __init__(self, get: Get) -> None:
        self._get = get

    def firing(self, config: Configuration) -> tuple[str, ...]:
        """Names of the alerts of ``breakers.alerts`` that fire, sorted; none if no alert is to count.

        Raises
        ------
        UllageError
            Prometheus cannot be asked.
        """
        if not config.breakers.alerts:
            return ()
        if config.prometheus.url:
            return _asked(config, config.prometheus.url)
        return self._found(config)

    def _found(self, config: Configuration) -> tuple[str, ...]:
        reasons = []
        for candidate in discover(self._get):
            try:
                return _asked(config, candidate.url)
            except UllageError as error:
                reasons.append(f"{candidate.url}: {error.message}")
        said = "; ".join(reasons) or "none of the services looks like one"
        raise UllageError(f"no Prometheus could be asked: {said}", "name it in the configuration: prometheus.url")


def _asked(config: Configuration, url: str) -> tuple[str, ...]:
    query = promql(config.prometheus.matchers, config.breakers.alerts)
    with closing(Connection(settings_of(config.prometheus, url))) as connection:
        return firing(connection, query, config.prometheus.timeout_seconds)
