"""A cluster of stand-ins on the session's control plane."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.controlplane.rest import Rest
from tests.standin.clock import Clock
from tests.standin.cluster import StandIn
from tests.standin.nodes import GI, shapes

SPEED = 50.0


@pytest.fixture(scope="module")
def cluster(admin: Rest) -> Iterator[StandIn]:
    """Four nodes of 16 cores and 64Gi, and KubeVirt on a fast clock."""
    four = shapes(4, cores=16, memory_bytes=64 * GI, reserved_memory_bytes=2 * GI, swap_bytes=8 * GI)
    with StandIn(admin, four, clock=Clock(speed=SPEED)) as standin:
        yield standin


@pytest.fixture
def standin(cluster: StandIn) -> Iterator[StandIn]:
    """The module's cluster, in which nothing went wrong during the test."""
    cluster.readings.tell_truth()
    yield cluster
    assert cluster.failures == []
