"""The descheduler with its shipped rights on a control plane of its own, whose audit log holds what was written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.controlplane.plane import ControlPlane
from tests.controlplane.rest import Rest, RestError
from tests.e2e.workloads import fresh_namespace
from tests.e2e_acting import audit
from tests.e2e_acting.deployed import deploy
from tests.e2e_acting.oracle import Watcher
from tests.e2e_acting.replicas import LEASE_PATH, PLANS, Replicas, configuration


@pytest.fixture(scope="package")
def control_plane(tmp_path_factory: pytest.TempPathFactory, control_plane_programs: None) -> Iterator[ControlPlane]:
    """A control plane with all its parts, an audit log with bodies, and all that is deployed but the pods."""
    del control_plane_programs
    folder = tmp_path_factory.mktemp("acting")
    policy = folder / "policy.yaml"
    policy.write_text(audit.policy())
    with ControlPlane.start(folder / "plane", audit_policy=policy) as plane:
        deploy(plane)
        yield plane


@pytest.fixture(scope="package")
def admin(control_plane: ControlPlane) -> Iterator[Rest]:
    """Client of the admin."""
    with control_plane.client() as client:
        yield client


@pytest.fixture
def space(admin: Rest) -> Iterator[str]:
    """A namespace, in a cluster without plans and without a leader."""
    with suppress(RestError):
        admin.delete(LEASE_PATH)
    for plan in admin.list(PLANS):
        admin.delete(f"{PLANS}/{plan['metadata']['name']}")
    with fresh_namespace(admin) as name:
        yield name


@pytest.fixture
def watcher(control_plane: ControlPlane, space: str) -> Iterator[Watcher]:
    """The oracle: after each test no invariant is broken."""
    del space
    watcher = Watcher(control_plane.audit_log)
    yield watcher
    assert watcher.broken() == []


@pytest.fixture
def replicas(control_plane: ControlPlane, watcher: Watcher, tmp_path: Path) -> Replicas:
    """Starts replicas that are in a hurry."""
    del watcher  # what they write is looked at after they have ended
    return Replicas(control_plane, tmp_path, configuration(tmp_path / "config.yaml"))
