from __future__ import annotations

import numpy as np
import pytest

from tests.sources.dumps import container, node, note, pod, state_of
from ullage.model.qos import QoS
from ullage.model.state import ClusterState, Owner, WorkloadFlag, WorkloadKind

GI = 2**30


def one(**over) -> ClusterState:
    return state_of(node("n1"), pod("p", **over))


def spec(*containers, **more) -> ClusterState:
    return one(spec={"containers": list(containers), **more})


def flags(**over) -> WorkloadFlag:
    return WorkloadFlag(int(one(**over).workloads.flags[0]))


def limited(cpu="1", memory="1Gi", name="c", **over):
    return container(name, cpu, memory, resources={"limits": {"cpu": cpu, "memory": memory}}, **over)


def amounts(state: ClusterState) -> list[float]:
    return state.workloads.requests[0, :2].tolist()


class TestRows:
    def test_rows_stand_in_order_of_namespace_and_name(self):
        state = state_of(node("n1"), pod("b", namespace="z"), pod("c", namespace="a"), pod("a", namespace="z"))
        assert [state.workloads.key(i) for i in range(3)] == ["a/c", "z/a", "z/b"]

    def test_what_holds_nothing_is_left_out(self):
        state = state_of(
            node("n1"),
            pod("done", status={"phase": "Succeeded"}),
            pod("failed", status={"phase": "Failed"}),
            pod("waiting", None, status={"phase": "Pending"}),
            pod("lost", "n9"),
            pod("runs"),
        )
        assert state.workloads.name == ("runs",)
        assert (note(state, "pod-not-placed") or pytest.fail("no note")).objects == ("ns/waiting",)
        assert (note(state, "pod-on-unknown-node") or pytest.fail("no note")).objects == ("ns/lost",)

    def test_identity_and_time(self):
        state = one()
        assert state.workloads.kind[0] == WorkloadKind.POD
        assert (state.workloads.uid, state.workloads.pod) == (("uid-p",), ("p",))
        assert state.workloads.started_at_seconds[0] == 1767139200.0
        assert state.workloads.labels.row(0) == {"app": "p"}

    @pytest.mark.parametrize("time", [None, "yesterday", ""])
    def test_a_start_that_is_not_known(self, time):
        assert np.isnan(one(status={"startTime": time}).workloads.started_at_seconds[0])


class TestRequests:
    def test_sum_of_containers(self):
        assert amounts(spec(container("a", "500m", "1Gi"), container("b", "250m", "512Mi"))) == [0.75, 1.5 * GI]

    def test_every_pod_requests_a_pod(self):
        assert one().workloads.requests[0, 2] == 1

    def test_init_containers_run_one_by_one_before(self):
        state = spec(
            container("a", "1", "1Gi"), initContainers=[container("i", "3", "512Mi"), container("j", "2", "2Gi")]
        )
        assert amounts(state) == [3, 2 * GI]

    def test_sidecars_count_with_containers_and_with_later_init_containers(self):
        # KEP-753: max(containers + sidecars, each init container + the sidecars started before it).
        def sidecar(name, cpu):
            return container(name, cpu, "1Gi", restartPolicy="Always")

        first = spec(container("a", "1", "1Gi"), initContainers=[sidecar("s", "2"), container("i", "4", "1Gi")])
        assert amounts(first) == [6, 2 * GI]
        last = spec(container("a", "1", "1Gi"), initContainers=[container("i", "4", "1Gi"), sidecar("s", "2")])
        assert amounts(last) == [4, 2 * GI]

    def test_runtime_class_overhead_is_added(self):
        assert amounts(spec(container(), overhead={"cpu": "250m", "memory": "120Mi"})) == [1.25, GI + 120 * 2**20]

    def test_requests_of_the_pod_win_for_cpu_and_memory(self):
        whole = {"requests": {"cpu": "3", "ephemeral-storage": "1Gi"}, "limits": {"memory": "5Gi"}}
        state = spec(container(), resources=whole)
        assert amounts(state) == [3, 5 * GI]
        assert state.workloads.requests[0, 3] == 0
        assert state.workloads.limits[0, 1] == 5 * GI

    def test_a_limit_stands_in_for_a_missing_request(self):
        state = spec({"name": "c", "resources": {"limits": {"cpu": "2", "memory": "1Gi"}, "requests": {"cpu": "1"}}})
        assert amounts(state) == [1, GI]

    def test_nothing_requested_is_zero(self):
        assert amounts(spec({"name": "c"}, {"name": "d", "resources": {"requests": None}})) == [0, 0]

    @pytest.mark.parametrize("quantity", ["10Zi", "1e400", "-1Gi", "lots"])
    def test_bad_quantities_count_as_missing_and_are_noted(self, quantity):
        state = spec(container("a", "2", quantity))
        assert amounts(state) == [2, 0]
        found = note(state, "malformed-object")
        assert found is not None
        assert f"memory cannot be {quantity!r}" in found.text


class TestLimits:
    def test_known_only_if_every_container_has_one(self):
        both = spec(limited("2", "1Gi"), limited("1", "3Gi", "d"))
        assert both.workloads.limits[0, :2].tolist() == [3, 4 * GI]
        assert both.workloads.has(WorkloadFlag.MEMORY_LIMIT).tolist() == [True]
        one_only = spec(limited("2", "1Gi"), container("d"))
        assert np.isnan(one_only.workloads.limits[0]).all()
        assert one_only.workloads.has(WorkloadFlag.MEMORY_LIMIT).tolist() == [False]

    def test_overhead_is_part_of_them(self):
        state = spec(limited("2", "1Gi"), overhead={"memory": "1Gi"})
        assert state.workloads.limits[0, :2].tolist() == [2, 2 * GI]


