"""The loop as a process: signals, and one plan on request."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.builders import Cluster
from ullage import cli
from ullage.commands import Console
from ullage.sources.snapshot import encode

HEAD = "apiVersion: ullage.dev/v1alpha1\nkind: Configuration\n"


@pytest.fixture
def snapshot(tmp_path) -> Path:
    state = Cluster().node("n1").node("n2").vm("shop/v", "n1", use_cpu=2).vm("shop/w", "n1", use_cpu=5).build()
    path = tmp_path / "cluster.snapshot"
    path.write_bytes(encode(state))
    return path


def ullage(*args: str | Path) -> list[str]:
    return [sys.executable, "-m", "ullage.cli", *map(str, args)]


@pytest.mark.parametrize("words", [(), ("--dry-run",), ("--dry-run", "--mode", "Automatic")])
def test_once_prints_byte_for_byte_what_plan_prints(snapshot, words):
    once = subprocess.run(
        ullage("descheduler", "--snapshot", snapshot, "--once", "-o", "json", *words),
        capture_output=True,
        check=True,
        timeout=60,
    )
    plan = subprocess.run(ullage("plan", snapshot, "-o", "json"), capture_output=True, check=True, timeout=60)
    assert once.stdout == plan.stdout
    assert len(json.loads(once.stdout)["spec"]["moves"]) == 1
    said = "dry run: would move shop/v from n1 to n2 by evacuate\n" if words else ""
    assert once.stderr.decode() == said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--lease-times", "10s,10s,2s"), "--lease-times: '10s,10s,2s' cannot work"),
        (
            ("--lease-times", "15s,10s,9s"),
            "the lease must last longer than the renewal, and that longer than 1.2 retries",
        ),
        (("--lease-times", "15s,10s"), "are not three times"),
        (("--lease", "here"), "is no namespace and name"),
        (("--dry-run", "--mode", "Off"), "in the mode Off nothing is begun"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_asked(words, said):
    out, err = io.StringIO(), io.StringIO()
    assert cli.run(["descheduler", *words], Console(out, err, {})) == 2
    assert said in err.getvalue()
    assert out.getvalue() == ""


def test_once_says_why_there_is_no_state(tmp_path):
    done = subprocess.run(
        ullage("descheduler", "--snapshot", tmp_path / "none", "--once"), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert done.stderr == f"error: {tmp_path / 'none'}: cannot be read: No such file or directory\n"


def test_sighup_reads_the_configuration_and_sigterm_ends_it_within_five_seconds(snapshot, tmp_path):
    config = tmp_path / "c.yaml"
    config.write_text(HEAD)
    service = subprocess.Popen(
        ullage(
            "descheduler", "--snapshot", snapshot, "--interval", "1h", "--listen", "127.0.0.1:0", "--config", config
        ),
        stderr=subprocess.PIPE,
        text=True,
    )
    assert service.stderr is not None
    try:
        said = iter(service.stderr.readline, "")
        assert any(json.loads(line).get("result") == "planned" for line in said)
        service.send_signal(signal.SIGHUP)
        assert any(json.loads(line)["msg"] == "The configuration was read" for line in said)
        begun = time.monotonic()
        service.terminate()
        assert service.wait(timeout=20) == 0
        assert time.monotonic() - begun < 5
        assert json.loads(list(said)[-1])["msg"] == "Ended"
    finally:
        service.kill()
        service.wait()
        service.stderr.close()
