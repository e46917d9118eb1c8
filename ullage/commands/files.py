"""Writing of files: whole or not at all, never over another one by accident."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

from ullage.errors import UsageError


def check_free(path: str, *, overwrite: bool) -> None:
    """Raise ``UsageError`` if a file of this name is there and must not be replaced; ``-`` is always free."""
    if path != "-" and not overwrite and Path(path).is_file():
        raise UsageError(f"{path} exists already", "name another file, or pass --force to replace it")


def save(path: str, data: bytes, *, overwrite: bool = False) -> None:
    """Write `data` to a file, compressed if its name ends in ``.gz``.

    It is written to a temporary file beside it which then takes its name, so that nobody ever sees half of it. Devices and
    pipes are written to as they are. The bytes depend on `data` alone: the compressed form holds no time and no name.

    Parameters
    ----------
    path
        Name of the file.
    data
        What to write.
    overwrite
        Replace a file of this name.

    Raises
    ------
    UsageError
        A file of this name is there and is not to be replaced, or its folder does not exist.
    OSError
        It cannot be written.
    """
    check_free(path, overwrite=overwrite)
    if path.endswith(".gz"):
        data = gzip.compress(data, compresslevel=9, mtime=0)
    target = Path(path).resolve()
    if not target.parent.is_dir():
        raise UsageError(f"{path}: the folder {target.parent} does not exist", f"create it: mkdir -p {target.parent}")
    if target.exists() and not target.is_file():
        target.write_bytes(data)
        return
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(data)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
