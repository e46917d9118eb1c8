"""VMIs get their pods and their status: what virt-controller and virt-handler do, without a guest."""

from __future__ import annotations

from collections import defaultdict
from typing import Final

from tests.controlplane.rest import Rest, RestError
from tests.standin.clock import Clock
from tests.standin.kubevirt import names
from tests.standin.kubevirt.launcher import guest, launcher_pod
from tests.standin.kubevirt.settings import KubeVirtSettings
from tests.standin.mirror import Mirror
from tests.standin.queue import WorkQueue
from tests.standin.running import Running
from tests.standin.wire import (
    PODS,
    Json,
    Key,
    annotations_of,
    condition,
    is_going,
    is_running,
    key_of,
    labels_of,
    phase_of,
    pod_path,
    status_of,
    timestamp,
)
from ullage.estimation.requests import render

PENDING: Final = ("", "Pending", "Scheduling", "Scheduled")
NOT_MIGRATABLE_TEXT: Final = "cannot migrate VMI: the test says so"


class Machines:
    """VMIs and their launcher pods.

    Attributes
    ----------
    vmis, launchers
        What there is.
    """

    def __init__(self, running: Running, rest: Rest, clock: Clock, settings: KubeVirtSettings) -> None:
        self._rest, self._clock = rest, clock
        self.settings = settings
        self.vmis = Mirror(running, rest, names.MACHINES)
        self.launchers = Mirror(running, rest, PODS, labelSelector=f"{names.APP}={names.LAUNCHER}")
        self.queue: WorkQueue[Key] = WorkQueue(running, "vmi", self._sync)
        self._pods: defaultdict[Key, set[Key]] = defaultdict(set)
        self.vmis.on_change(lambda key, _: self.queue.add(key))
        self.launchers.on_change(self._see_pod)

    def start(self) -> None:
        self.queue.start()
        self.launchers.start()
        self.vmis.start()

    def pods_of(self, key: Key) -> list[Json]:
        """Launcher pods of a VMI, those that have ended, too."""
        found = map(self.launchers.get, list(self._pods[key]))
        return [pod for pod in found if pod is not None]

    def home(self, machine: Json) -> Json | None:
        """Pod that a VMI runs in."""
        node = status_of(machine).get("nodeName")
        uid = machine["metadata"]["uid"]
        pods = (pod for pod in self.pods_of(key_of(machine)) if labels_of(pod).get(names.CREATED_BY) == uid)
        alive = (pod for pod in pods if phase_of(pod) not in names.ENDED)
        return next((pod for pod in alive if pod["spec"].get("nodeName") == node), None)

    def write(self, machine: Json, change: Json) -> Json:
        """Change a VMI as it was last seen; a conflict if it has changed meanwhile."""
        version = {"resourceVersion": machine["metadata"]["resourceVersion"]}
        body = {**change, "metadata": {**change.get("metadata", {}), **version}}
        return self.vmis.learn(self._rest.patch(names.machine_path(key_of(machine)), body))

    def create_pod(self, pod: Json) -> None:
        """Create a pod unless it is there."""
        try:
            created = self._rest.post(f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods", pod)
            self._see_pod(key_of(created), self.launchers.learn(created, is_new=True))
        except RestError as error:
            if error.status != 409:
                raise

    def delete_pod(self, key: Key) -> None:
        self._rest.delete(pod_path(key))

    def _see_pod(self, key: Key, pod: Json) -> None:
        machine = (key[0], annotations_of(pod).get(names.DOMAIN, ""))
        self._pods[machine].add(key)
        self.queue.add(machine)

    def _sync(self, key: Key) -> None:
        machine = self.vmis.get(key)
        if machine is None:
            self._clear(key)
        elif phase_of(machine) in PENDING:
            self._begin(machine)
        elif phase_of(machine) == "Running":
            self._follow(machine)

    def _clear(self, key: Key) -> None:
        """Pods go with their VMI, also where there is no garbage collector."""
        for pod in self.pods_of(key):
            if not is_going(pod):
                self.delete_pod(key_of(pod))

    def _begin(self, machine: Json) -> None:
        uid = machine["metadata"]["uid"]
        pods = self.pods_of(key_of(machine))
        pod = next((each for each in pods if labels_of(each).get(names.CREATED_BY) == uid), None)
        if pod is not None and is_running(pod):
            self.write(machine, self._begun(machine, pod))
        elif phase_of(machine) == "Scheduling" and (pod is None or phase_of(pod) in names.ENDED):
            self.write(machine, self._ended())
        elif pod is None or phase_of(machine) != "Scheduling":
            self.create_pod(launcher_pod(machine, self.settings))
            self.write(machine, {"status": {"phase": "Scheduling", **self._transition(machine, "Scheduling")}})

    def _begun(self, machine: Json, pod: Json) -> Json:
        """What changes when the guest has booted."""
        node = pod["spec"]["nodeName"]
        of = guest(machine)
        size = str(of.guest_memory_bytes or of.requests_memory_bytes or 0)
        overhead = str(render(of, self.settings.cluster).overhead_bytes)
        status = {
            "phase": "Running",
            "nodeName": node,
            "activePods": {pod["metadata"]["uid"]: node},
            "conditions": self._conditions(machine),
            "migrationMethod": "LiveMigration",
            "qosClass": status_of(pod).get("qosClass", "Burstable"),
            "memory": {
                **dict.fromkeys(("guestAtBoot", "guestCurrent", "guestRequested"), size),
                "memoryOverhead": overhead,
            },
            "currentCPUTopology": {"sockets": of.vcpus, "cores": 1, "threads": 1},
            **self._transition(machine, "Running"),
        }
        return {"metadata": {"labels": {names.NODE_LABEL: node}}, "status": status}

    def _conditions(self, machine: Json) -> list[Json]:
        now = self._clock.wall()
        reason = annotations_of(machine).get(names.NOT_MIGRATABLE, "")
        text = NOT_MIGRATABLE_TEXT if reason else ""
        return [condition("Ready", True, now), condition("LiveMigratable", not reason, now, reason, text)]

    def _transition(self, machine: Json, phase: str) -> Json:
        stamp = {"phase": phase, "phaseTransitionTimestamp": timestamp(self._clock.wall())}
        return {"phaseTransitionTimestamps": [*(status_of(machine).get("phaseTransitionTimestamps") or ()), stamp]}

    def _follow(self, machine: Json) -> None:
        """A guest ends with its pod; a mark for evacuation shows on the pod."""
        home = self.home(machine)
        if home is None:
            self.write(machine, self._ended())
            return
        marked = bool(status_of(machine).get("evacuationNodeName"))
        if marked != (names.EVICTING in annotations_of(home)):
            change = {names.EVICTING: "true" if marked else None}
            path = pod_path(key_of(home))
            self.launchers.learn(self._rest.patch(path, {"metadata": {"annotations": change}}))

    def _ended(self) -> Json:
        ended = condition("Ready", False, self._clock.wall(), "PodTerminating", "virt-launcher pod is terminating")
        return {"status": {"phase": "Failed", "conditions": [ended]}}
