"""A cluster of two nodes, a VM and a pod on the first one, and steps that move them to the second."""

from __future__ import annotations

import threading

from kubernetes.client import Configuration

from descheduler.executors.migrate import name_of
from descheduler.executors.port import Step
from descheduler.executors.writer import Writer
from descheduler.policy.plan import PlannedMove, WorkloadRef
from tests.descheduler.executors.api import MIGRATIONS, Api, Json
from ullage.sources.kube_api.connection import Connection, Limits
from ullage.sources.kube_api.credentials import Access

KUBEVIRT = "/apis/kubevirt.io/v1/namespaces/app"
VMI = f"{KUBEVIRT}/virtualmachineinstances/db"
LAUNCHER = "/api/v1/namespaces/app/pods/virt-launcher-db-1"
POD = "/api/v1/namespaces/app/pods/web-1"
LIVE_MIGRATABLE = {"type": "LiveMigratable", "status": "True"}


class HandClock:
    """Stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def unix(self) -> float:
        """2026-01-01T00:00:00Z at first: objects of the API are created then."""
        return 1_767_225_600.0 + self.now

    def wait(self, event: threading.Event, seconds: float) -> bool:
        self.now += seconds
        return event.is_set()


class World:
    """The cluster, and a guarded way to write to it.

    Attributes
    ----------
    held_back
        Why nothing may be written; empty: it may.
    """

    def __init__(self, api: Api) -> None:
        self.api, self.clock, self.held_back = api, HandClock(), ""
        limits = Limits(5.0, 5.0, 1000.0)
        self.connection = Connection(self._access, self.clock, limits)
        self.writer = Writer(self.connection, lambda _: self.held_back)
        for name in ("node-1", "node-2"):
            # The label is another word than the name, as on clusters of some clouds.
            labels = {"kubernetes.io/hostname": f"host-of-{name}"}
            api.put(f"/api/v1/nodes/{name}", {"metadata": {"labels": labels}, "spec": {}})
        api.put(VMI, vmi())
        labels = {"kubevirt.io": "virt-launcher", "kubevirt.io/created-by": "vmi-uid"}
        meta: Json = {"namespace": "app", "labels": labels, "annotations": {"kubevirt.io/domain": "db"}}
        api.put(LAUNCHER, {"metadata": meta, "spec": {"nodeName": "node-1"}, "status": {"phase": "Running"}})
        self.put_pod("pod-uid")

    def put_pod(self, uid: str, **status: str) -> None:
        meta = {"namespace": "app", "uid": uid}
        made = {"metadata": meta, "spec": {"nodeName": "node-1"}, "status": {"phase": "Running", **status}}
        self.api.put(POD, made)

    @property
    def migration(self) -> str:
        """Path of the migration of `vm_step`."""
        return f"{KUBEVIRT}/{MIGRATIONS}/{name_of(vm_step())}"

    def migrate(self, phase: str, **state: object) -> None:
        """Bring the migration into a phase."""
        self.api.change(self.migration, {"status": {"phase": phase, "migrationState": state}})

    def arrive(self, node: str) -> None:
        """Have the VM run at a node."""
        self.api.change(VMI, {"status": {"nodeName": node, "evacuationNodeName": None}})

    def _access(self) -> Access:
        configuration = Configuration(host=self.api.url)
        configuration.proxy = None
        return Access(configuration, None)


def vmi(**status: object) -> Json:
    return {
        "metadata": {"namespace": "app", "uid": "vmi-uid"},
        "spec": {"evictionStrategy": "LiveMigrate", "domain": {"memory": {"guest": "4Gi"}}},
        "status": {"phase": "Running", "nodeName": "node-1", "conditions": [LIVE_MIGRATABLE], **status},
    }


def vm_step(plan: str = "relieve-1", number: int = 1, target: str = "node-2") -> Step:
    workload = WorkloadRef("VirtualMachineInstance", "app", "db", "vmi-uid")
    return Step(plan, number, _move(workload, target), "virt-launcher-db-1")


def pod_step() -> Step:
    return Step("relieve-1", 2, _move(WorkloadRef("Pod", "app", "web-1", "pod-uid"), "node-2"), "web-1")


def _move(workload: WorkloadRef, target: str) -> PlannedMove:
    return PlannedMove(
        workload=workload,
        source="node-1",
        target=target,
        memory_bytes=2**32,
        cpu_cores=1.0,
        code="relieve",
        reason="It brings node-1 from 91 % to 78 %.",
    )
