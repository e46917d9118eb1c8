"""What the extender rejects is told to the pod's owner, and preemption is left to the scheduler."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.controlplane.rest import Rest
from tests.controlplane.waiting import until
from tests.e2e.extenders import Extender
from tests.e2e.scene import settle_long_ago
from tests.e2e.schedulers import Schedulers, configuration
from tests.e2e.workloads import Pods
from tests.standin.cluster import StandIn
from tests.standin.nodes import GI, NodeShape
from tests.standin.use import Use

pytestmark = pytest.mark.xdist_group("control-plane")
NODES = (NodeShape("one", cores=8, memory_bytes=32 * GI), NodeShape("two", cores=8, memory_bytes=32 * GI))
NO_MEMORY = Use(cpu_cores=1, working_set_bytes=31 * GI)
NO_CPU = Use(cpu_cores=8, working_set_bytes=4 * GI)
LITTLE = Use(cpu_cores=0.5, working_set_bytes=2 * GI)
CLASSES = "/apis/scheduling.k8s.io/v1/priorityclasses"


@pytest.fixture(autouse=True)
def scheduler(schedulers: Schedulers, port: int) -> None:
    """Both verbs."""
    schedulers.use(configuration("filter-and-score", port))


@pytest.fixture(scope="module")
def important(admin: Rest) -> Iterator[str]:
    """A priority class above the default."""
    body = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "important"}}
    admin.post(CLASSES, {**body, "value": 1000})
    yield "important"
    admin.delete(f"{CLASSES}/important")


def use(cluster: StandIn, extender: Extender, **of: Use) -> None:
    """Have nodes use something besides their pods, and the extender know it."""
    for name, base in of.items():
        cluster.nodes.change(name, base=base)
    cluster.readings.refresh()
    extender.learn()


def test_a_pod_that_fits_nowhere_has_our_reasons_in_its_event(cluster: StandIn, extender: Extender, pods: Pods) -> None:
    use(cluster, extender, one=NO_MEMORY, two=NO_CPU)
    pods.create(1, cores=1, memory_bytes=GI)
    verdict = pods.verdict("pod-0")
    assert verdict["reason"] == "Unschedulable"
    event = until(lambda: pods.events("pod-0"), "an event")[0]
    for text in (event, verdict["message"]):
        assert text.startswith("0/2 nodes are available: ")
        assert re.search(r"1 limit-memory: predicted memory peak 3\d\.\dGi of 32Gi", text)
        assert re.search(r"1 limit-cpu: predicted CPU peak 8\.\d+ of 8\.00 cores", text)


def test_no_reason_is_garbled_by_the_scheduler(cluster: StandIn, extender: Extender, pods: Pods) -> None:
    use(cluster, extender, one=NO_MEMORY, two=NO_CPU)
    pods.create(1)
    event = until(lambda: pods.events("pod-0"), "an event")[0]
    assert "MISSING" not in event
    assert "%!" not in event


def test_such_a_pod_is_tried_again_when_a_node_changes(
    admin: Rest, cluster: StandIn, extender: Extender, pods: Pods
) -> None:
    use(cluster, extender, one=NO_MEMORY, two=NO_CPU)
    pods.create(1)
    pods.verdict("pod-0", "above the limit")
    use(cluster, extender, two=LITTLE)
    admin.patch("/api/v1/nodes/two", {"metadata": {"annotations": {"changed": "true"}}})
    assert set(pods.landed()) == {"two"}


def test_a_pod_of_higher_priority_takes_the_place_of_another(
    admin: Rest, cluster: StandIn, extender: Extender, pods: Pods, important: str
) -> None:
    use(cluster, extender, one=LITTLE, two=LITTLE)
    pods.create(4, "low", cores=3.5, memory_bytes=GI)
    pods.landed("low")
    settle_long_ago(cluster, admin, pods.namespace)
    extender.learn()
    pods.create(1, "high", cores=3.5, memory_bytes=GI, spec={"priorityClassName": important})
    (node,) = pods.landed("high")
    left = [each["spec"]["nodeName"] for each in pods.all("low")]
    assert sorted(left) == sorted({"one": ["one", "two", "two"], "two": ["one", "one", "two"]}[node])
    assert extender.answers("neutral") == extender.answers("error") == 0


def test_nobody_is_preempted_where_only_the_extender_objects(
    admin: Rest, cluster: StandIn, extender: Extender, pods: Pods, important: str
) -> None:
    use(cluster, extender, one=LITTLE, two=LITTLE)
    pods.create(2, "low")
    pods.landed("low")
    settle_long_ago(cluster, admin, pods.namespace)
    use(cluster, extender, one=NO_MEMORY, two=NO_MEMORY)
    pods.create(1, "high", spec={"priorityClassName": important})
    pods.verdict("high-0", "above the limit of 95 percent")
    assert len(pods.all("low")) == 2
