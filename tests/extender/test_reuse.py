"""A service that remembers answers as one that remembers nothing but its ledger."""

from __future__ import annotations

import json
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from extender.http_verbs import HttpVerbs
from extender.recent import Recent
from tests.builders import Cluster
from tests.extender.serving import OBSERVED_AT, Service
from ullage.config import defaults
from ullage.model.state import ClusterState
from ullage.scoring.view import view

KNOWN = [f"worker-{number}.example" for number in range(12)]
names = st.lists(st.sampled_from([*KNOWN, "new"]), unique=True, max_size=13)


@st.composite
def states(draw: st.DrawFn) -> ClusterState:
    """Twelve nodes, each with any load."""
    built = Cluster()
    for name in KNOWN:
        use = draw(st.sampled_from([5, 30, 55, 59, 62]))
        built.node(name, cpu=16, memory="64Gi", use_cpu=use / 5, use_memory=f"{use}Gi", age=10)
    return built.build(observed_at=OBSERVED_AT)


def pod(number: int, size: int) -> dict[str, object]:
    container = {"name": "c", "resources": {"requests": {"cpu": "500m", "memory": f"{size}Gi"}}}
    metadata = {"name": f"p{number}", "namespace": "shop", "uid": f"u{number}"}
    return {"metadata": metadata, "spec": {"containers": [container]}, "status": {}}


def forget(service: Service) -> None:
    """Drop everything but the state and the ledger."""
    current = service.scheduling.current
    anew = view(current.view.state, defaults())
    service.scheduling.current = replace(current, view=anew, asked=Recent())
    service.verbs = HttpVerbs(service.scheduling)


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_every_answer_is_the_same_byte_by_byte(data: st.DataObject) -> None:
    both = [Service(), Service()]
    first = data.draw(states())
    for service in both:
        service.publish(first)
    for _ in range(data.draw(st.integers(1, 10))):
        number, size = data.draw(st.integers(0, 5)), data.draw(st.sampled_from([1, 4]))
        verbs = data.draw(st.sampled_from([("filter",), ("prioritize",), ("filter", "prioritize"), ("state",)]))
        asked = data.draw(names)
        if verbs == ("state",):
            state = data.draw(states())
            for service in both:
                service.publish(state)
            continue
        for verb in verbs:
            body = {"Pod": pod(number, size), "Nodes": None, "NodeNames": asked}
            text = json.dumps(body, separators=(",", ":")).encode()
            forget(both[1])
            answer, expected = (service.call(verb, text) for service in both)
            assert answer == expected
            asked = json.loads(answer)["NodeNames"] if verb == "filter" else asked
        assert len(both[0].ledger) == len(both[1].ledger)
