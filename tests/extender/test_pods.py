"""What a manifest says of a pod."""

from __future__ import annotations

import json

from extender.pods import described_pod, pod_request
from extender.wire import read_pod
from ullage.api.v1 import scheduling_pb2 as pb


def test_a_launcher_of_a_migration() -> None:
    manifest = {
        "metadata": {
            "name": "virt-launcher-db-xyz",
            "namespace": "shop",
            "uid": "u",
            "labels": {
                "kubevirt.io": "virt-launcher",
                "kubevirt.io/created-by": "vmi-uid",
                "kubevirt.io/migrationJobUID": "job",
            },
            "annotations": {"kubevirt.io/domain": "db"},
            "ownerReferences": [
                {"kind": "Other", "name": "x", "uid": "1"},
                {"kind": "VirtualMachineInstance", "name": "db", "uid": "vmi-uid", "controller": True},
            ],
        },
        "spec": {
            "priority": 7,
            "overhead": {"memory": "1Gi"},
            "initContainers": [{"name": "i", "resources": {"requests": {"memory": "10Gi"}}}],
            "containers": [
                {
                    "name": "a",
                    "resources": {"requests": {"cpu": "400m", "memory": "2Gi"}, "limits": {"memory": "3Gi", "cpu": 2}},
                },
                {
                    "name": "b",
                    "resources": {"requests": {"cpu": "broken", "memory": "1Gi"}, "limits": {"memory": "1Gi"}},
                },
            ],
        },
    }
    pod = pod_request(read_pod(json.dumps(manifest).encode()))
    assert (pod.domain, pod.created_by, pod.migration_job_uid) == ("db", "vmi-uid", "job")
    assert (pod.owner_kind, pod.owner_name, pod.priority) == ("VirtualMachineInstance", "db", 7)
    assert (pod.requests_cpu_cores, pod.requests_memory_bytes) == (0.4, 11 * 2**30)
    assert (pod.limits_cpu_cores, pod.limits_memory_bytes) == (None, 5 * 2**30)


def test_a_pod_without_anything() -> None:
    pod = pod_request(read_pod(b'{"metadata":{"name":"a"}}'))
    assert (pod.name, pod.uid, pod.domain, pod.requests_memory_bytes, pod.limits_memory_bytes) == (
        "a",
        "",
        "",
        0.0,
        None,
    )


def test_a_domain_is_only_that_of_a_launcher() -> None:
    pod = pod_request(read_pod(b'{"metadata":{"name":"a","annotations":{"kubevirt.io/domain":"db"}}}'))
    assert pod.domain == ""


def test_a_described_pod_says_which_limits_it_has() -> None:
    described = pb.Pod(
        name="a", limits_cpu_cores=0.0, labels={"kubevirt.io": "virt-launcher"}, annotations={"kubevirt.io/domain": "d"}
    )
    pod = described_pod(described)
    assert (pod.limits_cpu_cores, pod.limits_memory_bytes, pod.domain) == (0.0, None, "d")
