"""The compiled search: one random step after the other, some ten million a second.

A step is a shift (a workload to a random node, or back home), a swap of two workloads of unlike nodes, or a replacement: one
goes home and another takes its place. Partners are drawn from workloads of like size, or from *kin*: workloads with the same
home. Swapping kin changes who of a home is away, which costs no room there; where room is held at both ends while things move,
this keeps a search from jamming.

Importing this module imports numba; nothing else does. Types and lengths of `Columns` are known when it compiles, loops over
lanes are unrolled. ``_nrt=False`` leaves out reference counts, which nothing here needs since nothing is allocated; with them
a step takes ten times as long.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt

from descheduler.policy.engines.search import rules
from descheduler.policy.engines.search.anneal import Habit
from descheduler.policy.engines.search.columns import Absence, Columns, Groups, Lanes, among
from descheduler.policy.engines.search.mix import Mix
from descheduler.policy.engines.search.position import Gone, Members, Position, Sums
from ullage.model.arrays import BoolArray, FloatArray, Int32Array, IntArray

_F = TypeVar("_F", bound=Callable[..., Any])
_FLAGS: Final = {"fastmath": {"reassoc", "nsz", "contract"}, "error_model": "numpy", "_nrt": False}


def _inline(function: _F) -> _F:
    """Compile `function` into those that call it."""
    return cast(_F, numba.njit(forceinline=True, **_FLAGS)(function))  # type: ignore[call-overload]


def _entry(function: _F) -> _F:
    """Compile `function` with all that it calls; what comes out is kept in numba's cache on disk if there is room for one."""
    try:
        return cast(_F, numba.njit(cache=True, **_FLAGS)(function))  # type: ignore[call-overload]
    except RuntimeError:
        return cast(_F, numba.njit(**_FLAGS)(function))  # type: ignore[call-overload]


_allows = _inline(rules.allows)
_carry = _inline(rules.carry)
_crew_price = _inline(rules.crew_price)
_count_crew = _inline(rules.count_crew)
_SIDES = 4096
_HOME, _STRANGER = True, False
_DICE = -np.log((np.arange(_SIDES) + 0.5) / _SIDES)
"""What a worsening may be at temperature 1, for each of so many equally probable draws (Metropolis)."""


class Kernel:
    """Steps on a position, compiled."""

    name = "numba"
    chunk = 1 << 16
    tries = 1.0
    habit = Habit()

    def __init__(
        self, columns: Columns, at: Position, mix: Mix | None = None, nearest: Int32Array | None = None
    ) -> None:
        self._columns, self._at = columns, at
        self._shares = mix or Mix()
        self._mix = self._shares.integers(len(columns.by_size))
        nodes = _nearest(columns, self._shares) if nearest is None else nearest
        self._nearest = _Nearest(nodes, _kin_at(columns, len(nodes)))
        self.advance(0, 0.0, 0.0)

    def advance(self, steps: int, heat: float, factor: float) -> int:
        """Try `steps` steps at temperature `heat` with rents times `factor`; returns how many were made."""
        return int(_run(self._columns, self._at, steps, heat, factor, self._mix, _DICE, self._nearest))

    def among(self, some: BoolArray) -> Kernel:
        """The same for `some`, bool (W,), of the movable workloads only; they must not be none."""
        return Kernel(among(self._columns, some), self._at, self._shares, self._nearest.nodes)


class _Nearest(NamedTuple):
    """What is near: `nodes`, int32 (N, N), by cost of going there, or empty; `kin_at`, (N + 1,), where kin of each begin."""

    nodes: Int32Array
    kin_at: Int32Array


def _nearest(c: Columns, mix: Mix) -> Int32Array:
    count = len(c.lanes.start) if mix.near > 0 else 0
    every = np.arange(count)
    around = (every - every[:, None]) % max(1, count)
    travel = c.absence.travel[:count, :count] if len(c.absence.travel) else np.zeros((count, count))
    nodes: Int32Array = np.lexsort((around, travel), axis=1).astype(np.int32)
    return nodes


