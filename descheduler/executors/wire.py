"""The objects that moves are about, as the API server has them now: the few fields that executors look at."""

from __future__ import annotations

import math
from typing import Final, TypeVar
from urllib.parse import quote

import msgspec

from descheduler.executors.port import Step
from ullage.sources.kube_api.connection import Connection, Params
from ullage.sources.kube_api.errors import NotFoundError, UnreadableError
from ullage.sources.objects import Condition, Quantity, Wire
from ullage.sources.wire_values import amount, seconds

KUBEVIRT: Final = "/apis/kubevirt.io/v1"
SUBRESOURCES: Final = "/apis/subresources.kubevirt.io/v1"
HOSTNAME: Final = "kubernetes.io/hostname"
MACHINES: Final = "virtualmachineinstances"
MIGRATIONS: Final = "virtualmachineinstancemigrations"
ENDED: Final = ("Succeeded", "Failed")
"""Phases after which nothing comes; the same for pods, VMIs and migrations."""

T = TypeVar("T")


class Meta(Wire):
    """Names, labels and annotations."""

    name: str = ""
    uid: str = ""
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    annotations: dict[str, str] = msgspec.field(default_factory=dict)


class Thing(Wire, kw_only=True):
    """What every object has."""

    metadata: Meta

    @property
    def is_going(self) -> bool:
        """Whether it is being deleted."""
        return bool(self.metadata.deletion_timestamp)


class PodSpec(Wire):
    """Spec of a pod."""

    node_name: str = ""


class PhaseStatus(Wire):
    """Status of what has a phase."""

    phase: str = ""


class Pod(Thing):
    """v1 Pod."""

    spec: PodSpec = msgspec.field(default_factory=PodSpec)
    status: PhaseStatus = msgspec.field(default_factory=PhaseStatus)


class NodeSpec(Wire):
    """Spec of a node."""

    unschedulable: bool = False


class Node(Thing):
    """v1 Node."""

    spec: NodeSpec = msgspec.field(default_factory=NodeSpec)


class Limits(Wire):
    """Limits that a migration runs under."""

    completion_timeout_per_gib_seconds: float | None = msgspec.field(default=None, name="completionTimeoutPerGiB")


class MigrationState(Wire):
    """State of the last or present live migration of a VMI."""

    start_timestamp: str | None = None
    end_timestamp: str | None = None
    target_node: str = ""
    failed: bool = False
    abort_requested: bool = False
    failure_reason: str = ""
    mode: str = ""
    migration_configuration: Limits | None = None

    @property
    def is_under_way(self) -> bool:
        """Whether it has begun and has not ended, as KubeVirt computes it."""
        return bool(self.start_timestamp) and not self.end_timestamp

    @property
    def took_seconds(self) -> float:
        """How long it took; NaN if that is not known."""
        return seconds(self.end_timestamp) - seconds(self.start_timestamp)


class Guest(Wire):
    """Memory that a guest is to have."""

    guest: Quantity | None = None


class Domain(Wire):
    """The machine that a guest sees."""

    memory: Guest | None = None


class MachineSpec(Wire):
    """Spec of a VirtualMachineInstance."""

    eviction_strategy: str | None = None
    domain: Domain = msgspec.field(default_factory=Domain)


class MachineMemory(Wire):
    """Memory of a guest as it runs."""

    guest_current: Quantity | None = None


class MachineStatus(Wire):
    """Status of a VirtualMachineInstance."""

    phase: str = ""
    node_name: str = ""
    evacuation_node_name: str = ""
    conditions: list[Condition] = msgspec.field(default_factory=list)
    migration_state: MigrationState | None = None
    memory: MachineMemory | None = None


class Machine(Thing):
    """kubevirt.io/v1 VirtualMachineInstance."""

    spec: MachineSpec = msgspec.field(default_factory=MachineSpec)
    status: MachineStatus = msgspec.field(default_factory=MachineStatus)

    @property
    def state(self) -> MigrationState:
        """State of its migration; an empty one if there was none."""
        return self.status.migration_state or MigrationState()

    @property
    def is_evacuating(self) -> bool:
        """Whether KubeVirt moves it off the node where it is; a mark of another node is left over."""
        return bool(self.status.evacuation_node_name) and self.status.evacuation_node_name == self.status.node_name

    @property
    def guest_bytes(self) -> float:
        """Memory of the guest; NaN if that is not known."""
        now, wanted = self.status.memory, self.spec.domain.memory
        known = (amount(now.guest_current) if now else math.nan, amount(wanted.guest) if wanted else math.nan)
        return next((value for value in known if value > 0), math.nan)


class MigrationSpec(Wire):
    """Spec of a VirtualMachineInstanceMigration."""

    vmi_name: str = ""
    added_node_selector: dict[str, str] = msgspec.field(default_factory=dict)


class MigrationStatus(Wire):
    """Status of a VirtualMachineInstanceMigration."""

    phase: str = ""
    migration_state: MigrationState | None = None


class Migration(Thing):
    """kubevirt.io/v1 VirtualMachineInstanceMigration."""

    spec: MigrationSpec = msgspec.field(default_factory=MigrationSpec)
    status: MigrationStatus = msgspec.field(default_factory=MigrationStatus)

    @property
    def state(self) -> MigrationState:
        """What it says of its course; an empty state if it says nothing yet."""
        return self.status.migration_state or MigrationState()


class Migrations(Wire):
    """A list of them."""

    items: list[Migration] = msgspec.field(default_factory=list)


class KubeVirtConfiguration(Wire):
    """Configuration of KubeVirt."""

    eviction_strategy: str | None = None


class KubeVirtSpec(Wire):
    """Spec of the KubeVirt object."""

    configuration: KubeVirtConfiguration = msgspec.field(default_factory=KubeVirtConfiguration)


class KubeVirt(Wire):
    """kubevirt.io/v1 KubeVirt."""

    spec: KubeVirtSpec = msgspec.field(default_factory=KubeVirtSpec)


class KubeVirts(Wire):
    """All KubeVirt objects: there is one."""

    items: list[KubeVirt] = msgspec.field(default_factory=list)


def path(prefix: str, *parts: str) -> str:
    """Path of an object; names cannot lead out of it, whoever wrote them into a plan."""
    return "/".join((prefix, *(quote(part, safe="") for part in parts)))


def namespaced(prefix: str, namespace: str, *parts: str) -> str:
    """Path of an object in a namespace, such as ``pods``, ``web-1``."""
    return path(prefix, "namespaces", namespace, *parts)


def machine_path(step: Step) -> str:
    """Path of the VM of a move."""
    return namespaced(KUBEVIRT, step.move.workload.namespace, MACHINES, step.move.workload.name)


def read(connection: Connection, target: str, kind: type[T], params: Params | None = None) -> T | None:
    """What stands at a path; ``None`` if the API server says that there is nothing.

    Raises
    ------
    KubeError
        It could not be asked, or the answer cannot be read.
    """
    try:
        return decoded(connection.get(target, params or {}), kind)
    except NotFoundError as error:
        if error.reason == "NotFound":
            return None
        raise  # a proxy's


def decoded(body: bytes, kind: type[T]) -> T:
    """An object from its bytes; raises `UnreadableError`."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise UnreadableError(f"a reply that cannot be read: {error}") from error
