"""Reading of a state in a process of its own, ``python -m extender.reading FILE``, so that calls are answered meanwhile."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Final

from extender.piecewise import receive, send
from ullage.errors import UllageError
from ullage.model.state import ClusterState

_NICE: Final = 10


def load_apart(path: Path) -> ClusterState:
    """State in a file, read by another process.

    Raises
    ------
    UllageError
        The file cannot be used, or the process has ended without a word, as when memory is short.
    """
    command = [sys.executable, "-m", __name__, str(path)]
    try:
        # a session of its own: an interrupt from the terminal is for the service alone
        process = subprocess.Popen(  # noqa: S603  # our own module
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True
        )
    except OSError as error:
        raise UllageError(f"{path}: no process can be started that reads it ({error.strerror})") from error
    found = told_by(process)
    if not isinstance(found, ClusterState):
        raise UllageError(str(found))
    return found


def told_by(process: subprocess.Popen[bytes]) -> object:
    """What a process sends before it ends; a message if that is nothing whole."""
    with process:
        assert process.stdout is not None  # noqa: S101  # for the type
        try:
            return receive(process.stdout)
        except (EOFError, pickle.UnpicklingError):
            return f"the process that reads the state ended early, with status {process.wait()}"


def main(path: str) -> None:
    """Write the state in a file to standard output, or what is wrong with it."""
    from ullage.sources.inputs import load  # the service itself reads only small files

    os.nice(_NICE)
    try:
        found: ClusterState | str = load([path])
    except UllageError as error:
        found = error.message
    try:
        send(found, sys.stdout.buffer)
    except BrokenPipeError:  # the service has ended
        os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1])