def _kin_at(c: Columns, nodes: int) -> Int32Array:
    begin: Int32Array = np.searchsorted(c.home[c.kin], np.arange(nodes + 1)).astype(np.int32)
    return begin


@_inline
def _draw(random: npt.NDArray[np.uint64]) -> Any:  # noqa: ANN401 - a uint64 of the compiler
    """Xorshift (Marsaglia, 2003), 64 bits."""
    x = random[0]
    x ^= x << np.uint64(13)
    x ^= x >> np.uint64(7)
    x ^= x << np.uint64(17)
    random[0] = x
    return x


@_inline
def _below(bits: Any, end: int) -> Any:  # noqa: ANN401
    """Number from 0 to `end` - 1 from the upper half of random bits."""
    return np.int64(((bits >> np.uint64(32)) * np.uint64(end)) >> np.uint64(32))


@_inline
def _lane(lanes: Lanes, node: int, k: int, over: float) -> float:
    price: float = lanes.hinge[node, k] * max(0.0, over)
    if len(lanes.curved):
        price += lanes.square[node, k] * over * over
    return price


@_inline
def _room_for(lanes: Lanes, s: Sums, w: int, node: int, home: bool) -> bool:  # noqa: FBT001
    """Whether limits of `node` bear the workload; what brings nothing is borne by a full lane, too."""
    demand = lanes.leaving if home else lanes.landing
    short = 0
    for k in range(len(lanes.width)):
        needs = demand[w, k] * lanes.frees[k] if home else demand[w, k]
        short += needs > max(0.0, s.slack[node, k])
    return short == 0


@_inline
def _price_with(lanes: Lanes, s: Sums, w: int, node: int, home: bool, sign: float) -> float:  # noqa: FBT001
    """Price of the lanes of `node` with the workload added to it, or taken from it."""
    demand = lanes.leaving if home else lanes.landing
    price = 0.0
    for k in range(len(lanes.width)):
        price += _lane(lanes, node, k, s.over[node, k] + sign * demand[w, k])
    return price


@_inline
def _room_instead(lanes: Lanes, s: Sums, comes: int, goes: int, node: int, back: bool, first: bool) -> bool:  # noqa: FBT001
    """Whether limits of `node` bear one workload in place of another; `back` and `first` say whose home it is."""
    into = lanes.leaving if back else lanes.landing
    out = lanes.leaving if first else lanes.landing
    short = 0
    for k in range(len(lanes.width)):
        needs = into[comes, k] * (lanes.frees[k] if back else 1.0) - out[goes, k] * (lanes.frees[k] if first else 1.0)
        short += needs > max(0.0, s.slack[node, k])
    return short == 0


@_inline
def _price_instead(lanes: Lanes, s: Sums, comes: int, goes: int, node: int, back: bool, first: bool) -> float:  # noqa: FBT001
    into = lanes.leaving if back else lanes.landing
    out = lanes.leaving if first else lanes.landing
    price = 0.0
    for k in range(len(lanes.width)):
        price += _lane(lanes, node, k, s.over[node, k] - out[goes, k] + into[comes, k])
    return price


@_inline
def _add(lanes: Lanes, s: Sums, w: int, node: int, home: bool, sign: float) -> None:  # noqa: FBT001
    """Add a workload to the sums of a node, or take it off."""
    demand = lanes.leaving if home else lanes.landing
    for k in range(len(lanes.width)):
        amount = sign * demand[w, k]
        s.over[node, k] += amount
        s.slack[node, k] -= amount * lanes.frees[k] if home else amount


@_inline
def _fee(a: Absence, w: int, home: int, source: int, target: int) -> float:
    fee = 0.0
    if a.travel.shape[0] > 0:
        fee = a.travel[home, target] - a.travel[home, source]
    if source == home:
        fee += a.fee[w]
    elif target == home:
        fee -= a.fee[w]
    return fee


