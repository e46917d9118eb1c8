"""The virt-launcher pod of a VMI, as virt-controller renders it (``template.go``, ``renderresources.go``)."""

from __future__ import annotations

from typing import Final

import msgspec

from tests.standin.kubevirt import names
from tests.standin.kubevirt.settings import NODE_SELECTOR_SINCE, REPORTS_OVERHEAD_SINCE, KubeVirtSettings
from tests.standin.wire import Json, annotations_of, key_of, labels_of, owner_reference, suffix
from ullage.estimation.requests import Amounts, Guest, Rendered, render, sidecars
from ullage.model.qos import ContainerResources
from ullage.sources.guest_memory import guest_of
from ullage.sources.kubevirt_objects import VirtualMachineInstance

IMAGE: Final = "registry.example/virt-launcher:stand-in"
DEVICES: Final = ("kvm", "tun", "vhost-net")
COPIED: Final = (
    "affinity",
    "priorityClassName",
    "schedulerName",
    "tolerations",
    "topologySpreadConstraints",
    "terminationGracePeriodSeconds",
)
"""Fields of a VMI's spec that its pod has, too."""
# What msgspec knows of a type it finds out at its first use, and two threads that do so at once crash it.
msgspec.json.Decoder(VirtualMachineInstance)


def guest(machine: Json) -> Guest:
    """A VMI as the formulas take it."""
    return guest_of(msgspec.convert(machine, VirtualMachineInstance))


def launcher_pod(machine: Json, settings: KubeVirtSettings) -> Json:
    """Pod that a VMI starts in."""
    namespace, name = key_of(machine)
    rendered = render(guest(machine), settings.cluster)
    metadata = {
        "name": f"virt-launcher-{name}-{suffix(machine['metadata']['uid'])}",
        "namespace": namespace,
        "labels": _labels(machine),
        "annotations": _annotations(machine, rendered, settings),
        "ownerReferences": [owner_reference(machine)],
    }
    spec = _spec(machine, rendered)
    node = annotations_of(machine).get(names.FIRST_NODE)
    if node:
        spec["nodeName"] = node
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def target_pod(machine: Json, migration: Json, settings: KubeVirtSettings) -> Json:
    """Pod that a VMI migrates to: rendered anew, kept off the VMI's node, and narrowed to the nodes that the migration adds."""
    pod = launcher_pod(machine, settings)
    uid = migration["metadata"]["uid"]
    metadata, spec = pod["metadata"], pod["spec"]
    metadata["name"] = f"virt-launcher-{key_of(machine)[1]}-{suffix(uid)}"
    metadata["labels"][names.JOB_LABEL] = uid
    metadata["annotations"][names.JOB_NAME] = key_of(migration)[1]
    spec.pop("nodeName", None)
    if settings.known_version >= NODE_SELECTOR_SINCE:
        spec["nodeSelector"] = {**(migration["spec"].get("addedNodeSelector") or {}), **spec["nodeSelector"]}
    spec["affinity"] = _apart(spec.get("affinity") or {}, machine["metadata"]["uid"])
    return pod


def _labels(machine: Json) -> dict[str, str]:
    name = key_of(machine)[1]
    return {
        **labels_of(machine),
        names.APP: names.LAUNCHER,
        names.CREATED_BY: machine["metadata"]["uid"],
        names.NAME_LABEL: name,
        names.ID_LABEL: name,
    }


def _annotations(machine: Json, rendered: Rendered, settings: KubeVirtSettings) -> dict[str, str]:
    found = {**annotations_of(machine), names.DOMAIN: key_of(machine)[1], names.EVICT_ONLY: ""}
    if settings.known_version >= REPORTS_OVERHEAD_SINCE:
        found[names.OVERHEAD] = str(rendered.overhead_bytes)
    return found


def _spec(machine: Json, rendered: Rendered) -> Json:
    spec = machine["spec"]
    return {
        **{name: spec[name] for name in COPIED if name in spec},
        "nodeSelector": {names.SCHEDULABLE: "true", **(spec.get("nodeSelector") or {})},
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "initContainers": [_sidecar(each) for each in sidecars(guest(machine)) if each.restartable_init],
        "containers": [_compute(rendered)],
    }


def _compute(rendered: Rendered) -> Json:
    devices = {f"devices.kubevirt.io/{name}": "1" for name in DEVICES}
    requests = {**_quantities(rendered.requests), "ephemeral-storage": "50M", **devices}
    limits = {**_quantities(rendered.limits), **devices}
    return {"name": "compute", "image": IMAGE, "resources": {"requests": requests, "limits": limits}}


def _quantities(amounts: Amounts) -> dict[str, str]:
    found = {} if amounts.memory_bytes is None else {"memory": str(amounts.memory_bytes)}
    return found if amounts.cpu_millis is None else {"cpu": f"{amounts.cpu_millis}m", **found}


def _sidecar(container: ContainerResources) -> Json:
    requests = _of(container.requests_cpu_cores, container.requests_memory_bytes)
    limits = _of(container.limits_cpu_cores, container.limits_memory_bytes)
    resources = {"requests": requests, "limits": limits}
    return {"name": container.name, "image": IMAGE, "restartPolicy": "Always", "resources": resources}


def _of(cores: float | None, size: float | None) -> dict[str, str]:
    return {"cpu": f"{round(1000 * (cores or 0))}m", "memory": f"{round((size or 0) / 1e6)}M"}


def _apart(affinity: Json, uid: str) -> Json:
    """Affinity that also keeps off every node with a pod of the same VMI."""
    term = {"labelSelector": {"matchLabels": {names.CREATED_BY: uid}}, "topologyKey": "kubernetes.io/hostname"}
    anti = affinity.get("podAntiAffinity") or {}
    rule = "requiredDuringSchedulingIgnoredDuringExecution"
    return {**affinity, "podAntiAffinity": {**anti, rule: [*(anti.get(rule) or ()), term]}}
