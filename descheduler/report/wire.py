"""The plan for programs: ``json``, ``yaml``, ``csv`` and ``name``, and back from JSON and YAML.

JSON and YAML are plain ASCII with sorted keys, as kubectl prints them: nothing in them can touch a terminal. Any other
document of Ullage, such as an audit, is written in the same form.
"""

from __future__ import annotations

import json
import re
from typing import Final, TypeAlias

import msgspec
import yaml

from descheduler.policy.plan import API_VERSION, KIND, PlannedMove, RebalancePlan
from descheduler.report.escape import csv_cell, visible
from ullage.errors import InputError

Tree: TypeAlias = "bool | int | float | str | list[Tree] | dict[str, Tree] | None"

# Plain scalars that YAML 1.2 takes for numbers and PyYAML, which speaks 1.1, would leave unquoted.
_NUMBER_LIKE: Final = re.compile(r"[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?|0o[0-7]+|0x[0-9a-fA-F]+")
_DEEPEST: Final = 50
_CSV_HEADER: Final = "step,kind,namespace,name,uid,from,to,memory_bytes,cpu_cores,expected_seconds,code,reason"
_RESOURCES: Final = {"VirtualMachineInstance": "virtualmachineinstance.kubevirt.io", "Pod": "pod"}


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    pass


def _quoted(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "'" if _NUMBER_LIKE.fullmatch(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _quoted)


def _tree(document: msgspec.Struct) -> Tree:
    tree: Tree = json.loads(msgspec.json.encode(document))  # NaN and infinite figures become null on the way
    return tree


def to_json(document: msgspec.Struct) -> str:
    """One indented JSON object."""
    # json leaves DEL as it is, and DEL can only stand inside a string.
    return json.dumps(_tree(document), indent=2, sort_keys=True, allow_nan=False).replace("\x7f", "\\u007f") + "\n"


def to_yaml(document: msgspec.Struct) -> str:
    """The same object as `to_json`, as one YAML document."""
    text: str = yaml.dump(_tree(document), Dumper=_Dumper, default_flow_style=False, width=1 << 20)
    return text


def _csv_row(step: int, move: PlannedMove) -> str:
    workload = move.workload
    seconds = "" if move.expected_seconds is None else str(move.expected_seconds)
    names = (workload.kind, workload.namespace, workload.name, workload.uid, move.source, move.target)
    figures = (str(move.memory_bytes), str(move.cpu_cores), seconds)
    cells = [str(step), *map(csv_cell, names), *figures, csv_cell(move.code), csv_cell(move.reason)]
    return ",".join(cells)


def to_csv(plan: RebalancePlan) -> str:
    """One row per move in the order of execution (RFC 4180, with a header)."""
    rows = [_CSV_HEADER, *(_csv_row(step, move) for step, move in enumerate(plan.spec.moves, 1))]
    return "\r\n".join(rows) + "\r\n"


def to_names(plan: RebalancePlan) -> str:
    """One line per move, as ``kubectl -o name``: resource and name."""
    return "".join(f"{_RESOURCES[move.workload.kind]}/{visible(move.workload.name)}\n" for move in plan.spec.moves)


class _Head(msgspec.Struct, rename="camel"):
    api_version: str = ""
    kind: str = ""


def _decoded(content: str | bytes, source: str) -> str:
    if isinstance(content, str):
        return content.removeprefix("\ufeff")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(source, f"not UTF-8 text (byte {error.start})") from None


def _check_events(text: str, loader: type[yaml.SafeLoader]) -> None:
    # The loader in C recurses without a limit and would take the whole process down; aliases multiply what is read.
    depth = 0
    for event in yaml.parse(text, Loader=loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise RecursionError
        if isinstance(event, yaml.AliasEvent):
            raise yaml.YAMLError("a plan has no aliases")


def _loaded(text: str) -> object:
    if text.lstrip()[:1] == "{":
        return msgspec.json.decode(text)
    loader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    _check_events(text, loader)
    return yaml.load(text, Loader=loader)  # noqa: S506 - both are safe loaders


def _checked(tree: object, source: str) -> RebalancePlan:
    if not isinstance(tree, dict):
        raise InputError(source, f"is not an object; expected kind {KIND!r} of {API_VERSION!r}")
    head = msgspec.convert(tree, _Head)
    if (head.api_version, head.kind) != (API_VERSION, KIND):
        found = f"kind {head.kind!r} of {head.api_version!r}" if head.kind or head.api_version else "no kind"
        raise InputError(
            source,
            f"found {found}, expected kind {KIND!r} of {API_VERSION!r}",
            "write a plan with: ullage plan FILE... -o json",
        )
    return msgspec.convert(tree, RebalancePlan)


def parse(content: str | bytes, source: str) -> RebalancePlan:
    """A plan back from JSON or YAML.

    Parameters
    ----------
    content
        One object; JSON if it begins with a brace, else YAML. Bytes are UTF-8.
    source
        The file's name for errors, or ``-``.

    Raises
    ------
    InputError
        Not text, not JSON or YAML, another kind or version, or a field that is unknown, missing or of a wrong type (with its
        path, such as ``$.spec.moves[0].from``).
    """
    text = _decoded(content, source)
    try:
        return _checked(_loaded(text), source)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise InputError(source, visible(str(error))) from None
    except (yaml.YAMLError, ValueError) as error:
        raise InputError(source, "not valid YAML: " + visible(" ".join(str(error).split()))) from None
    except (RecursionError, OverflowError):
        raise InputError(source, "nested too deeply, or a number out of range") from None
