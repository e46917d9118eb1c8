"""KubeVirt comes and goes while the loop runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.controlplane.rest import Rest, RestError
from tests.controlplane.waiting import until
from tests.e2e_live.commands import Loop, Ullage
from tests.standin.cluster import PLAIN, StandIn
from tests.standin.kubevirt import crds
from tests.standin.kubevirt.names import MACHINES
from tests.standin.nodes import NodeShape
from tests.standin.objects import VmShape

pytestmark = pytest.mark.xdist_group("control-plane")
RESOURCE = "virtualmachineinstances.kubevirt.io"


def remove(admin: Rest) -> None:
    """Have the API server know none of KubeVirt's resources."""
    for each in crds.RESOURCES:
        with suppress(RestError):
            admin.delete(f"{crds.DEFINITIONS}/{each.name}")
    until(
        lambda: not any(each["metadata"]["name"].endswith("kubevirt.io") for each in admin.list(crds.DEFINITIONS)),
        "gone",
    )


def is_absent(loop: Loop) -> bool:
    """Whether the loop knows that there are no VMs to be had."""
    kind = loop.kind(RESOURCE)
    return (kind["is_served"], kind["is_synced"], kind["error"]) == (False, True, "")


@pytest.fixture
def plain(admin: Rest) -> Iterator[StandIn]:
    """A cluster that never heard of KubeVirt."""
    remove(admin)
    with StandIn(admin, [NodeShape("one"), NodeShape("two")], kubevirt=None) as standin:
        yield standin
        assert standin.failures == []
    remove(admin)


def test_kubevirt_appears_and_vanishes(
    plain: StandIn, admin: Rest, hurried: Ullage, space: str, tmp_path: Path
) -> None:
    plain.create_pod("web", namespace=space, node="one")
    plain.settle()
    with hurried.loop(tmp_path / "log") as loop:
        assert is_absent(loop)
        crds.install(admin, PLAIN)
        machine = VmShape("vm", 2**30, 1, namespace=space).wire()
        admin.post(f"/apis/kubevirt.io/v1/namespaces/{space}/{MACHINES.rpartition('/')[2]}", machine)
        until(lambda: loop.kind(RESOURCE)["objects"] == 1, "the VM is seen", seconds=60)
        assert loop.kind(RESOURCE)["is_served"]
        until(lambda: loop.kind("kubevirts.kubevirt.io")["objects"] == 1, "the KubeVirt object is seen", seconds=60)
        admin.delete(f"/apis/kubevirt.io/v1/namespaces/{space}/{MACHINES.rpartition('/')[2]}/vm")
        remove(admin)
        until(lambda: is_absent(loop), "KubeVirt is gone", seconds=60)
        assert loop.kind(RESOURCE)["objects"] == 0
        assert loop.metric("ullage_descheduler_synced") == 1
        assert loop.kind("pods")["objects"] >= 1
