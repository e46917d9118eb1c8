"""Where a search stands: places and everything that follows from them, kept up with every move."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from descheduler.policy.engines.search.columns import Absence, Columns, Groups, Lanes
from ullage.model.arrays import BoolArray, FloatArray, Int16Array, Int32Array, IntArray

COST: Final = 0
RENT: Final = 1
PEAK: Final = 0
AWAY: Final = 1
MADE: Final = 2
_ROUNDING: Final = 1e-9
"""How far beyond a limit sums may be."""


class Sums(NamedTuple):
    """Lanes: `over` and `slack`, float64 (N, K), sum less threshold, and limit less what is summed and held; `price`, (N,)."""

    over: FloatArray
    slack: FloatArray
    price: FloatArray


class Members(NamedTuple):
    """Members of groups.

    Attributes
    ----------
    on_node, at_site, at_zone
        int16 (G, N), (G, sites), (G, zones): members of each group there.
    sites
        int32 (G,), sites with members.
    missing, needed
        int16 (G, zones): groups that g asks for and that are not there; groups that are there and ask for g.
    """

    on_node: Int16Array
    at_site: Int16Array
    at_zone: Int16Array
    sites: Int32Array
    missing: Int16Array
    needed: Int16Array


class Gone(NamedTuple):
    """Who is away.

    Attributes
    ----------
    of_crew
        int32 (C,), members of each crew that are away.
    crews_with
        int64 (largest crew + 2,), number of crews with so many members away.
    counts
        int64 (3,): `PEAK`, the largest number of a crew that is away; `AWAY`, workloads that are away; `MADE`, steps so far.
    """

    of_crew: Int32Array
    crews_with: IntArray
    counts: IntArray


class Position(NamedTuple):
    """The mutable side of `Columns`; every array is kept true by those who move.

    Attributes
    ----------
    place
        int32 (W,).
    sums, members, gone
        Parts.
    totals
        float64 (2,): `COST`, and `RENT` before its factor.
    random
        uint64 (1,), state of the generator of a compiled kernel.
    """

    place: Int32Array
    sums: Sums
    members: Members
    gone: Gone
    totals: FloatArray
    random: npt.NDArray[np.uint64]

    def cost(self) -> float:
        """Cost without rent."""
        return float(self.totals[COST])


def position(columns: Columns, place: Int32Array, seed: int = 0) -> Position:
    """Position with workloads at `place`, worked out from nothing."""
    away = np.flatnonzero(place != columns.home)
    sums = _sums(columns, place, away)
    cost = float(sums.price.sum()) + fees(columns, place)
    return Position(
        place=place.astype(np.int32),
        sums=sums,
        members=_members(columns.groups, place, len(sums.price)),
        gone=_gone(columns.absence, away),
        totals=np.array([cost, columns.absence.rent[away].sum()]),
        random=np.array([(seed * 0x9E3779B97F4A7C15 + 0x2545F4914F6CDD1D) % 2**64], dtype=np.uint64),
    )


def restart(columns: Columns, at: Position, place: Int32Array) -> None:
    """Bring `at` to `place`, rid of rounding errors; the generator and the number of steps go on."""
    fresh, made = position(columns, place), int(at.gone.counts[MADE])
    mine: tuple[npt.NDArray[Any], ...] = (*at.sums, *at.members, *at.gone)
    for old, values in zip(mine, (*fresh.sums, *fresh.members, *fresh.gone), strict=True):
        old[...] = values
    at.gone.counts[MADE] = made
    at.place[:], at.totals[:] = fresh.place, fresh.totals


def go(columns: Columns, at: Position, place: Int32Array, most: float) -> bool:
    """Bring `at` to `place` if that costs at most `most` and breaks no limit that is kept now; returns whether it went."""
    before, slack = at.place.copy(), np.minimum(at.sums.slack, 0.0)
    restart(columns, at, place)
    if at.cost() <= most and bool((at.sums.slack >= slack - _ROUNDING).all()):
        return True
    restart(columns, at, before)
    return False


def prices(lanes: Lanes, over: FloatArray, nodes: IntArray | slice = slice(None)) -> FloatArray:
    """Cost of lanes that are `over` their thresholds on `nodes`, float64 (E, K) to (E,)."""
    price: FloatArray = np.einsum("ek,ek->e", np.maximum(over, 0.0), lanes.hinge[nodes])
    return price + np.einsum("ek,ek->e", over**2, lanes.square[nodes]) if lanes.curved else price


def fees(columns: Columns, place: Int32Array) -> float:
    """Cost of being away: fees, travel, and the crew of which most are."""
    absence, away = columns.absence, np.flatnonzero(place != columns.home)
    fee = float(absence.fee[away].sum())
    if len(absence.travel):
        fee += float(absence.travel[columns.home[away], place[away]].sum())
    crew = absence.crew[away]
    return fee + float(absence.crew_fee[0]) * int(np.bincount(crew[crew >= 0]).max(initial=0))


def _sums(columns: Columns, place: Int32Array, away: IntArray) -> Sums:
    lanes, home = columns.lanes, columns.home[away]
    load, held = lanes.start.copy(), np.zeros_like(lanes.start)
    np.subtract.at(load, home, lanes.leaving[away])
    np.add.at(load, place[away], lanes.landing[away])
    np.add.at(held, home, lanes.leaving[away] * (1.0 - lanes.frees))
    over = load - lanes.threshold
    return Sums(over, lanes.limit - load - held, prices(lanes, over))


def _gone(absence: Absence, away: IntArray) -> Gone:
    crew = absence.crew[away]
    gone = np.bincount(crew[crew >= 0], minlength=len(absence.quota)).astype(np.int32)
    largest = int(np.bincount(absence.crew[absence.crew >= 0]).max(initial=0))
    counts = np.array([gone.max(initial=0), len(away), 0], dtype=np.int64)
    return Gone(gone, np.bincount(gone, minlength=largest + 2).astype(np.int64), counts)


def _members(groups: Groups, place: Int32Array, nodes: int) -> Members:
    rows = np.flatnonzero(groups.of >= 0)
    group, where = groups.of[rows], place[rows]
    at_site, at_zone = (
        _counted(groups, group, to[where], int(to.max(initial=0)) + 1) for to in (groups.site, groups.zone)
    )
    missing, needed = _wants(groups, at_zone > 0)
    on_node, sites = _counted(groups, group, where, nodes), (at_site > 0).sum(axis=1).astype(np.int32)
    return Members(on_node, at_site, at_zone, sites, missing, needed)


def _counted(groups: Groups, group: Int32Array, where: Int32Array, size: int) -> Int16Array:
    count = np.zeros((len(groups.least_sites), size), dtype=np.int16)
    np.add.at(count, (group, where), np.int16(1))
    return count


def _wants(groups: Groups, present: BoolArray) -> tuple[Int16Array, Int16Array]:
    """`missing` and `needed`, from which groups are present in which zones."""
    missing, needed = (np.zeros(present.shape, dtype=np.int16) for _ in range(2))
    every = np.arange(len(groups.least_sites))
    np.add.at(missing, np.repeat(every, np.diff(groups.asks_at)), (~present[groups.asks]).astype(np.int16))
    np.add.at(needed, np.repeat(every, np.diff(groups.asked_at)), present[groups.asked_by].astype(np.int16))
    return missing, needed
