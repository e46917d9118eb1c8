"""The cyclic garbage collector of the interpreter, which looks at all that is held, again and again as more comes."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Without passes of the collector, in all threads, where very many objects come and most of them stay."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def keep() -> None:
    """Spare what is held now from all later passes; it is freed all the same when nobody refers to it any more."""
    gc.freeze()
