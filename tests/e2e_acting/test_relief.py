"""A hot cluster is relieved by migrations, and then left alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from random import Random
from typing import Final

import pytest

from tests.controlplane.rest import Rest
from tests.controlplane.waiting import until
from tests.e2e_acting import scene
from tests.e2e_acting.history import History
from tests.e2e_acting.oracle import Watcher, loose_ends
from tests.e2e_acting.replicas import PLANS, Replica, Replicas
from tests.standin.clock import Clock
from tests.standin.cluster import StandIn
from tests.standin.kubevirt.settings import KubeVirtSettings
from tests.standin.wire import Json, Key, status_of

pytestmark = pytest.mark.xdist_group("acting")
FAST: Final = Clock(speed=50)
TWICE: Final = KubeVirtSettings(overcommit_percent=200)
COUNTS: Final = (17,) * 6 + (13,) * 6 + (12,) * 10
MOST_OVER_FEWEST: Final = 1.1
NOISY_CYCLES: Final = 30
"""Cycles are a minute apart where nobody is in a hurry. Here they are a second apart, as are readings, and all that lasts is as
many times shorter: so these are 30 minutes, in each of which the noise is another."""
NOISE_RATIO: Final = 0.03
CORES: Final = 16
MEAN_CORES: Final = 2.0
SECONDS: Final = 120.0


@contextmanager
def noise(standin: StandIn, keys: Sequence[Key], seed: int) -> Iterator[None]:
    """CPU use of the nodes swings by three points around what it is, each on its own."""
    random, over = Random(seed), threading.Event()

    def swing() -> None:
        while not over.wait(0.3):
            for key in keys:
                cores = max(0.0, random.gauss(MEAN_CORES, NOISE_RATIO * CORES))
                standin.uses.change(key, cpu_cores=cores)
            standin.readings.refresh()

    thread = threading.Thread(target=swing)
    thread.start()
    yield
    over.set()
    thread.join()


def one_on_each(standin: StandIn, keys: Sequence[Key]) -> list[Key]:
    """A VM of each node."""
    wanted, found = set(keys), []
    for node in standin.readings.true().values():
        names = (each.pod["metadata"]["annotations"]["kubevirt.io/domain"] for each in node.pods)
        found.append(next(key for key in ((node.pods[0].key[0], name) for name in names) if key in wanted))
    return found


def marks(history: History) -> tuple[set[str], set[str]]:
    """Nodes that were marked once, and those that are marked now."""
    once, now = set(), set()
    for writes in history.nodes.values():
        marked = [any(t["key"] == "ullage.dev/overutilized" for t in _taints(each.response)) for each in writes]
        once |= {writes[0].name} if any(marked) else set()
        now |= {writes[0].name} if marked[-1] else set()
    return once, now


def _taints(node: Json) -> list[Json]:
    return node.get("spec", {}).get("taints") or []


def at_rest(admin: Rest, watcher: Watcher) -> bool:
    """Whether there was a plan, and nothing is open, under way or marked."""
    history = watcher.history()
    return bool(history.ours) and not loose_ends(history) and not marks(history)[1] and bool(admin.list(PLANS))


def test_a_hot_cluster_is_relieved_and_stays_so(admin: Rest, space: str, replicas: Replicas, watcher: Watcher) -> None:
    with ExitStack() as running:
        standin = running.enter_context(StandIn(admin, scene.nodes(22), clock=FAST, kubevirt=TWICE))
        keys = scene.crowd(standin, space, COUNTS, seed=17)
        hot, fewest = scene.over(standin), scene.fewest(standin)
        assert (len(keys), len(hot)) == (300, 6)
        replica = running.enter_context(replace(replicas, interval="1s").run())
        until(lambda: at_rest(admin, watcher), "rest", seconds=SECONDS)
        assert scene.over(standin) == []
        history = watcher.history()
        assert {move.source for move in history.ours} == set(hot)
        assert len({move.uid for move in history.ours}) == len(history.ours)
        assert fewest <= len(history.ours) <= MOST_OVER_FEWEST * fewest
        assert marks(history) == (set(hot), set())
        _check_plans(admin, hot)
        assert reasons(admin, space) == ["Moved"] * len(history.ours) + ["Moving"] * len(history.ours)
        _check_counters(replica, history)
        with noise(standin, one_on_each(standin, keys), seed=1):
            _wait_cycles(replica, NOISY_CYCLES)
        assert len(watcher.history().ours) == len(history.ours)
        assert {each["moves"] for each in replica.cycles()[-NOISY_CYCLES:]} == {0}
        assert standin.failures == []


def _check_plans(admin: Rest, hot: list[str]) -> None:
    """What was foreseen is what came, but for a few points."""
    for plan in admin.list(PLANS):
        status = status_of(plan)
        assert (status["phase"], {each["phase"] for each in status["steps"]}) == ("Finished", {"Succeeded"})
        for node in status["nodes"]:
            before, foreseen, after = (node[each]["memoryRatio"] for each in ("before", "foreseen", "after"))
            assert (before > scene.HIGH) == (node["name"] in hot)
            assert foreseen <= scene.HIGH
            # A sample of the passage weighs much in windows as short as these.
            assert after == pytest.approx(foreseen, abs=0.07)


def reasons(admin: Rest, namespace: str) -> list[str]:
    """Of the descheduler's events."""
    events = admin.list(f"/apis/events.k8s.io/v1/namespaces/{namespace}/events")
    return sorted(each["reason"] for each in events if each.get("reportingController", "").startswith("ullage.dev"))


def _check_counters(replica: Replica, history: History) -> None:
    """S16: its counters are what the audit log says."""
    counter = 'ullage_descheduler_moves_total{executor="migrate",phase="%s"}'
    found = {phase: replica.loop.metric(counter % phase) for phase in ("Running", "Succeeded", "Failed", "Cancelled")}
    issued, done = len(history.ours), sum(move.phase == "Succeeded" for move in history.ours)
    assert found == {"Running": issued, "Succeeded": done, "Failed": issued - done, "Cancelled": 0}


def _wait_cycles(replica: Replica, count: int) -> None:
    before = len(replica.cycles())
    until(lambda: len(replica.cycles()) >= before + count, f"{count} cycles", seconds=4.0 * count)
