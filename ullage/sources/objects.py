"""The fields of core Kubernetes objects that bear on a decision, as they stand on the wire.

Fields that are not named here are skipped by the decoder. Everything that the API may leave out, or print as null, is
optional. Quantities stay as they are written; they are read where they are used.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec

Quantity: TypeAlias = str | int | float
Quantities: TypeAlias = dict[str, Quantity]
Int32: TypeAlias = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
Weight: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=100)]
Positive: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]
Port: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=65535)]


Key: TypeAlias = tuple[str, str]
"""Namespace and name; the namespace of objects of the cluster is empty."""

Keys: TypeAlias = dict[Key, None]
"""A set of keys in the order in which they came: to visit objects in that order is fast, as it is that of memory."""


class Wire(msgspec.Struct, gc=False, rename="camel"):
    """A part of an object; members are named as on the wire, in snake case here."""


class Present(Wire):
    """An object of which only its presence matters."""


class OwnerReference(Wire):
    """Who manages an object."""

    kind: str = ""
    name: str = ""
    uid: str = ""
    controller: bool | None = None


class ObjectMeta(Wire):
    """Names, labels and annotations."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]
    namespace: str | None = None
    uid: str | None = None
    resource_version: str | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    owner_references: list[OwnerReference] | None = None
    deletion_timestamp: str | None = None


class KubernetesObject(Wire, kw_only=True):
    """What every object has."""

    metadata: ObjectMeta

    @property
    def namespace(self) -> str:
        """Namespace; empty for objects of the cluster."""
        return self.metadata.namespace or ""

    @property
    def name(self) -> str:
        """Name, unique within kind and namespace."""
        return self.metadata.name

    @property
    def uid(self) -> str:
        """Uid; empty if the input does not say."""
        return self.metadata.uid or ""

    @property
    def key(self) -> str:
        """``namespace/name``, or the name alone for objects of the cluster."""
        return f"{self.metadata.namespace}/{self.metadata.name}" if self.metadata.namespace else self.metadata.name

    @property
    def labels(self) -> dict[str, str]:
        """Labels; empty if there are none."""
        return self.metadata.labels or {}

    @property
    def annotations(self) -> dict[str, str]:
        """Annotations; empty if there are none."""
        return self.metadata.annotations or {}

    @property
    def owners(self) -> list[OwnerReference]:
        """Owner references; empty if there are none."""
        return self.metadata.owner_references or []


class Condition(Wire):
    """A condition of a node, a VMI, or another object."""

    type: str = ""
    status: str = ""
    reason: str | None = None
    message: str | None = None
    last_heartbeat_time: str | None = None


class TaintSpec(Wire):
    """A taint."""

    key: str = ""
    value: str | None = None
    effect: str | None = None


class NodeSpec(Wire):
    """Spec of a node."""

    unschedulable: bool | None = None
    taints: list[TaintSpec] | None = None


class Swap(Wire):
    """Swap of a node (from Kubernetes 1.34)."""

    capacity: Quantity | None = None


class NodeInfo(Wire):
    """What the kubelet says of its node."""

    kubelet_version: str | None = None
    swap: Swap | None = None


class NodeAddress(Wire):
    """An address or host name of a node."""

    type: str = ""
    address: str = ""


class NodeStatus(Wire):
    """Status of a node."""

    allocatable: Quantities | None = None
    capacity: Quantities | None = None
    conditions: list[Condition] | None = None
    node_info: NodeInfo | None = None
    addresses: list[NodeAddress] | None = None


class Node(KubernetesObject):
    """v1 Node."""

    spec: NodeSpec | None = None
    status: NodeStatus | None = None


class Expression(Wire):
    """One entry of matchExpressions or matchFields."""

    key: str
    operator: str = ""
    values: list[str] | None = None


class LabelSelector(Wire):
    """A label selector."""

    match_labels: dict[str, str] | None = None
    match_expressions: list[Expression] | None = None


class NodeSelectorTerm(Wire):
    """One term of a node selector."""

    match_expressions: list[Expression] | None = None
    match_fields: list[Expression] | None = None


class NodeSelector(Wire):
    """A node selector: one of the terms must hold."""

    node_selector_terms: list[NodeSelectorTerm] | None = None


class PreferredTerm(Wire):
    """A preferred node term."""

    weight: Weight = 1
    preference: NodeSelectorTerm | None = None


class NodeAffinity(Wire):
    """Node affinity."""

    required: NodeSelector | None = msgspec.field(default=None, name="requiredDuringSchedulingIgnoredDuringExecution")
    preferred: list[PreferredTerm] | None = msgspec.field(
        default=None, name="preferredDuringSchedulingIgnoredDuringExecution"
    )


class PodAffinityTerm(Wire):
    """A term of pod affinity or anti-affinity."""

    topology_key: str = ""
    label_selector: LabelSelector | None = None
    namespaces: list[str] | None = None
    namespace_selector: LabelSelector | None = None
    match_label_keys: list[str] | None = None
    mismatch_label_keys: list[str] | None = None


class WeightedPodTerm(Wire):
    """A preferred pod term."""

    weight: Weight = 1
    pod_affinity_term: PodAffinityTerm | None = None


