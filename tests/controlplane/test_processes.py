"""Programs end with who started them, say why they did not start, and keep nothing."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.controlplane.processes import Program, StartError, reserved_ports
from tests.controlplane.waiting import until

STUBBORN = "trap '' TERM; echo begun; while :; do sleep 0.1; done"
PARENT = """
import sys, threading
from pathlib import Path
from tests.controlplane.processes import Program
program = Program(["/bin/sleep", "1000"], Path(sys.argv[1]) / "log")
print(program.pid, flush=True)
threading.Event().wait()
"""


def alive(pid: int) -> bool:
    """Whether a process is there and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _shell(script: str, folder: Path) -> Program:
    return Program(["/bin/sh", "-c", script], folder / "log")


def test_it_is_the_program_itself_in_a_group_of_its_own(tmp_path: Path) -> None:
    with _shell("echo $$; ps -o pgid= -p $$; sleep 1000", tmp_path) as program:
        program.wait_ready(lambda: len(program.tail().split()) == 2, 10)
        assert [int(word) for word in program.tail().split()] == [program.pid, program.pid]
        assert program.name == "sh"
        assert program.running
    assert not alive(program.pid)


def test_one_that_ends_early_shows_the_end_of_its_log(tmp_path: Path) -> None:
    with _shell("seq 100; echo bad flag >&2; exit 3", tmp_path) as program:
        with pytest.raises(StartError, match=r"(?s)sh ended with status 3.*100\nbad flag") as raised:
            program.wait_ready(lambda: False, 10)
        assert "\n50\n" not in str(raised.value)


def test_one_that_is_never_ready_shows_the_end_of_its_log(tmp_path: Path) -> None:
    with (
        _shell("echo begun; sleep 1000", tmp_path) as program,
        pytest.raises(StartError, match=r"(?s)within 0.5 s:\nbegun"),
    ):
        program.wait_ready(lambda: False, 0.5)


def test_one_that_does_not_want_to_end_is_made_to(tmp_path: Path) -> None:
    program = _shell(STUBBORN, tmp_path)
    program.wait_ready(lambda: "begun" in program.tail(), 10)
    program.stop(patience_seconds=0.2)
    assert not alive(program.pid)
    program.stop()


def test_it_outlives_the_thread_that_asked_for_it(tmp_path: Path) -> None:
    found: list[Program] = []
    asking = threading.Thread(target=lambda: found.append(_shell("echo begun; read line || sleep 1000", tmp_path)))
    asking.start()
    asking.join()
    with found[0] as program:
        program.wait_ready(lambda: "begun" in program.tail(), 10)
        assert program.running


@pytest.mark.skipif(sys.platform != "linux", reason="the signal of a parent's death is of Linux")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_it_ends_with_its_parent(tmp_path: Path, number: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT, tmp_path], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert alive(child)
        parent.send_signal(number)
    until(lambda: not alive(child), "end of the child", seconds=10)


def test_a_reserved_port_is_given_to_nobody_else_but_can_be_listened_on() -> None:
    with reserved_ports(200) as ports:
        assert len(set(ports)) == 200
        with socket.create_server(("127.0.0.1", ports[0]), reuse_port=False):
            socket.create_connection(("127.0.0.1", ports[0])).close()
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", ports[1]))
    with socket.socket() as other:
        other.bind(("127.0.0.1", ports[1]))


def test_what_never_comes_is_not_waited_for_longer() -> None:
    with pytest.raises(TimeoutError, match=r"the ship: not within 0.1 s, the last answer was \[\]"):
        until(list, "the ship", seconds=0.1)
