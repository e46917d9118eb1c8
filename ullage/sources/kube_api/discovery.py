"""Which optional resources an API server has: custom ones come and go while we run."""

from __future__ import annotations

import threading
from typing import Final, TypeVar

import msgspec

from ullage.sources.kube_api.connection import Connection
from ullage.sources.kube_api.errors import NotFoundError, UnreadableError
from ullage.sources.watched import Resource

LOOK_SECONDS: Final = 30.0
"""How long an answer counts, and so how soon a resource that appears is found."""


class _Served(msgspec.Struct, gc=False):
    name: str


class _Resources(msgspec.Struct, gc=False):
    resources: list[_Served]


class _Version(msgspec.Struct, gc=False):
    version: str


class _Group(msgspec.Struct, gc=False):
    name: str
    versions: list[_Version]


class _Groups(msgspec.Struct, gc=False):
    groups: list[_Group]


_AnswerT = TypeVar("_AnswerT", _Resources, _Groups)

_RESOURCES: Final = msgspec.json.Decoder(_Resources)
_GROUPS: Final = msgspec.json.Decoder(_Groups)


class Discovery:
    """What is served, one request per group for all who ask within half a minute.

    Parameters
    ----------
    connection
        To the API server.
    look_seconds
        How long an answer counts.
    """

    def __init__(self, connection: Connection, look_seconds: float = LOOK_SECONDS) -> None:
        self.look_seconds = look_seconds
        self._connection = connection
        self._lock = threading.Lock()
        self._known: dict[str, tuple[frozenset[str], float]] = {}

    def serves(self, resource: Resource) -> bool:
        """Whether the server has a resource of a named group.

        Raises
        ------
        KubeError
            If the server does not say.
        """
        path = resource.path.rpartition("/")[0]
        with self._lock:  # whoever asks meanwhile waits for this answer instead of sending a request, too
            now = self._connection.clock.monotonic()
            names, until = self._known.get(path, (frozenset[str](), float("-inf")))
            if now >= until:
                names = self._asked(resource, path)
                self._known[path] = names, now + self.look_seconds
            return resource.plural in names

    def doubt(self, resource: Resource) -> None:
        """Ask again next time: the server did not know a resource that it is said to have."""
        path = resource.path.rpartition("/")[0]
        with self._lock:
            names, _ = self._known.get(path, (frozenset[str](), 0.0))
            if resource.plural in names:
                del self._known[path]

    def _asked(self, resource: Resource, path: str) -> frozenset[str]:
        try:
            body = self._connection.get(path)
        except NotFoundError:
            # Some proxies say 404 while they start: only a list of groups without this one proves its absence.
            if self._lists(resource):
                raise
            return frozenset()
        return frozenset(each.name for each in _decoded(_RESOURCES, body, path).resources)

    def _lists(self, resource: Resource) -> bool:
        found = _decoded(_GROUPS, self._connection.get("/apis"), "/apis")
        versions = (group.versions for group in found.groups if group.name == resource.group)
        return any(each.version == resource.version for group in versions for each in group)


def _decoded(decoder: msgspec.json.Decoder[_AnswerT], body: bytes, path: str) -> _AnswerT:
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnreadableError(f"{path}: {error}") from error