class PodAffinity(Wire):
    """Pod affinity or anti-affinity."""

    required: list[PodAffinityTerm] | None = msgspec.field(
        default=None, name="requiredDuringSchedulingIgnoredDuringExecution"
    )
    preferred: list[WeightedPodTerm] | None = msgspec.field(
        default=None, name="preferredDuringSchedulingIgnoredDuringExecution"
    )


class Affinity(Wire):
    """All affinities of a pod."""

    node_affinity: NodeAffinity | None = None
    pod_affinity: PodAffinity | None = None
    pod_anti_affinity: PodAffinity | None = None


class TolerationSpec(Wire):
    """A toleration."""

    key: str | None = None
    operator: str | None = None
    value: str | None = None
    effect: str | None = None


class TopologySpread(Wire):
    """A topology spread constraint."""

    topology_key: str = ""
    max_skew: Positive = 1
    when_unsatisfiable: str | None = None
    label_selector: LabelSelector | None = None
    min_domains: Positive | None = None
    match_label_keys: list[str] | None = None
    node_affinity_policy: str | None = None
    node_taints_policy: str | None = None


class Constraints(Wire, kw_only=True):
    """The part of a spec that a pod and a VMI share: where it may run."""

    node_selector: dict[str, str] | None = None
    affinity: Affinity | None = None
    tolerations: list[TolerationSpec] | None = None
    topology_spread_constraints: list[TopologySpread] | None = None


class Resources(Wire):
    """Requests and limits."""

    requests: Quantities | None = None
    limits: Quantities | None = None


class ContainerPort(Wire):
    """A port of a container."""

    container_port: Port | None = None
    host_port: Port | None = None
    host_ip: str | None = msgspec.field(default=None, name="hostIP")
    protocol: str | None = None


class Container(Wire):
    """A container."""

    name: str = ""
    resources: Resources | None = None
    ports: list[ContainerPort] | None = None
    restart_policy: str | None = None


class ClaimSource(Wire):
    """A volume that a claim stands for."""

    claim_name: str = ""


class Volume(Wire):
    """A volume of a pod."""

    name: str = ""
    persistent_volume_claim: ClaimSource | None = None
    ephemeral: Present | None = None
    empty_dir: Present | None = None
    host_path: Present | None = None


class PodSpec(Constraints):
    """Spec of a pod."""

    node_name: str | None = None
    containers: list[Container] | None = None
    init_containers: list[Container] | None = None
    resources: Resources | None = None
    overhead: Quantities | None = None
    volumes: list[Volume] | None = None
    host_network: bool | None = None
    priority: Int32 | None = None
    priority_class_name: str | None = None


class PodStatus(Wire):
    """Status of a pod."""

    phase: str | None = None
    qos_class: str | None = None
    start_time: str | None = None


class Pod(KubernetesObject):
    """v1 Pod."""

    spec: PodSpec = msgspec.field(default_factory=PodSpec)
    status: PodStatus | None = None


class BudgetSpec(Wire):
    """Spec of a PodDisruptionBudget."""

    selector: LabelSelector | None = None


class BudgetStatus(Wire):
    """Status of a PodDisruptionBudget."""

    disruptions_allowed: Int32 | None = None


class PodDisruptionBudget(KubernetesObject):
    """policy/v1 PodDisruptionBudget; of v1beta1 an empty selector selects nothing."""

    api_version: str | None = None
    spec: BudgetSpec | None = None
    status: BudgetStatus | None = None


class QuotaAmounts(Wire):
    """Spec and status of a ResourceQuota."""

    hard: Quantities | None = None
    used: Quantities | None = None


class ResourceQuota(KubernetesObject):
    """v1 ResourceQuota."""

    spec: QuotaAmounts | None = None
    status: QuotaAmounts | None = None


class Namespace(KubernetesObject):
    """v1 Namespace."""


class VolumeAffinity(Wire):
    """Node affinity of a PersistentVolume."""

    required: NodeSelector | None = None


class ClaimReference(Wire):
    """Which claim a PersistentVolume is bound to."""

    namespace: str | None = None
    name: str | None = None


class PersistentVolumeSpec(Wire):
    """Spec of a PersistentVolume."""

    node_affinity: VolumeAffinity | None = None
    claim_ref: ClaimReference | None = None


class PersistentVolume(KubernetesObject):
    """v1 PersistentVolume."""

    spec: PersistentVolumeSpec | None = None


class ClaimSpec(Wire):
    """Spec of a PersistentVolumeClaim."""

    volume_name: str | None = None


class PersistentVolumeClaim(KubernetesObject):
    """v1 PersistentVolumeClaim."""

    spec: ClaimSpec | None = None


class NodeMetrics(KubernetesObject):
    """metrics.k8s.io NodeMetrics."""

    timestamp: str | None = None
    usage: Quantities | None = None


class ContainerMetrics(Wire):
    """Use of one container."""

    name: str = ""
    usage: Quantities | None = None


class PodMetrics(KubernetesObject):
    """metrics.k8s.io PodMetrics."""

    timestamp: str | None = None
    containers: list[ContainerMetrics] | None = None
