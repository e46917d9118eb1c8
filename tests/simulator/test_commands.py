"""``ullage generate`` and ``ullage snapshot`` from end to end."""

import gzip
import io
import json
from pathlib import Path

import pytest

from ullage.cli import run
from ullage.commands import Console
from ullage.sources.inputs import load
from ullage.sources.snapshot import encode
from ullage.sources.snapshot_wire import schema


def ullage(*arguments: str) -> tuple[int, str, str]:
    stdout, stderr = io.StringIO(), io.StringIO()
    code = run(arguments, Console(stdout=stdout, stderr=stderr, environment={}))
    return code, stdout.getvalue(), stderr.getvalue()


def test_dump_to_snapshot(tmp_path: Path) -> None:
    dump, snapshot = tmp_path / "dump.json.gz", tmp_path / "snapshot.json.gz"
    code, out, said = ullage("generate", "--nodes", "3", "--workloads", "40", "--seed", "4", "-o", str(dump))
    assert (code, out) == (0, "")
    assert "3 nodes, 40 workloads" in said
    code, out, said = ullage("snapshot", "convert", str(dump), "-o", str(snapshot))
    assert (code, out) == (0, "")
    assert "3 nodes, 40 workloads" in said
    state = load([str(snapshot)])
    assert encode(state) == encode(load([str(dump)])) == gzip.decompress(snapshot.read_bytes())
    assert sorted(tmp_path.iterdir()) == [dump, snapshot]


def test_snapshot_to_stdout() -> None:
    code, out, _ = ullage("generate", "--nodes", "2", "--format", "snapshot")
    assert code == 0
    assert json.loads(out)["kind"] == "ClusterSnapshot"


def test_an_existing_file_is_kept_unless_forced(tmp_path: Path) -> None:
    path = tmp_path / "cluster.json"
    path.write_text("precious")
    code, _, said = ullage("generate", "--nodes", "1", "-o", str(path))
    assert code == 2
    assert "exists already" in said
    assert "--force" in said
    assert path.read_text() == "precious"
    assert ullage("generate", "--nodes", "1", "-o", str(path), "--force")[0] == 0
    assert json.loads(path.read_text())["kind"] == "List"
    assert [each.name for each in tmp_path.iterdir()] == ["cluster.json"]


def test_snapshot_refuses_to_replace_a_file(tmp_path: Path) -> None:
    dump, taken = tmp_path / "dump.json", tmp_path / "taken.json"
    assert ullage("generate", "--nodes", "1", "-o", str(dump))[0] == 0
    taken.write_text("precious")
    code, _, said = ullage("snapshot", "convert", str(dump), "-o", str(taken))
    assert (code, taken.read_text()) == (2, "precious")
    assert "exists already" in said
    code, out, _ = ullage("snapshot", "convert", str(dump), "-o", "-")
    assert code == 0
    assert json.loads(out)["apiVersion"] == "ullage.dev/v1alpha1"


def test_schema_is_printed() -> None:
    assert ullage("snapshot", "schema")[1] == schema().decode()


@pytest.mark.parametrize("arguments", [("--nodes", "0"), ("--hot", "2"), ("--nodes", "1", "--workloads", "100000")])
def test_what_cannot_be_generated_is_refused(arguments: tuple[str, ...]) -> None:
    code, out, said = ullage("generate", *arguments)
    assert (code, out) == (2, "")
    assert said.startswith("error: ")


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    code, _, said = ullage("generate", "--nodes", "1", "-o", str(tmp_path / "none" / "x.json"))
    assert code == 2
    assert "none" in said
    assert "hint: create it" in said
