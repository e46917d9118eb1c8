"""The generated code belongs to the API as it is written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ullage.api.v1 import rebalancing_pb2, scheduling_pb2

ROOT = Path(__file__).resolve().parents[2]
PROTO = ROOT / "proto"
BIN = Path(sys.executable).parent


def test_the_generated_code_is_what_the_generator_writes(tmp_path: Path) -> None:
    sources = sorted(str(path.relative_to(PROTO)) for path in PROTO.rglob("*.proto"))
    outputs = [
        f"--{name}_out={option}{tmp_path}"
        for name, option in (("python", ""), ("grpc_python", ""), ("mypy", "quiet:"), ("mypy_grpc", "quiet:"))
    ]
    plugins = [f"--plugin=protoc-gen-{name}={BIN}/protoc-gen-{name}" for name in ("mypy", "mypy_grpc")]
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTO}", *outputs, *plugins, *sources]
    subprocess.run(command, check=True)
    made = {path.relative_to(tmp_path): path.read_text() for path in tmp_path.rglob("*.py*")}
    kept = {path.relative_to(ROOT): path.read_text() for path in (ROOT / "ullage/api/v1").glob("*_pb2*.py*")}
    assert len(made) == 8
    assert kept == made, "run make proto"


def test_the_api_passes_the_linter() -> None:
    found = subprocess.run([BIN / "buf", "lint"], cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False)
    assert found.stdout + found.stderr == ""


@pytest.mark.parametrize(
    ("file", "service", "methods"),
    [
        (scheduling_pb2, "Scheduling", ["Filter", "Score", "Explain", "WatchState"]),
        (rebalancing_pb2, "Rebalancing", ["Plan"]),
    ],
)
def test_the_services(file, service: str, methods: list[str]) -> None:
    assert [method.name for method in file.DESCRIPTOR.services_by_name[service].methods] == methods
