"""``ullage taints`` as a person uses it, on a real API server."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest
import yaml

from descheduler.executors.taint import EFFECT, KEY, Tainted
from descheduler.taints_command import _shown
from tests.controlplane.objects import node
from tests.controlplane.plane import ControlPlane
from tests.controlplane.rest import Rest
from tests.controlplane.waiting import until
from ullage import cli
from ullage.commands import Console

pytestmark = pytest.mark.xdist_group("control-plane")
Run = Callable[..., tuple[int, str, str]]
NODES: Final = "/api/v1/nodes"
FOREIGN: Final = {"key": "dedicated", "value": "db", "effect": "NoSchedule"}
HARD: Final = {"key": KEY, "value": "9", "effect": "NoSchedule"}
NOW: Final = 1_700_000_000.0


class Person(io.StringIO):
    """A terminal at which somebody sits."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def run(control_plane: ControlPlane) -> Run:
    """Calls the command as the admin."""

    def called(*arguments: str, config: Path = control_plane.admin) -> tuple[int, str, str]:
        out, err = io.StringIO(), io.StringIO()
        code = cli.run(["taints", *arguments, f"--kubeconfig={config}"], Console(out, err, {}))
        return code, out.getvalue(), err.getvalue()

    return called


@pytest.fixture
def marked(admin: Rest) -> Iterator[dict[str, list[dict[str, str]]]]:
    """Two marked nodes and one that is not; taints of others by node."""
    others = {"t1": [FOREIGN, HARD], "t2": [], "t3": [FOREIGN]}
    for name, kept in others.items():
        admin.post(NODES, node(name, pods="0"))
        until(lambda name=name: "taints" not in admin.get(f"{NODES}/{name}")["spec"], "node without taints")  # type: ignore[misc]
        ours = [{"key": KEY, "value": "9000000000", "effect": EFFECT}] if name != "t3" else []
        admin.patch(f"{NODES}/{name}", {"spec": {"taints": [*ours, *kept]}})
    yield others
    for name in others:
        admin.delete(f"{NODES}/{name}")


def taints(admin: Rest) -> dict[str, list[dict[str, str]]]:
    """Taints by node."""
    return {name: admin.get(f"{NODES}/{name}")["spec"].get("taints", []) for name in ("t1", "t2", "t3")}


def test_marks_are_listed(run: Run, marked: dict[str, list[dict[str, str]]]) -> None:
    del marked
    code, out, err = run("list")
    assert (code, err) == (0, "")
    head, *rows = (line.split() for line in out.splitlines())
    assert head == ["NODE", "UNTIL", "STATE"]
    assert [row[:3] for row in rows] == [[name, "2255-03-14T16:00:00Z", "holds"] for name in ("t1", "t2")]
    assert run("list", "-o", "name") == (0, "node/t1\nnode/t2\n", "")


def test_marks_are_taken_off_and_nothing_else(run: Run, admin: Rest, marked: dict[str, list[dict[str, str]]]) -> None:
    assert run("clear", "--yes") == (0, "node/t1 untainted\nnode/t2 untainted\n", "")
    assert taints(admin) == marked
    assert run("clear", "--yes") == (0, "", "No node is marked.\n")
    assert run("list") == (0, "", "No node is marked.\n")
    assert json.loads(run("list", "-o", "json")[1])["items"] == []


@pytest.mark.parametrize(("mode", "suffix"), [("client", "(dry run)"), ("server", "(server dry run)")])
@pytest.mark.usefixtures("marked")
def test_a_dry_run_changes_nothing(run: Run, admin: Rest, mode: str, suffix: str) -> None:
    before = taints(admin)
    said = f"node/t1 untainted {suffix}\nnode/t2 untainted {suffix}\n"
    assert run("clear", f"--dry-run={mode}") == (0, said, "")
    assert taints(admin) == before


@pytest.mark.usefixtures("marked")
def test_nobody_to_ask_is_no_yes(run: Run, admin: Rest) -> None:
    before = taints(admin)
    code, out, err = run("clear")
    assert (code, out) == (2, "")
    assert "--yes" in err
    assert taints(admin) == before


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("n\n", 130), ("\n", 130)])
def test_a_person_is_asked(
    run: Run,
    admin: Rest,
    marked: dict[str, list[dict[str, str]]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    answer: str,
    code: int,
) -> None:
    monkeypatch.setattr("sys.stdin", Person(answer))
    before = taints(admin)
    assert run("clear")[0] == code
    assert taints(admin) == (before if code else marked)
    asked = capsys.readouterr()
    assert "Take the mark off 2 nodes (t1, t2)? [y/N]" in asked.out + asked.err


@pytest.mark.usefixtures("marked")
def test_who_may_not_is_told_so_and_fails(run: Run, control_plane: ControlPlane, admin: Rest) -> None:
    reader = control_plane.kubeconfig("reads-nodes")
    control_plane.kubectl("create", "clusterrole", "reads-nodes", "--verb=get,list", "--resource=nodes")
    control_plane.kubectl(
        "create", "clusterrolebinding", "reads-nodes", "--clusterrole=reads-nodes", "--user=reads-nodes"
    )
    try:
        until(lambda: run("list", config=reader)[0] == 0, "the reader's rights")
        code, out, err = run("clear", "--yes", config=reader)
        assert (code, out) == (1, "")
        assert [line.partition(": 403 Forbidden")[0] for line in err.splitlines()] == ["error: t1", "error: t2"]
    finally:
        admin.delete("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/reads-nodes")
        admin.delete("/apis/rbac.authorization.k8s.io/v1/clusterroles/reads-nodes")


def test_a_mark_that_was_left_behind_is_told_apart() -> None:
    found = [
        Tainted("a", "ua", NOW + 61),
        Tainted("b", "ub", NOW - 7200),
        Tainted("c", "uc", float("nan")),
        Tainted("d", "ud", 1e60),
    ]
    rows = [line.split("   ") for line in _shown(found, "table", NOW).splitlines()]
    assert [row[-1].strip() for row in rows[1:]] == [
        "holds for 1 min 1 s",
        "lapsed 2 h ago",
        "its value is no time",
        "its value is no time",
    ]
    for output, read in (("json", json.loads), ("yaml", yaml.safe_load)):
        document = read(_shown(found, output, NOW))
        assert (document["apiVersion"], document["kind"]) == ("ullage.dev/v1alpha1", "SoftTaintList")
        assert [(i["node"], i["isLapsed"]) for i in document["items"]] == [
            ("a", False),
            ("b", True),
            ("c", None),
            ("d", None),
        ]
        assert document["items"][1]["untilSeconds"] == NOW - 7200
