"""Commands of a user that may only read, against the control plane of the session and its stand-ins."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.controlplane.plane import ControlPlane
from tests.controlplane.rest import Rest
from tests.e2e.workloads import fresh_namespace
from tests.e2e_live import scene
from tests.e2e_live.account import Account, reader
from tests.e2e_live.commands import HURRIED, Ullage, configuration
from tests.standin.cluster import StandIn


@pytest.fixture(scope="module")
def space(admin: Rest) -> Iterator[str]:
    """A namespace."""
    with fresh_namespace(admin) as name:
        yield name


@pytest.fixture(scope="module")
def account(control_plane: ControlPlane, admin: Rest, space: str) -> Iterator[Account]:
    """Who asks: a service account with the role that the deployment gives."""
    with reader(control_plane, admin, space) as account:
        yield account
        assert account.writes() == []


@pytest.fixture(scope="module")
def cluster(admin: Rest, space: str) -> Iterator[StandIn]:
    """The cluster of `tests.e2e_live.scene`."""
    with StandIn(admin, scene.NODES) as standin:
        scene.fill(standin, admin, space)
        yield standin
        assert standin.failures == []


@pytest.fixture
def standin(cluster: StandIn) -> Iterator[StandIn]:
    """The module's cluster; lies end with the test."""
    yield cluster
    cluster.readings.tell_truth()


@pytest.fixture
def ullage(account: Account, tmp_path: Path) -> Ullage:
    """The commands, with the metrics API as all that measures."""
    return Ullage(account.kubeconfig, configuration(tmp_path / "plain.yaml"))


@pytest.fixture
def hurried(account: Account, tmp_path: Path) -> Ullage:
    """The same for a loop that is in a hurry."""
    return Ullage(account.kubeconfig, configuration(tmp_path / "hurried.yaml", **HURRIED))
