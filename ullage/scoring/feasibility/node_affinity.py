"""Node selectors and required node affinity (plugin NodeAffinity of kube-scheduler), with bound volumes as further terms."""

from __future__ import annotations

import numpy as np

from ullage.model.arrays import BoolArray
from ullage.model.labels import Requirement
from ullage.model.placement import NodeTerm, Placement
from ullage.model.state import NodeColumns

_NAME = "metadata.name"


class NodeSelector:
    """Nodes without a label of the node selector."""

    code = "node-selector"

    def __init__(self, nodes: NodeColumns) -> None:
        self._labels = nodes.labels

    def rejects(self, placement: Placement) -> BoolArray:
        """Nodes that this rule rejects, bool (N,)."""
        return ~self._labels.match(placement.node_selector)


class NodeAffinity:
    """Nodes that meet no term of one of the lists of terms; a list without terms is met by no node."""

    code = "node-affinity"

    def __init__(self, nodes: NodeColumns) -> None:
        self._labels = nodes.labels
        self._row = {name: row for row, name in enumerate(nodes.name)}

    def rejects(self, placement: Placement) -> BoolArray:
        """Nodes that this rule rejects, bool (N,)."""
        result = np.zeros(len(self._labels), dtype=np.bool_)
        for terms in placement.node_terms:
            met = np.zeros_like(result)
            for term in terms:
                met |= self.match(term)
            result |= ~met
        return result

    def match(self, term: NodeTerm) -> BoolArray:
        """Nodes that meet one term, bool (N,); a term without requirements is met by no node."""
        if not term.labels and not term.fields:
            return np.zeros(len(self._labels), dtype=np.bool_)
        result = self._labels.match(term.labels)
        for requirement in term.fields:
            result &= self._match_field(requirement)
        return result

    def _match_field(self, requirement: Requirement) -> BoolArray:
        named = np.zeros(len(self._labels), dtype=np.bool_)
        if requirement.key != _NAME or requirement.operator not in ("In", "NotIn"):
            return named
        named[[self._row[name] for name in requirement.values if name in self._row]] = True
        return named if requirement.operator == "In" else ~named
