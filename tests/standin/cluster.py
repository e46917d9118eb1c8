"""All stand-ins of one cluster, composed for tests."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from tests.controlplane.rest import Rest, RestError
from tests.controlplane.waiting import until
from tests.standin import metrics_api
from tests.standin.clock import Clock
from tests.standin.exposition import Exposition
from tests.standin.https import LoopbackServer
from tests.standin.kubevirt.names import ENDED, MACHINES, machine_path, migration_path
from tests.standin.kubevirt.outcomes import Outcome
from tests.standin.kubevirt.service import KubeVirt
from tests.standin.kubevirt.settings import KubeVirtSettings
from tests.standin.meters import Meters
from tests.standin.nodes import LEASE_SECONDS, WRITERS, Nodes, NodeShape
from tests.standin.objects import PodShape, VmShape
from tests.standin.pods import HOLD, Kubelets
from tests.standin.readings import Readings
from tests.standin.running import Running
from tests.standin.use import Use, Uses
from tests.standin.wire import (
    PODS,
    Json,
    Key,
    annotations_of,
    is_going,
    key_of,
    phase_of,
    pod_path,
    version_of,
)

T = TypeVar("T")
PLAIN: Final = KubeVirtSettings()


class StandIn:
    """Nodes, their pods' life, real use with its monitoring, and KubeVirt, on a control plane that runs already.

    Parameters
    ----------
    rest
        Client that may do everything; it stays open.
    shapes
        Nodes to begin with.
    clock
        Time of migrations.
    kubevirt
        Its configuration; ``None``: there is no KubeVirt.
    shared
        The control plane lives on: remove in the end what was created.
    longest_lease_seconds
        Period at which thousands of nodes renew their Leases. Renewals cost the API server 2 ms each: a control plane with
        ``--node-monitor-grace-period=300s`` can do with 150 s.

    Attributes
    ----------
    uses, readings
        What is used, and what monitoring says of it.
    nodes, kubelets, kubevirt
        The parts.
    """

    def __init__(
        self,
        rest: Rest,
        shapes: Iterable[NodeShape] = (),
        *,
        clock: Clock | None = None,
        kubevirt: KubeVirtSettings | None = PLAIN,
        shared: bool = True,
        longest_lease_seconds: float = LEASE_SECONDS[1],
    ) -> None:
        self._is_shared = shared
        self._rest, self._first = rest, list(shapes)
        self._ending = ExitStack()
        self._running = Running()
        clock = clock or Clock()
        self.uses = Uses()
        self.nodes = Nodes(self._running, rest, clock, longest_lease_seconds)
        self.kubelets = Kubelets(self._running, rest, clock, self.nodes)
        self.readings = Readings(self.kubelets, self.uses, clock)
        self._meters = Meters(self.readings, clock)
        parts = (self._running, rest, clock, self.kubelets, self.uses)
        self._kubevirt = None if kubevirt is None else KubeVirt(*parts, kubevirt)
        folder = Path(self._ending.enter_context(tempfile.TemporaryDirectory(prefix="standin-")))
        routes = {metrics_api.PREFIX: metrics_api.MetricsApi(self.readings).route}
        self._server = LoopbackServer(
            self._running, {**routes, **(self._kubevirt.routes if self._kubevirt else {})}, folder
        )
        exporters = {"/kubevirt": self._kubevirt.exporter} if self._kubevirt else {}
        self._prometheus = LoopbackServer(
            self._running, {"/": Exposition(self.readings, self._meters, exporters).route}
        )

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    @property
    def failures(self) -> list[Exception]:
        """Errors in any of the threads; a test asserts that there are none."""
        return self._running.failures

    @property
    def kubevirt(self) -> KubeVirt:
        if self._kubevirt is None:
            raise LookupError("this cluster has no KubeVirt")
        return self._kubevirt

    @property
    def exposition_url(self) -> str:
        """Where Prometheus scrapes: below it ``/node``, ``/cadvisor``, ``/resource``, ``/kubevirt``."""
        return self._prometheus.url()

    def start(self) -> None:
        """Start everything; whatever was started is stopped if this fails."""
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def _start(self) -> None:
        for server in (self._server, self._prometheus):
            server.start()
            self._ending.callback(server.stop)
        self.nodes.start()
        self.kubelets.start()
        self.add_nodes(self._first)
        if self._kubevirt:
            self._kubevirt.start(self._server.url(), self._server.ca)
        metrics_api.register(self._rest, self._server.port)

    def stop(self) -> None:
        """End all threads and servers, and remove VMIs, migrations, nodes and the pods on them."""
        if self._kubevirt:
            self._kubevirt.stop()
        metrics_api.unregister(self._rest)
        self._running.stop()
        self._ending.close()
        if self._is_shared:
            self._tidy()

    def add_nodes(self, shapes: Iterable[NodeShape]) -> None:
        """Create nodes, and wait until they take pods."""
        self.nodes.add(shapes)
        self.readings.refresh()

    def create_vm(self, name: str, guest_bytes: int, vcpus: int, *, use: Use | None = None, **traits: Any) -> Key:
        """Create a VMI; ``traits`` are further fields of `VmShape`. The use is the VM's, wherever it runs."""
        shape = VmShape(name, guest_bytes, vcpus, **traits)
        key = (shape.namespace, name)
        if use is not None:
            self.set_use(key, use)
        self._rest.post(f"{_in(MACHINES, shape.namespace)}", shape.wire())
        return key

    def create_pod(self, name: str, **traits: Any) -> Key:
        """Create a pod; ``traits`` are further fields of `PodShape`."""
        shape = PodShape(name, **traits)
        self._rest.post(_in(PODS, shape.namespace), shape.wire())
        return shape.namespace, name

    def create_replicaset(self, name: str, replicas: int = 1, **traits: Any) -> Key:
        """Create a ReplicaSet of pods (see `create_pod`); with ``node``, only its first pods are bound there."""
        shape = PodShape(name, **traits)
        if shape.node:
            # It adopts pods that fit its selector: so they can be bound past the scheduler and their successors cannot.
            for number in range(replicas):
                pod = replace(shape, name=f"{name}-{number}", labels={"app": name, **shape.labels})
                self._rest.post(_in(PODS, shape.namespace), pod.wire())
        self._rest.post(_in("/apis/apps/v1/replicasets", shape.namespace), shape.replicaset(replicas))
        return shape.namespace, name

    def set_use(self, key: Key, use: Use) -> None:
        """Set the use of a VM, a pod, or all pods of an owner."""
        self._meters.advance()
        self.uses.set(key, use)
        self.readings.refresh()

    def order(self, machine: Key, outcome: Outcome) -> None:
        """Have the next migrations of a VMI end as a test wants."""
        self.kubevirt.migrations.outcomes.order(machine, outcome)

    def settle(self, timeout_seconds: float = 60.0, *, bound: bool = False) -> None:
        """Wait until all bound pods (with ``bound``: all pods) run, and the stand-ins have seen everything there is.

        VMIs run, too, and evictions and deletions are done; migrations may still be under way.
        """
        until(lambda: self._is_settled(bound), "a settled cluster", seconds=timeout_seconds)
        self.readings.refresh()

    def _is_settled(self, bound: bool) -> bool:
        pods = [each for each in self._rest.list(PODS) if bound or each["spec"].get("nodeName")]
        if not all(map(self._is_at_rest, pods)):
            return False
        if self._kubevirt is None:
            return True
        machines = self._kubevirt.machines
        vmis = self._rest.list(MACHINES)
        known = all(version_of(machines.vmis.get(key_of(each)) or each) >= version_of(each) for each in vmis)
        return known and all(phase_of(each) in ("Running", *ENDED) for each in vmis) and machines.queue.is_idle

    def _is_at_rest(self, pod: Json) -> bool:
        if pod["spec"].get("nodeName") not in self.nodes.shapes or HOLD in annotations_of(pod):
            return bool(pod["spec"].get("nodeName"))
        seen = self.kubelets.bound.get(key_of(pod))
        is_seen = seen is not None and version_of(seen) >= version_of(pod)
        return is_seen and not is_going(pod) and phase_of(pod) != "Pending"

    def _tidy(self) -> None:
        if self._kubevirt:
            self._each(self._kubevirt.migrations.vmims.all(), self._forget_migration)
            self._each(self._kubevirt.machines.vmis.all(), lambda each: self._rest.delete(machine_path(key_of(each))))
        self._each(self.kubelets.bound.all(), self._remove)
        self._each(list(self.nodes.shapes), self.nodes.remove)

    def _each(self, objects: list[T], change: Callable[[T], object]) -> None:
        def tried(each: T) -> None:
            with suppress(RestError):
                change(each)

        with ThreadPoolExecutor(WRITERS) as pool:
            list(pool.map(tried, objects))

    def _forget_migration(self, migration: Json) -> None:
        path = migration_path(key_of(migration))
        self._rest.patch(path, {"metadata": {"finalizers": None}})
        self._rest.delete(path)

    def _remove(self, pod: Json) -> None:
        if pod["spec"]["nodeName"] in self.nodes.shapes:
            self._rest.delete(pod_path(key_of(pod)), {"gracePeriodSeconds": 0})


def _in(collection: str, namespace: str) -> str:
    """Path of a collection in one namespace."""
    prefix, _, plural = collection.rpartition("/")
    return f"{prefix}/namespaces/{namespace}/{plural}"