@_inline
def _crew_bears(a: Absence, gone: Gone, w: int, already: int) -> bool:
    """Whether quotas bear one more that leaves home if `already` others have left in the same step."""
    crew = a.crew[w]
    if crew >= 0 and gone.of_crew[crew] + already >= a.quota[crew]:
        return False
    bears: bool = gone.counts[1] + already < a.most[0]
    return bears


@_inline
def _crew_fee(a: Absence, gone: Gone, w: int, absence: int) -> float:
    crew = a.crew[w]
    return _crew_price(a, gone, crew, absence > 0) if absence != 0 and crew >= 0 else 0.0


@_inline
def _note(a: Absence, gone: Gone, totals: FloatArray, w: int, absence: int) -> None:
    """Keep counts and totals of who is away: `absence` is 1 for one who leaves, -1 for one who returns, 0 else."""
    totals[0] += _crew_fee(a, gone, w, absence)
    totals[1] += absence * a.rent[w]
    gone.counts[1] += absence
    if absence != 0 and a.crew[w] >= 0:
        _count_crew(gone, a.crew[w], absence > 0)


@_inline
def _shift(c: Columns, p: Position, w: int, target: int, bearable: float, factor: float) -> bool:
    """Move one workload if all limits and rules bear it and cost and rent rise by no more than is bearable."""
    source, home, group = p.place[w], c.home[w], c.groups.of[w]
    leaves, returns = source == home, target == home
    if not _room_for(c.lanes, p.sums, w, target, returns):
        return False
    if (group >= 0 and c.groups.apart[group] and p.members.on_node[group, target] > 0) or not (
        returns or c.open_to[c.place_class[w], target]
    ):
        return False
    left = _price_with(c.lanes, p.sums, w, source, leaves, -1.0)
    entered = _price_with(c.lanes, p.sums, w, target, returns, 1.0)
    absence = int(leaves) - int(returns)
    change = left + entered - p.sums.price[source] - p.sums.price[target] + _fee(c.absence, w, home, source, target)
    rent = factor * absence * c.absence.rent[w]
    if change + rent + _crew_fee(c.absence, p.gone, w, absence) > bearable:
        return False
    if leaves and not _crew_bears(c.absence, p.gone, w, 0):
        return False
    if group >= 0:
        if not _allows(c.groups, p.members, group, source, target):
            return False
        _carry(c.groups, p.members, group, source, target)
    _add(c.lanes, p.sums, w, source, leaves, -1.0)
    _add(c.lanes, p.sums, w, target, returns, 1.0)
    _note(c.absence, p.gone, p.totals, w, absence)
    p.place[w] = target
    p.sums.price[source], p.sums.price[target] = left, entered
    p.totals[0] += change
    return True


@_inline
def _groups_both(g: Groups, m: Members, one: int, a: int, b: int, other: int, c: int, d: int) -> bool:
    """Let groups take note of a move from `a` to `b` and then one from `c` to `d`, if their rules bear both."""
    if one >= 0:
        if not _allows(g, m, one, a, b):
            return False
        _carry(g, m, one, a, b)
    if other >= 0:
        if not _allows(g, m, other, c, d):
            if one >= 0:
                _carry(g, m, one, b, a)
            return False
        _carry(g, m, other, c, d)
    return True


@_inline
def _open_exchange(c: Columns, p: Position, w: int, v: int, source: int, target: int) -> bool:
    """Nodes that are open, and a first look at the rule of groups that fails most often."""
    if not (c.open_to[c.place_class[w], target] or target == c.home[w]):
        return False
    if not (c.open_to[c.place_class[v], source] or source == c.home[v]):
        return False
    one, other = c.groups.of[w], c.groups.of[v]
    if one == other:
        return True
    if one >= 0 and c.groups.apart[one] and p.members.on_node[one, target] > 0:
        return False
    return not (other >= 0 and c.groups.apart[other] and p.members.on_node[other, source] > 0)


