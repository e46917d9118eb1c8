"""What a guest's CPU demands of a node, as KubeVirt asks for it when it renders a launcher pod.

Label names as in ``staging/src/kubevirt.io/api/core/v1/types.go`` of KubeVirt; rules as in
``pkg/virt-controller/services/nodeselectorrenderer.go`` and, for host-model, ``pkg/virt-controller/watch/migration``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from ullage.model.labels import Requirement
from ullage.model.placement import NodeTerm
from ullage.sources.kubevirt_objects import ProcessorSpec, VirtualMachineInstance
from ullage.sources.pool import ByIdentity

ARCH: Final = "kubernetes.io/arch"

_MODEL: Final = "cpu-model.node.kubevirt.io/"
_MIGRATION_MODEL: Final = "cpu-model-migration.node.kubevirt.io/"
_HOST_MODEL: Final = "host-model-cpu.node.kubevirt.io/"
_HOST_FEATURE: Final = "host-model-required-features.node.kubevirt.io/"
_FEATURE: Final = "cpu-feature.node.kubevirt.io/"
_CPU_MANAGER: Final = "cpumanager"
_TRUE: Final = ("true",)


class Demand(NamedTuple):
    """Requirements that must all hold, and node terms as in `Placement.node_terms`."""

    requirements: tuple[Requirement, ...] = ()
    node_terms: tuple[tuple[NodeTerm, ...], ...] = ()


_ANY: Final = ProcessorSpec()
_NOTHING: Final = Demand()


class GuestCPU:
    """CPU demands of VMIs.

    Parameters
    ----------
    node_labels
        Labels of each node; a host-model guest demands what its present node offers.
    """

    def __init__(self, node_labels: Sequence[Mapping[str, str]]) -> None:
        self._labels = node_labels
        self._host_models: dict[int, Demand] = {}
        self._distinct: dict[Demand, Demand] = {}
        self._given: ByIdentity[Demand] = ByIdentity()

    def demand(self, machine: VirtualMachineInstance, node: int) -> Demand:
        """What `machine`, now on node `node`, demands of a node: CPU model, features, dedicated CPUs and architecture.

        VMs of one template on nodes of one kind are mostly given the same object.
        """
        cpu = machine.spec.domain.cpu or _ANY
        host = self._host_model(node) if cpu.model in (None, "", "host-model") else _NOTHING
        architecture = machine.spec.architecture or self._labels[node].get(ARCH)
        parts = (cpu, host, architecture)
        return self._given.get(parts) or self._given.put(parts, _demand(cpu, host, architecture))

    def _host_model(self, node: int) -> Demand:
        found = self._host_models.get(node)
        if found is None:
            made = _host_model(self._labels[node])
            found = self._host_models[node] = self._distinct.setdefault(made, made)
        return found


def _demand(cpu: ProcessorSpec, host: Demand, architecture: str | None) -> Demand:
    own = [*_model(cpu), *_features(cpu)]
    if architecture:
        own.append(Requirement(ARCH, "In", (architecture,)))
    if cpu.dedicated_cpu_placement:
        own.append(Requirement(_CPU_MANAGER, "In", _TRUE))
    return Demand((*own, *host.requirements), host.node_terms)


def _model(cpu: ProcessorSpec) -> list[Requirement]:
    if cpu.model in (None, "", "host-model", "host-passthrough"):
        return []
    return [Requirement(f"{_MODEL}{cpu.model}", "In", _TRUE)]


def _features(cpu: ProcessorSpec) -> list[Requirement]:
    operators = {None: "In", "": "In", "require": "In", "forbid": "NotIn"}
    return [
        Requirement(f"{_FEATURE}{feature.name}", operators[feature.policy], _TRUE)
        for feature in cpu.features or ()
        if feature.policy in operators
    ]


def _host_model(labels: Mapping[str, str]) -> Demand:
    """Demand of a host-model guest on a node: nothing if KubeVirt has not labelled the node."""
    models = sorted(key.removeprefix(_HOST_MODEL) for key in labels if key.startswith(_HOST_MODEL))
    if not models:
        return Demand()
    features = sorted(key.removeprefix(_HOST_FEATURE) for key in labels if key.startswith(_HOST_FEATURE))
    prefixes = (_MODEL, _MIGRATION_MODEL, _HOST_MODEL)
    terms = tuple(NodeTerm(labels=(Requirement(f"{prefix}{models[0]}", "In", _TRUE),)) for prefix in prefixes)
    return Demand(tuple(Requirement(f"{_FEATURE}{name}", "In", _TRUE) for name in features), (terms,))
