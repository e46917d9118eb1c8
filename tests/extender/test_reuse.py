"""A service that remembers answers as one that remembers nothing but its ledger."""

from __future__ import annotations

import json
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from extender.http_protocol import Parts, Request
from extender.http_verbs import HttpVerbs
from extender.ledger import Destination
from extender.recent import Recent
from extender.scheduling import Scheduling
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
    """Drop everything but the state and the pods of the ledger, of which nothing is summed up."""
    current = service.scheduling.current
    service.scheduling = Scheduling(service.decides, service.ledger, service.scheduling.clocks, service.metrics)
    service.scheduling.publish(
        replace(current, view=view(current.view.state, defaults()), asked=Recent(), calls=Recent())
    )
    service.verbs = HttpVerbs(service.scheduling)


def change(service: Service, what: str, uid: str, node: str, state: ClusterState) -> None:
    """Something that answers may depend on."""
    if what == "state":
        service.publish(state)
    elif what == "bound":
        service.ledger.bound(uid, node)
    elif what == "gone":
        service.ledger.forget(uid)
    else:
        service.ledger.steer([Destination(uid, node)])


def ask(both: list[Service], verb: str, wanted: dict[str, object], asked: list[str]) -> bytes:
    """The answer of both, of which the second has forgotten everything."""
    text = json.dumps({"Pod": wanted, "Nodes": None, "NodeNames": asked}, separators=(",", ":")).encode()
    forget(both[1])
    answer, expected = (service.call(verb, text) for service in both)
    assert answer == expected
    return answer


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_every_answer_is_the_same_byte_by_byte(data: st.DataObject) -> None:
    both, known = [Service(), Service()], data.draw(st.lists(states(), min_size=1, max_size=2))
    lists = data.draw(st.lists(names, min_size=1, max_size=3))
    for service in both:
        service.publish(known[0])
    for _ in range(data.draw(st.integers(1, 12))):
        number, size = data.draw(st.integers(0, 3)), data.draw(st.sampled_from([1, 4]))
        step = data.draw(st.sampled_from(["filter", "prioritize", "both", "both", "state", "bound", "gone", "steer"]))
        asked = data.draw(st.sampled_from(lists))
        if step in ("state", "bound", "gone", "steer"):
            change_of = step, f"u{number}", data.draw(st.sampled_from(KNOWN)), data.draw(st.sampled_from(known))
            for service in both:
                change(service, *change_of)
        if step in ("filter", "both"):
            asked = json.loads(ask(both, "filter", pod(number, size), asked))["NodeNames"]
        if step in ("prioritize", "both"):
            ask(both, "prioritize", pod(number, size), asked)
        assert len(both[0].ledger) == len(both[1].ledger)


def filling(names: list[str]) -> ClusterState:
    """Each node is fuller than the one before it."""
    built = Cluster()
    for number, name in enumerate(names):
        built.node(name, cpu=16, memory="64Gi", use_cpu=1, use_memory=f"{20 + 2 * number}Gi", age=10)
    return built.build(observed_at=OBSERVED_AT)


def best(answer: Parts) -> str:
    return next(each["Host"] for each in json.loads(answer[0]) if each["Score"] == 10)


def test_asked_the_same_again_the_answer_is_not_made_anew() -> None:
    """And a pod that is counted elsewhere, a pod that is larger, and another state each get an answer of their own."""
    service = Service(filling(KNOWN))

    def scores(number: int = 0, size: int = 1) -> Parts:
        text = json.dumps({"Pod": pod(number, size), "Nodes": None, "NodeNames": KNOWN}, separators=(",", ":")).encode()
        return service.verbs.prioritize(Request(b"POST", b"/", memoryview(text), service.clock.now())).parts

    scores(), scores()
    first = scores()
    assert scores()[0] is first[0]
    scores(number=1, size=30)
    assert scores() != first
    assert best(first) == "worker-0.example"
    assert best(scores()) == "worker-1.example"
    service.ledger.forget("u1")
    assert scores() == first
    service.publish(filling(KNOWN[::-1]))
    assert best(scores()) == "worker-11.example"
