from __future__ import annotations

import numpy as np
import pytest

from tests.sources.dumps import kubevirt, launcher, merge, node, note, pod, pod_metrics, row_of, state_of, vmi
from ullage.model.labels import Requirement
from ullage.model.placement import NodeTerm, Toleration
from ullage.model.state import ClusterState, EvictionStrategy, Owner, WorkloadFlag, WorkloadKind

GI, MI = 2**30, 2**20
NODES = (node("n1"), node("n2"))
TARGET = {"metadata": {"labels": {"kubevirt.io/migrationJobUID": "job"}}}
RUNNING = {"startTimestamp": "2026-01-01T00:00:00Z", "sourceNode": "n1", "targetNode": "n2"}
RUNNING |= {"sourcePod": "virt-launcher-vm-a", "targetPod": "virt-launcher-vm-b"}


def machine(*others, nodes=NODES, pod=None, **over) -> ClusterState:
    return state_of(*nodes, launcher("vm", **(pod or {})), vmi("vm", **over), *others)


def vm_flags(state: ClusterState) -> WorkloadFlag:
    return WorkloadFlag(int(state.workloads.flags[row_of(state, "vm")]))


def placement_of(state: ClusterState):
    return state.placements[state.workloads.placement[row_of(state, "vm")]]


class TestPairing:
    def test_a_vm_and_its_pod_are_one_row(self):
        state = machine()
        workloads = state.workloads
        assert (workloads.name, workloads.pod, workloads.uid) == (("vm",), ("virt-launcher-vm-a",), ("uid-vmi-vm",))
        assert workloads.kind.tolist() == [WorkloadKind.VMI]
        assert workloads.requests[0, :2].tolist() == [0.4, 4452 * MI]
        assert state.owners[workloads.owner[0]] == Owner("VirtualMachine", "ns", "vm")
        assert workloads.labels.row(0)["kubevirt.io"] == "virt-launcher"
        assert vm_flags(state) == WorkloadFlag.LIVE_MIGRATABLE
        assert not state.notes

    @pytest.mark.parametrize("missing", ["annotation", "label", "both"])
    def test_the_pod_is_known_by_annotation_uid_or_owner(self, missing):
        one = launcher("vm")
        if missing != "label":
            one["metadata"]["annotations"] = {}
        if missing != "annotation":
            one["metadata"]["labels"] = {"kubevirt.io": "virt-launcher"}
        assert state_of(*NODES, one, vmi("vm")).workloads.name == ("vm",)

    def test_same_names_in_two_namespaces(self):
        objects = [
            each for space in ("a", "b") for each in (launcher("vm", namespace=space), vmi("vm", namespace=space))
        ]
        state = state_of(*NODES, *objects)
        assert state.workloads.namespace == ("a", "b")
        assert not state.notes

    def test_a_vmi_without_pod_is_left_out_and_noted(self):
        state = state_of(*NODES, vmi("lost"), vmi("ended", status={"phase": "Succeeded"}))
        assert state.workloads.name == ()
        assert (note(state, "vmi-without-pod") or pytest.fail("no note")).objects == ("ns/lost",)

    def test_a_pod_that_waits_is_not_missing(self):
        state = state_of(*NODES, launcher("vm", None, status={"phase": "Pending"}), vmi("vm"))
        assert [each.code for each in state.notes] == ["pod-not-placed"]


