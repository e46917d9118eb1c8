"""The audit as a value: what endangers memory on a cluster, with numbers and remedies, and the figures of every node.

Kind ``AuditReport`` of ``ullage.dev/v1alpha1``; as in a plan, field names are camelCase on the wire, ratios are 0..1, and
``null`` means that the value is not known.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Literal

import msgspec

from descheduler.policy.plan import API_VERSION, PlanNote

KIND: Final = "AuditReport"


class Severity(StrEnum):
    """How urgent a finding is."""

    CRITICAL = "critical"
    """Workloads may die, or wait for memory, now or within the hour."""
    WARNING = "warning"
    """They will if load grows, a node fails or is drained."""
    INFO = "info"
    """Worth knowing; nothing is in danger."""


class _Value(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    pass


class ObjectRef(_Value, frozen=True, order=True):
    """What a finding is said of; a cluster has neither namespace nor name, a node and a namespace have no namespace."""

    kind: Literal["Cluster", "Node", "Namespace"]
    namespace: str = ""
    name: str = ""

    def __str__(self) -> str:
        return f"namespace {self.name}" if self.kind == "Namespace" else self.name or "cluster"


class Finding(_Value, frozen=True):
    """Something that endangers memory, or wastes it.

    Attributes
    ----------
    code
        Stable code of topic ``finding``.
    severity
        How urgent it is.
    subject
        What it is said of (``object`` on the wire).
    text
        One sentence with the numbers.
    numbers
        The same numbers by name, in camelCase with their unit; ``None`` where not known.
    remedy
        What one can do about it.
    members
        The workloads (``namespace/name``) or nodes that are meant, where there are more than the object itself.
    """

    code: str
    severity: Severity
    subject: ObjectRef = msgspec.field(name="object")
    text: str
    numbers: dict[str, float | int | None]
    remedy: str
    members: tuple[str, ...] = ()


class NodeMemory(_Value, frozen=True):
    """What the memory of a node really is, in bytes and ratios; ``None`` where it is not known.

    Attributes
    ----------
    name
        Name of the node.
    allocatable_bytes, working_set_bytes, peak_bytes, requested_bytes
        What pods may use, what is used, what use is expected to reach, and what is requested.
    committed_bytes
        Use if every guest were full.
    swap_bytes, swap_used_bytes, swap_left_bytes
        Swap.
    memory_ratio
        Peak over allocatable.
    worst_case_ratio
        Committed over allocatable and swap.
    overcommit_ratio
        Guests and overhead of the node's VMs over their requests.
    ram_exhausted_seconds, memory_exhausted_seconds
        Time until RAM, and RAM and swap, are used up at the present growth.
    dies_next, oom_next
        The first that the kubelet would evict, and that the kernel would kill, as ``namespace/name``.
    """

    name: str
    allocatable_bytes: int | None
    working_set_bytes: int | None
    peak_bytes: int | None
    requested_bytes: int | None
    committed_bytes: int | None
    swap_bytes: int | None
    swap_used_bytes: int | None
    swap_left_bytes: int | None
    memory_ratio: float | None
    worst_case_ratio: float | None
    overcommit_ratio: float | None
    ram_exhausted_seconds: float | None
    memory_exhausted_seconds: float | None
    dies_next: tuple[str, ...]
    oom_next: tuple[str, ...]


class AuditSummary(_Value, frozen=True):
    """The audit in numbers.

    Attributes
    ----------
    critical, warning, info
        Count of findings.
    nodes, workloads
        Count of what was looked at.
    overcommit_ratio
        Configured guest memory over requested memory.
    bearable_overcommit_ratio, bearable_risk_ratio
        What the measured use would bear, and the share of nodes whose peak would then pass their allocatable memory.
    """

    critical: int
    warning: int
    info: int
    nodes: int
    workloads: int
    overcommit_ratio: float | None = None
    bearable_overcommit_ratio: float | None = None
    bearable_risk_ratio: float | None = None


class AuditSpec(_Value, frozen=True):
    """Empty: an audit asks for nothing."""


class AuditStatus(_Value, frozen=True):
    """What was found: findings by severity, code and object, and nodes by name."""

    observed_at: str
    summary: AuditSummary
    findings: tuple[Finding, ...]
    nodes: tuple[NodeMemory, ...]
    notes: tuple[PlanNote, ...]


class AuditReport(_Value, frozen=True):
    """A complete audit."""

    status: AuditStatus
    spec: AuditSpec = AuditSpec()
    api_version: Literal["ullage.dev/v1alpha1"] = API_VERSION
    kind: Literal["AuditReport"] = KIND