@_inline
def _crews_exchange(c: Columns, p: Position, w: int, v: int, one: int, other: int) -> bool:
    if one > 0 and not _crew_bears(c.absence, p.gone, w, 0):
        return False
    return other <= 0 or _crew_bears(c.absence, p.gone, v, int(one > 0))


@_inline
def _swap(c: Columns, p: Position, w: int, v: int, bearable: float, factor: float) -> bool:
    """Exchange the nodes of two workloads, under the same conditions as a shift."""
    source, target, my_home, your_home = p.place[w], p.place[v], c.home[w], c.home[v]
    w_leaves, w_returns, v_leaves, v_returns = (
        source == my_home,
        target == my_home,
        target == your_home,
        source == your_home,
    )
    if not _room_instead(c.lanes, p.sums, w, v, target, w_returns, v_leaves):
        return False
    if not _room_instead(c.lanes, p.sums, v, w, source, v_returns, w_leaves):
        return False
    if not _open_exchange(c, p, w, v, source, target):
        return False
    left = _price_instead(c.lanes, p.sums, v, w, source, v_returns, w_leaves)
    entered = _price_instead(c.lanes, p.sums, w, v, target, w_returns, v_leaves)
    one, other = int(w_leaves) - int(w_returns), int(v_leaves) - int(v_returns)
    change = left + entered - p.sums.price[source] - p.sums.price[target]
    change += _fee(c.absence, w, my_home, source, target) + _fee(c.absence, v, your_home, target, source)
    if change + factor * (one * c.absence.rent[w] + other * c.absence.rent[v]) > bearable:
        return False
    if not _crews_exchange(c, p, w, v, one, other):
        return False
    mine, yours = c.groups.of[w], c.groups.of[v]
    # Two of one group change nothing.
    if mine != yours and not _groups_both(c.groups, p.members, mine, source, target, yours, target, source):
        return False
    _add(c.lanes, p.sums, w, source, w_leaves, -1.0)
    _add(c.lanes, p.sums, v, source, v_returns, 1.0)
    _add(c.lanes, p.sums, v, target, v_leaves, -1.0)
    _add(c.lanes, p.sums, w, target, w_returns, 1.0)
    _note(c.absence, p.gone, p.totals, w, one)
    _note(c.absence, p.gone, p.totals, v, other)
    p.place[w], p.place[v] = target, source
    p.sums.price[source], p.sums.price[target] = left, entered
    p.totals[0] += change
    return True


@_inline
def _replace(c: Columns, p: Position, w: int, v: int, bearable: float, factor: float) -> bool:
    """Send `v` home and put `w` in its place, under the same conditions as a shift; three nodes take part."""
    source, target, home = p.place[w], p.place[v], c.home[v]
    w_leaves, w_returns = source == c.home[w], target == c.home[w]
    if not (w_returns or c.open_to[c.place_class[w], target]):
        return False
    if not _room_instead(c.lanes, p.sums, w, v, target, w_returns, _STRANGER):
        return False
    if not _room_for(c.lanes, p.sums, v, home, _HOME):
        return False
    left = _price_with(c.lanes, p.sums, w, source, w_leaves, -1.0)
    middle = _price_instead(c.lanes, p.sums, w, v, target, w_returns, _STRANGER)
    entered = _price_with(c.lanes, p.sums, v, home, _HOME, 1.0)
    absence = int(w_leaves) - int(w_returns)
    change = left + middle + entered - p.sums.price[source] - p.sums.price[target] - p.sums.price[home]
    change += _fee(c.absence, w, c.home[w], source, target) + _fee(c.absence, v, home, target, home)
    if change + factor * (absence * c.absence.rent[w] - c.absence.rent[v]) > bearable:
        return False
    if w_leaves and not _crew_bears(c.absence, p.gone, w, 0):
        return False
    if not _groups_both(c.groups, p.members, c.groups.of[v], target, home, c.groups.of[w], source, target):
        return False
    _add(c.lanes, p.sums, w, source, w_leaves, -1.0)
    _add(c.lanes, p.sums, v, target, _STRANGER, -1.0)
    _add(c.lanes, p.sums, w, target, w_returns, 1.0)
    _add(c.lanes, p.sums, v, home, _HOME, 1.0)
    _note(c.absence, p.gone, p.totals, v, -1)
    _note(c.absence, p.gone, p.totals, w, absence)
    p.place[w], p.place[v] = target, home
    p.sums.price[source], p.sums.price[target], p.sums.price[home] = left, middle, entered
    p.totals[0] += change
    return True


