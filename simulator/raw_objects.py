"""Objects of a state at the size that an API server sends them: with all that a watch cache must read past."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from simulator.dump import objects
from simulator.dump_wire import Json, metadata
from ullage.model.state import ClusterState, WorkloadKind

_CREATED: Final = "2025-11-03T08:15:30Z"
_DISK: Final = "rootdisk"
_METRICS: Final = ("NodeMetrics", "PodMetrics")
_FIELDS: Final = {
    "f:metadata": {
        "f:annotations": {".": {}, "f:k8s.ovn.org/pod-networks": {}, "f:openshift.io/scc": {}},
        "f:generateName": {},
        "f:labels": {".": {}, "f:app": {}, "f:app.kubernetes.io/name": {}, "f:pod-template-hash": {}},
        "f:ownerReferences": {".": {}, 'k:{"uid":"00000000-0000-0000-0000-000000000000"}': {}},
    },
    "f:spec": {
        "f:affinity": {},
        "f:containers": {
            'k:{"name":"main"}': {
                ".": {},
                "f:env": {".": {}, 'k:{"name":"A"}': {".": {}, "f:name": {}, "f:value": {}}},
                "f:image": {},
                "f:imagePullPolicy": {},
                "f:livenessProbe": {
                    ".": {},
                    "f:failureThreshold": {},
                    "f:httpGet": {".": {}, "f:path": {}, "f:port": {}},
                },
                "f:name": {},
                "f:resources": {".": {}, "f:limits": {".": {}, "f:memory": {}}, "f:requests": {".": {}, "f:cpu": {}}},
                "f:terminationMessagePath": {},
                "f:terminationMessagePolicy": {},
            }
        },
        "f:dnsPolicy": {},
        "f:enableServiceLinks": {},
        "f:restartPolicy": {},
        "f:schedulerName": {},
        "f:securityContext": {},
        "f:terminationGracePeriodSeconds": {},
    },
}
_NETWORKS: Final = (
    '{"default":{"ip_addresses":["10.128.12.7/23"],"mac_address":"0a:58:0a:80:0c:07","gateway_ips":["10.128.12.1"],'
    '"routes":[{"dest":"10.128.0.0/14","nextHop":"10.128.12.1"},{"dest":"172.30.0.0/16","nextHop":"10.128.12.1"}],'
    '"ip_address":"10.128.12.7/23","gateway_ip":"10.128.12.1","role":"primary"}}'
)


def raw_objects(state: ClusterState) -> Iterator[Json]:
    """Objects of `state` as a server sends them, without metrics, and with the volumes of its VMs."""
    number = 1_000_000
    for found in (*(each for each in objects(state) if each["kind"] not in _METRICS), *_storage(state)):
        number += 1
        yield dressed(found, number)


def dressed(found: Json, version: int) -> Json:
    """An object with resource version and managed fields; a pod also with all that its kubelet and its owner set."""
    given = found["metadata"]
    if not isinstance(given, dict):
        raise TypeError("an object's metadata is a map")
    name = str(given["name"])
    managed = {
        "manager": "controller",
        "operation": "Update",
        "apiVersion": "v1",
        "time": _CREATED,
        "fieldsType": "FieldsV1",
    }
    meta = {
        "creationTimestamp": _CREATED,
        **given,
        "resourceVersion": str(version),
        "generateName": f"{name[:-6]}-",
        "managedFields": [{**managed, "fieldsV1": _FIELDS}],
    }
    if found["kind"] != "Pod":
        return {**found, "metadata": meta}
    annotations = {**_map(given.get("annotations")), "k8s.ovn.org/pod-networks": _NETWORKS}
    return {
        **found,
        "metadata": {**meta, "annotations": annotations},
        "spec": _pod_spec(_map(found["spec"]), name),
        "status": {**_map(found["status"]), **_pod_status(version)},
    }


def _map(part: object) -> Json:
    return part if isinstance(part, dict) else {}


def _pod_spec(spec: Json, name: str) -> Json:
    token = f"kube-api-access-{name[-5:]}"
    containers, volumes = spec.get("containers"), spec.get("volumes")
    projected = {
        "name": token,
        "projected": {"defaultMode": 420, "sources": [{"serviceAccountToken": {"path": "token"}}]},
    }
    return {
        **spec,
        "containers": [_container(_map(each), token) for each in (containers if isinstance(containers, list) else ())],
        "volumes": [*(volumes if isinstance(volumes, list) else ()), projected],
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "serviceAccountName": "default",
        "securityContext": {"seLinuxOptions": {"level": "s0:c27,c14"}, "fsGroup": 1_000_740_000},
        "imagePullSecrets": [{"name": "default-dockercfg-7xk2p"}],
        "enableServiceLinks": True,
        "preemptionPolicy": "PreemptLowerPriority",
    }


def _container(container: Json, token: str) -> Json:
    probe = {"httpGet": {"path": "/healthz", "port": 8080, "scheme": "HTTP"}, "timeoutSeconds": 1, "periodSeconds": 10}
    return {
        **container,
        "image": "registry.example.com/team/service@sha256:" + "0123456789abcdef" * 4,
        "env": [{"name": f"SETTING_{i}", "value": "a value of some length"} for i in range(4)],
        "livenessProbe": probe,
        "readinessProbe": probe,
        "volumeMounts": [
            {"name": token, "readOnly": True, "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}
        ],
        "terminationMessagePath": "/dev/termination-log",
        "imagePullPolicy": "IfNotPresent",
        "securityContext": {"capabilities": {"drop": ["ALL"]}, "runAsNonRoot": True, "allowPrivilegeEscalation": False},
    }


def _pod_status(version: int) -> Json:
    kinds = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
    address = f"10.128.{version // 250 % 250}.{version % 250}"
    state = {
        "name": "main",
        "ready": True,
        "restartCount": 0,
        "image": "registry.example.com/team/service:1.2.3",
        "imageID": "registry.example.com/team/service@sha256:" + "0123456789abcdef" * 4,
        "containerID": "cri-o://" + "fedcba9876543210" * 4,
        "state": {"running": {"startedAt": _CREATED}},
    }
    return {
        "conditions": [{"type": kind, "status": "True", "lastTransitionTime": _CREATED} for kind in kinds],
        "hostIP": "192.168.10.11",
        "podIP": address,
        "podIPs": [{"ip": address}],
        "containerStatuses": [state],
    }


def _storage(state: ClusterState) -> Iterator[Json]:
    """Claims of the VMs' disks, bound to volumes of network storage, which tie them to no node."""
    rows = state.workloads
    for row in np.flatnonzero(rows.kind == WorkloadKind.VMI).tolist():
        claim, volume = f"{rows.name[row]}-{_DISK}", f"pvc-{rows.uid[row]}"
        reference = {"namespace": rows.namespace[row], "name": claim}
        yield {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": metadata(claim, rows.namespace[row], uid=f"claim-{rows.uid[row]}"),
            "spec": {"volumeName": volume, "accessModes": ["ReadWriteMany"], "storageClassName": "network"},
            "status": {"phase": "Bound"},
        }
        yield {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": metadata(volume, uid=f"volume-{rows.uid[row]}"),
            "spec": {"claimRef": reference, "accessModes": ["ReadWriteMany"], "storageClassName": "network"},
            "status": {"phase": "Bound"},
        }
