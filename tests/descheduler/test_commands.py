"""``ullage plan`` as a whole: arguments, streams, exit codes."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path

import pytest

from simulator.commands import command as generate
from ullage import cli
from ullage.commands import Console

NODES = ("--nodes", "8", "--workloads", "60", "--hot", "0.3")


@pytest.fixture(scope="module")
def dump(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("dump") / "cluster.json.gz"
    generate.main([*NODES, "-o", str(path)], standalone_mode=False)
    return path


def run(*arguments: str | Path) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    code = cli.run([str(a) for a in arguments], Console(out, err, {}))
    return code, out.getvalue(), err.getvalue()


def test_more_words_leave_the_data_alone(dump):
    quiet = run("plan", dump, "-o", "json")
    verbose = run("plan", dump, "-o", "json", "-v")
    assert quiet[:2] == verbose[:2]
    assert quiet[2] == ""
    assert verbose[2].splitlines() == [
        f"read {dump}: 8 nodes, 60 workloads",
        f"planned with goal relieve, engine greedy: {len(json.loads(quiet[1])['spec']['moves'])} moves",
    ]


def test_nodes_to_empty_are_named_in_any_way(dump):
    one_by_one = run("plan", dump, "--goal", "evacuate", "--node", "worker-001", "--node", "worker-002", "-o", "csv")
    assert one_by_one[0] == 0
    assert one_by_one == run("plan", dump, "--goal", "evacuate", "worker-001,worker-002", "-o", "csv")
    assert one_by_one == run("plan", dump, "worker-001", "--goal", "evacuate", "--node", "worker-002", "-o", "csv")


def test_exit_codes(dump):
    assert run("plan", dump)[0] == 0
    assert run("plan", dump, "--max-moves", "0", "--error-unchanged")[0] == 3
    assert run("plan", dump, "--max-moves", "0", "--fail-on", "over")[0] == 4
    for wrong in (
        ("plan", "missing.json"),
        ("why", "worker-001", "--plan", "missing.json"),
        ("plan", dump, "--high", "x"),
    ):
        assert run(*wrong)[:2] == (2, "")


def test_why_reads_a_packed_plan(dump, tmp_path):
    plan = tmp_path / "plan.json.gz"
    plan.write_bytes(gzip.compress(run("plan", dump, "-o", "json")[1].encode()))
    code, out, _ = run("why", "worker-001", "--plan", plan)
    assert code == 0
    assert out.startswith("node/worker-001 is ")


def test_a_search_takes_its_time_from_the_command(dump):
    arguments = ("plan", dump, "--goal", "balance", "--engine", "search", "-o", "json")
    code, out, err = run(*arguments, "--time-limit", "200ms", "--seed", "3")
    assert (code, err) == (0, "")
    assert json.loads(out)["status"]["engine"] in ("search", "greedy")
    assert run(*arguments, "--time-limit", "soon")[:2] == (2, "")
    assert run(*arguments, "--time-limit", "0.2")[0] == 0