@_inline
def _partner(c: Columns, rank: int, w: int, near: bool, bits: Any, mix: IntArray) -> int:  # noqa: ANN401, FBT001
    """A workload of like size, or of the same home."""
    end = len(c.by_size)
    if near:
        rank = c.kin_rank[w] + 1 + _below(bits, mix[4])
        order = c.kin
    else:
        rank += 1 + _below(bits, mix[3])
        order = c.by_size
    partner: int = order[rank if rank < end else rank - end]
    return partner


@_inline
def _neighbour(c: Columns, nearest: _Nearest, w: int, bits: Any) -> int:  # noqa: ANN401
    """A node that is not far from home: one of so many nearest, where few are as probable as many."""
    u = float(bits >> np.uint64(32)) / 4294967296.0
    node: int = nearest.nodes[c.home[w], int(len(nearest.nodes) * u * u * u)]
    return node


@_inline
def _native(c: Columns, nearest: _Nearest, node: int, bits: Any) -> int:  # noqa: ANN401
    """A workload whose home is `node`; -1 if there is none."""
    begin, end = nearest.kin_at[node], nearest.kin_at[node + 1]
    return c.kin[begin + _below(bits, end - begin)] if end > begin else -1


def _compiled(version: int) -> Callable[..., int]:
    """The loop. `version` is part of what numba's cache goes by, which does not look at what is compiled into the loop."""

    @_entry
    def run(
        c: Columns,
        p: Position,
        steps: int,
        heat: float,
        factor: float,
        mix: IntArray,
        dice: FloatArray,
        nearest: _Nearest,
    ) -> int:
        made = version - version
        for _ in range(steps):
            bits = _draw(p.random)
            rank = _below(bits, len(c.by_size))
            w = c.by_size[rank]
            kind = np.int64((bits >> np.uint64(12)) & np.uint64(1023))
            bearable = heat * dice[np.int64(bits & np.uint64(4095))]
            if kind < mix[1]:
                more = _draw(p.random)
                if np.int64(more & np.uint64(1023)) < mix[6]:
                    v = _native(c, nearest, _neighbour(c, nearest, w, more), _draw(p.random))
                else:
                    v = _partner(c, rank, w, kind < mix[2], more, mix)
                if v >= 0 and p.place[v] != p.place[w]:
                    made += _swap(c, p, w, v, bearable, factor)
                continue
            if kind < mix[5]:
                v = _partner(c, rank, w, _STRANGER, _draw(p.random), mix)
                if p.place[v] != p.place[w] and p.place[v] != c.home[v] and p.place[w] != c.home[v]:
                    made += _replace(c, p, w, v, bearable, factor)
                continue
            if kind >= mix[0]:
                target = c.home[w]
            else:
                more = _draw(p.random)
                far = np.int64(more & np.uint64(1023)) >= mix[6]
                target = _below(more, p.sums.over.shape[0]) if far else _neighbour(c, nearest, w, more)
            if target != p.place[w]:
                made += _shift(c, p, w, target, bearable, factor)
        p.gone.counts[2] += made
        return made

    return run


_RULES: Final = (rules.allows, rules.carry, rules.crew_price, rules.count_crew)
_run = _compiled(zlib.crc32(b"".join(rule.__code__.co_code for rule in _RULES)))
