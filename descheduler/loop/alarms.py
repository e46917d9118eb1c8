"""What the actor is told of alerts."""

from __future__ import annotations

from descheduler.acting.breakers import Alerts
from ullage.config import Configuration
from ullage.errors import UllageError
from ullage.sources.alerting import Alerting
from ullage.sources.prometheus.discovery import Get


class Alarms:
    """Asks for alerts; that nobody could be asked is an answer, too.

    Parameters
    ----------
    get
        Asks the Kubernetes API for services, where the configuration names no Prometheus.
    """

    def __init__(self, get: Get) -> None:
        self._alerting = Alerting(get)

    def __call__(self, config: Configuration) -> Alerts:
        """What is known now."""
        try:
            return Alerts(self._alerting.firing(config))
        except UllageError as error:
            return Alerts(error=error.message)
