"""Where workloads stand now, and how many of a set of them stand in each topology domain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ullage.model.arrays import BoolArray, Int32Array, IntArray
from ullage.model.labels import Labels


def holds(rows: Int32Array, row: int) -> bool:
    """Whether ascending `rows` hold `row`."""
    at = int(np.searchsorted(rows, row))
    return at < len(rows) and int(rows[at]) == row


@dataclass(frozen=True, eq=False)
class Domains:
    """The domains that a topology key makes of N nodes.

    Attributes
    ----------
    size
        Number of domains D.
    of_node
        int32 (N,), domain of each node; D where the node does not have the key.
    counted
        int32 (N,), the same, and D also where the workloads of the node do not count.
    """

    size: int
    of_node: Int32Array
    counted: Int32Array

    @classmethod
    def of(cls, labels: Labels, key: str, counting: BoolArray | None = None) -> Domains:
        """Domains of `key`; `counting`, bool (N,), says whose workloads count, default all."""
        codes, vocabulary = labels.codes(key)
        size = len(vocabulary)
        of_node = np.where(codes < 0, size, codes).astype(np.int32)
        counted = of_node if counting is None else np.where(counting, of_node, size).astype(np.int32)
        return cls(size, of_node, counted)

    @cached_property
    def eligible(self) -> BoolArray:
        """Domains with at least one node that counts, bool (D,)."""
        found = np.zeros(self.size + 1, dtype=np.bool_)
        found[self.counted] = True
        return found[: self.size]

    @cached_property
    def outside(self) -> BoolArray:
        """Nodes that do not have the key, bool (N,)."""
        result: BoolArray = self.of_node == self.size
        return result

    def nodes(self, marked: BoolArray) -> BoolArray:
        """Nodes that stand in one of the `marked` domains, bool (N,), from bool (D + 1,); nodes without the key do not."""
        marked[self.size] = False
        result: BoolArray = marked[self.of_node]
        return result


class Incidence:
    """Which of K lists hold a row, for all rows at once, in compressed sparse rows."""

    def __init__(self, lists: Sequence[Int32Array], rows: int) -> None:
        members = np.concatenate([np.empty(0, dtype=np.int32), *lists])
        numbers = np.repeat(np.arange(len(lists)), [len(one) for one in lists])
        self._numbers = numbers[np.argsort(members, kind="stable")]
        self.count: IntArray = np.bincount(members, minlength=rows)
        """int64 (rows,): number of lists that hold the row."""
        self._offsets = np.concatenate([[0], np.cumsum(self.count)])

    def of(self, row: int) -> IntArray:
        """Numbers of the lists that hold `row`, ascending."""
        return self._numbers[self._offsets[row] : self._offsets[row + 1]]


class Tally:
    """How many of `rows` (int32, ascending) stand in each domain; counted when first asked, then kept true by `Bindings`."""

    def __init__(self, domains: Domains, rows: Int32Array, node: Int32Array) -> None:
        self.domains = domains
        self.rows = rows
        self._node = node
        self._counts: IntArray | None = None

    def counts(self, without: int) -> IntArray:
        """Counts with workload `without` taken out, int64 (D + 1,), not to be written; the last is those in no domain."""
        if self._counts is None:
            self._counts = np.bincount(self.domains.counted[self._node[self.rows]], minlength=self.domains.size + 1)
        if not holds(self.rows, without):
            return self._counts
        counts = self._counts.copy()
        counts[self.domains.counted[self._node[without]]] -= 1
        return counts

    def occupied(self, without: int) -> BoolArray:
        """Nodes in whose domain stands one of the rows other than `without`, bool (N,)."""
        return self.domains.nodes(self.counts(without) > 0)

    def shift(self, source: int, target: int) -> None:
        """Take note that one of the rows goes from node `source` to node `target`."""
        if self._counts is not None:
            self._counts[self.domains.counted[source]] -= 1
            self._counts[self.domains.counted[target]] += 1


class Bindings:
    """The node of every workload, with the tallies that depend on it. Mutable."""

    def __init__(self, node: Int32Array) -> None:
        self.node: Int32Array = node.copy()
        """int32 (W,), read only for all others."""
        self._tallies: list[Tally] = []
        self._concerned: Incidence | None = None

    def tally(self, domains: Domains, rows: Int32Array) -> Tally:
        """Tally of `rows` (ascending) that follows all later moves."""
        tally = Tally(domains, rows, self.node)
        self._tallies.append(tally)
        self._concerned = None
        return tally

    def move(self, workload: int, target: int) -> None:
        """Bind `workload` to node `target`."""
        if self._concerned is None:
            self._concerned = Incidence([tally.rows for tally in self._tallies], len(self.node))
        source = int(self.node[workload])
        for number in self._concerned.of(workload):
            self._tallies[number].shift(source, target)
        self.node[workload] = target
