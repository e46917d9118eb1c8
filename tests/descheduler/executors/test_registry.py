"""Which executor carries which move out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from descheduler.executors.registry import ROUTES, Case, Routing, case_of, executors, knows_destinations, route
from tests.builders import Cluster
from tests.descheduler.executors.world import World, pod_step, vm_step
from ullage.model.state import KubeVirt, NodeFlag


@pytest.mark.parametrize(
    ("version", "knows"),
    [
        ("1.5.9", False),
        ("v1.6.0", True),
        ("1.6.0-rc.1", True),
        ("1.9.1", True),
        ("main", True),
        ("", False),
        ("?", False),
    ],
)
def test_destinations_can_be_named_from_1_6_on(version: str, knows: bool) -> None:
    assert knows_destinations(version) is knows


@pytest.mark.parametrize(
    ("case", "name"),
    [
        (Case(is_machine=False), "evict"),
        (Case(is_machine=False, is_directed=True, is_urgent=True), "evict"),
        (Case(is_machine=True, is_directed=True), "migrate"),
        (Case(is_machine=True), "evacuate"),
        (Case(is_machine=True, is_directed=True, is_urgent=True), "evacuate-urgent"),
        (Case(is_machine=True, is_urgent=True), "evacuate-urgent"),
    ],
)
def test_routes(case: Case, name: str) -> None:
    assert route(case) == name


@pytest.mark.parametrize(
    ("version", "flags", "name"),
    [
        ("1.7.1", 0, "migrate"),
        ("1.5.2", 0, "evacuate"),
        (None, 0, "evacuate"),
        ("1.7.1", NodeFlag.MEMORY_PRESSURE, "evacuate-urgent"),
    ],
)
def test_executor_follows_from_the_state(world: World, version: str | None, flags: int, name: str) -> None:
    kubevirt = None if version is None else KubeVirt(version=version)
    state = Cluster().node("node-1").node("node-2").build()
    columns = replace(state.nodes, flags=state.nodes.flags | np.array([flags, 0], dtype=np.int32))
    state = replace(state, nodes=columns, kubevirt=kubevirt)
    assert case_of(vm_step(), state).is_machine
    routing = Routing(executors(world.writer))
    assert routing(vm_step(), state).name == name
    assert routing(pod_step(), state).name == "evict"


def test_node_that_is_gone_is_in_no_danger() -> None:
    assert not case_of(vm_step(), Cluster().node("other").build()).is_urgent


def test_every_route_has_its_executor(world: World) -> None:
    assert set(executors(world.writer)) == {name for name, _ in ROUTES}
