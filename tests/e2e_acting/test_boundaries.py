"""Replicas are killed at their writes, and others end what they began.

In a relay each replica dies at its first write: one before it is passed on, the next one when it is committed and no reply
has come, and so on until all is done. So every state that a death can leave behind is one that another replica has started
from. What a death after the reply leaves behind is what one before the next write does.

The long way round, one replica is killed at its n-th write, with all that it had in mind by then, and another one goes on.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Final

import pytest

from descheduler.acting.ledger import ANNOTATION, Ledger
from tests.controlplane.plane import ControlPlane
from tests.controlplane.rest import Rest
from tests.controlplane.waiting import until
from tests.e2e_acting import scene
from tests.e2e_acting.oracle import Watcher, loose_ends
from tests.e2e_acting.proxy import Proxy, Stop
from tests.e2e_acting.replicas import LEASE_PATH, PLANS, Replica, Replicas, configuration
from tests.e2e_acting.test_relief import marks, reasons
from tests.standin.clock import Clock
from tests.standin.cluster import StandIn
from tests.standin.wire import annotations_of, status_of

pytestmark = pytest.mark.xdist_group("acting")
MOST_REPLICAS: Final = 80
MOST_WRITES: Final = 18
"""Writes of a plan of two moves: a mark; the plan; of each move ledger, migration and events; where it stands; the mark off."""
WRITES_OF_AN_EVICTION: Final = 6
QUIET_CYCLES: Final = 3
SECONDS: Final = 60.0
FAST: Final = Clock(speed=50)
EAGER: Final = {
    "telemetry": {"minimumSamples": 1},
    "hysteresis": {"persistenceSeconds": 0},
    "breakers": {"settleSeconds": 0},
}
"""Configuration of replicas that begin with their first reading: each has but a moment."""
TELLS: Final = "POST events"
COMMON: Final = ("PATCH nodes", "POST rebalanceplans", "PATCH rebalanceplans/status", "PATCH leases")


class Scenario:
    """A plan that takes many replicas."""

    def __init__(self, admin: Rest, space: str, replicas: Replicas, way: Proxy, watcher: Watcher) -> None:
        self._admin, self._space, self._replicas = admin, space, replicas
        self._way, self._watcher = way, watcher

    def relayed(self) -> list[str]:
        """Have each replica die at its first write; writes that were committed, in order."""
        committed: list[str] = []
        for number, where in zip(range(MOST_REPLICAS), cycle(("before", "committed")), strict=False):
            # Whoever tells of a move tells of it before all else, even if somebody has; the events are counted in the end.
            seen = self.begun(1, where, f"{number:02}", skips=(TELLS,))
            if not seen:
                return committed
            committed += seen if where == "committed" else []
        raise AssertionError(f"{MOST_REPLICAS} replicas came to no end: {committed}")

    def begun(self, number: int, where: str, name: str = "first", skips: tuple[str, ...] = ()) -> list[str]:
        """Writes of a replica that is killed at one of them; fewer, if it came to rest."""
        stop = Stop(number, where, skips)
        self._way.stop = stop
        with self._replicas.run(name, url=self._way.url) as replica:
            stop.arm(replica.kill)
            until(lambda: stop.fired.is_set() or self._is_done(replica), f"the end of {name}", seconds=SECONDS)
        # The next one need not wait for the Lease of a dead one.
        self._admin.patch(LEASE_PATH, {"spec": {"holderIdentity": ""}})
        return stop.seen

    def ended(self) -> None:
        """Have another replica go on."""
        with self._replicas.run("second") as replica:
            until(lambda: self._is_done(replica), "rest", seconds=SECONDS)

    def charged(self) -> list[str]:
        """Uids of what the ledger says was begun."""
        text = annotations_of(self._admin.get(LEASE_PATH)).get(ANNOTATION, "")
        return sorted(each.uid for each in Ledger.read(text).begun)

    def told(self) -> list[str]:
        """Reasons of all events of ours."""
        return reasons(self._admin, self._space)

    def _is_done(self, replica: Replica) -> bool:
        """Whether all is done, and a replica that looks at it has nothing to do."""
        if not self._is_at_rest():
            return False
        # Its log tells; it may be killed at any moment, and could not be asked then.
        looked = sum(each["result"] == "planned" for each in replica.cycles())
        return replica.loop.has_said("Began to lead") and looked >= QUIET_CYCLES

    def _is_at_rest(self) -> bool:
        history = self._watcher.history()
        return bool(self._admin.list(PLANS)) and not loose_ends(history) and not marks(history)[1]


@contextmanager
def machines(admin: Rest, space: str) -> Iterator[StandIn]:
    """One of four nodes has two VMs too many."""
    with StandIn(admin, scene.nodes(4), clock=FAST) as standin:
        scene.fill(standin, space, 12, 5, 5, 5)
        yield standin


@contextmanager
def pods(admin: Rest, space: str) -> Iterator[StandIn]:
    """One of four nodes has a pod too many; each is the only one of its ReplicaSet."""
    with StandIn(admin, scene.nodes(4), clock=FAST, kubevirt=None) as standin:
        for number in range(11):
            standin.create_replicaset(f"app-{number:02}", 1, namespace=space, node="node-0001", use=scene.USE)
        standin.settle()
        yield standin


WORLDS: Final = {"migrations": machines, "evictions": pods}
MOVES: Final = {"migrations": 2, "evictions": 1}
MOVING: Final = {"migrations": "POST virtualmachineinstancemigrations", "evictions": "POST pods/eviction"}


@dataclass(frozen=True)
class Trial:
    """A cluster that needs a move or two, and who is to make them."""

    kind: str
    scenario: Scenario
    standin: StandIn
    watcher: Watcher

    def check(self) -> None:
        """The moves have been made, once each, and nothing is left behind."""
        moves = MOVES[self.kind]
        assert scene.over(self.standin) == []
        assert self.standin.failures == []
        history = self.watcher.history()
        assert len(history.ours) == moves
        (plan,) = history.plans.values()
        assert [step["phase"] for step in status_of(plan)["steps"]] == ["Succeeded"] * moves
        assert loose_ends(history) == []
        assert marks(history) == ({"node-0001"}, set())
        assert self.scenario.charged() == sorted(move.uid for move in history.ours)
        told = self.scenario.told()
        assert told.count("Moved") == moves
        assert told.count("Moving") <= moves  # who finds a move at its end does not tell of its beginning


@pytest.fixture(params=list(WORLDS))
def trial(
    request: pytest.FixtureRequest,
    admin: Rest,
    control_plane: ControlPlane,
    watcher: Watcher,
    space: str,
    tmp_path: Path,
) -> Iterator[Trial]:
    replicas = Replicas(control_plane, tmp_path, configuration(tmp_path / "config.yaml", **EAGER), interval="300ms")
    with WORLDS[request.param](admin, space) as standin, Proxy(control_plane) as way:
        assert scene.over(standin) == ["node-0001"]
        yield Trial(request.param, Scenario(admin, space, replicas, way, watcher), standin, watcher)


def test_killed_at_every_write(trial: Trial) -> None:
    committed = trial.scenario.relayed()
    assert {*COMMON, MOVING[trial.kind]} <= set(committed)
    trial.check()


@pytest.mark.skipif("ULLAGE_SLOW" not in os.environ, reason="half an hour: make test-slow")
@pytest.mark.parametrize("where", ["before", "committed", "after"])
@pytest.mark.parametrize("number", range(1, MOST_WRITES + 1))
def test_killed_at_a_write(trial: Trial, number: int, where: str) -> None:
    if trial.kind == "evictions" and number > WRITES_OF_AN_EVICTION:
        pytest.skip("a replica that lives on takes the load of what it evicted for load that comes back")
    seen = trial.scenario.begun(number, where)
    if len(seen) < number:
        pytest.skip(f"the plan took {len(seen)} writes")
    trial.scenario.ended()
    trial.check()
