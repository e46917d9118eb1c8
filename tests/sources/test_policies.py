from __future__ import annotations

import pytest

from tests.sources.dumps import kubevirt, launcher, node, note, pod, state_of, vmi
from ullage.model.state import ClusterState, EvictionStrategy, KubeVirt


def budget(name="b", selector=None, allowed=1, namespace="ns", version="policy/v1", **meta):
    return {
        "apiVersion": version,
        "kind": "PodDisruptionBudget",
        "metadata": {"name": name, "namespace": namespace, **meta},
        "spec": {"minAvailable": 1, "selector": selector},
        "status": {"disruptionsAllowed": allowed},
    }


def labelled(name, namespace="ns", **labels):
    return pod(name, namespace=namespace, metadata={"labels": labels})


def members(state: ClusterState) -> list[str]:
    return [state.workloads.key(int(row)) for row in state.budgets[0].members]


class TestBudgets:
    pods = (labelled("a", app="db"), labelled("b", app="web"), labelled("a", "other", app="db"))

    @pytest.mark.parametrize(
        ("selector", "expected"),
        [
            ({"matchLabels": {"app": "db"}}, ["ns/a"]),
            ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["db"]}]}, ["ns/b"]),
            ({"matchLabels": {"app": "none"}}, []),
            ({}, ["ns/a", "ns/b"]),
            (None, []),
        ],
    )
    def test_members(self, selector, expected):
        assert members(state_of(node("n1"), *self.pods, budget(selector=selector))) == expected

    def test_an_empty_selector_of_v1beta1_selects_nothing(self):
        assert members(state_of(node("n1"), *self.pods, budget(selector={}, version="policy/v1beta1"))) == []

    def test_vms_are_members_by_the_labels_of_their_pods(self):
        vm = launcher("vm", metadata={"labels": {"app": "db"}})
        state = state_of(node("n1"), vm, vmi("vm"), budget(selector={"matchLabels": {"app": "db"}}))
        assert members(state) == ["ns/vm"]

    @pytest.mark.parametrize(("status", "expected"), [(3, 3), (0, 0), (-1, 0), (None, 0)])
    def test_allowed_disruptions(self, status, expected):
        state = state_of(node("n1"), budget(selector={}, allowed=status))
        assert state.budgets[0].disruptions_allowed == expected

    def test_those_of_kubevirt_are_left_out(self):
        owner = [{"kind": "VirtualMachineInstance", "name": "vm", "uid": "u"}]
        state = state_of(
            node("n1"),
            budget("kubevirt-disruption-budget-x", {}),
            budget("kubevirt-migration-pdb-x", {}),
            budget("owned", {}, ownerReferences=owner),
            budget("mine", {}),
        )
        assert [each.name for each in state.budgets] == ["mine"]


class TestQuotas:
    def quota(self, **parts):
        return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q", "namespace": "ns"}, **parts}

    def test_status_counts(self):
        status = {"hard": {"requests.memory": "8Gi", "pods": "10"}, "used": {"requests.memory": "1Gi"}}
        (found,) = state_of(node("n1"), self.quota(spec={"hard": {"pods": "99"}}, status=status)).quotas
        assert found.hard == {"requests.memory": 8 * 2**30, "pods": 10}
        assert found.used == {"requests.memory": 2**30, "pods": 0}

    def test_without_status_nothing_is_used_and_it_is_noted(self):
        state = state_of(node("n1"), self.quota(spec={"hard": {"limits.cpu": "4"}}))
        assert (state.quotas[0].hard, state.quotas[0].used) == ({"limits.cpu": 4}, {"limits.cpu": 0})
        assert (note(state, "quota-without-status") or pytest.fail("no note")).objects == ("ns/q",)

    def test_bad_amounts_are_left_out(self):
        state = state_of(node("n1"), self.quota(status={"hard": {"pods": "10Zi", "cpu": "1"}, "used": {}}))
        assert state.quotas[0].hard == {"cpu": 1}
        assert "pods cannot be '10Zi'" in (note(state, "malformed-object") or pytest.fail("no note")).text


def test_namespaces():
    known = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "z", "labels": {"team": "x"}}}
    state = state_of(node("n1"), pod("p"), pod("q", namespace="z"), known)
    assert state.namespaces == ("ns", "z")
    assert state.namespace_labels.row(0) == {"kubernetes.io/metadata.name": "ns"}
    assert state.namespace_labels.row(1) == {"kubernetes.io/metadata.name": "z", "team": "x"}


class TestKubeVirt:
    def test_none(self):
        assert state_of(node("n1")).kubevirt is None

    def test_defaults(self):
        assert state_of(kubevirt()).kubevirt == KubeVirt(version="1.7.1")

    def test_settings(self):
        migrations = {
            "parallelMigrationsPerCluster": 9,
            "parallelOutboundMigrationsPerNode": 1,
            "bandwidthPerMigration": "64Mi",
            "completionTimeoutPerGiB": 20,
            "allowAutoConverge": True,
            "allowPostCopy": True,
        }
        developer = {"memoryOvercommit": 150, "cpuAllocationRatio": 4}
        one = kubevirt(migrations=migrations, developerConfiguration=developer, evictionStrategy="LiveMigrate")
        assert state_of(one).kubevirt == KubeVirt(
            version="1.7.1",
            memory_overcommit_ratio=1.5,
            cpu_allocation_ratio=4.0,
            parallel_migrations_per_cluster=9,
            parallel_outbound_migrations_per_node=1,
            bandwidth_per_migration_bytes_per_second=64 * 2**20,
            completion_timeout_per_gib_seconds=20.0,
            allow_auto_converge=True,
            allow_post_copy=True,
            eviction_strategy=EvictionStrategy.LIVE_MIGRATE,
        )

    def test_settings_out_of_range_have_their_defaults(self):
        state = state_of(kubevirt(developerConfiguration={"memoryOvercommit": 5, "cpuAllocationRatio": 0}))
        assert state.kubevirt == KubeVirt(version="1.7.1")
        assert "cannot be" in (note(state, "malformed-object") or pytest.fail("no note")).text


@pytest.mark.parametrize(("version", "seconds"), [("v1.3.1", 800.0), ("1.4.0", 150.0), ("", 150.0), ("devel", 150.0)])
def test_the_migration_timeout_has_the_default_of_its_version(version, seconds):
    resource = {
        "apiVersion": "kubevirt.io/v1",
        "kind": "KubeVirt",
        "metadata": {"name": "kubevirt", "namespace": "kubevirt"},
        "spec": {"configuration": {}},
        "status": {"observedKubeVirtVersion": version},
    }
    found = state_of(node("n1"), resource).kubevirt
    assert found is not None
    assert found.completion_timeout_per_gib_seconds == seconds
