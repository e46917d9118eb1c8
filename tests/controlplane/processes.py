"""Programs that run for as long as a test needs them, and never longer than the process that started them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

TETHER = Path(__file__).with_name("tether.py")
STOP_SECONDS = 10.0
PROBE_SECONDS = 0.05
LINES_OF_LOG = 15


class StartError(Exception):
    """A program ended before it was ready, or was not ready in time; the text holds the end of its log."""


class Program:
    """One running program: a process group of its own, a log file, and the kernel's word that it ends with its parent.

    Parameters
    ----------
    command
        The program and its arguments.
    log
        File that gets what it writes, added at the end.
    """

    def __init__(self, command: Sequence[str | Path], log: Path) -> None:
        self.log = log
        self._command = [str(word) for word in command]
        # The signal of a parent's death is of the thread that started the program, so that thread stays as long.
        self._starter = ThreadPoolExecutor(max_workers=1, thread_name_prefix=self.name)
        self._process = self._starter.submit(self._start).result()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.stop()

    @property
    def name(self) -> str:
        """Name of the program."""
        return Path(self._command[0]).name

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def tail(self, lines: int = LINES_OF_LOG) -> str:
        """Return the end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def wait_ready(self, ready: Callable[[], bool], seconds: float) -> None:
        """Wait until ``ready`` says so.

        Raises
        ------
        StartError
            It ended before, or was not ready within ``seconds``.
        """
        end = time.monotonic() + seconds
        while not ready():
            if not self.running:
                raise StartError(f"{self.name} ended with status {self._process.returncode}:\n{self.tail()}")
            if time.monotonic() > end:
                raise StartError(f"{self.name} was not ready within {seconds:g} s:\n{self.tail()}")
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(PROBE_SECONDS)

    def stop(self, patience_seconds: float = STOP_SECONDS) -> None:
        """End it: a request first, and force when patience is over; does nothing if it has ended."""
        self.send(signal.SIGTERM)
        try:
            self._process.wait(patience_seconds)
        except subprocess.TimeoutExpired:
            self.send(signal.SIGKILL)
            self._process.wait()
        self._starter.shutdown()

    def send(self, number: signal.Signals) -> None:
        """Send a signal to its group, such as ``SIGSTOP`` to hang it; does nothing if it has ended."""
        if self.running:
            os.killpg(self.pid, number)

    def _start(self) -> subprocess.Popen[bytes]:
        tethered = [sys.executable, "-ISB", str(TETHER), str(os.getpid()), *self._command]
        with self.log.open("ab") as log:
            return subprocess.Popen(
                tethered, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.log.parent, start_new_session=True
            )


@contextmanager
def reserved_ports(count: int) -> Iterator[list[int]]:
    """Free ports of the loopback address that nobody else is given until the context ends.

    A program may listen on one meanwhile: like Go's, its socket must have ``SO_REUSEADDR``.
    """
    holders = [socket.socket() for _ in range(count)]
    try:
        for holder in holders:
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            holder.bind(("127.0.0.1", 0))
        yield [holder.getsockname()[1] for holder in holders]
    finally:
        for holder in holders:
            holder.close()
