"""``ullage why`` from a plan file and from a running extender."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from descheduler.report import render
from tests.builders import Cluster
from tests.descheduler.policy.making import plan
from tests.extender.serving import POD, Running, cluster, running, write_state
from ullage import cli
from ullage.commands import Console


def ullage(*arguments: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    code = cli.run(list(arguments), Console(stdout=out, stderr=err, environment={}), "ullage")
    return code, out.getvalue(), err.getvalue()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory):
    path = tmp_path_factory.mktemp("state") / "cluster.snapshot"
    with running(write_state(path, cluster())) as found:
        yield found


def address(served: Running) -> str:
    return f"http://127.0.0.1:{served.port}/scheduler"


def test_a_saved_plan_answers(tmp_path: Path):
    made = plan(Cluster().node("n1", cpu=10).node("n2", cpu=16).vm("shop/v", "n1", use_cpu=9).build())
    (tmp_path / "plan.json").write_text(render(made, "json"))
    code, out, err = ullage("why", "n1", "--plan", str(tmp_path / "plan.json"))
    assert (code, err) == (0, "")
    assert "shop/v" in out
    assert "n2" in out


def test_an_extender_answers_with_every_term_of_every_node(served: Running, tmp_path: Path):
    (tmp_path / "pod.json").write_text(json.dumps({"kind": "Pod", **POD}))
    code, out, err = ullage("why", "shop/web", "-f", str(tmp_path / "pod.json"), "--extender", address(served))
    assert (code, err) == (0, "")
    assert "Pod web is expected to take 0.425 cores and 2.8Gi (from its requests)." in out
    lines = out.splitlines()
    head = next(line for line in lines if line.startswith("NODE"))
    assert "PEAK-MEMORY" in head.split()
    assert [line.split()[:2] for line in lines if line.startswith(("n1", "n2", "n3"))] == [
        ["n1", "10"],
        ["n2", "6"],
        ["n3", "rejected"],
    ]
    assert any(line.startswith("  n3: ") and "limit-memory" not in line.split(":")[0] for line in lines)


def test_a_pod_of_which_only_the_name_is_known(served: Running):
    code, out, _ = ullage("why", "pod/shop/web", "--extender", address(served))
    assert code == 0
    assert "(from its default)" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("why", "n1"), "name one of --plan and --extender"),
        (("why", "n1", "--plan", "x", "--extender", "y"), "name one of --plan and --extender"),
        (("why", "n1", "--extender", "ftp://x"), "is no HTTP address"),
    ],
)
def test_what_makes_no_sense_is_bad_usage(arguments: tuple[str, ...], said: str):
    code, out, err = ullage(*arguments)
    assert (code, out) == (2, "")
    assert said in err


def test_a_service_that_is_not_there_or_is_another(served: Running):
    code, _, err = ullage("why", "shop/web", "--extender", "http://127.0.0.1:1/scheduler")
    assert code == 1
    assert "cannot be reached" in err
    code, _, err = ullage("why", "shop/web", "--extender", f"http://127.0.0.1:{served.port}/elsewhere")
    assert code == 1
    assert "404" in err


def test_a_file_that_holds_no_pod(tmp_path: Path, served: Running):
    (tmp_path / "node.yaml").write_text("kind: Node\n")
    code, _, err = ullage("why", "shop/web", "-f", str(tmp_path / "node.yaml"), "--extender", address(served))
    assert code == 2
    assert "holds no Pod" in err