class TestWithoutVmi:
    def test_the_row_comes_from_the_pod(self):
        selector = {"kubernetes.io/hostname": "n1", "cpu-feature.node.kubevirt.io/avx": "true"}
        own = {
            "labelSelector": {"matchLabels": {"kubevirt.io/created-by": "uid"}},
            "topologyKey": "kubernetes.io/hostname",
        }
        users = {"labelSelector": {"matchLabels": {"app": "db"}}, "topologyKey": "kubernetes.io/hostname"}
        affinity = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [own, users]}}
        state = state_of(*NODES, launcher("vm", spec={"nodeSelector": selector, "affinity": affinity}))
        assert state.workloads.name == ("vm",)
        assert state.workloads.uid == ("uid-vmi-vm",)
        assert state.workloads.owner.tolist() == [-1]
        assert vm_flags(state) == WorkloadFlag(0)
        found = placement_of(state)
        assert [each.key for each in found.node_selector] == [
            "cpu-feature.node.kubevirt.io/avx",
            "kubevirt.io/schedulable",
        ]
        assert [each.selector for each in found.anti_affinity] == [(Requirement("app", "In", ("db",)),)]
        assert found.virtual_machine
        assert (note(state, "vmi-missing") or pytest.fail("no note")).objects == ("ns/vm",)

    @pytest.mark.parametrize("label", ["vm.kubevirt.io/name", "vmi.kubevirt.io/id"])
    def test_its_name_may_stand_in_a_label(self, label):
        one = merge(launcher("x"), {"metadata": {"labels": {label: "db"}, "ownerReferences": []}})
        one["metadata"]["annotations"] = {}
        assert state_of(*NODES, one).workloads.name == ("db",)

    def test_the_reported_overhead_is_on_the_pod(self):
        state = state_of(
            *NODES, launcher("vm", metadata={"annotations": {"kubevirt.io/memory-overhead-bytes": "300000000"}})
        )
        assert state.workloads.overhead_bytes.tolist() == [3e8]


class TestConstraints:
    def test_they_come_from_the_vmi_not_from_its_pod(self):
        state = machine(
            pod={
                "spec": {
                    "nodeSelector": {"kubernetes.io/hostname": "n1"},
                    "tolerations": [{"key": "p", "operator": "Exists"}],
                }
            },
            spec={
                "nodeSelector": {"disk": "ssd"},
                "tolerations": [{"key": "v", "operator": "Exists"}],
                "architecture": "arm64",
            },
        )
        found = placement_of(state)
        assert found.node_selector == (
            Requirement("disk", "In", ("ssd",)),
            Requirement("kubernetes.io/arch", "In", ("arm64",)),
        )
        assert found.tolerations == (Toleration("v", "Exists"),)
        assert found.virtual_machine

    def test_without_architecture_it_stays_on_that_of_its_node(self):
        assert placement_of(machine()).node_selector == (Requirement("kubernetes.io/arch", "In", ("amd64",)),)

    def test_cpu_model_features_and_dedicated_cpus(self):
        features = [
            {"name": "avx"},
            {"name": "vmx", "policy": "forbid"},
            {"name": "x", "policy": "optional"},
            {"name": "pcid", "policy": "require"},
        ]
        cpu = {"model": "Skylake", "features": features, "dedicatedCpuPlacement": True}
        state = machine(spec={"domain": {"cpu": cpu}})
        assert set(placement_of(state).node_selector) == {
            Requirement("cpu-model.node.kubevirt.io/Skylake", "In", ("true",)),
            Requirement("cpu-feature.node.kubevirt.io/avx", "In", ("true",)),
            Requirement("cpu-feature.node.kubevirt.io/pcid", "In", ("true",)),
            Requirement("cpu-feature.node.kubevirt.io/vmx", "NotIn", ("true",)),
            Requirement("cpumanager", "In", ("true",)),
            Requirement("kubernetes.io/arch", "In", ("amd64",)),
        }
        assert WorkloadFlag.HOST_DIRECT in vm_flags(state)

    @pytest.mark.parametrize("model", [None, "host-model"])
    def test_host_model_needs_what_the_source_node_offers(self, model):
        labels = {
            "host-model-cpu.node.kubevirt.io/Skylake": "true",
            "host-model-required-features.node.kubevirt.io/avx": "true",
        }
        state = machine(nodes=(node("n1", metadata={"labels": labels}),), spec={"domain": {"cpu": {"model": model}}})
        found = placement_of(state)
        assert found.node_terms == (
            tuple(
                NodeTerm(labels=(Requirement(f"{prefix}.node.kubevirt.io/Skylake", "In", ("true",)),))
                for prefix in ("cpu-model", "cpu-model-migration", "host-model-cpu")
            ),
        )
        assert Requirement("cpu-feature.node.kubevirt.io/avx", "In", ("true",)) in found.node_selector

    def test_host_passthrough_and_unlabelled_nodes_demand_nothing(self):
        labels = {"host-model-cpu.node.kubevirt.io/Skylake": "true"}
        nodes = (node("n1", metadata={"labels": labels}),)
        assert (
            placement_of(machine(nodes=nodes, spec={"domain": {"cpu": {"model": "host-passthrough"}}})).node_terms == ()
        )
        assert placement_of(machine()).node_terms == ()

    def test_claims_of_the_pod_and_of_the_vmi(self):
        def volume(name):
            terms = [{"matchExpressions": [{"key": "zone", "operator": "In", "values": [name]}]}]
            spec = {
                "claimRef": {"namespace": "ns", "name": name},
                "nodeAffinity": {"required": {"nodeSelectorTerms": terms}},
            }
            return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": f"pv-{name}"}, "spec": spec}

        mounted = {"spec": {"volumes": [{"name": "a", "persistentVolumeClaim": {"claimName": "root"}}]}}
        own = [
            {"name": "a", "persistentVolumeClaim": {"claimName": "root"}},
            {"name": "b", "dataVolume": {"name": "hot"}},
        ]
        state = machine(volume("root"), volume("hot"), volume("other"), pod=mounted, spec={"volumes": own})
        values = [entry[0].labels[0].values for entry in placement_of(state).node_terms]
        assert values == [("hot",), ("root",)]


