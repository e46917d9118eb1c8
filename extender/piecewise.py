"""A large value through a pipe, piece by piece.

To take in a pickled cluster of 100,000 workloads in one go holds the interpreter for a hundred milliseconds, in which no call
is answered. So its long tuples are sent in pieces, each of which is taken in within a fraction of a millisecond; arrays are
single blocks of memory, which are read without holding it.
"""

from __future__ import annotations

import pickle
from itertools import chain
from typing import IO, Final

_PIECE: Final = 1024
"""Most items of a tuple that are sent at once."""


class _Sender(pickle.Pickler):
    """Leaves out long tuples, and remembers them."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file, protocol=5)
        self.long: dict[int, tuple[object, ...]] = {}

    def persistent_id(self, value: object) -> int | None:
        if type(value) is not tuple or len(value) <= _PIECE:
            return None
        self.long.setdefault(id(value), value)
        return id(value)


class _Receiver(pickle.Unpickler):
    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file)
        self.long: dict[int, tuple[object, ...]] = {}

    def persistent_load(self, key: int) -> tuple[object, ...]:
        return self.long[key]


class _Nowhere:
    def write(self, data: object) -> None:
        """Drop it."""


def send(value: object, file: IO[bytes]) -> None:
    """Write a value that can be pickled; its tuples of more than `_PIECE` items hold no such tuples."""
    found = _Sender(_Nowhere())  # type: ignore[arg-type]  # all that a pickler needs
    found.dump(value)
    # one pickler for all: what stands in several pieces is sent once
    sender = _Sender(file)
    sender.dump([(key, len(items)) for key, items in found.long.items()])
    for items in found.long.values():
        for start in range(0, len(items), _PIECE):
            sender.dump(items[start : start + _PIECE])
    sender.dump(value)
    file.flush()


def receive(file: IO[bytes]) -> object:
    """Read what `send` wrote.

    Raises
    ------
    EOFError, pickle.UnpicklingError
        It ends too early.
    """
    receiver = _Receiver(file)
    for key, size in receiver.load():
        pieces = [receiver.load() for _ in range(0, size, _PIECE)]
        receiver.long[key] = tuple(chain.from_iterable(pieces))
    return receiver.load()
