"""The fields of the configuration as a tree: what the reader walks, and what is explained.

A section is a struct; a leaf is a field with a `Kind`. The texts are those of the docstrings of `ullage.config.schema`.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import get_type_hints

import msgspec

from ullage.config.kinds import Kind
from ullage.config.schema import Configuration


@dataclass(frozen=True)
class Field:
    """One field of a section.

    Attributes
    ----------
    key
        Name in the document, camelCase.
    attribute
        Name in the struct.
    text
        What it is for, its unit, and the reason for its default; one paragraph.
    default
        Default as the struct holds it.
    kind
        How a leaf is read; None for a section.
    section
        Struct type of a section; None for a leaf.
    """

    key: str
    attribute: str
    text: str
    default: object
    kind: Kind | None = None
    section: type[msgspec.Struct] | None = None


def _texts(struct: type[msgspec.Struct]) -> dict[str, str]:
    """Paragraphs of the numpydoc section Attributes, by attribute; empty where docstrings are stripped (``python -OO``)."""
    _, _, body = inspect.cleandoc(struct.__doc__ or "").partition("Attributes\n----------\n")
    entries = re.findall(r"^(\w+)\n((?:[ ]+.*\n?|\n)+)", body, flags=re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in entries}


def _kind(hint: object) -> Kind | None:
    return next((item for item in getattr(hint, "__metadata__", ()) if isinstance(item, Kind)), None)


@cache
def fields_of(struct: type[msgspec.Struct]) -> tuple[Field, ...]:
    """Fields of a section in the order of the struct."""
    hints, texts = get_type_hints(struct, include_extras=True), _texts(struct)

    def field(info: msgspec.structs.FieldInfo) -> Field:
        kind, text = _kind(hints[info.name]), texts.get(info.name, "")
        section = hints[info.name] if kind is None else None
        return Field(info.encode_name, info.name, text, info.default, kind, section)

    return tuple(field(info) for info in msgspec.structs.fields(struct))


def walk(struct: type[msgspec.Struct] = Configuration, prefix: str = "") -> Iterator[tuple[str, Field]]:
    """Path and field of everything below a section, sections before what they hold."""
    for field in fields_of(struct):
        path = f"{prefix}{field.key}"
        yield path, field
        if field.section is not None:
            yield from walk(field.section, f"{path}.")
