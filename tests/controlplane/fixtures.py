"""Fixtures of the tests that need a real control plane.

Such tests carry ``pytest.mark.xdist_group("control-plane")``, so that with ``--dist loadgroup`` one worker has them all
and starts one control plane. They are skipped where its programs are not.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator

import pytest

from tests.controlplane import binaries
from tests.controlplane.plane import ControlPlane
from tests.controlplane.rest import Rest, RestError
from tests.controlplane.waiting import until


@pytest.fixture(scope="session")
def control_plane_programs() -> None:
    """Skip a test that starts a control plane of its own where the programs are not."""
    _need_programs()


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane with all its parts, the default scheduler, and an audit log of metadata."""
    _need_programs()
    folder = tmp_path_factory.mktemp("control-plane") / "plane"
    with ControlPlane.start(folder, audit_policy="Metadata") as plane:
        yield plane


@pytest.fixture(scope="session")
def admin(control_plane: ControlPlane) -> Iterator[Rest]:
    """Client of the admin."""
    with control_plane.client() as client:
        yield client


@pytest.fixture
def namespace(admin: Rest) -> Iterator[str]:
    """A fresh namespace whose default service account is there, so that pods can be created."""
    made = admin.post(
        "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"generateName": "test-"}}
    )
    name: str = made["metadata"]["name"]
    until(lambda: _found(admin, f"/api/v1/namespaces/{name}/serviceaccounts/default"), f"service account of {name}")
    yield name
    admin.delete(f"/api/v1/namespaces/{name}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show with a failed test where the logs of its control plane are, and their ends."""
    report = yield
    plane = getattr(item, "funcargs", {}).get("control_plane")
    if report.failed and isinstance(plane, ControlPlane):
        report.sections += [(str(program.log), program.tail()) for program in plane.programs.values()]
    return report


def _need_programs() -> None:
    if why := binaries.missing():
        pytest.skip(why)


def _found(client: Rest, path: str) -> bool:
    try:
        client.get(path)
    except RestError as error:
        if error.status != 404:
            raise
        return False
    return True
