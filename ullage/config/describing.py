"""The configuration described: JSON schema, explanations for the terminal, reference for the documentation."""

from __future__ import annotations

import inspect
import json
import textwrap
from typing import Final

import msgspec

from ullage.config.fields import Field, fields_of, walk
from ullage.config.kinds import Schema
from ullage.config.schema import API_VERSION, KIND, Configuration
from ullage.config.wording import nearest
from ullage.errors import ConfigError

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_WIDTH: Final = 96
_INTRODUCTION: Final = f"""<!-- Made by `make docs` from ullage/config/schema.py: do not edit. -->

# Configuration

Nothing has to be configured: every field has a default, and a file needs to hold only what differs. It is YAML or JSON, is
given with `--config FILE`, and flags go above it. `ullage config show` prints what is in effect, `ullage config validate FILE`
checks a file, and `ullage config explain FIELD` prints what stands below.

```yaml
apiVersion: {API_VERSION}
kind: {KIND}
thresholds:
  memory: {{high: 85%, target: 80%}}
planning:
  minimize: bytes
```

Keys that are not known, wrong types and values out of range are refused with exit code 2. The JSON schema for editors is
[configuration.schema.json](schemas/configuration.schema.json).
"""


def _default(field: Field) -> str:
    if field.kind is None:
        return ""
    value = field.kind.write(field.default)
    return value if isinstance(value, str) else json.dumps(value)


def _field_schema(field: Field) -> Schema:
    described: Schema = {"description": field.text}
    if field.section is not None:
        return {**described, **_section_schema(field.section)}
    if field.kind is None:
        raise TypeError(f"{field.key} is neither a section nor a leaf")
    return {**described, **field.kind.schema(), "default": field.kind.write(field.default)}


def _section_schema(section: type[msgspec.Struct]) -> Schema:
    properties = {field.key: _field_schema(field) for field in fields_of(section)}
    return {"type": "object", "additionalProperties": False, "properties": properties}


def json_schema() -> dict[str, object]:
    """JSON Schema (draft 2020-12) of a configuration; all that it cannot say is that low <= target <= high."""
    body = _section_schema(Configuration)
    properties = {field.key: _field_schema(field) for field in fields_of(Configuration)}
    header = {"apiVersion": {"const": API_VERSION}, "kind": {"const": KIND}}
    return {
        "$schema": _DIALECT,
        "$id": "https://ullage.dev/schemas/v1alpha1/configuration.schema.json",
        "title": KIND,
        "description": inspect.cleandoc(Configuration.__doc__ or "").partition("\n")[0],
        **body,
        "required": list(header),
        "properties": {**header, **properties},
    }


def _summary(path: str, field: Field) -> str:
    return f"{path}  (default {_default(field)})" if field.kind is not None else path


def _paragraph(text: str) -> str:
    return textwrap.fill(text, _WIDTH, break_on_hyphens=False)


def explain(path: str = "") -> str:
    """Text for the terminal about one field, a section, or the whole configuration.

    Parameters
    ----------
    path
        Keys joined with dots, such as ``planning.maxMoves``; empty for everything.

    Raises
    ------
    ConfigError
        The path is not known; the hint names the nearest one.
    """
    places = dict(walk())
    if not path:
        return "\n".join([f"KIND:     {KIND}", f"VERSION:  {API_VERSION}", "", "FIELDS:", *_below("")])
    if path not in places:
        ends = [place for place in places if place.rpartition(".")[2].casefold() == path.rpartition(".")[2].casefold()]
        near = next(iter(ends), "") or nearest(path, places)
        raise ConfigError(
            path[:100], "is no field", f"did you mean {near}?" if near else '"ullage config explain" lists all'
        )
    field = places[path]
    if field.kind is None:
        return "\n".join([f"SECTION:  {path}", "", _paragraph(field.text), "", "FIELDS:", *_below(f"{path}.")])
    head = [f"FIELD:    {path}", f"VALUE:    {field.kind.expected}", f"DEFAULT:  {_default(field)}"]
    return "\n".join([*head, "", _paragraph(field.text)])


def _below(prefix: str) -> list[str]:
    return [f"  {_summary(place, field)}" for place, field in walk() if place.startswith(prefix)]


def schema_text() -> str:
    """JSON schema as text: what ``ullage config schema`` prints."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def reference() -> str:
    """Reference in Markdown: an introduction, then each section with its fields, their values, defaults and reasons."""
    parts = [_INTRODUCTION]
    for path, field in walk():
        if field.kind is None:
            parts.append(f"## {path}\n\n{_markdown(field.text)}\n")
        else:
            value = f"Value: {_markdown(field.kind.expected)}. Default: `{_default(field)}`."
            parts.append(f"### `{path}`\n\n{value}\n\n{_markdown(field.text)}\n")
    return "\n".join(parts)


def _markdown(text: str) -> str:
    return text.replace("``", "`").replace("<", "&lt;")
