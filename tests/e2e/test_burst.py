"""200 pods within seconds while metrics stand still: they spread as if every placement were known."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pytest

from benchmarks.burst import BAR, load, oracle, spread
from tests.controlplane.waiting import until
from tests.e2e.extenders import Extender, Knowledge
from tests.e2e.schedulers import Schedulers, configuration
from tests.e2e.workloads import Pods
from tests.standin.cluster import StandIn
from tests.standin.nodes import GI, NodeShape
from tests.standin.use import Use
from ullage.config import defaults
from ullage.scoring.columns import NodeView
from ullage.scoring.view import view

pytestmark = pytest.mark.xdist_group("control-plane")
PODS: Final = 200
POD: Final[Mapping[str, Any]] = {"cores": 1, "memory_bytes": 4 * GI}
"""As the oracle's."""
RANDOM = random.Random(7)


def node(number: int) -> NodeShape:
    """One of nodes that use between a tenth and half of what they have."""
    cores, memory = RANDOM.uniform(6, 32), RANDOM.uniform(24, 128)
    base = Use(cpu_cores=cores, working_set_bytes=int(memory * GI))
    return NodeShape(f"burst-{number:02}", cores=64, memory_bytes=256 * GI, base=base)


NODES = tuple(node(number) for number in range(20))


def judge(seen: NodeView, landed: Counter[str]) -> None:
    """Compare with an oracle; to have the same count of pods everywhere would not be enough."""
    rows = np.arange(len(seen))
    placed, evenly = np.repeat(rows, [landed[each] for each in seen.names]), np.repeat(rows, PODS // len(seen))
    best = oracle(seen, PODS)
    touched = np.unique(np.concatenate([placed, best]))
    ours, floor, by_count = (spread(load(seen, each), touched) for each in (placed, best, evenly))
    assert ours <= BAR * floor < by_count


@pytest.mark.usefixtures("cluster")
def test_a_burst_spreads(
    schedulers: Schedulers, extender: Extender, knowledge: Knowledge, pods: Pods, port: int
) -> None:
    schedulers.use(configuration("filter-and-score", port))
    seen = view(knowledge.state(), defaults())
    pods.create(PODS, **POD)
    judge(seen, pods.landed(seconds=120))
    assert extender.answers("scored", "prioritize") == PODS


def test_a_burst_of_replicas_spreads_where_use_outweighs_their_own_spreading(
    schedulers: Schedulers, cluster: StandIn, extender: Extender, knowledge: Knowledge, pods: Pods, port: int
) -> None:
    schedulers.use(configuration("score-only", port, changes={"weight: 5": "weight: 20"}))
    seen = view(knowledge.state(), defaults())
    cluster.create_replicaset("burst", PODS, namespace=pods.namespace, **POD)
    until(lambda: len(pods.all()) == PODS, "all pods", seconds=120)
    judge(seen, pods.landed(seconds=120))
    assert extender.answers("scored", "prioritize") == PODS
