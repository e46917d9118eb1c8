"""Input files as a `ClusterState`: a Kubernetes dump in any number of files, or one Ullage snapshot."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import BinaryIO, Final

from ullage.errors import InputError
from ullage.model.state import ClusterState
from ullage.sources.assembler import assemble
from ullage.sources.documents import MAX_BYTES, Item, items, read

SNAPSHOT_KIND: Final = "ClusterSnapshot"


def load(paths: Sequence[str], *, stdin: BinaryIO | None = None, max_bytes: int = MAX_BYTES) -> ClusterState:
    """State of the cluster that some files describe.

    Parameters
    ----------
    paths
        Files of Kubernetes objects (see `ullage.sources.documents`), which are read as one dump; or one snapshot. ``-`` is
        standard input.
    stdin
        What ``-`` reads; the process's own standard input if not given.
    max_bytes
        Most bytes of one file, after decompression.

    Raises
    ------
    InputError
        No file is given, a file cannot be used, or a snapshot is mixed with something else.
    """
    if not paths:
        raise InputError("input", "no file is given", "name one or more files, or - for standard input")
    if list(paths).count("-") > 1:
        raise InputError("-", "is named more than once", "standard input can be read once only")
    if len(paths) == 1:
        return _load_one(read(paths[0], stdin=stdin, max_bytes=max_bytes), paths[0])
    return assemble(
        item for path in paths for item in _objects(items(read(path, stdin=stdin, max_bytes=max_bytes), path), path)
    )


def _load_one(data: bytes, source: str) -> ClusterState:
    found = items(data, source)
    first = next(found, None)
    if first is None or first.kind != SNAPSHOT_KIND:
        return assemble(_objects(chain([first] if first else [], found), source))
    if next(found, None) is not None:
        raise _mixed(source)
    from ullage.sources.snapshot import decode  # a dump need not load it

    return decode(bytes(first.raw), source)


def _objects(found: Iterable[Item], source: str) -> Iterator[Item]:
    for item in found:
        if item.kind == SNAPSHOT_KIND:
            raise _mixed(source)
        yield item


def _mixed(source: str) -> InputError:
    return InputError(
        source, "a snapshot is mixed with other input", "a snapshot holds all of a cluster: give it alone"
    )
