"""Required pod affinity and anti-affinity (plugin InterPodAffinity of kube-scheduler)."""

from __future__ import annotations

from functools import reduce

import numpy as np

from ullage.model.arrays import BoolArray, Int32Array
from ullage.model.placement import PodTerm
from ullage.scoring.feasibility.context import Context
from ullage.scoring.feasibility.counts import Incidence, Tally, holds


class PodAffinity:
    """Nodes in whose domains stands no workload that meets all terms.

    The node must have all topology keys. A workload that meets its own terms may be the first one anywhere.
    """

    code = "pod-affinity"

    def __init__(self, context: Context) -> None:
        self._placement = context.state.workloads.placement
        wanted = [placement.affinity for placement in context.state.placements]
        self.concerned: BoolArray = np.array([bool(terms) for terms in wanted], dtype=np.bool_)[self._placement]
        groups = {terms: _company(context, terms) for terms in dict.fromkeys(wanted) if terms}
        self._company = [groups.get(terms, ()) for terms in wanted]

    def rejects(self, workload: int) -> BoolArray:
        """Nodes that this rule rejects, bool (N,)."""
        company = self._company[int(self._placement[workload])]
        result: BoolArray = reduce(np.logical_or, [tally.domains.outside for tally in company])
        alone = not any(tally.counts(workload)[:-1].any() for tally in company)
        if alone and holds(company[0].rows, workload):
            return result
        return reduce(np.logical_or, [~tally.occupied(workload) for tally in company], result)


def _company(context: Context, terms: tuple[PodTerm, ...]) -> tuple[Tally, ...]:
    """Tallies, one per topology key, of the workloads that meet all terms."""
    rows: Int32Array = reduce(np.intersect1d, [context.pods.matched(term) for term in terms])
    keys = dict.fromkeys(term.topology_key for term in terms)
    return tuple(context.bindings.tally(context.domains(key), rows) for key in keys)


class PodAntiAffinity:
    """Nodes in whose domain stands a workload that this one keeps away from, or that keeps away from this one."""

    code = "pod-anti-affinity"

    def __init__(self, context: Context) -> None:
        self._placement = context.state.workloads.placement
        carriers: dict[PodTerm, list[int]] = {}
        for row, placement in enumerate(context.state.placements):
            for term in dict.fromkeys(placement.anti_affinity):
                carriers.setdefault(term, []).append(row)
        self._shunned = [_tally(context, term, context.pods.matched(term)) for term in carriers]
        self._carriers = [_tally(context, term, context.pods.placed(rows)) for term, rows in carriers.items()]
        number = {term: i for i, term in enumerate(carriers)}
        self._own = [[number[term] for term in p.anti_affinity] for p in context.state.placements]
        self._against = Incidence([tally.rows for tally in self._shunned], len(context.state.workloads))
        own = np.array([bool(terms) for terms in self._own], dtype=np.bool_)
        self.concerned: BoolArray = own[self._placement] | (self._against.count > 0)

    def rejects(self, workload: int) -> BoolArray:
        """Nodes that this rule rejects, bool (N,)."""
        own = [self._shunned[number] for number in self._own[int(self._placement[workload])]]
        theirs = [self._carriers[number] for number in self._against.of(workload)]
        return reduce(np.logical_or, [tally.occupied(workload) for tally in (*own, *theirs)])


def _tally(context: Context, term: PodTerm, rows: Int32Array) -> Tally:
    return context.bindings.tally(context.domains(term.topology_key), rows)
