"""KubeVirt without KubeVirt, as one piece."""

from __future__ import annotations

from collections.abc import Mapping

from tests.controlplane.rest import Rest
from tests.standin.clock import Clock
from tests.standin.exposition import Exporter
from tests.standin.https import Route
from tests.standin.kubevirt import admission, crds
from tests.standin.kubevirt.creation import CreationWebhook
from tests.standin.kubevirt.evacuation import Evacuations
from tests.standin.kubevirt.eviction import EvictionWebhook
from tests.standin.kubevirt.exposition import KubeVirtExporter
from tests.standin.kubevirt.migrations import Migrations
from tests.standin.kubevirt.settings import KubeVirtSettings
from tests.standin.kubevirt.vmis import Machines
from tests.standin.pods import Kubelets
from tests.standin.running import Running
from tests.standin.use import Uses


class KubeVirt:
    """Definitions, controllers and webhooks.

    Attributes
    ----------
    machines, migrations
        The controllers.
    """

    def __init__(
        self, running: Running, rest: Rest, clock: Clock, kubelets: Kubelets, uses: Uses, settings: KubeVirtSettings
    ) -> None:
        self._rest = rest
        self.machines = Machines(running, rest, clock, settings)
        self.migrations = Migrations(running, rest, clock, self.machines, kubelets, uses)
        self.evacuations = Evacuations(running, rest, clock, self.migrations)

    @property
    def routes(self) -> Mapping[str, Route]:
        """Webhooks by path."""
        return {
            admission.EVICTION_PATH: EvictionWebhook(self._rest, self.machines).route,
            admission.MIGRATION_PATH: CreationWebhook(self.migrations).route,
        }

    @property
    def exporter(self) -> Exporter:
        """What Prometheus scrapes."""
        return KubeVirtExporter(self.migrations).samples

    def start(self, url: str, ca: bytes) -> None:
        """Install all, with the webhooks at a URL whose certificate an authority has signed."""
        crds.install(self._rest, self.machines.settings)
        self.machines.start()
        self.migrations.start()
        self.evacuations.start()
        admission.register(self._rest, url, ca)

    def configure(self, settings: KubeVirtSettings) -> None:
        """Change the configuration; pods that exist stay as they are."""
        self.machines.settings = settings
        crds.show(self._rest, settings)

    def stop(self) -> None:
        """Take the webhooks away: without them nobody would answer. All else stays for the end of the control plane."""
        admission.unregister(self._rest)
