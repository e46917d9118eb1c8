"""Workloads of a state as Pod and VirtualMachineInstance objects."""

from __future__ import annotations

import uuid
from typing import Final

import numpy as np

from simulator.demands import ARCH, CPU_MODEL_LABELS
from simulator.dump_wire import Json, expressions, is_equality, label_selector, metadata, present, quantities, timestamp
from simulator.population import CONSOLE
from ullage.model.labels import Requirement
from ullage.model.placement import Placement, PodTerm, Spread, Toleration
from ullage.model.qos import QoS
from ullage.model.resources import CPU, MEMORY, PODS
from ullage.model.state import ClusterState, EvictionStrategy, WorkloadFlag, WorkloadKind

CONSOLE_NAME: Final = CONSOLE.name
COMPUTE: Final = "compute"
STRATEGIES: Final = {
    EvictionStrategy.NONE: "None",
    EvictionStrategy.LIVE_MIGRATE: "LiveMigrate",
    EvictionStrategy.LIVE_MIGRATE_IF_POSSIBLE: "LiveMigrateIfPossible",
    EvictionStrategy.EXTERNAL: "External",
}
_QOS: Final = {QoS.BEST_EFFORT: "BestEffort", QoS.BURSTABLE: "Burstable", QoS.GUARANTEED: "Guaranteed"}
_API_VERSIONS: Final = {"VirtualMachine": "kubevirt.io/v1", "Job": "batch/v1", "Node": "v1"}
_ANNOTATIONS: Final = {
    WorkloadFlag.PREFER_NO_EVICTION: "descheduler.alpha.kubernetes.io/prefer-no-eviction",
    WorkloadFlag.EVICT: "descheduler.alpha.kubernetes.io/evict",
    WorkloadFlag.EVICTION_IN_PROGRESS: "descheduler.alpha.kubernetes.io/eviction-in-progress",
    WorkloadFlag.MIRROR: "kubernetes.io/config.mirror",
}
_SCHEDULABLE: Final = {"kubevirt.io/schedulable": "true"}
_DISK: Final = "rootdisk"
_REQUIRED: Final = "requiredDuringSchedulingIgnoredDuringExecution"


def has_console(state: ClusterState, row: int) -> bool:
    """Whether a VM's pod requests enough to hold the sidecar that logs the console."""
    cpu, memory = CONSOLE.requests_cpu_cores or 0.0, CONSOLE.requests_memory_bytes or 0.0
    requests = state.workloads.requests[row]
    return bool(requests[state.resource(CPU)] > 2 * cpu and requests[state.resource(MEMORY)] > 2 * memory)


def pod(state: ClusterState, row: int) -> Json:
    """Pod of a workload; of a VM, its virt-launcher pod."""
    rows = state.workloads
    is_machine = rows.kind[row] == WorkloadKind.VMI
    flags = int(rows.flags[row])
    uid = pod_uid(rows.uid[row]) if is_machine else rows.uid[row]
    started = timestamp(rows.started_at_seconds[row])
    priority = int(rows.priority[row])
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata(
            rows.pod[row],
            rows.namespace[row],
            uid=uid,
            creation_timestamp=started,
            deletion_timestamp=timestamp(state.observed_at_seconds) if flags & WorkloadFlag.TERMINATING else None,
            labels=rows.labels.row(row),
            annotations=_annotations(state, row),
            owner_references=_pod_owners(state, row),
        ),
        "spec": {
            "nodeName": state.nodes.name[int(rows.node[row])],
            "priority": priority,
            "schedulerName": "default-scheduler",
            **(_launcher_spec(state, row) if is_machine else _pod_spec(state, row)),
        },
        "status": present(
            phase="Pending" if flags & WorkloadFlag.PENDING else "Running",
            qosClass=_QOS[QoS(int(rows.qos[row]))],
            startTime=started,
            conditions=[{"type": "Ready", "status": "True"}],
        ),
    }


