"""Commands that start at once: each is a copy of a process that has imported everything, and can be killed like any other."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from tests.controlplane.processes import PROBE_SECONDS, STOP_SECONDS, StartError
from tests.controlplane.tether import PR_SET_PDEATHSIG

IMPORTED: Final = ["ullage.cli", "ullage.sources.opening", "descheduler.loop_command", "descheduler.loop.app"]
IMPORTED += ["descheduler.loop.hands", "descheduler.policy.decide"]
_CONTEXT: Final = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload([__name__, *IMPORTED])


class Forked:
    """A running ``ullage`` command; `tests.controlplane.processes.Program` that starts faster.

    Parameters
    ----------
    words
        Arguments of ``ullage``.
    log
        File that gets what it writes, added at the end.
    """

    def __init__(self, words: Sequence[str], log: Path) -> None:
        self.log = log
        log.touch()
        self._process = _CONTEXT.Process(target=_run, args=(tuple(words), log), name=log.stem, daemon=True)
        self._process.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.stop()

    def wait_ready(self, ready: Callable[[], bool], seconds: float) -> None:
        """Wait until ``ready`` says so; raises `StartError` if it ends before, or takes longer than ``seconds``."""
        end = time.monotonic() + seconds
        while not ready():
            if not self._process.is_alive() or time.monotonic() > end:
                raise StartError(f"{self._process.name} did not start:\n{self.log.read_text()[-2000:]}")
            self._process.join(PROBE_SECONDS)

    def send(self, number: signal.Signals) -> None:
        """Send a signal, such as ``SIGSTOP`` to hang it; does nothing if it has ended."""
        if self._process.is_alive() and self._process.pid is not None:
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, number)

    def stop(self, patience_seconds: float = STOP_SECONDS) -> None:
        """End it: a request first, and force when patience is over; does nothing if it has ended."""
        self.send(signal.SIGTERM)
        self._process.join(patience_seconds)
        self.send(signal.SIGKILL)
        self._process.join()


def _run(words: tuple[str, ...], log: Path) -> None:
    """Become the command; the kernel ends it with the process that has imported everything, and that ends with the tests."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.chdir(log.parent)
    with log.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    from ullage.cli import main

    sys.argv = ["ullage", *words]
    main()
