"""What a demand comes to on every node, kept from one question to the next and followed as pods are assumed.

kube-scheduler asks twice about a pod, and about pods that are alike one after the other. On one generation, what is answered
for a node depends on the demand and on what is assumed on that node, and on nothing else. So both verbs are columns over all
nodes, and an answer is a gather. What the next pod of a burst changes is nearly always the same: one more pod like this on one
node. That is computed for all nodes at once, and taken over, row by row, when it comes true. Rows on which anything else has
happened are computed again once one of them is asked for. The last answer is kept, too, and is given again, as the same
object, as long as the same rows are asked for and no change of it was taken over or computed. All of it is the same, bit for
bit, as if every row were computed anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from ullage.model.arrays import FloatArray, Int16Array, IntArray
from ullage.scoring.assumed import NOTHING, Amounts, Assumed, Change
from ullage.scoring.columns import Float32Array, NodeView, Room
from ullage.scoring.combine import combine, combine_all, graded, reject, weighted
from ullage.scoring.demand import Demand
from ullage.scoring.landing import Landing
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
        self._asked: set[str] = set()
        self._codes: Int16Array | None = None
        self._scores: Float32Array | None = None
        self._reasons: dict[int, str] = {}
        self._given_codes: _Given | None = None
        self._given_grades: _Given | None = None
        self._seen = NOTHING
        self._stale: dict[int, Amounts] = {}
        """Rows whose columns are older than what was seen, and what is assumed on them."""
        self._looks_ahead = False
        self._next_codes: Int16Array = np.zeros(0, dtype=np.int16)
        self._next_scores: Float32Array = np.zeros(0, dtype=np.float32)
        self._spent: dict[int, Amounts] = {}
        """Rows of which the next is not known, and what is assumed on them."""

    def codes(self, view: NodeView, demand: Demand, assumed: Assumed, rows: IntArray) -> Int16Array:
        """As the function `codes`."""
        if self._codes is None and self._is_first("codes", view, rows):
            return reject(Landing(view, demand, assumed, rows))
        self._follow(view, demand, assumed, rows)
        if self._codes is None:
            self._codes, self._looks_ahead = reject(Landing(view, demand, assumed)), False
        if self._given_codes is None or self._given_codes.rows is not rows:
            self._given_codes = _given(rows, self._codes.take(rows, mode="wrap"))
        return self._given_codes.answer

    def scores(self, view: NodeView, demand: Demand, assumed: Assumed, rows: IntArray) -> Float32Array:
        """As the function `scores`."""
        if self._scores is None and self._is_first("scores", view, rows):
            return combine(view, demand, assumed, rows)
        self._follow(view, demand, assumed, rows)
        if self._scores is None:
            self._scores, self._looks_ahead = combine_all(view, demand, assumed), False
        return self._scores.take(rows, mode="wrap")

    def grades(self, view: NodeView, demand: Demand, assumed: Assumed, rows: IntArray) -> Int16Array:
        """As the function `grades`."""
        if self._scores is not None:
            self._follow(view, demand, assumed, rows)
            if self._given_grades is not None and self._given_grades.rows is rows:
                return self._given_grades.answer
        answer = graded(view, self.scores(view, demand, assumed, rows), rows)
        self._given_grades = _given(rows, answer) if self._scores is not None else None
        return answer

    def reasons(self, view: NodeView, demand: Demand, assumed: Assumed, rows: IntArray, codes: Int16Array) -> list[str]:
        """As the function `reasons`."""
        self._follow(view, demand, assumed, rows)
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

    def _follow(self, view: NodeView, demand: Demand, assumed: Assumed, rows: IntArray) -> None:
        """Make what is kept of some rows that of `assumed`."""
        if assumed is not self._seen:
            changes, self._seen = assumed.changed_since(self._seen), assumed
            if changes is None or (self._codes is None and self._scores is None):
                self._forget()
            else:
                self._change(changes, demand.amounts)
        if self._stale and self._is_any_stale(rows, len(view) + 1):
            self._compute_again(view, demand)

    def _forget(self) -> None:
        self._codes, self._scores, self._looks_ahead = None, None, False
        self._given_codes, self._given_grades = None, None
        self._stale.clear()
        self._reasons.clear()

    def _change(self, changes: Sequence[Change], one_more: Amounts) -> None:
        """Step where one more pod like this was added and the next is known; other rows are stale now."""
        for row, amounts, added in changes:
            if self._looks_ahead and added == one_more and row not in self._spent:
                self._step(row)
            else:
                self._stale[row] = amounts
            self._spent[row] = amounts
            self._reasons.pop(row, None)

    def _step(self, row: int) -> None:
        if self._codes is not None:
            code = self._next_codes.item(row)
            # of a node that is rejected still, the reason may be another one now
            if code or self._codes.item(row):
                self._given_codes = None
            self._codes[row] = code
        if self._scores is not None:
            self._scores[row], self._given_grades = self._next_scores.item(row), None

    def _is_any_stale(self, rows: IntArray, size: int) -> bool:
        stale = np.zeros(size, dtype=np.bool_)
        stale[[*self._stale]] = True
        return bool(stale.take(rows, mode="wrap").any())

    def _compute_again(self, view: NodeView, demand: Demand) -> None:
        """Compute what is stale, and in the same go the next of all rows of which it is not known."""
        now, (spent, on_spent) = np.array([*self._stale]), self._unknown_next(len(view) + 1)
        amounts = np.concatenate([[*self._stale.values()], on_spent + demand.amounts])
        at, count = Landing.beside(view, demand, np.concatenate([now, spent]), amounts), len(now)
        if self._codes is not None:
            codes = reject(at)
            if codes[:count].any() or self._codes[now].any():
                self._given_codes = None
            self._codes[now], self._next_codes[spent] = codes[:count], codes[count:]
        if self._scores is not None:
            scores, self._given_grades = weighted(at), None
            self._scores[now], self._next_scores[spent] = scores[:count], scores[count:]
        self._stale.clear()
        self._spent.clear()
        self._looks_ahead = True

    def _unknown_next(self, size: int) -> tuple[IntArray, FloatArray]:
        """Rows of which the next is not known, int64 (k,), and what is assumed on them, float64 (k, 3)."""
        if self._looks_ahead:
            return np.array([*self._spent]), np.array([*self._spent.values()])
        self._next_codes, self._next_scores = np.empty(size, dtype=np.int16), np.empty(size, dtype=np.float32)
        held, totals = np.zeros((size, len(Room))), self._seen.totals
        held[[*totals]] = [*totals.values()]
        return np.arange(size), held


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
