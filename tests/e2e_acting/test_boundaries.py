"""A replica is killed at each of its writes; the next one ends what it began.

Killed before a write is passed on, and killed when it is committed and no reply came. What is left behind by a death after the
reply is what a death before the next write leaves behind.
"""

from __future__ import annotations

from typing import Final

import pytest

from tests.controlplane.plane import ControlPlane
from tests.controlplane.rest import Rest
from tests.controlplane.waiting import until
from tests.e2e_acting import scene
from tests.e2e_acting.oracle import Watcher, loose_ends
from tests.e2e_acting.proxy import Proxy, Stop
from tests.e2e_acting.replicas import LEASE_PATH, PLANS, Replicas
from tests.standin.clock import Clock
from tests.standin.cluster import StandIn
from tests.standin.wire import NODES

pytestmark = pytest.mark.xdist_group("control-plane")
MOST: Final = 18
"""Writes of a plan of two moves: a mark; the plan; of each move ledger, migration and events; where it stands; the mark off."""


class Story:
    """A plan of two moves that is begun by one replica and ended by another."""

    def __init__(self, admin: Rest, replicas: Replicas, plane: ControlPlane, watcher: Watcher) -> None:
        self._admin, self._replicas, self._plane, self._watcher = admin, replicas, plane, watcher

    def told(self, number: int, where: str) -> list[str]:
        """Writes of the first replica, which is killed at one of them; fewer, if it came to its end."""
        stop = Stop(number, where)
        with (
            Proxy(self._plane, f"way-{where}-{number}", stop) as way,
            self._replicas.run("first", url=way.url) as first,
        ):
            stop.kill = first.kill
            until(lambda: stop.fired.is_set() or self._is_at_rest(), "the end of the first", seconds=60)
        return stop.seen

    def ended(self) -> None:
        """Have another replica go on where the first ended; it need not wait for the Lease of a dead one."""
        self._admin.patch(LEASE_PATH, {"spec": {"holderIdentity": ""}})
        with self._replicas.run("second"):
            until(self._is_at_rest, "rest", seconds=60)

    def _is_at_rest(self) -> bool:
        plans = self._admin.list(PLANS)
        history = self._watcher.history()
        return bool(plans) and not loose_ends(history) and not self._marked()

    def _marked(self) -> list[str]:
        nodes = self._admin.list(NODES)
        taints = ((each["metadata"]["name"], taint) for each in nodes for taint in each["spec"].get("taints") or ())
        return [name for name, taint in taints if taint["key"].startswith("ullage.dev/")]


@pytest.mark.parametrize("where", ["before", "committed"])
@pytest.mark.parametrize("number", range(1, MOST + 1))
def test_killed_at_a_write(
    admin: Rest, control_plane: ControlPlane, space: str, replicas: Replicas, watcher: Watcher, number: int, where: str
) -> None:
    with StandIn(admin, scene.nodes(4), clock=Clock(speed=50)) as standin:
        scene.fill(standin, space, 12, 5, 5, 5)
        story = Story(admin, replicas, control_plane, watcher)
        seen = story.told(number, where)
        if len(seen) < number:
            pytest.skip(f"the plan took {len(seen)} writes")
        story.ended()
        assert scene.over(standin) == []
    history = watcher.history()
    assert len(history.ours) == 2
    assert sorted({m.step for m in history.ours}) == [1, 2]
    assert len(history.plans) == 1
