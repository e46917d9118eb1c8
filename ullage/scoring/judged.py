"""What a demand comes to on every node, kept from one question to the next and followed as pods are assumed.

kube-scheduler asks twice about a pod, and about pods that are alike one after the other. On one generation, what is answered
for a node depends on the demand and on what is assumed on that node, and on nothing else. So both verbs are columns over all
nodes, and an answer is a gather. Rows on which something else is assumed now are computed again once one of them is asked
for. The last answer is kept, too, and is given again, as the same object, if the same rows are asked for and nothing about
them has changed. All of it is the same, bit for bit, as if every row were computed anew.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from ullage.model.arrays import BoolArray, Int16Array, IntArray
from ullage.scoring.columns import Float32Array, NodeView
from ullage.scoring.combine import combine, combine_all, graded, reject, weighted
from ullage.scoring.demand import Demand
from ullage.scoring.landing import NOTHING, Assumed, Landing
from ullage.scoring.registry import FILTERS

_MOST_COLUMNS: Final = 2**14
"""A question about a few rows of a larger view is not worth a column."""
_MOST_DEMANDS: Final = 64


class _Given(NamedTuple):
    """The last answer, and the array of rows that it is for."""

    rows: IntArray
    answer: Int16Array


class Judged:
    """Both verbs for one demand on one view, which are always given with a question.

    It does not hold the view, which holds it: a cycle would keep views alive.
    """

    def __init__(self) -> None:
        self._codes: Int16Array | None = None
        self._scores: Float32Array | None = None
        self._asked: set[str] = set()
        self._reasons: dict[int, str] = {}
        self._counted = NOTHING
        self._pending = NOTHING
        self._changed: IntArray = NOTHING.rows
        self._is_changed: BoolArray | None = None
        self._late: list[IntArray] = []
        """Rows whose scores are older than their codes: filter does not wait for them."""
        self._given_codes: _Given | None = None
        self._given_grades: _Given | None = None

    def codes(self, view: NodeView, demand: Demand, assumed: Assumed, rows: IntArray) -> Int16Array:
        """As the function `codes`."""
        if self._codes is None and self._is_first("codes", view, rows):
            return reject(Landing(view, demand, assumed, rows))
        self._count(view, demand, assumed, rows)
        if self._codes is None:
            self._codes = reject(Landing(view, demand, self._counted))
        if self._given_codes is None or self._given_codes.rows is not rows:
            self._given_codes = _given(rows, self._codes.take(rows, mode="wrap"))
        return self._given_codes.answer

    def scores(self, view: NodeView, demand: Demand, assumed: Assumed, rows: IntArray) -> Float32Array:
        """As the function `scores`."""
        if self._scores is None and self._is_first("scores", view, rows):
            return combine(view, demand, assumed, rows)
        self._count(view, demand, assumed, rows)
        return self._settled(view, demand).take(rows, mode="wrap")

    def grades(self, view: NodeView, demand: Demand, assumed: Assumed, rows: IntArray) -> Int16Array:
        """As the function `grades`."""
        if self._scores is not None:
            self._count(view, demand, assumed, rows)
            if self._given_grades is not None and self._given_grades.rows is rows:
                return self._given_grades.answer
        answer = graded(view, self.scores(view, demand, assumed, rows), rows)
        self._given_grades = _given(rows, answer) if self._scores is not None else None
        return answer

    def catch_up(self, view: NodeView, demand: Demand, assumed: Assumed) -> None:
        """As the function `catch_up`."""
        if assumed is not self._counted and assumed is not self._pending:
            self._compare(assumed, len(view) + 1)
        if self._scores is not None and self._late:
            self._settled(view, demand)
        if self._is_changed is not None:
            self._count(view, demand, assumed, self._changed, at_once=True)

    def reasons(self, view: NodeView, demand: Demand, assumed: Assumed, rows: IntArray, codes: Int16Array) -> list[str]:
        """As the function `reasons`."""
        self._count(view, demand, assumed, rows)
        known, asked = self._reasons, rows.tolist()
        missing = np.array([position for position, row in enumerate(asked) if row not in known], dtype=np.int64)
        if len(missing):
            told = _told(view, demand, assumed, rows[missing], codes[missing])
            known.update(zip(rows[missing].tolist(), told, strict=True))
        return list(map(known.__getitem__, asked))

    def _is_first(self, verb: str, view: NodeView, rows: IntArray) -> bool:
        """Whether it is about few rows and nothing was asked about a pod like this before: many pods are the only one."""
        is_first = verb not in self._asked and 2 * len(rows) < len(view)
        self._asked.add(verb)
        return is_first

    def _count(
        self, view: NodeView, demand: Demand, assumed: Assumed, rows: IntArray, *, at_once: bool = False
    ) -> None:
        """Make what is kept of some rows that of `assumed`, their scores `at_once` or when they are asked for."""
        if assumed is self._counted:
            return
        if assumed is not self._pending:
            self._compare(assumed, len(view) + 1)
        if self._is_changed is None:
            self._codes, self._scores, self._counted = None, None, assumed
            self._given_codes, self._given_grades = None, None
            self._reasons.clear()
            self._late.clear()
        elif self._is_changed.take(rows, mode="wrap").any():
            self._update(Landing.on_assumed(view, demand, assumed, self._changed), self._changed, at_once=at_once)
            self._counted = assumed

    def _settled(self, view: NodeView, demand: Demand) -> Float32Array:
        """Scores of all rows."""
        late, self._late = self._late, []
        if self._scores is None:
            self._scores = combine_all(view, demand, self._counted)
        elif late:
            rows = np.concatenate(late)
            self._scores[rows] = weighted(Landing.on_assumed(view, demand, self._counted, rows))
        return self._scores

    def _compare(self, assumed: Assumed, size: int) -> None:
        """Find out which rows are to be computed again if they are asked for."""
        self._pending, self._is_changed = assumed, None
        changed = assumed.changed_since(self._counted)
        if changed is not None and (self._codes is not None or self._scores is not None):
            self._changed, self._is_changed = np.array(changed, dtype=np.int64), np.zeros(size, dtype=np.bool_)
            self._is_changed[self._changed] = True

    def _update(self, at: Landing, rows: IntArray, *, at_once: bool) -> None:
        if self._codes is not None:
            codes = reject(at)
            # of a node that is rejected still, the reason may be another one now
            if codes.any() or self._codes[rows].any():
                self._given_codes = None
            self._codes[rows] = codes
        if self._scores is not None:
            if at_once:
                self._scores[rows] = weighted(at)
            else:
                self._late.append(rows)
            self._given_grades = None
        for row in rows.tolist():
            self._reasons.pop(row, None)


def _given(rows: IntArray, answer: Int16Array) -> _Given:
    answer.flags.writeable = False
    return _Given(rows, answer)


def judged(view: NodeView, demand: Demand, rows: IntArray) -> Judged | None:
    """The columns of a demand; ``None`` if they are not worth it for a question about these rows."""
    size = len(view) + 1
    if size > _MOST_COLUMNS and 2 * len(rows) < size:
        return None
    found = view.judged.get(demand)
    if found is None:
        if len(view.judged) >= _MOST_DEMANDS:
            del view.judged[next(iter(view.judged))]
        found = view.judged[demand] = Judged()
    return found


def catch_up(view: NodeView, demand: Demand, assumed: Assumed) -> None:
    """Compute what is kept of a demand again, where something else is assumed now, before somebody asks for it."""
    columns = view.judged.get(demand)
    if columns is not None:
        columns.catch_up(view, demand, assumed)


def codes(view: NodeView, demand: Demand, assumed: Assumed, rows: IntArray) -> Int16Array:
    """Index into the view's codes of the first filter that rejects each row, int16 (n,); 0 is kept.

    Where the same array is returned as before for the same array of rows, the reasons are those of before, too.

    Parameters
    ----------
    view, demand, assumed
        The nodes, the pod, and what others add.
    rows
        int64 (n,), -1 for a name that is not known, which no filter rejects.
    """
    columns = judged(view, demand, rows)
    if columns is not None:
        return columns.codes(view, demand, assumed, rows)
    return reject(Landing(view, demand, assumed, rows))


def scores(view: NodeView, demand: Demand, assumed: Assumed, rows: IntArray) -> Float32Array:
    """As `ullage.scoring.combine.combine`."""
    columns = judged(view, demand, rows)
    if columns is not None:
        return columns.scores(view, demand, assumed, rows)
    return combine(view, demand, assumed, rows)


def grades(view: NodeView, demand: Demand, assumed: Assumed, rows: IntArray) -> Int16Array:
    """`ullage.scoring.combine.graded` of the scores; `rows` are one at least."""
    columns = judged(view, demand, rows)
    if columns is not None:
        return columns.grades(view, demand, assumed, rows)
    return graded(view, combine(view, demand, assumed, rows), rows)


def reasons(view: NodeView, demand: Demand, assumed: Assumed, rows: IntArray, codes: Int16Array) -> list[str]:
    """Why rows are rejected: of each its code and the numbers.

    Parameters
    ----------
    view, demand, assumed
        The nodes, the pod, and what others add.
    rows, codes
        int64 (k,), rows, and int16 (k,), what `codes` says of them, none 0.
    """
    columns = judged(view, demand, rows)
    if columns is not None:
        return columns.reasons(view, demand, assumed, rows, codes)
    return _told(view, demand, assumed, rows, codes)


def _told(view: NodeView, demand: Demand, assumed: Assumed, rows: IntArray, codes: Int16Array) -> list[str]:
    told = [""] * len(rows)
    for code in np.flatnonzero(np.bincount(codes)).tolist():
        positions = np.flatnonzero(codes == code)
        found = FILTERS[code - 1].reasons(Landing(view, demand, assumed, rows[positions]))
        for position, reason in zip(positions.tolist(), found, strict=True):
            told[position] = f"{view.codes[code]}: {reason}"
    return told
