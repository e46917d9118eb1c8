"""When there is an opinion, and what is answered when there is none."""

from __future__ import annotations

import io
import json
import math
from dataclasses import replace

import pytest

from extender.app import decision
from extender.logs import note
from extender.scheduling import MOST_EXPLAINED, Timing
from tests.extender.go_client import decode_filter, decode_priorities
from tests.extender.serving import NAMES, OBSERVED_AT, POD, Service, args, cluster, failing, scoring
from ullage.config import defaults


def neutral(service: Service, begun_at: float | None = None) -> bool:
    """Whether both verbs keep everything and prefer nothing."""
    kept = decode_filter(service.call("filter", args(), begun_at)).kept
    scores = decode_priorities(service.call("prioritize", args(), begun_at))
    return kept == NAMES and scores == dict.fromkeys(NAMES, 0)


def decided(service: Service) -> bool:
    return decode_filter(service.call("filter", args())).kept == ["n1", "n2"]


def test_before_the_first_state_there_is_no_opinion() -> None:
    service = Service()
    assert neutral(service)
    assert service.value("requests_total", verb="filter", outcome="neutral") == 1
    assert json.loads(service.call("explain", args()))["note"] == "no state was read yet"
    service.publish(cluster())
    assert decided(service)


def test_a_fault_is_answered_neutral_counted_and_logged_once() -> None:
    log = io.StringIO()
    handler = note.to(log, 0)
    service = Service(cluster(), failing(decision(defaults())))
    assert neutral(service)
    assert neutral(service)
    explained = service.call("explain", args())
    note.off(handler)
    assert b"secret" not in explained
    assert json.loads(explained)["outcome"] == "neutral"
    assert service.value("exceptions_total", verb="filter") == 2
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [line["verb"] for line in lines] == ["filter", "prioritize", "explain"]
    assert all("secret of the decision" in line["trace"] for line in lines)


def test_what_came_late_is_answered_neutral() -> None:
    service = Service(cluster(), timing=Timing(timeout_seconds=2.0))
    now = service.clock.now()
    assert neutral(service, begun_at=now - 1.1)
    assert not neutral(service, begun_at=now - 0.9)


def test_after_a_slow_decision_the_next_ones_do_not_wait() -> None:
    base = decision(defaults())
    service = Service(cluster(), timing=Timing(timeout_seconds=2.0))

    def slow(*arguments):
        service.clock.passed += 1.5
        return base.filter_nodes(*arguments)

    service.scheduling.decision = replace(base, filter_nodes=slow)
    assert decided(service)
    assert neutral(service)
    service.clock.passed += 20
    service.scheduling.decision = base
    assert decided(service)


def test_an_old_state_gives_no_opinion_where_that_is_asked_for() -> None:
    service = Service(cluster(), timing=Timing(max_age_seconds=100.0))
    assert decided(service)
    service.clock.day = OBSERVED_AT + 101
    assert neutral(service)
    assert service.scheduling.age_seconds() == 101


@pytest.mark.parametrize("step", [-1e9, -3600.0, 3600.0, 1e9])
def test_steps_of_the_clock_change_no_decision(step: float) -> None:
    service = Service(cluster())
    assert decided(service)
    service.clock.day += step
    assert decided(service)
    assert service.scheduling.age_seconds() >= 0
    service.clock.passed = max(0.0, service.clock.passed + step)
    assert not decode_filter(service.call("filter", args())).error


def test_the_generation_grows_whatever_the_file_says() -> None:
    service = Service(cluster(generation=7))
    service.publish(cluster(generation=3))
    assert service.scheduling.current.generation == 8
    assert service.scheduling.current.view.state.generation == 8


def test_names_keep_their_version_until_they_change() -> None:
    service = Service(cluster())
    first = service.scheduling.current
    service.publish(cluster())
    assert service.scheduling.current.table is first.table
    service.publish(cluster(nodes=4))
    assert service.scheduling.current.table.version == first.table.version + 1
    assert decode_filter(service.call("filter", args(["n4", "n1"]))).kept == ["n4", "n1"]


def test_an_answer_is_counted_until_the_state_shows_it() -> None:
    service = Service(cluster())
    service.call("prioritize", args())
    assert service.scheduling.ledger_size() == 1
    service.call("explain", args())
    service.call("filter", args())
    assert service.scheduling.ledger_size() == 0, "the pod asks again, so it has no node"
    service.call("filter", args(["n3", "n2"]))
    assert service.scheduling.ledger_size() == 1, "where one node is left, no scores are asked for"


def test_rejected_nodes_are_counted_by_code() -> None:
    service = Service(cluster())
    service.call("filter", args())
    counted = [
        s for m in service.metrics.registry.collect() for s in m.samples if s.name.endswith("rejected_nodes_total")
    ]
    assert [(sample.value, set(sample.labels)) for sample in counted] == [(1.0, {"code"})]


def test_scores_beyond_the_scale_stay_numbers() -> None:
    for score, sent in ((100, 100), (-3, 0), (30_000, 100)):
        service = Service(cluster(), scoring(decision(defaults()), score))
        assert set(decode_priorities(service.call("prioritize", args([*NAMES, "new"]))).values()) == {sent}


def test_explain_has_numbers_per_node_and_never_all_of_thousands() -> None:
    explained = json.loads(Service(cluster()).call("explain", {"Pod": POD}))
    nodes = {each["name"]: each for each in explained["explanation"]["nodes"]}
    assert set(nodes) == set(NAMES)
    assert nodes["n3"]["reason"]
    assert nodes["n1"]["score"] == 10
    assert math.isclose(sum(explained["explanation"]["weights"].values()), 1.0, abs_tol=1e-3)
    many = json.loads(Service(cluster(nodes=MOST_EXPLAINED + 50)).call("explain", {"Pod": POD}))
    assert len(many["explanation"]["nodes"]) == MOST_EXPLAINED
    assert many["explanation"]["nodes"][0]["name"] == "n1"


def test_score_only_an_overloaded_node_comes_last() -> None:
    scores = decode_priorities(Service(cluster()).call("prioritize", args()))
    assert scores["n3"] == min(scores.values())
    assert scores["n1"] > scores["n2"] > scores["n3"]


def test_a_burst_does_not_pile_onto_one_node() -> None:
    service = Service(cluster(nodes=8))
    names = list(service.scheduling.current.table.names)
    chosen = set()
    for number in range(40):
        pod = {**POD, "metadata": {"name": f"p{number}", "namespace": "shop", "uid": f"u{number}"}}
        kept = decode_filter(service.call("filter", args(names, pod))).kept
        scores = decode_priorities(service.call("prioritize", args(kept, pod)))
        chosen.add(max(scores, key=scores.get))
    assert len(chosen) > 3
    assert "n3" not in chosen
