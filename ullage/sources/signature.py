"""What tells that a file has changed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

Signature: TypeAlias = tuple[tuple[int, int, int] | None, ...]


def signature_of(paths: Iterable[Path]) -> Signature:
    """Time of change, size and inode of each file; ``None`` for one that cannot be looked at.

    Symbolic links are followed: a mounted Secret or ConfigMap changes by its links.
    """
    return tuple(map(_one, paths))


def _one(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
