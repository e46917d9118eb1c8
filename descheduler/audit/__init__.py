"""What endangers memory on a cluster: rules, their findings, and the figures of every node. Pure, as the policy is."""

from descheduler.audit.examine import audit
from descheduler.audit.findings import AuditReport, Finding, NodeMemory, ObjectRef, Severity

__all__ = ["AuditReport", "Finding", "NodeMemory", "ObjectRef", "Severity", "audit"]
