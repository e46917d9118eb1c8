"""Rules of groups and crews, for one move at a time: plain functions that a kernel compiles and that run without one, too.

They call nothing, so that a compiler may take them as they are.
"""

from __future__ import annotations

from typing import Any

from descheduler.policy.engines.search.columns import Absence, Columns, Groups
from descheduler.policy.engines.search.position import Gone, Members, Position


def allows(g: Groups, m: Members, group: Any, source: Any, target: Any) -> Any:  # noqa: ANN401 - int or arrays of int
    """Whether a member of `group` may go from `source` to `target` by the rules of all groups; for single moves or arrays."""
    meets = g.apart[group] & (m.on_node[group, target] > 0)
    old, new = g.site[source], g.site[target]
    fewer = (old != new) & (m.at_site[group, old] == 1) & (m.at_site[group, new] != 0)
    short = fewer & (m.sites[group] <= g.least_sites[group])
    here, there = g.zone[source], g.zone[target]
    alone = (m.missing[group, there] != 0) & (m.at_zone[group, there] == 0)
    last = (m.needed[group, here] != 0) & (m.at_zone[group, here] == 1)
    return (meets | short | ((here != there) & (alone | last))) == False  # noqa: E712 - of arrays, too


def carry(g: Groups, m: Members, group: int, source: int, target: int) -> None:
    """Keep counts of groups for a member that goes from `source` to `target`."""
    m.on_node[group, source] -= 1
    m.on_node[group, target] += 1
    old, new = g.site[source], g.site[target]
    if old != new:
        m.at_site[group, old] -= 1
        m.at_site[group, new] += 1
        if m.at_site[group, old] == 0:
            m.sites[group] -= 1
        if m.at_site[group, new] == 1:
            m.sites[group] += 1
    here, there = g.zone[source], g.zone[target]
    if here == there:
        return
    m.at_zone[group, here] -= 1
    m.at_zone[group, there] += 1
    for zone, first in ((here, 0), (there, 1)):
        if m.at_zone[group, zone] == first:
            step = 1 if first else -1
            for j in range(g.asked_at[group], g.asked_at[group + 1]):
                m.missing[g.asked_by[j], zone] -= step
            for j in range(g.asks_at[group], g.asks_at[group + 1]):
                m.needed[g.asks[j], zone] += step


def crew_price(a: Absence, gone: Gone, crew: int, leaves: bool) -> float:  # noqa: FBT001
    """What the fee for the crew of which most are away changes by if one more leaves, or one returns."""
    count = gone.of_crew[crew]
    if count != gone.counts[0]:
        return 0.0
    if leaves:
        return a.crew_fee[0]  # type: ignore[no-any-return]
    return -a.crew_fee[0] if gone.crews_with[count] == 1 else 0.0


def count_crew(gone: Gone, crew: int, leaves: bool) -> None:  # noqa: FBT001
    """Keep counts of a crew of which one leaves home or returns."""
    count = gone.of_crew[crew]
    after = count + 1 if leaves else count - 1
    gone.crews_with[count] -= 1
    gone.crews_with[after] += 1
    gone.of_crew[crew] = after
    if after > gone.counts[0]:
        gone.counts[0] = after
    elif gone.crews_with[gone.counts[0]] == 0:
        gone.counts[0] -= 1


def may_return(columns: Columns, at: Position, w: int) -> bool:
    """Whether rules of groups let workload `w` go home from where it is."""
    groups, group = columns.groups, int(columns.groups.of[w])
    return group < 0 or bool(allows(groups, at.members, group, int(at.place[w]), int(columns.home[w])))
