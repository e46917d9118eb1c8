"""YAML documents as JSON text, by a builder that no input can exhaust.

PyYAML's own constructor recurses, expands aliases and reads ``1:30`` as 90 and ``no`` as false. This one works on the stream
of events: depth is bounded, aliases are refused, and plain scalars are what YAML 1.2 (and a Kubernetes quantity) means:
null, true, false, decimal integers, and text for all the rest (``1.5`` stays the text that a quantity is).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, Protocol

import msgspec
import yaml

from ullage.errors import InputError

MAX_DEPTH: Final = 200
"""Deepest nesting that is accepted; Kubernetes objects stay below 30."""


class _Mark(Protocol):
    line: int
    column: int


_INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_NULLS: Final = frozenset(("", "~", "null", "Null", "NULL"))
_BOOLS: Final = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def yaml_documents(data: bytes, source: str) -> Iterator[bytes]:
    """JSON text of each document that is not empty.

    Parameters
    ----------
    data
        UTF-8 text.
    source
        Name of the file, for messages.

    Raises
    ------
    InputError
        Not YAML, an alias, nesting deeper than `MAX_DEPTH`, a document that is no mapping, or no document at all.
    """
    found = False
    for document in _documents(data, source):
        if document is None:
            continue
        if not isinstance(document, dict):
            raise InputError(
                source,
                "is neither JSON nor a YAML mapping",
                "give it objects as kubectl prints them with -o json or -o yaml",
            )
        found = True
        yield msgspec.json.encode(document)
    if not found:
        raise InputError(source, "holds no object", "it has comments or empty documents only")


def _documents(data: bytes, source: str) -> Iterator[object]:
    builder = _Builder(source)
    try:
        for event in yaml.parse(data, Loader=_LOADER):
            builder.take(event)
            if isinstance(event, yaml.DocumentEndEvent):
                yield builder.document
                builder = _Builder(source)
    except yaml.MarkedYAMLError as error:
        what = error.problem or error.context
        raise InputError(source, f"is not valid YAML: {what}{_at(error.problem_mark)}") from error
    except yaml.YAMLError as error:
        raise InputError(source, f"is not valid YAML: {' '.join(str(error).split())}") from error


class _Builder:
    """Builds one document from events."""

    def __init__(self, source: str) -> None:
        self.document: object = None
        self._source = source
        self._open: list[dict[str, object] | list[object]] = []
        self._keys: list[str | None] = []

    def take(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.ScalarEvent):
            self._add_scalar(event)
        elif isinstance(event, yaml.MappingStartEvent):
            self._push({}, event)
        elif isinstance(event, yaml.SequenceStartEvent):
            self._push([], event)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._open.pop()
            self._keys.pop()
        elif isinstance(event, yaml.AliasEvent):
            hint = f"write out what *{event.anchor} stands for, or convert the file to JSON"
            raise InputError(self._source, f"uses a YAML alias{_at(event.start_mark)}", hint)

    def _push(self, container: dict[str, object] | list[object], event: yaml.Event) -> None:
        if len(self._open) >= MAX_DEPTH:
            raise InputError(self._source, "is nested too deeply", "no Kubernetes object is; is it the right file?")
        if self._wants_key():
            hint = "keys are text in Kubernetes"
            raise InputError(self._source, f"has a mapping or list as a key{_at(event.start_mark)}", hint)
        self._add(container)
        self._open.append(container)
        self._keys.append(None)

    def _wants_key(self) -> bool:
        return bool(self._open) and isinstance(self._open[-1], dict) and self._keys[-1] is None

    def _add_scalar(self, event: yaml.ScalarEvent) -> None:
        if self._wants_key():
            self._keys[-1] = event.value
        else:
            self._add(_scalar(event.value) if event.implicit[0] else event.value)

    def _add(self, value: object) -> None:
        if not self._open:
            self.document = value
            return
        parent = self._open[-1]
        if isinstance(parent, list):
            parent.append(value)
        else:
            parent[self._keys[-1] or ""] = value
            self._keys[-1] = None


def _scalar(text: str) -> object:
    if text in _NULLS:
        return None
    if text in _BOOLS:
        return _BOOLS[text]
    return int(text) if _INTEGER.fullmatch(text) else text


def _at(mark: _Mark | None) -> str:
    return f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
