"""Soft taints: nodes that are over are marked, so that the scheduler rather uses others.

A node's taints are one list without keys, so that every patch replaces it: lost updates have removed other people's taints for
years (kubernetes#126755, #131231). So each patch carries the resourceVersion of the list that it was made from, and the other
taints as the very bytes that were read. A taint says in its value until when it holds (unix seconds): whoever finds one that
is over knows that its writer is gone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from enum import StrEnum
from typing import Final

import msgspec

from descheduler.executors.wire import decoded, path
from descheduler.executors.writer import Writer
from ullage.sources.kube_api.errors import ConflictError, KubeError, NotFoundError, UnreadableError
from ullage.sources.kube_api.listing import Listing
from ullage.sources.objects import Wire

KEY: Final = "ullage.dev/overutilized"
EFFECT: Final = "PreferNoSchedule"
HOLDS_SECONDS: Final = 900.0
"""How long a taint holds; it is renewed when half of that is left."""

_NODES: Final = "/api/v1/nodes"
_MERGE: Final = "application/merge-patch+json"
_TRIES: Final = 5


class Change(StrEnum):
    """What was done with the taint of a node."""

    ADDED = "added"
    RENEWED = "renewed"
    REMOVED = "removed"
    FAILED = "failed"
    """It is not as it should be; the next cycle tries again."""


class TaintChange(msgspec.Struct, frozen=True):
    """A change of one node's taint; `text` says why it failed."""

    node: str
    change: Change
    text: str = ""


class Tainted(msgspec.Struct, frozen=True):
    """A node that carries our taint, until when; NaN if its value is not one of ours."""

    node: str
    uid: str
    until_seconds: float


class _Identity(Wire):
    key: str = ""
    effect: str = ""
    value: str | None = None


class _Meta(Wire):
    name: str
    uid: str
    resource_version: str


class _Spec(Wire):
    taints: list[msgspec.Raw] | None = None


class _Node(Wire):
    metadata: _Meta
    spec: _Spec = msgspec.field(default_factory=_Spec)


class _Marks(msgspec.Struct, frozen=True):
    """Taints of a node: where ours stands and until when it holds; `others` are as they were read."""

    node: _Node
    others: tuple[msgspec.Raw, ...]
    is_marked: bool
    until_seconds: float

    @classmethod
    def of(cls, node: _Node) -> _Marks:
        all_ = node.spec.taints or []
        known = [decoded(raw, _Identity) for raw in all_]
        ours = [each for each in known if _is_ours(each)]
        others = tuple(raw for raw, each in zip(all_, known, strict=True) if not _is_ours(each))
        return cls(node, others, bool(ours), _seconds(ours[0].value) if ours else math.nan)


class SoftTaints:
    """Keeps our taint on the nodes that shall carry it, and on no other.

    Not thread-safe. A call that is held back raises `HeldBackError`: nothing more was sent then.

    Parameters
    ----------
    writer
        The API server.
    holds_seconds
        How long a taint holds.
    """

    def __init__(self, writer: Writer, holds_seconds: float = HOLDS_SECONDS) -> None:
        self._writer, self._connection = writer, writer.connection
        self._holds_seconds = holds_seconds

    def reconcile(self, wanted: Mapping[str, str], now_seconds: float) -> tuple[TaintChange, ...]:
        """Mark the nodes that are wanted, and unmark all others, whoever of us marked them.

        A node that fails keeps no other from its change.

        Parameters
        ----------
        wanted
            Uid by name of the nodes that shall carry the taint; another node of that name shall not.
        now_seconds
            Unix time.

        Raises
        ------
        KubeError
            The nodes cannot be listed.
        """
        found = (self._settled(marks, wanted, now_seconds) for marks in self._marked(wanted))
        return tuple(change for change in found if change is not None)

    def clear(self) -> tuple[TaintChange, ...]:
        """Unmark every node; raises as `reconcile`.

        The guard is asked as for any other write: under the kill switch every mark stays, until a later call finds it.
        """
        return self.reconcile({}, 0.0)

    def listed(self) -> tuple[Tainted, ...]:
        """Nodes that carry our taint, by name; raises `KubeError`."""
        found = [Tainted(m.node.metadata.name, m.node.metadata.uid, m.until_seconds) for m in self._marked({})]
        return tuple(sorted(found, key=lambda each: each.node))

    def _marked(self, wanted: Mapping[str, str]) -> list[_Marks]:
        """Nodes that carry the taint or shall do so. It is a consistent list: one from a cache may lack our last patch."""
        listing = Listing(lambda query: self._connection.get(_NODES, query), _pause)
        found = []
        for raw in listing.paged():
            with suppress(UnreadableError):  # a node that is no node keeps no other from its change
                found.append(_Marks.of(decoded(raw, _Node)))
        return [marks for marks in found if marks.is_marked or marks.node.metadata.name in wanted]

    def _settled(self, marks: _Marks, wanted: Mapping[str, str], now_seconds: float) -> TaintChange | None:
        """Bring one node to where it shall be; ``None`` if there was nothing to do, or the node is gone."""
        name = marks.node.metadata.name
        try:
            change = self._tried(marks, wanted, now_seconds)
        except NotFoundError:
            return None
        except KubeError as error:
            return TaintChange(name, Change.FAILED, error.message)
        if change is Change.FAILED:
            return TaintChange(name, change, f"The node changed {_TRIES} times in a row meanwhile.")
        return None if change is None else TaintChange(name, change)

    def _tried(self, marks: _Marks, wanted: Mapping[str, str], now_seconds: float) -> Change | None:
        """Decide and patch, on the node as it was listed, then on the node as it is, as long as that was outdated."""
        for _ in range(_TRIES):
            change = self._due(marks, wanted, now_seconds)
            if change is None or self._patched(marks, change, now_seconds):
                return change
            marks = _Marks.of(decoded(self._connection.get(path(_NODES, marks.node.metadata.name)), _Node))
        return Change.FAILED

    def _due(self, marks: _Marks, wanted: Mapping[str, str], now_seconds: float) -> Change | None:
        meta = marks.node.metadata
        if wanted.get(meta.name) != meta.uid:
            return Change.REMOVED if marks.is_marked else None
        if not marks.is_marked:
            return Change.ADDED
        left = marks.until_seconds - now_seconds
        return None if self._holds_seconds / 2 <= left <= self._holds_seconds else Change.RENEWED

    def _patched(self, marks: _Marks, change: Change, now_seconds: float) -> bool:
        """Whether the patch was applied; not if the node has changed since it was read."""
        until = str(math.ceil(now_seconds + self._holds_seconds))
        ours = {"key": KEY, "value": until, "effect": EFFECT}
        taints = list(marks.others) if change is Change.REMOVED else [*marks.others, ours]
        meta = marks.node.metadata
        # The version belongs to this very node: another one of its name has another.
        document = {"metadata": {"resourceVersion": meta.resource_version}, "spec": {"taints": taints}}
        try:
            self._writer.write("PATCH", path(_NODES, meta.name), msgspec.json.encode(document), _MERGE)
        except ConflictError:
            return False
        return True


def _is_ours(taint: _Identity) -> bool:
    return (taint.key, taint.effect) == (KEY, EFFECT)


def _seconds(value: str | None) -> float:
    return float(value) if value and value.isascii() and value.isdigit() else math.nan


def _pause() -> None:
    """Nobody waits for us between two pages."""
