"""What the extender's benchmarks ask: a cluster with names as long as real ones, and requests as kube-scheduler writes them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Final

import numpy as np

from simulator.generator import generate
from simulator.spec import ClusterSpec
from ullage.model.measures import NodeMeasure
from ullage.model.resources import MEMORY_INDEX
from ullage.model.state import ClusterState

NAME: Final = "worker-%05d.cluster.example.internal.net"
PREFIX: Final = "/scheduler"
_ANSWER: Final = b'{"Nodes":null,"NodeNames":'
_BETWEEN: Final = b',"Nodes":null,"NodeNames":'
_ROUND: Final = "%08d-0000"
_POD_BYTES: Final = 5_000
_NODE_BYTES: Final = 15_000


def cluster(nodes: int, workloads: int | None = None) -> ClusterState:
    """A made-up cluster whose nodes have long names."""
    spec = ClusterSpec(nodes=nodes) if workloads is None else ClusterSpec(nodes=nodes, workloads=workloads)
    state = generate(spec)
    return replace(state, nodes=replace(state.nodes, name=tuple(NAME % row for row in range(nodes))))


def pod(number: int) -> dict[str, object]:
    """A pod of 5 KB, another one for each number."""
    metadata = {"name": f"web-{number}", "namespace": "shop", "uid": f"{_ROUND % 0}-4000-8000-{number:012d}"}
    annotations = {"example.com/notes": "x" * _POD_BYTES}
    container = {
        "name": "main",
        "resources": {"requests": {"cpu": "500m", "memory": "2Gi"}, "limits": {"memory": "4Gi"}},
    }
    return {
        "metadata": {**metadata, "labels": {"app": "web"}, "annotations": annotations},
        "spec": {"containers": [container], "priority": 0},
        "status": {},
    }


def requests(count: int, total: int, bodies: int, seed: int = 1) -> list[bytes]:
    """Bodies in the form of names: each another pod, and another window of `count` out of `total` nodes, a little shuffled."""
    rng = np.random.default_rng(seed)
    result = []
    for number in range(bodies):
        order = np.arange(count) + rng.uniform(0, 16, count)
        rows = (int(rng.integers(total)) + np.argsort(order)) % total
        result.append(_compact({"Pod": pod(number), "Nodes": None, "NodeNames": [NAME % row for row in rows.tolist()]}))
    return result


def of_round(body: bytes, number: int) -> bytes:
    """The same question about another pod."""
    return body.replace((_ROUND % 0).encode(), (_ROUND % number).encode(), 1)


def following(asked: bytes, answered: bytes) -> bytes:
    """What kube-scheduler asks of prioritize after filter: the same pod, with the names that were kept."""
    names = answered[len(_ANSWER) : answered.index(b"]") + 1]
    return b"%b%b%b}" % (asked[: asked.index(_BETWEEN)], _BETWEEN, names)


def hot(state: ClusterState, share: float = 0.1, seed: int = 3) -> ClusterState:
    """A cluster some of whose nodes have hardly any memory left, so that filter rejects them."""
    measures = state.nodes.measures
    value = measures.value.copy()
    rows = np.random.default_rng(seed).permutation(len(state.nodes))[: int(share * len(state.nodes))]
    value[rows, NodeMeasure.MEMORY_MEAN_BYTES] = 0.97 * state.nodes.allocatable[rows, MEMORY_INDEX]
    return replace(state, nodes=replace(state.nodes, measures=replace(measures, value=value)))


def node_objects(count: int) -> bytes:
    """A body in the form of Node objects of 15 KB each."""
    items = [
        {"metadata": {"name": NAME % row, "annotations": {"a": "x" * (_NODE_BYTES // 2)}}, "status": _images()}
        for row in range(count)
    ]
    return _compact({"Pod": pod(0), "Nodes": {"metadata": {}, "items": items}, "NodeNames": None})


def _images() -> dict[str, object]:
    image = {"names": ["registry.example.com/team/image@sha256:" + "0" * 64], "sizeBytes": 123_456_789}
    return {"images": [image] * (_NODE_BYTES // 2 // len(_compact(image)))}


def _compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
