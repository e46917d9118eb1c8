"""The service as a process, and what it is told on the command line."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from extender.app import Settings
from tests.extender.go_client import GoClient
from tests.extender.serving import args, cluster, write_state
from ullage.commands.serving import seconds
from ullage.config import defaults
from ullage.errors import UsageError
from ullage.serving.address import Address
from ullage.serving.tls import TlsFiles

FIVE_SECONDS = 5.0
EVERYWHERE = "0.0.0.0"  # noqa: S104


def start(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "extender", *arguments]
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_and_ends_the_process(tmp_path: Path, number: signal.Signals) -> None:
    path = write_state(tmp_path / "cluster.snapshot", cluster())
    with start("--snapshot", str(path), "--listen", "127.0.0.1:0", "--grpc-listen", "127.0.0.1:0") as process:
        lines = iter(process.stderr.readline, "")
        logged = [json.loads(next(lines)) for _ in range(3)]
        assert [line["msg"] for line in logged] == ["Serving HTTP", "Serving gRPC", "Published a state"]
        client = GoClient(logged[0]["addresses"][0][1])
        assert client.filter(args()).kept == ["n1", "n2"]
        begun = time.monotonic()
        process.send_signal(number)
        said = [json.loads(line)["msg"] for line in lines]
        assert process.wait(FIVE_SECONDS) == 0
        assert time.monotonic() - begun < FIVE_SECONDS
        assert said == ["Draining", "Ended"]
        assert process.stdout.read() == ""
        client.close()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--listen", "0.0.0.0:8888"], "--allow-plain-http"),
        (["--listen", ":8888"], "no TLS"),
        (["--grpc-listen", "10.0.0.1:1"], "no TLS"),
        (["--listen", "nowhere"], "host:port"),
        (["--timeout", "soon"], "--timeout"),
        (["--timeout", "0s"], "--timeout"),
        (["--prefix", "a b"], "--prefix"),
        (["--body-limit", "0"], "--body-limit"),
        (["--client-ca", __file__], "--tls-cert"),
        (["--tls-cert", __file__, "--tls-key", __file__], "TLS"),
    ],
)
def test_what_makes_no_sense_is_said_in_one_line(tmp_path: Path, arguments: list[str], said: str) -> None:
    with start("--snapshot", str(tmp_path / "s"), *arguments) as process:
        _, error = process.communicate(timeout=30)
        assert process.returncode == 2
        assert said in error
        assert "Traceback" not in error


@pytest.mark.parametrize(
    ("text", "address", "loopback"),
    [
        ("127.0.0.1:8888", Address("127.0.0.1", 8888), True),
        ("[::1]:1", Address("::1", 1), True),
        ("localhost:1", Address("localhost", 1), True),
        (":9443", Address(EVERYWHERE, 9443), False),
        ("example.org:1", Address("example.org", 1), False),
    ],
)
def test_addresses(text: str, address: Address, loopback: bool) -> None:
    assert Address.parse(text) == address
    assert address.is_loopback is loopback


def test_plain_http_is_served_to_others_only_if_that_is_allowed(tmp_path: Path) -> None:
    everywhere = Address(EVERYWHERE, 1)
    files = TlsFiles(tmp_path / "a", tmp_path / "b")
    with pytest.raises(UsageError):
        Settings(tmp_path, defaults(), listen=everywhere).check()
    Settings(tmp_path, defaults(), listen=everywhere, plain=True).check()
    Settings(tmp_path, defaults(), listen=everywhere, grpc_listen=everywhere, tls=files).check()


@pytest.mark.parametrize(("text", "value"), [("200ms", 0.2), ("5s", 5.0), ("1m30s", 90.0), ("1.5h", 5400.0)])
def test_durations_are_written_as_go_writes_them(text: str, value: float) -> None:
    assert seconds("--timeout", text) == pytest.approx(value)
