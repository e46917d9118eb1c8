from __future__ import annotations

import json

import pytest

from extender.ledger import Destination
from extender.steering import PATH, Steering
from tests.builders import Cluster
from ullage.errors import UllageError
from ullage.model.state import Owner


def state():
    cluster = Cluster().node("n1").node("n2").pod("shop/web-1", "n1", owner=("ReplicaSet", "web")).vm("shop/v", "n1")
    return cluster.build()


def plan(phase="Running", steps=("Pending", "Pending")) -> dict:
    moves = [{"workload": {"uid": uid}, "to": "n2"} for uid in ("uid-pod-shop-web-1", "uid-vmi-shop-v")]
    return {"spec": {"moves": moves}, "status": {"phase": phase, "steps": [{"phase": s} for s in steps]}}


def steered(*plans: object) -> list[Destination]:
    found: list[Destination] = []

    def get(path: str) -> bytes:
        assert path == PATH
        return json.dumps({"items": plans}).encode()

    count = Steering(get, found.extend).look(state())
    assert count == len(found)
    return found


def test_waiting_moves_are_steered_a_pod_by_its_owner_and_a_vm_by_itself():
    uids = set(state().workloads.uid)
    assert {"uid-pod-shop-web-1", "uid-vmi-shop-v"} <= uids
    assert sorted(steered(plan()), key=lambda d: d.workload_uid) == [
        Destination("uid-pod-shop-web-1", "n2", Owner("ReplicaSet", "shop", "web")),
        Destination("uid-vmi-shop-v", "n2"),
    ]


def test_a_new_plan_has_no_steps_yet():
    assert len(steered(plan("Approved", ()))) == 2


@pytest.mark.parametrize("phase", ["Proposed", "Rejected", "Finished", ""])
def test_plans_that_are_not_carried_out_steer_nothing(phase):
    assert steered(plan(phase)) == []


def test_moves_that_have_begun_steer_nothing_more():
    assert [d.workload_uid for d in steered(plan(steps=("Running", "Pending")))] == ["uid-vmi-shop-v"]
    assert steered(plan(steps=("Succeeded", "Skipped"))) == []


def test_what_cannot_be_read_is_passed_over():
    assert len(steered({"spec": {"moves": 3}}, plan(), "nonsense")) == 2


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"items": 3}'])
def test_an_answer_that_is_none_steers_nothing(body):
    steering = Steering(lambda _: body, lambda _: pytest.fail("nothing was to be steered"))
    assert steering.look(state()) == 0
    assert steering.error


def test_without_the_resource_nothing_is_steered():
    def get(_: str) -> bytes:
        raise UllageError("404 NotFound")

    steering = Steering(get, lambda _: pytest.fail("nothing was to be steered"))
    assert steering.look(state()) == 0
    assert steering.error == "404 NotFound"