def pod_uid(machine_uid: str) -> str:
    """Uid of a launcher pod, made from that of its VMI."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, machine_uid))


def _annotations(state: ClusterState, row: int) -> dict[str, str]:
    rows = state.workloads
    flags = int(rows.flags[row])
    found = {name: "true" for flag, name in _ANNOTATIONS.items() if flags & flag}
    if rows.kind[row] == WorkloadKind.VMI:
        found |= {
            "kubevirt.io/domain": rows.name[row],
            "descheduler.alpha.kubernetes.io/request-evict-only": "",
        }
        if not np.isnan(rows.overhead_bytes[row]):
            found["kubevirt.io/memory-overhead-bytes"] = str(round(rows.overhead_bytes[row]))
    return found


def _pod_owners(state: ClusterState, row: int) -> list[Json]:
    rows = state.workloads
    if rows.kind[row] == WorkloadKind.VMI:
        return [_reference("VirtualMachineInstance", rows.name[row], rows.uid[row], "kubevirt.io/v1")]
    return _owners(state, row)


def _owners(state: ClusterState, row: int) -> list[Json]:
    number = int(state.workloads.owner[row])
    if number < 0:
        return []
    owner = state.owners[number]
    uid = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{owner.kind}/{owner.namespace}/{owner.name}"))
    return [_reference(owner.kind, owner.name, uid, _API_VERSIONS.get(owner.kind, "apps/v1"))]


def _reference(kind: str, name: str, uid: str, version: str) -> Json:
    return {
        "apiVersion": version,
        "kind": kind,
        "name": name,
        "uid": uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def _pod_spec(state: ClusterState, row: int) -> Json:
    rows = state.workloads
    placement = state.placements[int(rows.placement[row])]
    container = {
        "name": "main",
        "image": "registry.example/main:1",
        "resources": present(
            requests=quantities(state.resources, rows.requests[row].tolist(), without=(PODS,)),
            limits=quantities(state.resources, rows.limits[row].tolist(), without=(PODS,)),
        ),
    }
    local = [{"name": "scratch", "emptyDir": {}}] if int(rows.flags[row]) & WorkloadFlag.LOCAL_STORAGE else []
    return {"containers": [container], **present(volumes=local), **_constraints(placement)}


def _launcher_spec(state: ClusterState, row: int) -> Json:
    rows = state.workloads
    placement = state.placements[int(rows.placement[row])]
    requests, limits = rows.requests[row].copy(), rows.limits[row]
    console: list[Json] = []
    if has_console(state, row):
        requests[state.resource(CPU)] -= CONSOLE.requests_cpu_cores or 0.0
        requests[state.resource(MEMORY)] -= CONSOLE.requests_memory_bytes or 0.0
        console = [_console()]
    devices = {name: "1" for name, value in zip(state.resources, requests, strict=True) if "/" in name and value}
    bounds = quantities(state.resources, limits.tolist(), without=(PODS,))
    compute = {
        "name": COMPUTE,
        "image": "registry.example/virt-launcher:1",
        "resources": present(
            requests=quantities(state.resources, requests.tolist(), without=(PODS,)), limits={**devices, **bounds}
        ),
    }
    constraints = _constraints(placement)
    selector = constraints.get("nodeSelector")
    constraints["nodeSelector"] = {**_SCHEDULABLE, **(selector if isinstance(selector, dict) else {})}
    claim = {"claimName": f"{rows.name[row]}-{_DISK}"}
    return {
        "containers": [compute],
        **present(initContainers=console),
        "volumes": [{"name": _DISK, "persistentVolumeClaim": claim}],
        **constraints,
    }


def _console() -> Json:
    return {
        "name": CONSOLE_NAME,
        "image": "registry.example/virt-launcher:1",
        "restartPolicy": "Always",
        "resources": {
            "requests": {
                CPU: f"{round(1000 * (CONSOLE.requests_cpu_cores or 0))}m",
                MEMORY: f"{round((CONSOLE.requests_memory_bytes or 0) / 1e6)}M",
            },
            "limits": {
                CPU: f"{round(1000 * (CONSOLE.limits_cpu_cores or 0))}m",
                MEMORY: f"{round((CONSOLE.limits_memory_bytes or 0) / 1e6)}M",
            },
        },
    }


def machine(state: ClusterState, row: int) -> Json:
    """VirtualMachineInstance of a VM."""
    rows = state.workloads
    flags = int(rows.flags[row])
    placement = state.placements[int(rows.placement[row])]
    guest = quantities((MEMORY,), [float(rows.guest_memory_bytes[row])]).get(MEMORY)
    architecture = next((each.values[0] for each in placement.node_selector if each.key == ARCH), None)
    sockets = max(1, round(10 * float(rows.requests[row, state.resource(CPU)])))
    started = timestamp(rows.started_at_seconds[row])
    labels = {name: value for name, value in rows.labels.row(row).items() if not name.startswith("kubevirt.io")}
    annotations = {name: "true" for flag, name in _ANNOTATIONS.items() if flags & flag}
    return {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachineInstance",
        "metadata": metadata(
            rows.name[row],
            rows.namespace[row],
            uid=rows.uid[row],
            creation_timestamp=started,
            labels=labels,
            annotations=annotations,
            owner_references=_owners(state, row),
        ),
        "spec": {
            **present(architecture=architecture),
            "domain": {
                "cpu": {"sockets": sockets, "cores": 1, "threads": 1, "model": "host-model"},
                "memory": present(guest=guest),
                "devices": {"interfaces": [{"name": "default", "masquerade": {}}]},
            },
            **present(evictionStrategy=STRATEGIES.get(EvictionStrategy(int(rows.eviction_strategy[row])))),
            "volumes": [{"name": _DISK, "persistentVolumeClaim": {"claimName": f"{rows.name[row]}-{_DISK}"}}],
            **_constraints(placement),
        },
        "status": _machine_status(state, row, guest, sockets),
    }


def _machine_status(state: ClusterState, row: int, guest: str | None, sockets: int) -> Json:
    rows = state.workloads
    node = state.nodes.name[int(rows.node[row])]
    overhead = quantities((MEMORY,), [float(rows.overhead_bytes[row])]).get(MEMORY)
    return {
        "phase": "Running",
        "nodeName": node,
        "qosClass": _QOS[QoS(int(rows.qos[row]))],
        "activePods": {pod_uid(rows.uid[row]): node},
        "currentCPUTopology": {"sockets": sockets, "cores": 1, "threads": 1},
        "memory": present(guestAtBoot=guest, guestCurrent=guest, guestRequested=guest, memoryOverhead=overhead),
        "migrationMethod": "LiveMigration",
        "conditions": _machine_conditions(state, row),
        **present(migrationState=_migration_state(state, row)),
    }


def _machine_conditions(state: ClusterState, row: int) -> list[Json]:
    flags = int(state.workloads.flags[row])
    reason, _, message = state.workloads.blocked_reason[row].partition(": ")
    conditions: list[Json] = [{"type": "Ready", "status": "True"}]
    if flags & WorkloadFlag.LIVE_MIGRATABLE:
        conditions.append({"type": "LiveMigratable", "status": "True"})
    if flags & WorkloadFlag.NOT_LIVE_MIGRATABLE:
        conditions.append(present(type="LiveMigratable", status="False", reason=reason, message=message))
    if flags & WorkloadFlag.PAUSED:
        conditions.append({"type": "Paused", "status": "True", "reason": "PausedByUser"})
    return conditions


def _migration_state(state: ClusterState, row: int) -> Json:
    rows = state.workloads
    ended, target = rows.last_moved_at_seconds[row], int(rows.migration_target[row])
    if int(rows.flags[row]) & WorkloadFlag.MIGRATING:
        return present(
            startTimestamp=timestamp(state.observed_at_seconds - 30),
            sourceNode=state.nodes.name[int(rows.node[row])],
            sourcePod=rows.pod[row],
            targetNode=state.nodes.name[target] if target >= 0 else None,
        )
    if np.isnan(ended):
        return {}
    node = state.nodes.name[int(rows.node[row])]
    return {
        "startTimestamp": timestamp(ended - 60),
        "endTimestamp": timestamp(ended),
        "targetNode": node,
        "targetPod": rows.pod[row],
        "completed": True,
        "mode": "PreCopy",
    }


def _constraints(placement: Placement) -> Json:
    """The part of a spec that says where a pod may run, without what KubeVirt derives from a guest's CPU."""
    own = [each for each in placement.node_selector if not (placement.virtual_machine and each.key == ARCH)]
    terms = next((each for each in placement.node_terms if not _is_of_model(each[0].labels)), ())
    required = [
        present(matchExpressions=expressions(term.labels), matchFields=expressions(term.fields)) for term in terms
    ]
    affinity = present(
        nodeAffinity={_REQUIRED: {"nodeSelectorTerms": required}} if required else {},
        podAffinity=_pod_terms(placement.affinity),
        podAntiAffinity=_pod_terms(placement.anti_affinity),
    )
    return present(
        nodeSelector={each.key: each.values[0] for each in own if is_equality(each)},
        affinity=affinity,
        tolerations=[_toleration(each) for each in placement.tolerations],
        topologySpreadConstraints=[_spread(each) for each in placement.spread],
    )


def _is_of_model(labels: tuple[Requirement, ...]) -> bool:
    return bool(labels) and labels[0].key.startswith(CPU_MODEL_LABELS)


def _pod_terms(terms: tuple[PodTerm, ...]) -> Json:
    return {_REQUIRED: [_pod_term(term) for term in terms]} if terms else {}


def _pod_term(term: PodTerm) -> Json:
    return {
        "topologyKey": term.topology_key,
        "labelSelector": label_selector(term.selector),
        "namespaces": list(term.namespaces),
    }


def _toleration(toleration: Toleration) -> Json:
    wire = present(key=toleration.key, operator=toleration.operator, value=toleration.value, effect=toleration.effect)
    return {**wire, "tolerationSeconds": 300} if toleration.effect == "NoExecute" else wire


def _spread(spread: Spread) -> Json:
    return {
        "topologyKey": spread.topology_key,
        "maxSkew": spread.max_skew,
        "whenUnsatisfiable": "DoNotSchedule" if spread.hard else "ScheduleAnyway",
        "labelSelector": label_selector(spread.selector),
    }
