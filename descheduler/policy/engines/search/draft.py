"""The draft of a search's columns, which terms write into one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np

from descheduler.policy.engines.search.columns import WIDTH, Absence, Columns, Groups, Lanes
from descheduler.policy.engines.search.schedule import lane_prices
from ullage.model.arrays import BoolArray, FloatArray, Int32Array, IntArray

NO_LIMIT: Final = 2**31 - 1


@dataclass(frozen=True, eq=False)
class Quantity:
    """Something that is summed per node.

    Attributes
    ----------
    start
        float64 (N,), sum with every workload at home, and with whatever never moves.
    leaving, landing
        float64 (W,), what a workload brings to its home, and to any other node; may be one array.
    """

    start: FloatArray
    leaving: FloatArray
    landing: FloatArray

    @classmethod
    def counted(cls, demand: FloatArray, home: IntArray, nodes: int) -> Quantity:
        """Quantity of which a workload brings the same everywhere, and of which there is nothing else."""
        return cls(np.bincount(home, weights=demand, minlength=nodes).astype(np.float64), demand, demand)


@dataclass(eq=False)
class _LaneDraft:
    quantity: Quantity
    limit: FloatArray | None = None
    held: bool = False
    threshold: FloatArray | None = None
    hinge: FloatArray | float = 0.0
    square: FloatArray | float = 0.0


@dataclass(eq=False)
class Draft:
    """Columns in the making.

    Attributes
    ----------
    home
        int (W,).
    nodes
        Number N of nodes.
    group
        int (W,), group of each workload, -1 without one; `groups` is the number of groups.
    movable
        bool (W,); all, if ``None``.
    fee, travel, place_class, open_to, crew, quota, crew_fee, most_away, site, zone
        As in `Columns` and its parts; terms set them.
    apart, least_sites, asks
        Per group; ``asks[g]`` are the groups that g needs.
    """

    home: IntArray
    nodes: int
    group: IntArray
    groups: int
    movable: BoolArray | None = None
    lanes: list[_LaneDraft] = field(default_factory=list)
    fee: FloatArray | None = None
    travel: FloatArray | None = None
    place_class: IntArray | None = None
    open_to: BoolArray | None = None
    crew: IntArray | None = None
    quota: IntArray | None = None
    crew_fee: float = 0.0
    most_away: int = NO_LIMIT
    site: IntArray | None = None
    zone: IntArray | None = None
    apart: BoolArray | None = None
    least_sites: IntArray | None = None
    asks: Sequence[IntArray] = ()

    def limit(self, quantity: Quantity, limit: FloatArray, *, held: bool) -> None:
        """Keep the sum of `quantity` within `limit`; what is `held` counts at home until all moves are done."""
        lane = self._lane(quantity, taken="limit")
        lane.limit, lane.held = limit, held

    def charge(
        self,
        quantity: Quantity,
        threshold: FloatArray,
        *,
        hinge: FloatArray | float = 0.0,
        square: FloatArray | float = 0.0,
    ) -> None:
        """Cost of `hinge` per unit above `threshold`, and of `square` per squared distance from it; per node, or of all."""
        lane = self._lane(quantity, taken="threshold")
        lane.threshold, lane.hinge, lane.square = threshold, hinge, square

    def _lane(self, quantity: Quantity, taken: str) -> _LaneDraft:
        """The lane of `quantity` in which `taken` is still free, else a new one."""
        for lane in self.lanes:
            if lane.quantity is quantity and getattr(lane, taken) is None:
                return lane
        self.lanes.append(_LaneDraft(quantity))
        return self.lanes[-1]

    def columns(self) -> Columns:
        """The columns of all terms so far."""
        lanes = self._lanes()
        prices = lane_prices(lanes)
        order = _Order.by(np.abs(lanes.landing) @ prices, self.home, self.movable)
        return Columns(
            lanes=lanes,
            groups=_groups(self),
            absence=self._absence(np.abs(lanes.landing) @ (prices * (1.0 - lanes.frees))),
            home=self.home.astype(np.int32),
            by_size=order.by_size,
            kin=order.kin,
            kin_rank=order.kin_rank,
            place_class=_index(self.place_class, len(self.home)),
            open_to=np.ones((1, self.nodes), dtype=np.bool_) if self.open_to is None else self.open_to,
        )

    def _lanes(self) -> Lanes:
        lanes, width = self.lanes, -(-len(self.lanes) // WIDTH) * WIDTH
        landing = _side_by_side([x.quantity.landing for x in lanes], len(self.home), width)
        same = all(x.quantity.leaving is x.quantity.landing for x in lanes)
        square = _side_by_side([x.square for x in lanes], self.nodes, width)
        return Lanes(
            width=(0,) * width,
            curved=(0,) if square.any() else (),
            start=_side_by_side([x.quantity.start for x in lanes], self.nodes, width),
            leaving=landing if same else _side_by_side([x.quantity.leaving for x in lanes], len(self.home), width),
            landing=landing,
            frees=_padded([float(not x.held) for x in lanes], width),
            threshold=_side_by_side([_given(x.threshold, self.nodes, 0.0) for x in lanes], self.nodes, width),
            limit=_side_by_side([_given(x.limit, self.nodes, np.inf) for x in lanes], self.nodes, width, np.inf),
            hinge=_side_by_side([x.hinge for x in lanes], self.nodes, width),
            square=square,
        )

    def _absence(self, rent: FloatArray) -> Absence:
        return Absence(
            fee=_given(self.fee, len(self.home), 0.0),
            travel=np.zeros((0, 0)) if self.travel is None else self.travel,
            rent=rent,
            crew=_index(self.crew, len(self.home), missing=-1),
            quota=np.zeros(0, dtype=np.int32) if self.quota is None else self.quota.astype(np.int32),
            crew_fee=np.array([self.crew_fee]),
            most=np.array([self.most_away], dtype=np.int64),
        )


class SearchTerm(Protocol):
    """A constraint or a cost."""

    def enter(self, draft: Draft) -> None:
        """Write into `draft` what this term has to say."""
        ...


def enter_all(terms: Iterable[SearchTerm], draft: Draft) -> Columns:
    """Columns of `draft` with all `terms`."""
    for term in terms:
        term.enter(draft)
    return draft.columns()


def _side_by_side(columns: Sequence[FloatArray | float], rows: int, width: int, rest: float = 0.0) -> FloatArray:
    table = np.full((rows, width), rest)
    for k, column in enumerate(columns):
        table[:, k] = column
    return table


def _padded(values: Sequence[float], width: int) -> FloatArray:
    row = np.zeros(width)
    row[: len(values)] = values
    return row


def _given(column: FloatArray | None, rows: int, otherwise: float) -> FloatArray:
    return np.full(rows, otherwise) if column is None else column.astype(np.float64)


def _index(column: IntArray | None, rows: int, missing: int = 0) -> Int32Array:
    return np.full(rows, missing, dtype=np.int32) if column is None else column.astype(np.int32)


@dataclass(frozen=True, eq=False)
class _Order:
    """Movable workloads in the orders from which partners of a swap are drawn."""

    by_size: Int32Array
    kin: Int32Array
    kin_rank: Int32Array

    @classmethod
    def by(cls, size: FloatArray, home: IntArray, movable: BoolArray | None) -> _Order:
        rows = np.arange(len(size)) if movable is None else np.flatnonzero(movable)
        kin = rows[np.lexsort((size[rows], home[rows]))].astype(np.int32)
        rank = np.zeros(len(size), dtype=np.int32)
        rank[kin] = np.arange(len(kin))
        return cls(rows[np.argsort(size[rows], kind="stable")].astype(np.int32), kin, rank)


def _groups(draft: Draft) -> Groups:
    """Groups that have a rule, numbered anew; workloads of the others need no look at rules at all."""
    count = np.bincount(draft.group[draft.group >= 0], minlength=draft.groups)
    apart = np.zeros(draft.groups, dtype=np.bool_) if draft.apart is None else draft.apart & (count > 1)
    least = np.ones(draft.groups, dtype=np.int64) if draft.least_sites is None else draft.least_sites
    pairs = _pairs(draft.asks)
    ruled = apart | (least > 1)
    ruled[pairs.ravel()] = True
    number = np.append(np.where(ruled, np.cumsum(ruled) - 1, -1), -1)
    asking, asked = number[pairs[0]], number[pairs[1]]
    asks_at, asks = _ragged(asking, asked, int(ruled.sum()))
    asked_at, asked_by = _ragged(asked, asking, int(ruled.sum()))
    return Groups(
        of=number[draft.group].astype(np.int32),
        apart=apart[ruled],
        site=_index(draft.site, draft.nodes),
        zone=_index(draft.zone, draft.nodes),
        least_sites=least[ruled].astype(np.int32),
        asks_at=asks_at,
        asks=asks,
        asked_at=asked_at,
        asked_by=asked_by,
    )


def _pairs(asks: Sequence[IntArray]) -> IntArray:
    """(asking, asked) group, int64 (2, pairs), without those that ask for themselves."""
    asking = np.repeat(np.arange(len(asks)), [len(a) for a in asks])
    asked = np.concatenate([*asks, np.zeros(0, dtype=np.int64)]).astype(np.int64)
    pairs: IntArray = np.stack([asking, asked])[:, asking != asked]
    return pairs


def _ragged(keys: IntArray, values: IntArray, rows: int) -> tuple[Int32Array, Int32Array]:
    """Where the values of each key begin, int32 (rows + 1,), and the values by key."""
    begin = np.concatenate([[0], np.cumsum(np.bincount(keys, minlength=rows))])
    return begin.astype(np.int32), values[np.argsort(keys, kind="stable")].astype(np.int32)
