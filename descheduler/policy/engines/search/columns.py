"""What a search knows beforehand, as columns; and the draft that terms write it into.

A search knows no resource, no service and no cluster. It knows *lanes*: quantities that are summed per node, each with a
limit, and with a cost that depends on how far the sum is above a threshold. It knows fees for being away from home, groups of
workloads with rules about where they may stand, and crews of which only so many may be away. Terms translate.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ullage.model.arrays import BoolArray, FloatArray, Int32Array, IntArray

WIDTH = 4
"""Lanes are padded to a multiple of this with lanes of nothing, so that rows fill whole vector registers."""


class Lanes(NamedTuple):
    """K lanes of N nodes and W workloads.

    Attributes
    ----------
    width
        K zeros. A tuple, because a compiled kernel knows its length and unrolls what runs over lanes.
    curved
        One zero if a lane has a square, else empty; a tuple for the same reason.
    start
        float64 (N, K), sums with every workload at home.
    leaving, landing
        float64 (W, K), what a workload brings to its home, and to any other node. May be one and the same array.
    frees
        float64 (K,), 1 if a workload that leaves home frees its room there, 0 if the room is held until all has moved.
    threshold, limit
        float64 (N, K), where costs begin, and what the sum and what is held may not pass; +inf without one.
    hinge, square
        float64 (N, K), cost per unit above the threshold, and per squared distance from it.
    """

    width: tuple[int, ...]
    curved: tuple[int, ...]
    start: FloatArray
    leaving: FloatArray
    landing: FloatArray
    frees: FloatArray
    threshold: FloatArray
    limit: FloatArray
    hinge: FloatArray
    square: FloatArray


class Groups(NamedTuple):
    """Rules of G groups about where their members may stand.

    Attributes
    ----------
    of
        int32 (W,), group of each workload, -1 without one.
    apart
        bool (G,), whether no two of the group may share a node.
    site, zone
        int32 (N,).
    least_sites
        int32 (G,), number of sites that a group must cover.
    asks_at, asks, asked_at, asked_by
        int32, per group the groups that it needs in each of its zones, and those that need it: from ``asks[asks_at[g]]`` to
        ``asks[asks_at[g + 1]]``, and so for `asked_by`.
    """

    of: Int32Array
    apart: BoolArray
    site: Int32Array
    zone: Int32Array
    least_sites: Int32Array
    asks_at: Int32Array
    asks: Int32Array
    asked_at: Int32Array
    asked_by: Int32Array


class Absence(NamedTuple):
    """What being away from home costs, and how many may be.

    Attributes
    ----------
    fee
        float64 (W,), cost of being away.
    travel
        float64 (N, N), cost from home to present node; (0, 0) for none.
    rent
        float64 (W,), what being away costs as long as room is scarce; times a factor that a search lets fall to 0.
    crew
        int32 (W,), crew of each workload, -1 without one.
    quota
        int32 (C,), how many of a crew may be away.
    crew_fee
        float64 (1,), times the largest number of one crew that is away.
    most
        int64 (1,), how many may be away in all.
    """

    fee: FloatArray
    travel: FloatArray
    rent: FloatArray
    crew: Int32Array
    quota: Int32Array
    crew_fee: FloatArray
    most: IntArray


class Columns(NamedTuple):
    """Everything together; read-only.

    Attributes
    ----------
    lanes, groups, absence
        Parts.
    home
        int32 (W,).
    by_size
        int32 (V,), the movable workloads from the smallest to the largest.
    kin, kin_rank
        int32 (V,), movable workloads by home and then by size; int32 (W,), the place of each in it.
    place_class
        int32 (W,), row of `open_to`.
    open_to
        bool (classes, N), where a workload may stand; home is always allowed.
    """

    lanes: Lanes
    groups: Groups
    absence: Absence
    home: Int32Array
    by_size: Int32Array
    kin: Int32Array
    kin_rank: Int32Array
    place_class: Int32Array
    open_to: BoolArray


def cheapest(travel: FloatArray) -> BoolArray:
    """To which other nodes it costs least to go from each, (N, N)."""
    elsewhere = np.where(np.eye(len(travel), dtype=np.bool_), np.inf, travel)
    least: BoolArray = (elsewhere <= elsewhere.min(axis=1, initial=np.inf)[:, None]) & np.isfinite(elsewhere)
    return least


def far(columns: Columns, place: Int32Array) -> IntArray:
    """Who is where it costs something to go from home, as numbers of workloads, ascending."""
    return np.flatnonzero(columns.absence.travel[columns.home, place] > 0)


def nearby(columns: Columns) -> Columns:
    """The same with only those nodes open to which it costs least to go from home; itself where it costs the same to all."""
    near = cheapest(columns.absence.travel) | np.eye(len(columns.absence.travel), dtype=np.bool_)
    if near.all():
        return columns
    classes, which = np.unique(np.stack([columns.home, columns.place_class]), axis=1, return_inverse=True)
    return columns._replace(
        place_class=which.ravel().astype(np.int32), open_to=near[classes[0]] & columns.open_to[classes[1]]
    )


def among(columns: Columns, some: BoolArray) -> Columns:
    """The same with only those of the movable workloads movable that are among `some`, bool (W,)."""
    kin, rank = columns.kin[some[columns.kin]], columns.kin_rank.copy()
    rank[kin] = np.arange(len(kin))
    return columns._replace(by_size=columns.by_size[some[columns.by_size]], kin=kin, kin_rank=rank)


def dearer(columns: Columns, by: float) -> Columns:
    """The same with all fees for being away `by` times as high."""
    absence = columns.absence
    fees = {name: getattr(absence, name) * by for name in ("fee", "travel", "crew_fee")}
    return columns._replace(absence=absence._replace(**fees))
