"""Where the estimate of a pod comes from, and what it is."""

from __future__ import annotations

import pytest

from extender.verbs import PodRequest
from tests.builders import Cluster
from ullage.config import defaults
from ullage.model.measures import WorkloadMeasure
from ullage.model.state import WorkloadKind
from ullage.scoring.columns import NodeView
from ullage.scoring.demand import Demand, estimate, find
from ullage.scoring.view import view

GIB = 2.0**30
NOW = 1_000_000.0


@pytest.fixture(scope="module")
def seen() -> NodeView:
    cluster = Cluster().kubevirt(memory_overcommit_ratio=1.5).node("a", cpu=64, memory="512Gi")
    cluster.vm(
        "shop/db",
        "a",
        guest="9Gi",
        overhead="1Gi",
        use_cpu=1.5,
        use_memory="6Gi",
        swap_used="1Gi",
        measures={WorkloadMeasure.CPU_DEVIATION_CORES: 0.1},
    )
    cluster.vm("shop/new", "a", guest="9Gi", overhead="1Gi", use_cpu=None, use_memory=None)
    for name, memory in (("web-1", "1Gi"), ("web-2", "3Gi")):
        cluster.pod(f"shop/{name}", "a", use_cpu=0.5, use_memory=memory, owner=("ReplicaSet", "web"))
    cluster.pod("shop/web-3", "a", use_cpu=9, use_memory="9Gi", owner=("ReplicaSet", "web"), started_at=NOW - 20)
    cluster.pod("shop/idle-1", "a", use_cpu=None, use_memory=None, owner=("ReplicaSet", "idle"))
    return view(cluster.build(NOW), defaults())


def launcher(name: str, **given: object) -> PodRequest:
    asked = {"requests_cpu_cores": 0.4, "requests_memory_bytes": 6 * GIB, "owner_kind": "VirtualMachineInstance"}
    return PodRequest(namespace="shop", name="virt-launcher-x", domain=name, owner_name=name, **{**asked, **given})  # type: ignore[arg-type]


def test_a_vm_brings_what_it_was_measured_with_and_what_it_swapped(seen: NodeView) -> None:
    found = estimate(seen, launcher("db", migration_job_uid="m"))
    assert found.source == "vmi"
    assert found.cpu_cores == pytest.approx(1.5 + 1.5 * 0.1)
    assert found.memory_bytes == 7 * GIB
    assert found.committed_bytes == 10 * GIB
    assert found.cpu_deviation_cores == pytest.approx(0.1)
    assert (found.requested_memory_bytes, found.limit_memory_bytes) == (6 * GIB, float("inf"))


def test_a_vm_that_was_not_measured_brings_its_guest(seen: NodeView) -> None:
    found = estimate(seen, launcher("new"))
    assert (found.source, found.memory_bytes, found.committed_bytes) == ("vmi", 10 * GIB, 10 * GIB)


def test_a_vm_that_is_not_there_is_guessed_from_its_request_and_the_overcommit(seen: NodeView) -> None:
    found = estimate(seen, launcher("unheard-of"))
    assert found.source == "requests"
    assert found.committed_bytes == 9 * GIB
    assert found.memory_bytes == pytest.approx(0.7 * 9 * GIB)
    assert found.cpu_cores == pytest.approx(0.34)


def test_a_pod_is_like_its_settled_siblings(seen: NodeView) -> None:
    pod = PodRequest(namespace="shop", name="web-9", owner_kind="ReplicaSet", owner_name="web", requests_cpu_cores=4)
    found = estimate(seen, pod)
    assert (found.source, found.cpu_cores, found.memory_bytes) == ("siblings", 0.5, 2 * GIB)
    assert found.committed_bytes == 2 * GIB
    elsewhere = PodRequest(namespace="bank", name="web-9", owner_kind="ReplicaSet", owner_name="web")
    assert estimate(seen, elsewhere).source == "default"


@pytest.mark.parametrize(
    ("request_cpu", "limit_cpu", "request_memory", "limit_memory", "expected"),
    [
        (1.0, None, 10 * GIB, None, (0.85, 7 * GIB, 7 * GIB)),
        (1.0, 2.0, 10 * GIB, 20 * GIB, (1.7, 14 * GIB, 20 * GIB)),
        (0.0, None, 10 * GIB, None, (0.25, 7 * GIB, 7 * GIB)),
        (1.0, None, 0.0, None, (0.85, 200 * 2**20, 200 * 2**20)),
        (0.0, 0.1, 0.0, 2.0**20, (0.085, 0.7 * 2**20, 2.0**20)),
    ],
)
def test_requests_and_limits_are_scaled_as_koordinator_does(
    seen: NodeView,
    request_cpu: float,
    limit_cpu: float | None,
    request_memory: float,
    limit_memory: float | None,
    expected: tuple[float, float, float],
) -> None:
    pod = PodRequest(
        namespace="shop",
        name="p",
        owner_kind="ReplicaSet",
        owner_name="idle",
        requests_cpu_cores=request_cpu,
        limits_cpu_cores=limit_cpu,
        requests_memory_bytes=request_memory,
        limits_memory_bytes=limit_memory,
    )
    found = estimate(seen, pod)
    assert found.source == "requests"
    assert found.amounts == pytest.approx(expected)


def test_a_pod_that_asks_for_nothing_gets_the_default(seen: NodeView) -> None:
    found = estimate(seen, PodRequest(namespace="shop", name="p"))
    assert found == Demand(cpu_cores=0.25, memory_bytes=200 * 2**20, committed_bytes=200 * 2**20, source="default")


def test_amounts_that_are_no_amounts_count_as_none(seen: NodeView) -> None:
    odd = PodRequest(
        namespace="shop",
        name="p",
        requests_cpu_cores=float("nan"),
        requests_memory_bytes=-5.0,
        limits_cpu_cores=float("inf"),
        limits_memory_bytes=float("nan"),
    )
    assert estimate(seen, odd).source == "default"


def test_rows_are_found_by_name_and_kind(seen: NodeView) -> None:
    workloads = seen.state.workloads
    for row in range(len(workloads)):
        kind = WorkloadKind(workloads.kind[row])
        assert find(seen.state, workloads.namespace[row], workloads.name[row], kind) == row
    assert find(seen.state, "shop", "db", WorkloadKind.POD) is None
    assert find(seen.state, "zoo", "z", WorkloadKind.POD) is None
