from __future__ import annotations

import msgspec

from simulator.generator import generate
from simulator.raw_objects import raw_objects
from simulator.spec import ClusterSpec
from tests.sources.store.worlds import BY_KIND
from ullage.sources.store.cluster_store import ClusterStore

STATE = generate(ClusterSpec(nodes=4, workloads=30))


def test_pods_have_the_size_that_servers_send():
    sizes = [len(msgspec.json.encode(each)) for each in raw_objects(STATE) if each["kind"] == "Pod"]
    assert 4_000 < sum(sizes) / len(sizes) < 6_000


def test_they_make_the_state_that_they_come_from():
    store = ClusterStore()
    by_kind: dict[str, list[bytes]] = {}
    for each in raw_objects(STATE):
        by_kind.setdefault(str(each["kind"]), []).append(msgspec.json.encode(each))
    for kind, found in by_kind.items():
        store.replace(BY_KIND[kind], found)
    state = store.publish(0.0)
    assert state.workloads.name == STATE.workloads.name
    assert state.workloads.requests.tolist() == STATE.workloads.requests.tolist()
    assert state.nodes.name == STATE.nodes.name
    assert not state.notes
