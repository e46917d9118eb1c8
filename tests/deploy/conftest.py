"""The descheduler's base in the session's cluster, and its ServiceAccount."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.controlplane.plane import ControlPlane
from tests.controlplane.rest import Rest
from tests.deploy import bases
from tests.standin.kubevirt import crds
from tests.standin.kubevirt.settings import KubeVirtSettings


@pytest.fixture(scope="package")
def base(control_plane: ControlPlane, admin: Rest) -> Iterator[str]:
    """The base, as kubectl renders it, in a cluster with KubeVirt's resources and ours."""
    crds.install(admin, KubeVirtSettings())
    bases.apply_definitions(control_plane, admin)
    with bases.applied(control_plane, admin):
        yield bases.rendered(control_plane, "descheduler")


@pytest.fixture(scope="package")
def account(control_plane: ControlPlane, base: str) -> Iterator[Rest]:
    """The descheduler, as the API server knows it."""
    del base
    token = control_plane.service_account_token(bases.NAMESPACE, bases.NAME)
    with Rest(control_plane.url, ca_file=control_plane.ca_file, token=token) as client:
        yield client


@pytest.fixture(scope="package")
def account_config(control_plane: ControlPlane, base: str) -> Path:
    """Its kubeconfig."""
    del base
    return control_plane.service_account_kubeconfig(bases.NAMESPACE, bases.NAME)
