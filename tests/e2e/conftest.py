"""The extender in front of a real kube-scheduler, on the session's control plane."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.controlplane.plane import ControlPlane
from tests.controlplane.processes import reserved_ports
from tests.controlplane.rest import Rest
from tests.e2e import scene
from tests.e2e.extenders import Dumps, Extender, Knowledge, Launcher
from tests.e2e.schedulers import Schedulers
from tests.e2e.workloads import Pods, fresh_namespace
from tests.standin.cluster import StandIn


@pytest.fixture(scope="session")
def port() -> Iterator[int]:
    """Where extenders listen, one after the other; nobody else does."""
    with reserved_ports(1) as (port,):
        yield port


@pytest.fixture(scope="module")
def cluster(admin: Rest, request: pytest.FixtureRequest) -> Iterator[StandIn]:
    """Nodes as the module's ``NODES`` say it, and KubeVirt."""
    with StandIn(admin, request.module.NODES) as standin:
        yield standin
        assert standin.failures == []


@pytest.fixture(scope="module")
def schedulers(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Schedulers]:
    """The scheduler can be exchanged; in the end it is the default one."""
    exchanged = Schedulers(control_plane, tmp_path_factory.mktemp("schedulers"))
    yield exchanged
    exchanged.use("")


@pytest.fixture(scope="module")
def contradiction(cluster: StandIn, admin: Rest) -> Iterator[StandIn]:
    """The cluster of `tests.e2e.scene`, with its pods."""
    with fresh_namespace(admin) as name:
        scene.fill(cluster, admin, name)
        yield cluster


@pytest.fixture
def knowledge(admin: Rest, tmp_path: Path) -> Knowledge:
    """Where extenders know the cluster from."""
    return Dumps(admin, tmp_path / "cluster.json")


@pytest.fixture
def launcher(port: int, knowledge: Knowledge, tmp_path: Path) -> Launcher:
    return Launcher(port, knowledge, tmp_path / "extender.log")


@pytest.fixture
def extender(launcher: Launcher) -> Iterator[Extender]:
    """An extender that knows the cluster."""
    with launcher.run() as extender:
        yield extender


@pytest.fixture
def pods(admin: Rest, cluster: StandIn, namespace: str) -> Iterator[Pods]:
    """Pods of this test, which are gone after it."""
    cluster.readings.tell_truth()
    pods = Pods(admin, namespace)
    yield pods
    pods.delete_all()
