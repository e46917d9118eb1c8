"""The wheel, installed into a clean environment with nothing but its locked dependencies, runs from anywhere."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def _run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run([*map(str, command)], cwd=cwd, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the commands of a clean environment that holds the wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    _run(sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", folder, ROOT, cwd=folder)
    venv.create(folder / "clean", with_pip=True)
    python = folder / "clean" / "bin" / "python"
    pip = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    _run(*pip, "--require-hashes", "-r", ROOT / "requirements" / "runtime.lock", cwd=folder)
    _run(*pip, "--no-deps", next(folder.glob("ullage-*.whl")), cwd=folder)
    return python.parent


def test_the_command_plans_the_example(installed: Path, tmp_path: Path) -> None:
    plan = json.loads(_run(installed / "ullage", "plan", ROOT / "examples/cluster.json.gz", "-o", "json", cwd=tmp_path))
    assert plan["kind"] == "RebalancePlan"
    assert plan["status"]["summary"]["nodesOverAfter"] == 0
    assert plan["spec"]["moves"]


def test_every_subcommand_helps(installed: Path, tmp_path: Path) -> None:
    listed = _run(installed / "ullage", "--help", cwd=tmp_path)
    section = listed.split("Commands:\n")[1].split("\n\n")[0]
    names = [line.split()[0] for line in section.splitlines()]
    assert {"plan", "why", "snapshot", "generate", "overhead"} <= set(names)
    for name in names:
        assert name in _run(installed / "ullage", name, "--help", cwd=tmp_path)


def test_no_tests_are_installed(installed: Path) -> None:
    packages = next((installed.parent / "lib").glob("python*/site-packages"))
    assert not (packages / "tests").exists()
    assert (packages / "ullage" / "py.typed").exists()