class TestQos:
    def test_what_the_cluster_says_wins(self):
        assert one(status={"qosClass": "Guaranteed"}).workloads.qos[0] == QoS.GUARANTEED

    def test_else_it_is_derived(self):
        assert spec(limited()).workloads.qos[0] == QoS.GUARANTEED
        assert spec(container()).workloads.qos[0] == QoS.BURSTABLE
        assert spec({"name": "c"}).workloads.qos[0] == QoS.BEST_EFFORT
        assert spec(limited(), initContainers=[container("i")]).workloads.qos[0] == QoS.BURSTABLE

    def test_swap_goes_to_burstable_containers_whose_request_is_not_their_limit(self):
        def swap(*containers, **more):
            return spec(*containers, **more).workloads.swap_request_bytes[0]

        assert swap(container("a", "1", "2Gi"), container("b", "1", "1Gi")) == 3 * GI
        assert swap(container("a", "1", "2Gi"), limited("1", "1Gi")) == 2 * GI
        assert swap(limited()) == 0
        assert swap(container(), priority=2_000_000_000) == 0
        assert swap(container(), initContainers=[container("s", "1", "1Gi", restartPolicy="Always")]) == 2 * GI
        assert swap(container(), initContainers=[container("i", "1", "8Gi")]) == GI
        static = {"annotations": {"kubernetes.io/config.mirror": "x"}}
        assert one(metadata=static).workloads.swap_request_bytes[0] == 0


class TestFlags:
    def test_a_plain_pod_has_none(self):
        assert flags() == WorkloadFlag(0)

    @pytest.mark.parametrize(
        ("over", "flag"),
        [
            ({"metadata": {"ownerReferences": []}}, WorkloadFlag.BARE),
            ({"metadata": {"ownerReferences": [{"kind": "Pod", "name": "virt-launcher-x"}]}}, WorkloadFlag.BARE),
            (
                {"metadata": {"ownerReferences": [{"kind": "DaemonSet", "name": "d", "uid": "d"}]}},
                WorkloadFlag.DAEMONSET,
            ),
            ({"metadata": {"annotations": {"kubernetes.io/config.mirror": ""}}}, WorkloadFlag.MIRROR),
            ({"metadata": {"annotations": {"kubernetes.io/config.source": "file"}}}, WorkloadFlag.MIRROR),
            ({"spec": {"volumes": [{"name": "v", "emptyDir": {}}]}}, WorkloadFlag.LOCAL_STORAGE),
            ({"spec": {"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}}, WorkloadFlag.LOCAL_STORAGE),
            ({"spec": {"priority": 2_000_000_000}}, WorkloadFlag.CRITICAL),
            ({"spec": {"priorityClassName": "system-node-critical"}}, WorkloadFlag.CRITICAL),
            ({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}, WorkloadFlag.TERMINATING),
            ({"metadata": {"annotations": {"descheduler.alpha.kubernetes.io/evict": "false"}}}, WorkloadFlag.EVICT),
            (
                {"metadata": {"annotations": {"descheduler.alpha.kubernetes.io/prefer-no-eviction": ""}}},
                WorkloadFlag.PREFER_NO_EVICTION,
            ),
            (
                {"metadata": {"annotations": {"descheduler.alpha.kubernetes.io/eviction-in-progress": ""}}},
                WorkloadFlag.EVICTION_IN_PROGRESS,
            ),
            ({"status": {"phase": "Pending"}}, WorkloadFlag.PENDING),
            (
                {"spec": {"containers": [container(resources={"requests": {"hugepages-2Mi": "4Mi"}})]}},
                WorkloadFlag.HOST_DIRECT,
            ),
        ],
    )
    def test_each(self, over, flag):
        assert flags(**over) == flag

    def test_request_evict_only_sets_none(self):
        assert flags(
            metadata={"annotations": {"descheduler.alpha.kubernetes.io/request-evict-only": ""}}
        ) == WorkloadFlag(0)

    def test_source_api_is_no_mirror_pod(self):
        assert flags(metadata={"annotations": {"kubernetes.io/config.source": "api"}}) == WorkloadFlag(0)


class TestOwner:
    def owner(self, *references) -> Owner | None:
        state = one(metadata={"ownerReferences": list(references)})
        row = int(state.workloads.owner[0])
        return None if row < 0 else state.owners[row]

    def test_the_controller_else_the_first(self):
        first, second = {"kind": "A", "name": "a", "uid": "1"}, {"kind": "B", "name": "b", "uid": "2"}
        assert self.owner(first, second) == Owner("A", "ns", "a")
        assert self.owner(first, second | {"controller": True}) == Owner("B", "ns", "b")

    def test_none_and_a_node(self):
        assert self.owner() is None
        assert self.owner({"kind": "Node", "name": "n1", "uid": "n"}) is None

    def test_the_table_is_sorted_and_shared(self):
        def owned(name, owner):
            return pod(name, metadata={"ownerReferences": [{"kind": "ReplicaSet", "name": owner, "uid": owner}]})

        state = state_of(node("n1"), owned("a", "y"), owned("b", "x"), owned("c", "y"))
        assert [each.name for each in state.owners] == ["x", "y"]
        assert state.workloads.owner.tolist() == [1, 0, 1]