class TestMigration:
    def test_the_pod_on_the_vms_node_is_the_vm_and_the_other_its_target(self):
        state = state_of(
            *NODES,
            launcher("vm", "n1", suffix="a", **TARGET),  # it came here by an earlier migration
            launcher("vm", "n2", suffix="b", **TARGET),
            vmi("vm", "n1", status={"migrationState": RUNNING}),
        )
        assert state.workloads.name == ("virt-launcher-vm-b", "vm")
        assert state.workloads.kind.tolist() == [WorkloadKind.POD, WorkloadKind.VMI]
        assert state.workloads.node.tolist() == [1, 0]
        assert state.workloads.flags[0] == WorkloadFlag.MIGRATION_TARGET
        assert WorkloadFlag.MIGRATING in vm_flags(state)
        assert state.workloads.migration_target.tolist() == [-1, 1]

    def test_after_the_switch_the_old_pod_is_about_to_end(self):
        done = RUNNING | {"endTimestamp": "2026-01-01T00:01:00Z", "completed": True}
        state = state_of(
            *NODES,
            launcher("vm", "n1", suffix="a"),
            launcher("vm", "n2", suffix="b", **TARGET),
            vmi("vm", "n2", status={"migrationState": done}),
        )
        assert state.workloads.pod == ("virt-launcher-vm-a", "virt-launcher-vm-b")
        assert state.workloads.flags[0] == WorkloadFlag.TERMINATING
        assert vm_flags(state) == WorkloadFlag.LIVE_MIGRATABLE
        assert state.workloads.last_moved_at_seconds[1] == 1767225660.0

    def test_a_target_that_failed_is_no_target_any_more(self):
        failed = RUNNING | {"endTimestamp": "2026-01-01T00:01:00Z", "failed": True}
        state = state_of(
            *NODES,
            launcher("vm", "n1", suffix="a"),
            launcher("vm", "n2", suffix="b", **TARGET),
            vmi("vm", "n1", status={"migrationState": failed}),
        )
        assert state.workloads.flags[0] == WorkloadFlag.TERMINATING
        assert vm_flags(state) == WorkloadFlag.LIVE_MIGRATABLE

    def test_without_vmi_the_pod_without_job_is_the_vm(self):
        state = state_of(*NODES, launcher("vm", "n2", suffix="a", **TARGET), launcher("vm", "n1", suffix="b"))
        assert state.workloads.pod == ("virt-launcher-vm-a", "virt-launcher-vm-b")
        assert state.workloads.migration_target.tolist() == [-1, 1]
        assert vm_flags(state) == WorkloadFlag.MIGRATING

    def test_a_target_that_is_not_placed_yet(self):
        waiting = launcher("vm", None, suffix="b", status={"phase": "Pending"}, **TARGET)
        state = machine(waiting, status={"migrationState": RUNNING})
        assert state.workloads.migration_target.tolist() == [1]
        assert WorkloadFlag.MIGRATING in vm_flags(state)

    def migration(self, phase, name="m", **status):
        status = {"phase": phase, **status}
        return {"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachineInstanceMigration",
                "metadata": {"name": name, "namespace": "ns"}, "spec": {"vmiName": "vm"}, "status": status}  # fmt: skip

    @pytest.mark.parametrize(
        ("phase", "expected"), [("Pending", True), ("", True), ("Running", True), ("Succeeded", False)]
    )
    def test_unfinished_migration_objects(self, phase, expected):
        assert (WorkloadFlag.MIGRATING in vm_flags(machine(self.migration(phase)))) is expected

    def test_the_last_end_counts_well_or_not(self):
        times = [{"phase": "Failed", "phaseTransitionTimestamp": "2026-01-03T00:00:00Z"}]
        old = {"endTimestamp": "2026-01-02T00:00:00Z"}
        state = machine(
            self.migration("Failed", "m1", phaseTransitionTimestamps=times),
            self.migration("Succeeded", "m2", migrationState=old),
            status={"migrationState": RUNNING | {"endTimestamp": "2026-01-01T00:00:00Z"}},
        )
        assert state.workloads.last_moved_at_seconds.tolist() == [1767398400.0]

    def test_none_is_known(self):
        assert np.isnan(machine().workloads.last_moved_at_seconds[0])

    def test_metrics_of_a_target_are_its_own(self):
        state = state_of(
            *NODES,
            launcher("vm", "n1", suffix="a"),
            launcher("vm", "n2", suffix="b", **TARGET),
            vmi("vm", "n1", status={"migrationState": RUNNING}),
            pod_metrics("virt-launcher-vm-a", {"cpu": "1", "memory": "3Gi"}),
            pod_metrics("virt-launcher-vm-b", {"cpu": "2", "memory": "1Gi"}),
        )
        assert state.workloads.measures.value[:, 0].tolist() == [2, 1]


