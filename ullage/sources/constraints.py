"""Placement demands of pods and VMIs, each distinct one once."""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from ullage.model.labels import equals
from ullage.model.placement import HostPort, Placement, Toleration
from ullage.sources.guest_cpu import Demand, GuestCPU
from ullage.sources.kubevirt_objects import VirtualMachineInstance
from ullage.sources.objects import (
    Affinity,
    Constraints,
    ContainerPort,
    NodeAffinity,
    NodeSelector,
    NodeSelectorTerm,
    Pod,
    PodAffinity,
    PodAffinityTerm,
    TolerationSpec,
)
from ullage.sources.pool import ByIdentity
from ullage.sources.selectors import (
    in_order,
    node_terms,
    pod_term,
    preferred_nodes,
    preferred_pods,
    spread,
)
from ullage.sources.volumes import Terms, Volumes, claims_of, machine_claims_of
from ullage.sources.wire_values import status_of

HOSTNAME: Final = "kubernetes.io/hostname"
CREATED_BY: Final = "kubevirt.io/created-by"
LIVE_MIGRATABLE: Final = "LiveMigratable"

_ENCODER: Final = msgspec.json.Encoder()
_LABEL_KEYS: Final = b'atchLabelKeys":["'


class _Wanted(NamedTuple):
    spec: Constraints
    pod: Pod
    ports: tuple[HostPort, ...]
    demand: Demand
    is_machine: bool


class Placements:
    """Placement of pods and VMIs; equal demands give the same object.

    Parameters
    ----------
    volumes
        Where claims tie a pod to.
    cpus
        What guests demand of a node's CPU.
    known
        Placements that were given before; it grows with every new one.
    """

    def __init__(self, volumes: Volumes, cpus: GuestCPU, known: dict[object, Placement]) -> None:
        self._volumes = volumes
        self._cpus = cpus
        self._known = known
        self._texts: ByIdentity[bytes] = ByIdentity()
        self._given: ByIdentity[Placement] = ByIdentity()

    def of_pod(self, pod: Pod, *, is_daemonset: bool = False) -> Placement:
        """Placement of a pod.

        A DaemonSet's pods are told apart by the one node that each must run on. They never move, so that this field is left
        out, or every node would bring a placement of its own.
        """
        claims = claims_of(pod)
        if claims:
            terms = self._volumes.terms(pod.namespace, claims, matter=not is_daemonset)
            return self._own(pod, terms, is_daemonset=is_daemonset)
        parts = (*_parts(pod.spec, pod), is_daemonset)
        return self._given.get(parts) or self._given.put(parts, self._own(pod, (), is_daemonset=is_daemonset))

    def of_launcher(self, pod: Pod) -> Placement:
        """Placement of a virt-launcher pod by itself.

        Without the node that a directed migration named, and without the anti-affinity that keeps the two pods of a
        migration apart: both are KubeVirt's own and hold for one migration only.
        """
        terms = self._volumes.terms(pod.namespace, claims_of(pod))
        spec = _without_migration(pod.spec)
        return self._intern(_Wanted(spec, pod, _host_ports(pod), Demand((), terms), is_machine=True))

    def of_machine(self, machine: VirtualMachineInstance, pod: Pod, node: int) -> Placement:
        """Placement of a VMI that runs as `pod` on node `node`: by its own spec, its CPU, and the volumes of both."""
        cpu = self._cpus.demand(machine, node)
        claims = claims_of(pod) | machine_claims_of(machine)
        # KubeVirt calls a VM migratable if all of its volumes are shared between nodes; one that is not stays anyway.
        is_judged = bool(status_of(machine.status.conditions, LIVE_MIGRATABLE))
        terms = self._volumes.terms(pod.namespace, claims, matter=not is_judged)
        if terms:
            demand = Demand(cpu.requirements, cpu.node_terms + terms)
            return self._intern(_Wanted(machine.spec, pod, _host_ports(pod), demand, is_machine=True))
        parts = (*_parts(machine.spec, pod), cpu)
        wanted = _Wanted(machine.spec, pod, _host_ports(pod), cpu, is_machine=True)
        return self._given.get(parts) or self._given.put(parts, self._intern(wanted))

    def _own(self, pod: Pod, terms: Terms, *, is_daemonset: bool) -> Placement:
        spec = without_fields(pod.spec) if is_daemonset else pod.spec
        return self._intern(_Wanted(spec, pod, _host_ports(pod), Demand((), terms), is_machine=False))

    def _intern(self, wanted: _Wanted) -> Placement:
        spec = wanted.spec
        parts = (spec.node_selector, spec.affinity, spec.tolerations, spec.topology_spread_constraints)
        text = self._texts.get(parts) or self._texts.put(parts, _text(spec))
        key = _signature(wanted, text)
        found = self._known.get(key)
        if found is None:
            built = _placement(wanted)
            found = self._known[key] = self._known.setdefault(built, built)
        return found


def _parts(spec: Constraints, pod: Pod) -> tuple[object, ...]:
    """What a placement by `spec` is made of, but for volumes and CPU."""
    meta = pod.metadata
    is_relative = spec.affinity is not None or spec.topology_spread_constraints is not None
    return (
        *(spec.node_selector, spec.affinity, spec.tolerations, spec.topology_spread_constraints),
        _host_ports(pod),
        *((meta.namespace, meta.labels) if is_relative else ()),
    )


