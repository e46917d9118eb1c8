"""Something between the scheduler and the extender that holds every answer back."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

_CHUNK: Final = 2**16


@contextmanager
def late(port: int, behind: int, seconds: float) -> Iterator[None]:
    """Listen on ``port`` for what listens on ``behind``, whose answers come ``seconds`` later, until the context ends."""
    ends = threading.Event()
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", port))
        listening.listen()
        thread = threading.Thread(target=_accept, args=(listening, behind, seconds, ends), daemon=True)
        thread.start()
        yield
        ends.set()
        # A thread in accept() wakes up when somebody comes.
        socket.create_connection(("127.0.0.1", port)).close()
        thread.join()


def _accept(listening: socket.socket, behind: int, seconds: float, ends: threading.Event) -> None:
    while not ends.is_set():
        near, _ = listening.accept()
        far = socket.create_connection(("127.0.0.1", behind))
        for source, target, delay in ((near, far, 0.0), (far, near, seconds)):
            threading.Thread(target=_pass_on, args=(source, target, delay, ends), daemon=True).start()


def _pass_on(source: socket.socket, target: socket.socket, delay: float, ends: threading.Event) -> None:
    with source, target, suppress(OSError):
        while (data := source.recv(_CHUNK)) and not ends.wait(delay):
            target.sendall(data)
