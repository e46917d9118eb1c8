"""Launcher pods against the rows of kubevirt.md."""

import pytest

from tests.standin.kubevirt import names
from tests.standin.kubevirt.launcher import launcher_pod, target_pod
from tests.standin.kubevirt.settings import KubeVirtSettings
from tests.standin.objects import VmShape
from tests.standin.wire import Json

GI = 2**30


def machine(**traits: object) -> Json:
    wire = VmShape("db", 32 * GI, 8, labels={"tier": "data"}, **traits).wire()  # type: ignore[arg-type]
    wire["metadata"]["uid"] = "uid-db"
    return wire


def compute(pod: Json) -> Json:
    (found,) = pod["spec"]["containers"]
    return dict(found)


@pytest.mark.parametrize(
    ("version", "overcommit", "expected"),
    [
        ("1.4.0", 100, 34739322881),
        ("1.5.2", 100, 34749808641),
        ("1.6.3", 100, 34766585857),
        ("1.9.0", 100, 34699476992),
        ("1.4.0", 150, 23263707137),
        ("1.9.0", 150, 23246230869),
        ("1.9.0", 200, 17519607808),
    ],
)
def test_memory_request_is_that_of_the_worked_example(version: str, overcommit: int, expected: int) -> None:
    pod = launcher_pod(machine(), KubeVirtSettings(version=version, overcommit_percent=overcommit))
    assert compute(pod)["resources"]["requests"]["memory"] == str(expected)


def test_cpu_request_is_a_tenth_and_nothing_is_limited_but_devices() -> None:
    resources = compute(launcher_pod(machine(), KubeVirtSettings()))["resources"]
    assert resources["requests"]["cpu"] == "800m"
    assert set(resources["limits"]) == {f"devices.kubevirt.io/{name}" for name in ("kvm", "tun", "vhost-net")}


def test_console_log_is_a_sidecar() -> None:
    (sidecar,) = launcher_pod(machine(), KubeVirtSettings())["spec"]["initContainers"]
    assert (sidecar["name"], sidecar["restartPolicy"]) == ("guest-console-log", "Always")
    assert sidecar["resources"] == {
        "requests": {"cpu": "5m", "memory": "35M"},
        "limits": {"cpu": "15m", "memory": "60M"},
    }


def test_pod_is_known_as_the_vms() -> None:
    pod = launcher_pod(machine(), KubeVirtSettings())
    assert pod["metadata"]["labels"] == {
        "tier": "data",
        "kubevirt.io": "virt-launcher",
        "kubevirt.io/created-by": "uid-db",
        "vm.kubevirt.io/name": "db",
        "vmi.kubevirt.io/id": "db",
    }
    assert pod["metadata"]["annotations"] == {
        "kubevirt.io/domain": "db",
        "descheduler.alpha.kubernetes.io/request-evict-only": "",
        "kubevirt.io/memory-overhead-bytes": str(324 * 2**20),
    }
    (owner,) = pod["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"], owner["controller"]) == ("VirtualMachineInstance", "uid-db", True)
    assert pod["spec"]["nodeSelector"] == {"kubevirt.io/schedulable": "true"}


def test_old_kubevirt_does_not_report_the_overhead() -> None:
    annotations = launcher_pod(machine(), KubeVirtSettings(version="1.5.2"))["metadata"]["annotations"]
    assert names.OVERHEAD not in annotations


MIGRATION = {
    "metadata": {"name": "move", "namespace": "default", "uid": "uid-move"},
    "spec": {"vmiName": "db", "addedNodeSelector": {"kubernetes.io/hostname": "n2", "zone": "b"}},
}


def test_target_pod_stays_off_the_source_and_goes_where_it_is_sent() -> None:
    source = launcher_pod(machine(), KubeVirtSettings())
    pod = target_pod(machine(node="n1"), MIGRATION, KubeVirtSettings())
    assert pod["metadata"]["name"] != source["metadata"]["name"]
    assert pod["metadata"]["labels"]["kubevirt.io/migrationJobUID"] == "uid-move"
    assert pod["metadata"]["annotations"]["kubevirt.io/migrationJobName"] == "move"
    assert "nodeName" not in pod["spec"]
    (term,) = pod["spec"]["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert term == {
        "labelSelector": {"matchLabels": {"kubevirt.io/created-by": "uid-db"}},
        "topologyKey": "kubernetes.io/hostname",
    }
    assert pod["spec"]["nodeSelector"]["kubernetes.io/hostname"] == "n2"


def test_vms_own_selector_wins_over_that_of_the_migration() -> None:
    pod = target_pod(machine(spec={"nodeSelector": {"zone": "a"}}), MIGRATION, KubeVirtSettings())
    assert pod["spec"]["nodeSelector"]["zone"] == "a"


def test_kubevirt_before_1_6_knows_no_added_selector() -> None:
    pod = target_pod(machine(), MIGRATION, KubeVirtSettings(version="1.5.2"))
    assert pod["spec"]["nodeSelector"] == {"kubevirt.io/schedulable": "true"}


def test_affinity_of_the_vm_is_kept() -> None:
    own = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "zone"}]}}
    pod = target_pod(machine(spec={"affinity": own}), MIGRATION, KubeVirtSettings())
    terms = pod["spec"]["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert [each["topologyKey"] for each in terms] == ["zone", "kubernetes.io/hostname"]
