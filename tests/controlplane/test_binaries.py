"""Where programs are found, and how they are built."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.controlplane import binaries, building
from tests.controlplane.binaries import MissingProgramError


def _program(folder: Path, name: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.touch(mode=0o755)
    return path


def test_one_named_alone_wins_over_assets_and_these_over_the_cache(tmp_path: Path) -> None:
    environment = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    cached = _program(binaries.cache_folder(environment), "kube-apiserver")
    assert binaries.find("kube-apiserver", environment) == cached
    environment["KUBEBUILDER_ASSETS"] = str(tmp_path / "assets")
    asset = _program(tmp_path / "assets", "kube-apiserver")
    assert binaries.find("kube-apiserver", environment) == asset
    environment["TEST_ASSET_KUBE_APISERVER"] = str(_program(tmp_path, "mine"))
    assert binaries.find("kube-apiserver", environment) == tmp_path / "mine"


def test_what_assets_do_not_hold_comes_from_the_cache(tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path), "KUBEBUILDER_ASSETS": str(tmp_path / "assets")}
    _program(tmp_path / "assets", "etcd")
    cached = _program(binaries.cache_folder(environment), "kube-scheduler")
    assert cached.is_relative_to(tmp_path / ".cache")
    assert binaries.find("kube-scheduler", environment) == cached


def test_a_missing_program_says_how_to_get_it(tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path), "TEST_ASSET_KUBE_SCHEDULER": str(tmp_path / "nothing")}
    with pytest.raises(MissingProgramError) as raised:
        binaries.find("kube-scheduler", environment)
    line = str(raised.value)
    assert line.startswith("no kube-scheduler: run `make control-plane`")
    assert "TEST_ASSET_KUBE_SCHEDULER" in line
    assert "\n" not in line
    assert binaries.missing(environment) is not None


def test_nothing_is_missing_where_all_five_are(tmp_path: Path) -> None:
    for name in binaries.PROGRAMS:
        _program(tmp_path, name)
    assert binaries.missing({"HOME": "/nowhere", "KUBEBUILDER_ASSETS": str(tmp_path)}) is None


def test_the_version_that_is_linked_in_is_that_of_the_module() -> None:
    linked = building.linker_flags("require (\n\tk8s.io/component-base v0.40.1\n\tk8s.io/kubernetes v1.40.1\n)\n")
    assert "-X k8s.io/component-base/version.gitVersion=v1.40.1" in linked
    assert "-X k8s.io/client-go/pkg/version.gitMinor=40" in linked
    with pytest.raises(ValueError, match=r"k8s\.io/kubernetes"):
        building.linker_flags("module nothing")


def test_without_go_the_build_says_so_in_one_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.controlplane.building"],
        env={"PATH": str(tmp_path), "HOME": str(tmp_path)},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "needs Go" in done.stderr


def test_a_failed_build_shows_its_error_and_leaves_nothing(tmp_path: Path) -> None:
    go = tmp_path / "go"
    go.write_text("#!/bin/sh\necho k8s.io/api >&2\necho 'main.go:1: no good' >&2\nexit 1\n")
    go.chmod(0o755)
    with pytest.raises(SystemExit, match=r"main\.go:1: no good"):
        building.build(str(go), tmp_path / "cache" / "programs")
    assert list((tmp_path / "cache").iterdir()) == []
