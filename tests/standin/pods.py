"""What a kubelet does for pods: bound ones run, and those that are to go are gone."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Final

from tests.controlplane.rest import Rest
from tests.standin.clock import Clock
from tests.standin.mirror import Mirror
from tests.standin.nodes import Nodes
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
    phase_of,
    pod_path,
    timestamp,
)

HOLD: Final = "standin.ullage.dev/hold"
"""Annotation of a pod that stays Pending on its node: an image that cannot be pulled, a volume that does not come."""
SILENT_SECONDS: Final = 0.5
"""How soon the pods of a silent node are looked at again."""
ALIVE: Final = ("Initialized", "ContainersReady", "Ready")


def running_status(pod: Json, host: str, address: str, now: float) -> Json:
    """Status of a pod all of whose containers run."""
    spec = pod["spec"]
    sidecars = [each for each in spec.get("initContainers") or () if each.get("restartPolicy") == "Always"]
    others = [each for each in spec.get("initContainers") or () if each not in sidecars]
    status = {
        "phase": "Running",
        "startTime": timestamp(now),
        "hostIP": host,
        "hostIPs": [{"ip": host}],
        "podIP": address,
        "podIPs": [{"ip": address}],
        "conditions": [condition(kind, True, now) for kind in ("PodReadyToStartContainers", *ALIVE)],
        "containerStatuses": [_running(each, now) for each in spec["containers"]],
    }
    inits = [*(_ended(each, now) for each in others), *(_running(each, now) for each in sidecars)]
    return {**status, **({"initContainerStatuses": inits} if inits else {})}


def ended_status(pod: Json, phase: str, now: float, reason: str = "") -> Json:
    """Status of a pod whose containers have ended, well (``Succeeded``) or not (``Failed``)."""
    code = 0 if phase == "Succeeded" else 1
    inits = [_ended(each, now, code) for each in pod["spec"].get("initContainers") or ()]
    return {
        "phase": phase,
        **({"reason": reason} if reason else {}),
        "conditions": [condition(kind, False, now, f"Pod{phase}") for kind in ("ContainersReady", "Ready")],
        "containerStatuses": [_ended(each, now, code) for each in pod["spec"]["containers"]],
        **({"initContainerStatuses": inits} if inits else {}),
    }


def _running(container: Json, now: float) -> Json:
    state = {"running": {"startedAt": timestamp(now)}}
    return {**_status(container), "state": state, "started": True, "ready": True}


def _ended(container: Json, now: float, code: int = 0) -> Json:
    ended = {"exitCode": code, "reason": "Error" if code else "Completed", "finishedAt": timestamp(now)}
    return {**_status(container), "state": {"terminated": ended}, "started": False, "ready": False}


def _status(container: Json) -> Json:
    image = container["image"]
    return {"name": container["name"], "image": image, "imageID": f"sha256:{image}", "restartCount": 0}


@dataclass
class Kubelets:
    """The part of all kubelets that is about pods."""

    running: Running
    rest: Rest
    clock: Clock
    nodes: Nodes
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self.bound = Mirror(self.running, self.rest, PODS, fieldSelector="spec.nodeName!=")
        self.queue: WorkQueue[Key] = WorkQueue(self.running, "kubelet", self._sync)
        self.bound.on_change(self._see)

    def start(self) -> None:
        self.queue.start()
        self.bound.start()

    def end(self, key: Key, phase: str, reason: str = "") -> None:
        """Have the containers of a pod end by themselves."""
        pod = self.bound.get(key)
        if pod is not None:
            self._write(key, ended_status(pod, phase, self.clock.wall(), reason))

    def on_node(self) -> dict[str, list[Json]]:
        """Running pods by node."""
        found: dict[str, list[Json]] = {}
        for pod in self.bound.all():
            if is_running(pod):
                found.setdefault(pod["spec"]["nodeName"], []).append(pod)
        return found

    def _see(self, key: Key, pod: Json) -> None:
        if is_going(pod) or phase_of(pod) == "Pending":
            self.queue.add(key)

    def _sync(self, key: Key) -> None:
        pod = self.bound.get(key)
        node = pod["spec"]["nodeName"] if pod else ""
        if pod is None or node not in self.nodes.shapes:
            return
        if self.nodes.is_silent(node):
            self.queue.add(key, SILENT_SECONDS)
        elif is_going(pod):
            options = {"gracePeriodSeconds": 0, "preconditions": {"uid": pod["metadata"]["uid"]}}
            self.rest.delete(pod_path(key), options)
        elif phase_of(pod) == "Pending" and HOLD not in annotations_of(pod):
            self._run(key, pod)

    def _run(self, key: Key, pod: Json) -> None:
        number = next(self._numbers)
        address = f"10.{128 + (number >> 16) % 128}.{number >> 8 & 255}.{number & 255}"
        host = self.nodes.address(pod["spec"]["nodeName"])
        self._write(key, running_status(pod, host, address, self.clock.wall()))

    def _write(self, key: Key, status: Json) -> None:
        self.bound.learn(self.rest.patch(f"{pod_path(key)}/status", {"status": status}, "strategic"))
