"""Evacuations: a VMI that is marked to leave its node gets a migration, again and again until one succeeds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from tests.controlplane.rest import Rest
from tests.standin.clock import Clock
from tests.standin.kubevirt import names
from tests.standin.kubevirt.migrations import Migrations, machine_key
from tests.standin.kubevirt.settings import MARKED_BY_SOURCE_SINCE
from tests.standin.kubevirt.slots import has_room
from tests.standin.running import Running
from tests.standin.wire import Json, Key, annotations_of, key_of, phase_of, status_of, suffix

TICK_SECONDS: Final = 0.1
BACKOFF_SECONDS: Final = 20.0


@dataclass
class _Tries:
    """What was tried since a VMI was marked: how often, and when the last one ended."""

    count: int = 0
    since: float = 0.0


@dataclass
class Evacuations:
    """Makes the migrations that evictions ask for, within the limits on migrations."""

    running: Running
    rest: Rest
    clock: Clock
    migrations: Migrations
    _tries: dict[Key, _Tries] = field(default_factory=dict)

    def start(self) -> None:
        self.running.every("evacuations", TICK_SECONDS, self.tick)

    def tick(self) -> None:
        """Make what is due."""
        active = [each for each in self.migrations.vmims.all() if phase_of(each) not in names.ENDED]
        busy = {machine_key(each) for each in active}
        sources = [self.migrations.source_of(each) for each in active]
        marked = {key_of(each): each for each in self.migrations.machines.vmis.all() if self._is_marked(each)}
        for gone in self._tries.keys() - marked.keys():
            del self._tries[gone]
        for key in busy & self._tries.keys():
            self._tries[key].since = self.clock.now()
        for key, machine in marked.items():
            source = status_of(machine)["nodeName"]
            limits = self.migrations.machines.settings.limits
            if key not in busy and self._is_due(key) and has_room(sources, source, limits):
                self._evacuate(machine)
                sources.append(source)

    def _is_marked(self, machine: Json) -> bool:
        status, settings = status_of(machine), self.migrations.machines.settings
        strategy = machine["spec"].get("evictionStrategy") or settings.eviction_strategy
        node = status.get("evacuationNodeName")
        return (
            bool(node) and node == status.get("nodeName") and phase_of(machine) == "Running" and strategy != "External"
        )

    def _is_due(self, key: Key) -> bool:
        """A first try is due at once; after each failure KubeVirt waits twice as long."""
        tries = self._tries.setdefault(key, _Tries())
        wait = BACKOFF_SECONDS * 2 ** (tries.count - 1) if tries.count else 0.0
        return self.clock.now() - tries.since >= wait

    def _evacuate(self, machine: Json) -> None:
        namespace, name = key_of(machine)
        tries = self._tries[(namespace, name)]
        tries.count, tries.since = tries.count + 1, self.clock.now()
        seed = f"{machine['metadata']['uid']}/{machine['metadata']['resourceVersion']}/{tries.count}"
        body = {
            "apiVersion": "kubevirt.io/v1",
            "kind": "VirtualMachineInstanceMigration",
            "metadata": {
                "name": f"kubevirt-evacuation-{suffix(seed)}",
                "namespace": namespace,
                "annotations": {names.EVACUATION: status_of(machine)["nodeName"]},
            },
            "spec": {"vmiName": name, **self._priority(machine)},
        }
        with self.running.recording():
            path = f"{names.API}/namespaces/{namespace}/virtualmachineinstancemigrations"
            self.migrations.vmims.learn(self.rest.post(path, body), is_new=True)

    def _priority(self, machine: Json) -> Json:
        if self.migrations.machines.settings.known_version < MARKED_BY_SOURCE_SINCE:
            return {}
        by_descheduler = annotations_of(machine).get(names.EVICTION_SOURCE) == "descheduler"
        return {"priority": "system-maintenance" if by_descheduler else "system-critical"}