class TestFacts:
    @pytest.mark.parametrize(
        ("over", "flag"),
        [
            ({"status": {"conditions": [{"type": "Paused", "status": "True"}]}}, WorkloadFlag.PAUSED),
            ({"status": {"phase": "Scheduled", "conditions": []}}, WorkloadFlag.PENDING),
            ({"status": {"evacuationNodeName": "n1", "conditions": []}}, WorkloadFlag.EVICTION_IN_PROGRESS),
            (
                {"spec": {"domain": {"devices": {"gpus": [{"name": "g"}]}}}, "status": {"conditions": []}},
                WorkloadFlag.HOST_DIRECT,
            ),
            (
                {"spec": {"domain": {"memory": {"hugepages": {"pageSize": "2Mi"}}}}, "status": {"conditions": []}},
                WorkloadFlag.HOST_DIRECT,
            ),
            (
                {"spec": {"domain": {"resources": {"requests": {"memory": "2Gi"}}}}, "status": {"conditions": []}},
                WorkloadFlag.MANUAL_REQUEST,
            ),
            (
                {
                    "metadata": {"annotations": {"descheduler.alpha.kubernetes.io/prefer-no-eviction": "true"}},
                    "status": {"conditions": []},
                },
                WorkloadFlag.PREFER_NO_EVICTION,
            ),
        ],
    )
    def test_flags(self, over, flag):
        assert vm_flags(machine(**over)) == flag

    def test_an_annotation_of_the_pod(self):
        marked = {"metadata": {"annotations": {"descheduler.alpha.kubernetes.io/eviction-in-progress": "true"}}}
        assert WorkloadFlag.EVICTION_IN_PROGRESS in vm_flags(machine(pod=marked))

    def test_why_it_cannot_migrate(self):
        condition = {
            "type": "LiveMigratable",
            "status": "False",
            "reason": "DisksNotLiveMigratable",
            "message": "not RWX",
        }
        state = machine(status={"conditions": [condition]})
        assert vm_flags(state) == WorkloadFlag.NOT_LIVE_MIGRATABLE
        assert state.workloads.blocked_reason == ("DisksNotLiveMigratable: not RWX",)

    @pytest.mark.parametrize(
        ("own", "cluster", "expected"),
        [
            ("LiveMigrate", "External", EvictionStrategy.LIVE_MIGRATE),
            (None, "External", EvictionStrategy.EXTERNAL),
            ("None", "LiveMigrate", EvictionStrategy.NONE),
            ("LiveMigrateIfPossible", None, EvictionStrategy.LIVE_MIGRATE_IF_POSSIBLE),
            (None, None, EvictionStrategy.UNSET),
        ],
    )
    def test_eviction_strategy(self, own, cluster, expected):
        state = machine(kubevirt(evictionStrategy=cluster), spec={"evictionStrategy": own})
        assert state.workloads.eviction_strategy.tolist() == [expected]

    def test_a_request_that_old_versions_wrote_themselves_is_not_manual(self):
        def manual(version, request):
            domain = {"memory": {"guest": "6Gi"}, "resources": {"requests": {"memory": request}}}
            state = machine(
                kubevirt(version, developerConfiguration={"memoryOvercommit": 150}), spec={"domain": domain}
            )
            return WorkloadFlag.MANUAL_REQUEST in vm_flags(state)

        assert not manual("v1.4.0", "4Gi")
        assert manual("v1.4.0", "5Gi")
        assert manual("v1.7.1", "4Gi")


