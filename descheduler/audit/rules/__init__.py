"""The rules of the audit: each one is a function from the context to its findings, and one line here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from descheduler.audit.context import Context
from descheduler.audit.findings import Finding
from descheduler.audit.rules.cluster import no_spare_node, over_reserved, overcommit_room, overcommit_too_high
from descheduler.audit.rules.eviction import drain_blocked, eviction_kills, migration_would_fail, quota_blocks_migration
from descheduler.audit.rules.measured import metrics_missing, psi_off
from descheduler.audit.rules.nodes import high_priority_first, ksm_debt, system_reserved_small
from descheduler.audit.rules.pressure import (
    eviction_near,
    exhaustion_near,
    memory_over,
    memory_pressure,
    memory_stalled,
    swap_nearly_full,
    swap_storm,
)
from descheduler.audit.rules.settings import (
    best_effort_pod,
    guaranteed_vm,
    memory_limit_set,
    memory_limit_tight,
    own_memory_request,
)
from descheduler.audit.rules.swap import (
    control_plane_swap,
    share_too_small,
    swap_missing,
    swap_too_small,
    swap_unknown,
    worst_case_unfit,
)

Rule: TypeAlias = Callable[[Context], Iterator[Finding]]

RULES: Final[tuple[Rule, ...]] = (
    memory_pressure,
    eviction_near,
    exhaustion_near,
    memory_stalled,
    swap_storm,
    swap_nearly_full,
    memory_over,
    worst_case_unfit,
    swap_missing,
    swap_too_small,
    swap_unknown,
    control_plane_swap,
    ksm_debt,
    system_reserved_small,
    high_priority_first,
    no_spare_node,
    overcommit_too_high,
    eviction_kills,
    drain_blocked,
    migration_would_fail,
    quota_blocks_migration,
    memory_limit_tight,
    memory_limit_set,
    own_memory_request,
    share_too_small,
    guaranteed_vm,
    best_effort_pod,
    over_reserved,
    overcommit_room,
    metrics_missing,
    psi_off,
)
"""All rules; the code of a rule's findings is its name with hyphens."""