def _text(spec: Constraints) -> bytes:
    # Encoding is one call into C; it stands for all that the placement is made from.
    return _ENCODER.encode((spec.node_selector, spec.affinity, spec.tolerations, spec.topology_spread_constraints))


def _signature(wanted: _Wanted, text: bytes) -> object:
    # A pod's namespace and labels are part of it only where its terms refer to them.
    affinity = wanted.spec.affinity
    is_relative = affinity is not None and (affinity.pod_affinity or affinity.pod_anti_affinity) is not None
    namespace = wanted.pod.namespace if is_relative else ""
    labels = tuple(sorted(wanted.pod.labels.items())) if _LABEL_KEYS in text else ()
    return text, namespace, labels, wanted.ports, wanted.demand, wanted.is_machine


def _placement(wanted: _Wanted) -> Placement:
    spec, labels, namespace = wanted.spec, wanted.pod.labels, wanted.pod.namespace
    affinity = spec.affinity or Affinity()
    nodes = affinity.node_affinity or NodeAffinity()
    near, apart = affinity.pod_affinity or PodAffinity(), affinity.pod_anti_affinity or PodAffinity()
    own_terms = (node_terms(nodes.required),) if nodes.required else ()
    return Placement(
        node_selector=in_order((*equals(spec.node_selector or {}), *wanted.demand.requirements)),
        node_terms=own_terms + wanted.demand.node_terms,
        preferred_nodes=preferred_nodes(nodes.preferred),
        tolerations=tuple(_toleration(each) for each in spec.tolerations or ()),
        affinity=tuple(pod_term(each, namespace, labels) for each in near.required or ()),
        anti_affinity=tuple(pod_term(each, namespace, labels) for each in apart.required or ()),
        preferred_pods=preferred_pods(near.preferred, namespace, labels, 1)
        + preferred_pods(apart.preferred, namespace, labels, -1),
        spread=tuple(spread(each, labels) for each in spec.topology_spread_constraints or ()),
        host_ports=wanted.ports,
        virtual_machine=wanted.is_machine,
    )


def _toleration(wire: TolerationSpec) -> Toleration:
    return Toleration(
        key=wire.key or "", operator=wire.operator or "Equal", value=wire.value or "", effect=wire.effect or ""
    )


def _host_ports(pod: Pod) -> tuple[HostPort, ...]:
    is_host = bool(pod.spec.host_network)
    wires = [port for each in pod.spec.containers or () if each.ports for port in each.ports]
    for each in pod.spec.init_containers or ():
        if each.ports and each.restart_policy == "Always":
            wires += each.ports
    if not wires:
        return ()
    found = {_host_port(port, is_host=is_host) for port in wires}
    return tuple(sorted(port for port in found if port.port))


def _host_port(wire: ContainerPort, *, is_host: bool) -> HostPort:
    # In the node's own network every port of a container is one of the node.
    port = wire.host_port or (wire.container_port if is_host else None)
    address = wire.host_ip or HostPort(0).address
    return HostPort(port or 0, wire.protocol or "TCP", address)


def without_fields(spec: Constraints) -> Constraints:
    """Constraints without the terms on a node's fields, by which a DaemonSet's pods are told apart."""
    affinity = spec.affinity
    nodes = affinity.node_affinity if affinity else None
    if affinity is None or nodes is None or nodes.required is None:
        return spec
    terms = nodes.required.node_selector_terms or []
    kept = [NodeSelectorTerm(match_expressions=term.match_expressions) for term in terms]
    required = NodeSelector(kept) if kept and all(term.match_expressions for term in kept) else None
    bare = NodeAffinity(required=required, preferred=nodes.preferred)
    return _with(spec, spec.node_selector, msgspec.structs.replace(affinity, node_affinity=bare))


def _without_migration(spec: Constraints) -> Constraints:
    chosen = {key: value for key, value in (spec.node_selector or {}).items() if key != HOSTNAME}
    affinity = spec.affinity
    apart = affinity.pod_anti_affinity if affinity else None
    if affinity is None or apart is None:
        return _with(spec, chosen, affinity)
    kept = [term for term in apart.required or () if not _keeps_migration_apart(term)]
    bare = PodAffinity(required=kept, preferred=apart.preferred)
    return _with(spec, chosen, msgspec.structs.replace(affinity, pod_anti_affinity=bare))


def _keeps_migration_apart(term: PodAffinityTerm) -> bool:
    wanted = term.label_selector
    if wanted is None or term.topology_key != HOSTNAME:
        return False
    keys = {*(wanted.match_labels or {}), *(each.key for each in wanted.match_expressions or ())}
    return CREATED_BY in keys


def _with(spec: Constraints, node_selector: dict[str, str] | None, affinity: Affinity | None) -> Constraints:
    return Constraints(
        node_selector=node_selector,
        affinity=affinity,
        tolerations=spec.tolerations,
        topology_spread_constraints=spec.topology_spread_constraints,
    )