class TestMemory:
    def guest(self, status=None, **domain) -> float:
        one = vmi("vm")
        one["spec"]["domain"] = domain
        one["status"]["memory"] = status
        return float(state_of(*NODES, launcher("vm"), one).workloads.guest_memory_bytes[0])

    def test_guest(self):
        assert self.guest({"guestCurrent": "6Gi"}, memory={"guest": "4Gi"}) == 6 * GI
        assert self.guest(memory={"guest": "4Gi"}, resources={"requests": {"memory": "2Gi"}}) == 4 * GI
        assert self.guest(resources={"requests": {"memory": "2Gi"}}) == 2 * GI
        assert np.isnan(self.guest())

    def test_overhead_reported_wins(self):
        state = machine(kubevirt(), status={"memory": {"memoryOverhead": "300Mi"}})
        assert state.workloads.overhead_bytes.tolist() == [300 * MI]

    def test_overhead_from_the_pods_request(self):
        # 1.7, guest 4Gi without own request, 4 vCPUs: 252 + 8 + 32 = 292 Mi by formula; the pod was rendered with 356 Mi.
        state = machine(kubevirt())
        assert state.workloads.overhead_bytes.tolist() == [356 * MI]
        assert not state.notes

    def test_overhead_by_formula_where_the_request_is_not_to_be_believed(self):
        state = machine(kubevirt(developerConfiguration={"memoryOvercommit": 150}))
        assert state.workloads.overhead_bytes.tolist() == [292 * MI]
        assert (note(state, "overhead-by-formula") or pytest.fail("no note")).objects == ("ns/vm",)

    def test_overhead_of_the_reference(self):
        # kubevirt.md 1.4: guest 32Gi, 8 vCPU, no overcommit, KubeVirt 1.4.0: 379584513 bytes.
        domain = {"cpu": {"cores": 8}, "memory": {"guest": "32Gi"}}
        pod = {"spec": {"containers": [{"name": "compute"}]}}
        assert machine(kubevirt("v1.4.0"), pod=pod, spec={"domain": domain}).workloads.overhead_bytes.tolist() == [
            379584513
        ]

    def test_overhead_that_nothing_tells(self):
        assert np.isnan(machine().workloads.overhead_bytes[0])
        assert np.isnan(machine(kubevirt("unknown"), spec={"domain": {"memory": None}}).workloads.overhead_bytes[0])

    def test_overhead_with_hugepages_and_own_request(self):
        domain = {"memory": {"guest": "4Gi", "hugepages": {"pageSize": "2Mi"}}}
        pod = {
            "spec": {
                "containers": [
                    {"name": "compute", "resources": {"requests": {"memory": "310Mi", "hugepages-2Mi": "4Gi"}}}
                ]
            }
        }
        assert machine(kubevirt(), pod=pod, spec={"domain": domain}).workloads.overhead_bytes.tolist() == [310 * MI]
        own = {"memory": {"guest": "8Gi"}, "resources": {"requests": {"memory": "4Gi"}}}
        assert machine(spec={"domain": own}).workloads.overhead_bytes.tolist() == [356 * MI]

    def test_nan_for_pods(self):
        state = state_of(*NODES, pod("p"))
        assert np.isnan(state.workloads.guest_memory_bytes[0])
        assert np.isnan(state.workloads.overhead_bytes[0])
