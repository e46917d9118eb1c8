"""What a plan could not know, said once each with numbers and a few names."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from descheduler.policy.goals import Outcome
from descheduler.policy.plan import NodeClass, PlanNote
from descheduler.policy.setting import Setting
from ullage.model.codes import CODES
from ullage.model.measures import Measures, NodeMeasure, WorkloadMeasure
from ullage.model.state import EvictionStrategy, WorkloadFlag, WorkloadKind

_EXAMPLES = 5


def notes_of(given: Setting, outcome: Outcome) -> list[PlanNote]:
    """Notes of the input, of the goal, and on what had to be left unknown or estimated."""
    notes = [PlanNote(n.code, n.text, n.objects) for n in given.state.notes]
    notes += [PlanNote(code, text) for code, text in outcome.remarks]
    return [
        *notes,
        *_unknown(given),
        *_stale(given),
        *_estimated(given),
        *_migratability(given, outcome),
        *_strategy(given, outcome),
    ]


def _unknown(given: Setting) -> list[PlanNote]:
    names = given.state.nodes.name
    unknown = [names[n] for n in given.rows(NodeClass.UNKNOWN)]
    if not unknown:
        return []
    if np.isnan(given.state.nodes.measures.value[:, [NodeMeasure.CPU_MEAN_CORES, NodeMeasure.MEMORY_MEAN_BYTES]]).all():
        return [PlanNote("no-metrics", CODES["no-metrics"].meaning, tuple(unknown[:_EXAMPLES]))]
    text = f"{len(unknown)} of {len(names)} nodes cannot be judged: they are neither source nor destination."
    return [PlanNote("nodes-without-metrics", text, tuple(unknown[:_EXAMPLES]))]


def _stale(given: Setting) -> list[PlanNote]:
    state, limit = given.state, given.config.telemetry.max_age_seconds
    nodes = _old(state.nodes.measures, (NodeMeasure.CPU_MEAN_CORES, NodeMeasure.MEMORY_MEAN_BYTES), limit)
    workloads = _old(
        state.workloads.measures, (WorkloadMeasure.CPU_MEAN_CORES, WorkloadMeasure.MEMORY_MEAN_BYTES), limit
    )
    if not nodes and not workloads:
        return []
    text = (
        f"Measures of {len(nodes)} nodes and {len(workloads)} workloads are older than {limit:.0f} s and were not used."
    )
    names = [state.nodes.name[n] for n in nodes] + [state.workloads.key(w) for w in workloads[:_EXAMPLES]]
    return [PlanNote("stale-metrics", text, tuple(names[:_EXAMPLES]))]


def _old(measures: Measures, columns: Sequence[int], limit_seconds: float) -> list[int]:
    rows: list[int] = np.flatnonzero((measures.age_seconds[:, columns] > limit_seconds).any(axis=1)).tolist()
    return rows


def _estimated(given: Setting) -> list[PlanNote]:
    workloads = given.state.workloads
    guessed = np.flatnonzero(~given.forecast.measured)
    if not len(guessed):
        return []
    what = f"{len(guessed)} of {len(workloads)} workloads have no fresh measured use"
    objects = tuple(workloads.key(w) for w in guessed[:_EXAMPLES])
    return [PlanNote("workloads-estimated", f"{what}; it was estimated on the safe side.", objects)]


def _migratability(given: Setting, outcome: Outcome) -> list[PlanNote]:
    workloads = given.state.workloads
    either = WorkloadFlag.LIVE_MIGRATABLE | WorkloadFlag.NOT_LIVE_MIGRATABLE
    silent = (workloads.kind == WorkloadKind.VMI) & ((workloads.flags & int(either)) == 0)
    asked = [m.workload for m in outcome.moves if silent[m.workload]]
    if not asked:
        return []
    text = f"{len(asked)} of the VMs that are to move do not report whether they can: it must be asked before they do."
    return [PlanNote("migratability-unknown", text, tuple(workloads.key(w) for w in asked[:_EXAMPLES]))]


def _strategy(given: Setting, outcome: Outcome) -> list[PlanNote]:
    state, workloads = given.state, given.state.workloads
    if state.kubevirt is not None and state.kubevirt.version:
        return []
    unset = (workloads.kind == WorkloadKind.VMI) & (workloads.eviction_strategy == EvictionStrategy.UNSET)
    asked = [m.workload for m in outcome.moves if unset[m.workload]]
    if not asked:
        return []
    text = (
        f"{len(asked)} of the VMs that are to move name no eviction strategy, and the version of KubeVirt is not known: only a "
        "migration to a named node (KubeVirt 1.6) is safe for them, an eviction might stop them."
    )
    return [PlanNote("eviction-strategy-unknown", text, tuple(workloads.key(w) for w in asked[:_EXAMPLES]))]
