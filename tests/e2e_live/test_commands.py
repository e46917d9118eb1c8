"""Commands that look at a live cluster once, with the metrics API as all that measures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.controlplane.plane import ControlPlane
from tests.controlplane.waiting import until
from tests.e2e_live import scene
from tests.e2e_live.account import Account
from tests.e2e_live.commands import SECONDS, Ullage, offline
from tests.standin.cluster import StandIn
from tests.standin.nodes import GI
from ullage.model.measures import NodeMeasure, WorkloadMeasure
from ullage.model.state import ClusterState, WorkloadKind
from ullage.sources.inputs import load

pytestmark = pytest.mark.xdist_group("control-plane")
SOON_SECONDS = 20.0
"""A day of history of this cluster would come as quickly; what must not be waited for is a second reading after a minute."""


def captured(ullage: Ullage, file: Path) -> ClusterState:
    ullage("snapshot", "capture", "--force", "-o", str(file))
    return load([str(file)])


def plain(plan: dict[str, Any]) -> dict[str, Any]:
    """A plan but for the moment that it is of."""
    return {**plan, "status": {**plan["status"], "observedAt": "", "generation": 0}}


@pytest.mark.usefixtures("standin")
def test_capture_sees_what_there_is(ullage: Ullage, space: str, tmp_path: Path) -> None:
    state = captured(ullage, tmp_path / "cluster.snapshot.gz")
    assert ullage.took_seconds < SOON_SECONDS
    assert state.nodes.name == tuple(sorted(each.name for each in scene.NODES))
    rows = state.workloads
    names = {kind: [] for kind in WorkloadKind}
    for row, name in enumerate(rows.name):
        names[WorkloadKind(rows.kind[row])].append(name)
    assert names[WorkloadKind.VMI] == [f"vm-{number}" for number in range(5)]
    assert names[WorkloadKind.POD] == ["web-0", "web-1"]
    assert [state.nodes.name[node] for node in rows.node] == [*[scene.HOT] * 3, *[scene.MIDDLE] * 2, *scene.ROOMY]
    assert [(each.name, each.disruptions_allowed) for each in state.budgets if each.namespace == space] == [("web", 1)]
    hot = state.nodes.name.index(scene.HOT)
    assert state.nodes.measures.column(NodeMeasure.CPU_MEAN_CORES)[hot] == pytest.approx(6)
    assert state.nodes.measures.column(NodeMeasure.MEMORY_MEAN_BYTES)[hot] == pytest.approx(55 * GI)
    assert rows.measures.column(WorkloadMeasure.MEMORY_MEAN_BYTES)[0] == pytest.approx(18 * GI)
    assert state.nodes.measures.column(NodeMeasure.SWAP_USED_BYTES)[hot] == pytest.approx(scene.SWAPPED)
    assert np.isnan(state.nodes.measures.column(NodeMeasure.PSI_MEMORY_SOME_RATIO)).all()  # it cannot know
    assert state.sources == ("metrics.k8s.io",)


@pytest.mark.usefixtures("standin")
def test_plan_relieves_the_hot_node_with_one_vm(ullage: Ullage) -> None:
    plan = ullage.json("plan", "--live")
    assert ullage.took_seconds < SOON_SECONDS
    moves = [(each["workload"]["name"][:3], each["from"]) for each in plan["spec"]["moves"]]
    assert moves == [("vm-", scene.HOT)]
    assert plan["spec"]["moves"][0]["to"] in scene.ROOMY
    assert {each["name"]: each["before"]["class"] for each in plan["status"]["nodes"]}[scene.HOT] == "over"
    assert plan["status"]["summary"]["nodesOverAfter"] == 0


@pytest.mark.parametrize("words", [(), ("--dry-run", "--mode", "Automatic")])
def test_once_and_live_say_what_plan_says_of_the_snapshot(
    standin: StandIn, ullage: Ullage, tmp_path: Path, words: tuple[str, ...]
) -> None:
    kept, taken = tmp_path / "kept.snapshot", tmp_path / "taken.snapshot.gz"
    once = ullage("descheduler", "--once", *words, "-o", "json", "--save-snapshot", str(kept))
    assert len(json.loads(once)["spec"]["moves"]) == 1
    assert offline("plan", str(kept), "-o", "json") == once
    # Looked at anew, the state is another one; with readings that stand still only its time differs.
    standin.readings.freeze()
    captured(ullage, taken)
    plans = [
        json.loads(offline("plan", str(taken), "-o", "json")),
        ullage.json("descheduler", "--once", *words),
        ullage.json("plan", "--live"),
    ]
    assert plain(plans[0]) == plain(plans[1]) == plain(plans[2])


def test_status_says_which_node_is_set_aside_and_why(standin: StandIn, ullage: Ullage) -> None:
    fine = ullage.json("status")
    assert fine["is_synced"]
    assert fine["set_aside"] == []
    assert {each["resource"]: each["objects"] for each in fine["kinds"]}["nodes"] == len(scene.NODES)
    standin.readings.hide(scene.MIDDLE)
    found = ullage.json("status")
    assert [(each["node"], each["code"]) for each in found["set_aside"]] == [(scene.MIDDLE, "missing")]
    table = ullage("status")
    assert f"{scene.MIDDLE}" in table.partition("NODE SET ASIDE")[2]
    assert "were not read" in table
    plan = ullage.json("plan", "--live")
    assert {each["name"]: each["before"]["class"] for each in plan["status"]["nodes"]}[scene.MIDDLE] == "unknown"


@pytest.mark.usefixtures("standin")
def test_anonymized_names_are_not_in_the_file(ullage: Ullage, space: str, tmp_path: Path) -> None:
    file = tmp_path / "cluster.snapshot"
    ullage("snapshot", "capture", "--anonymize", "-o", str(file))
    text = file.read_text()
    assert not [name for name in (scene.HOT, space, "vm-0") if f'"{name}"' in text]
    assert len(load([str(file)]).nodes) == len(scene.NODES)


@pytest.mark.usefixtures("standin")
def test_only_services_may_not_be_listed_with_the_role_of_the_deployment(ullage: Ullage, account: Account) -> None:
    since = account.here()
    found = ullage.json("status")
    assert account.refused(since) == {"/api/v1/services"}  # where Prometheus would be looked for
    assert "services" in found["readings"][0]["error"]
    assert account.writes() == []


@pytest.mark.usefixtures("cluster")
def test_who_may_not_read_is_told_so(control_plane: ControlPlane, tmp_path: Path) -> None:
    nobody = Ullage(control_plane.kubeconfig("nobody"), tmp_path / "config.yaml")
    (tmp_path / "config.yaml").write_text("apiVersion: ullage.dev/v1alpha1\nkind: Configuration\n")
    said = nobody.failing("plan", "--live", "--timeout", "3s")
    assert 'User "nobody" cannot list resource' in said
    assert "Traceback" not in said


def test_the_loop_shows_the_same_and_writes_nothing(
    standin: StandIn, hurried: Ullage, account: Account, tmp_path: Path
) -> None:
    with hurried.loop(tmp_path / "log") as loop:
        until(lambda: len(loop.json("/plan")["spec"]["moves"]) == 1, "a plan with a move", seconds=SECONDS)
        assert loop.json("/plan")["spec"]["moves"][0]["from"] == scene.HOT
        assert loop.kind("pods")["objects"] >= 7
        assert loop.metric("ullage_descheduler_synced") == 1
        assert loop.metric('ullage_descheduler_nodes{class="over"}') == 1
        assert b"<html" in loop.get("/report").data
        standin.readings.hide(scene.MIDDLE)
        until(lambda: loop.metric('ullage_descheduler_nodes{class="unknown"}') == 1, "a node that is not known")
        aside = loop.json("/status")["health"]["set_aside"]
        assert [(each["node"], each["code"]) for each in aside] == [(scene.MIDDLE, "stale")]
        assert "10 s may be" in aside[0]["text"]
        assert loop.metric('ullage_descheduler_nodes_set_aside{code="stale"}') == 1
        shown = offline("status", "--url", loop.url)
        assert "10 s may be" in shown.partition("NODE SET ASIDE")[2]
        standin.readings.tell_truth()
        until(lambda: loop.json("/status")["health"]["set_aside"] == [], "a node that is known again")
    assert loop.said("Cycle")[-1]["result"] == "planned"
    assert account.writes() == []
