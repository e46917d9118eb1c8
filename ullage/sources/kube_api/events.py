"""Lines of a watch as events; the object of each stays raw."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

import msgspec

from ullage.sources.kube_api.errors import UnreadableError, answered
from ullage.sources.watched import Verb

_VERBS: Final = MappingProxyType({verb.value: verb for verb in Verb})
_BOOKMARK: Final = "BOOKMARK"


class _Line(msgspec.Struct, gc=False):
    type: str
    object: msgspec.Raw


class _Meta(msgspec.Struct, gc=False, rename="camel"):
    resource_version: str = ""


class _Object(msgspec.Struct, gc=False):
    metadata: _Meta


class Event(msgspec.Struct, frozen=True, gc=False):
    """One event.

    Attributes
    ----------
    verb
        What happened; ``None`` for a bookmark, which only says how far the watch is.
    raw
        The object.
    version
        Its resourceVersion; empty if that cannot be read.
    """

    verb: Verb | None
    raw: msgspec.Raw
    version: str


_LINES: Final = msgspec.json.Decoder(_Line)
_OBJECTS: Final = msgspec.json.Decoder(_Object)


def read_event(line: bytes) -> Event:
    """Event that a line holds.

    Raises
    ------
    ApiError
        That the server sends inside of the stream, such as `GoneError`.
    UnreadableError
        If it is no event.
    """
    try:
        found = _LINES.decode(line)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise UnreadableError(f"a watch event that cannot be read: {error}") from error
    if found.type == "ERROR":
        raise answered(0, "error in a watch", found.object)
    verb = _VERBS.get(found.type)
    if verb is None and found.type != _BOOKMARK:
        raise UnreadableError(f"a watch event of the unknown type {found.type[:40]!r}")
    return Event(verb, found.object, _version(found.object))


def is_older(version: str, than: str) -> bool:
    """Whether a resourceVersion precedes another, as far as both are numbers; elsewhere they are opaque."""
    if not (version.isdecimal() and than.isdecimal()):
        return False
    return int(version[:40]) < int(than[:40])


def _version(raw: msgspec.Raw) -> str:
    try:
        return _OBJECTS.decode(raw).metadata.resource_version
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return ""
