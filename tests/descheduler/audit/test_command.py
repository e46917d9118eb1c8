"""``ullage audit``: inputs, outputs and exit codes."""

import io
import json
from pathlib import Path

import pytest

from tests.descheduler.audit.clusters import PROVOKED, cluster
from tests.descheduler.audit.test_findings import examined, small
from ullage import cli
from ullage.commands import Console
from ullage.model.state import ClusterState
from ullage.sources.snapshot import encode


def run(*arguments: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    return cli.run(("audit", *arguments), Console(out, err, {})), out.getvalue(), err.getvalue()


def saved(folder: Path, state: ClusterState) -> str:
    path = folder / "cluster.snapshot"
    path.write_bytes(encode(state))
    return str(path)


@pytest.mark.parametrize(
    ("flags", "state", "expected"),
    [
        ((), small(), 0),
        (("--fail-on", "critical"), small(), 4),
        (("--fail-on", "warning"), small(), 4),
        (("--fail-on", "critical"), PROVOKED["swap-missing"](), 0),
        (("--fail-on", "warning"), PROVOKED["swap-missing"](), 4),
        (("--fail-on", "warning"), PROVOKED["psi-off"](), 0),
        (("--error-unchanged",), PROVOKED["psi-off"](), 0),
        (("--error-unchanged", "--fail-on", "warning"), cluster(), 3),
        ((), cluster(), 0),
    ],
)
def test_exit_codes(tmp_path: Path, flags: tuple[str, ...], state: ClusterState, expected: int) -> None:
    code, out, err = run(saved(tmp_path, state), *flags)
    assert (code, err) == (expected, "")
    assert "3 nodes with" in out


def test_the_report_of_a_file_is_that_of_its_state(tmp_path: Path) -> None:
    code, out, _ = run(saved(tmp_path, small()), "-o", "json")
    assert code == 0
    found = [(each["code"], each["text"]) for each in json.loads(out)["status"]["findings"]]
    assert found == [(each.code, each.text) for each in examined(small()).status.findings]


def test_a_page_is_written_beside(tmp_path: Path) -> None:
    target = tmp_path / "audit.html"
    code, _, err = run(saved(tmp_path, small()), "--report", str(target))
    assert (code, err) == (0, f"report written to {target}\n")
    assert target.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["audit.html", "cluster.snapshot"]


def test_the_configuration_sets_the_thresholds(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(
        "apiVersion: ullage.dev/v1alpha1\nkind: Configuration\nthresholds: {memory: {high: 40%, target: 40%, low: 20%}}\n"
    )
    _, out, _ = run(saved(tmp_path, cluster()), "--config", str(config), "-o", "json")
    found = {each["code"] for each in json.loads(out)["status"]["findings"]}
    assert "memory-over" in found


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("missing.json",), "missing.json"),
        ((), "FILE..."),
        (("--fail-on", "info", "x"), "info"),
        (("x", "--config", "missing.yaml"), "missing.yaml"),
    ],
)
def test_bad_usage_is_one_line_and_no_report(arguments: tuple[str, ...], message: str) -> None:
    code, out, err = run(*arguments)
    assert code in {1, 2}
    assert out == ""
    assert message in err.splitlines()[0]


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    code, _, err = run(saved(tmp_path, cluster()), "--report", str(tmp_path / "none" / "audit.html"))
    assert code == 2
    assert "does not exist" in err
