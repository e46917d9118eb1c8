"""A configuration from a document, and back. What is not valid is refused with path, value, what was expected, and a hint."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping
from typing import Final, TypeVar

import msgspec
import yaml

from ullage.config.fields import Field, fields_of, walk
from ullage.config.kinds import Refused
from ullage.config.schema import API_VERSION, KIND, Band, Configuration
from ullage.config.wording import nearest, short
from ullage.errors import ConfigError

_MAXIMUM_CHARACTERS: Final = 100_000
_DEEPEST: Final = 20
_DOCUMENT: Final = "document"
_HEADER: Final = {"apiVersion": API_VERSION, "kind": KIND}

StructT = TypeVar("StructT", bound=msgspec.Struct)


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _unknown(path: str, key: object, known: tuple[str, ...], source: str) -> ConfigError:
    name = key if isinstance(key, str) and key.isidentifier() else short(key)
    near = nearest(name, known)
    elsewhere = [place for place, field in walk() if field.key == key]
    hint = f"did you mean {_join(path, near)}?" if near else f"known here: {', '.join(known)}"
    if not near and elsewhere:
        hint = f"did you mean {elsewhere[0]}?"
    return ConfigError(_join(path, name), f"is not known, expected one of {', '.join(known)} (in {source})", hint)


def _section(value: object, path: str, known: tuple[str, ...], source: str) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        found = f"{short(value)} is no section, expected keys and values (in {source})"
        hint = (
            "remove the key to keep the defaults" if path else f"begin with apiVersion: {API_VERSION} and kind: {KIND}"
        )
        raise ConfigError(path or _DOCUMENT, found, hint)
    for key in value:
        if key not in known:
            raise _unknown(path, key, known, source)
    return value


def _leaf(field: Field, value: object, path: str, source: str) -> object:
    if field.kind is None:
        raise TypeError(f"{path} is a section")
    try:
        return field.kind.read(value)
    except Refused as refused:
        default = short(field.kind.write(field.default))
        message = f"{short(value)} is not accepted, expected {field.kind.expected} (in {source})"
        raise ConfigError(path, message, refused.hint or f"the default is {default}") from None


def _read(struct: type[StructT], value: object, path: str, source: str, header: tuple[str, ...] = ()) -> StructT:
    fields = fields_of(struct)
    document = _section(value, path, (*header, *(field.key for field in fields)), source)
    values: dict[str, object] = {}
    for field in fields:
        if field.key not in document:
            continue
        place, item = _join(path, field.key), document[field.key]
        values[field.attribute] = (
            _leaf(field, item, place, source) if field.section is None else _read(field.section, item, place, source)
        )
    section = struct(**values)
    if isinstance(section, Band):
        _check_order(section, path, source)
    return section


def _check_order(band: Band, path: str, source: str) -> None:
    for lower, upper in (("target", "high"), ("low", "target")):
        value, limit = getattr(band, lower), getattr(band, upper)
        if value > limit:
            found = f"{value * 100:.4g}% is above {upper}, which is {limit * 100:.4g}%"
            default = getattr(Band(), lower) * 100
            raise ConfigError(
                f"{path}.{lower}",
                f"{found}; expected low <= target <= high (in {source})",
                f"lower {lower} ({default:.4g}% where it is not set), or raise {upper}",
            )


def _check_header(document: Mapping[str, object], source: str) -> None:
    for key, expected in _HEADER.items():
        if key not in document:
            raise ConfigError(key, f"is missing, expected {expected} (in {source})", f"begin with {key}: {expected}")
        if document[key] != expected:
            found = f"{short(document[key])} is not accepted, expected {expected} (in {source})"
            raise ConfigError(key, found, f"this version of Ullage reads {key}: {expected}")


def parse(document: object, source: str) -> Configuration:
    """Configuration that a decoded document holds; what it leaves out has its default.

    Parameters
    ----------
    document
        What a YAML or JSON decoder gave.
    source
        Name of the file, for messages.

    Raises
    ------
    ConfigError
        Wrong apiVersion or kind, unknown key, wrong type, out of range, marks out of order.
    """
    known = (*_HEADER, *(field.key for field in fields_of(Configuration)))
    _check_header(_section(document, "", known, source), source)
    return _read(Configuration, document, "", source, header=tuple(_HEADER))


def to_document(config: Configuration) -> dict[str, object]:
    """Document with every value written out, which `parse` turns into the same configuration."""
    return {**_HEADER, **_write(config)}


def _write(section: msgspec.Struct) -> dict[str, object]:
    values = ((field, getattr(section, field.attribute)) for field in fields_of(type(section)))
    return {field.key: _write(value) if field.kind is None else field.kind.write(value) for field, value in values}


class _Loader(yaml.SafeLoader):
    """YAML without repeated keys: a decoder would keep the last one without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, object]:  # noqa: FBT001, FBT002
        keys = Counter(key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode))
        repeated, count = next(iter(keys.most_common(1)), ("", 0))
        if count > 1:
            raise ConfigError(_DOCUMENT, f"the key {short(repeated)} stands twice", "keep one of them")
        return super().construct_mapping(node, deep)


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    repeated, count = next(iter(Counter(key for key, _ in pairs).most_common(1)), ("", 0))
    if count > 1:
        raise ConfigError(_DOCUMENT, f"the key {short(repeated)} stands twice", "keep one of them")
    return dict(pairs)


def _check_events(events: Iterator[yaml.Event]) -> None:
    """Refuse tags, and depth early: the YAML scanner takes quadratic time on deep nesting."""
    depth = 0
    for event in events:
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise RecursionError
        if getattr(event, "tag", None) is not None:
            raise ConfigError(_DOCUMENT, "a YAML tag is not accepted here", "write the plain value")


def _decode(text: str) -> object:
    if text.lstrip().startswith("{"):
        return json.loads(text, object_pairs_hook=_unique)
    _check_events(yaml.parse(text, Loader=yaml.SafeLoader))
    return yaml.load(text, Loader=_Loader)  # noqa: S506  # a subclass of the safe loader


def load_text(text: str, source: str) -> Configuration:
    """Configuration from YAML or JSON text; an empty text is refused as every document without a header is.

    Raises
    ------
    ConfigError
        No YAML or JSON, a repeated key, or as `parse` does.
    """
    if len(text) > _MAXIMUM_CHARACTERS:
        raise ConfigError(
            _DOCUMENT, f"more than {_MAXIMUM_CHARACTERS} characters (in {source})", "is this the right file?"
        )
    try:
        document = _decode(text)
    except (yaml.YAMLError, ValueError) as error:
        where = " ".join(str(error).split())[:200]
        raise ConfigError(_DOCUMENT, f"no YAML or JSON: {where} (in {source})", "mend the syntax there") from None
    except RecursionError:
        raise ConfigError(_DOCUMENT, f"nested too deep (in {source})", "a configuration has three levels") from None
    return parse(document, source)
