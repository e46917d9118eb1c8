"""The JSON of kube-scheduler's extender protocol: bytes to what is asked, and what is answered to bytes.

The types stand in ``k8s.io/kube-scheduler/extender/v1`` and have no JSON tags, so Go writes its field names and reads them in
any case. Reading here is as lenient as Go's: any case, keys that are null, missing or unknown. What cannot be understood of a
pod does not take the names with it, since no opinion on a node must still name it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import compress
from typing import Final, NamedTuple

import msgspec
import numpy as np

from extender.names import Known, NameTable, has_duplicates
from extender.pods import Manifest
from extender.recent import Recent
from extender.verbs import Names, Verdict
from ullage.errors import InputError
from ullage.model.arrays import IntArray

_BROKEN: Final = (msgspec.MsgspecError, RecursionError, ValueError)
_NOTHING: Final = msgspec.Raw()
_NULL: Final = b"null"
LARGEST_SLICED_BYTES: Final = 4 * 2**20
"""A larger request is decoded straight from its buffer, so that it is not copied."""
_FIRST_KEY: Final = b'{"Pod":'
_KEYS_BETWEEN: Final = b',"Nodes":null,"NodeNames":'
_KEY_OF_NODES: Final = b',"Nodes":{'
_NO_NAMES: Final = b',"NodeNames":null}'
_LARGEST_POD_BYTES: Final = 2**21
"""More than etcd takes."""
_NODE_START: Final = b'{"metadata":{"name":"'
_LONGEST_START: Final = 512
_NONE_FAILED: Final = b',"FailedNodes":{},"FailedAndUnresolvableNodes":{},"Error":""}'


class WireError(InputError):
    """A request that names no node that could be answered for."""

    def __init__(self, message: str) -> None:
        super().__init__("request", message, "send ExtenderArgs as kube-scheduler does")


class Args(msgspec.Struct, frozen=True, gc=False):
    """``ExtenderArgs``, undecoded; a part that is null or missing is empty.

    Attributes
    ----------
    pod, nodes, names
        JSON texts. They belong to the request's buffer: what is kept must be copied.
    """

    pod: msgspec.Raw = msgspec.field(default=_NOTHING, name="Pod")
    nodes: msgspec.Raw = msgspec.field(default=_NOTHING, name="Nodes")
    names: msgspec.Raw = msgspec.field(default=_NOTHING, name="NodeNames")

    @property
    def names_nodes(self) -> bool:
        """Whether it names nodes in any form."""
        return _is_there(self.names) or _is_there(self.nodes)


class Asked(NamedTuple):
    """The nodes of a request, each once.

    Attributes
    ----------
    names
        n names in the order of the request.
    rows
        int64 (n,), their rows; -1 for a name that is not known.
    echo
        JSON of all of them in the form of the request: list of names, or NodeList.
    objects
        JSON of each, if they came as Node objects; else ``None``. They belong to the request's buffer.
    """

    names: Names
    rows: IntArray
    echo: bytes
    objects: Sequence[msgspec.Raw] | None = None

    def some(self, positions: IntArray) -> list[str]:
        """The names at some positions."""
        if isinstance(self.names, Known):
            return self.names.some(positions)
        return [self.names[position] for position in positions.tolist()]


class _Meta(msgspec.Struct, gc=False):
    name: str = ""


class _Node(msgspec.Struct, gc=False):
    metadata: _Meta = msgspec.field(default_factory=_Meta)


class _RawList(msgspec.Struct, gc=False):
    items: list[msgspec.Raw]


_ARGS: Final = msgspec.json.Decoder(Args)
_KEYS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_STRINGS: Final = msgspec.json.Decoder(list[str])
_ANYTHING: Final = msgspec.json.Decoder(list[object])
_NODE: Final = msgspec.json.Decoder(_Node)
_RAWS: Final = msgspec.json.Decoder(_RawList)
_RAW: Final = msgspec.json.Decoder(list[msgspec.Raw])
_STRING: Final = msgspec.json.Decoder(str)
_POD: Final = msgspec.json.Decoder(Manifest)
_ENCODER: Final = msgspec.json.Encoder()


def read_args(body: memoryview | bytes) -> Args:
    """Parts of a request.

    Raises
    ------
    WireError
        The body is no JSON object.
    """
    try:
        args = _ARGS.decode(body)
        if _is_there(args.pod) and args.names_nodes:
            return args
    except _BROKEN:
        pass
    parts = _lowered(body)
    if not parts:
        raise WireError("the body is no JSON object with a pod and nodes")
    return Args(*(parts.get(key, _NOTHING) for key in ("pod", "nodes", "nodenames")))


def sliced_args(text: bytes) -> tuple[bytes, bytes] | None:
    """Pod and names of a request in the form that Go writes, unchecked; ``None`` if it has another.

    If both turn out to be whole JSON values, then so was the request. To look for the keys costs less than to decode the names.
    """
    end = text.find(_KEYS_BETWEEN)
    if end < 0 or not text.startswith(_FIRST_KEY) or not text.endswith(b"]}"):
        return None
    return text[len(_FIRST_KEY) : end], text[end + len(_KEYS_BETWEEN) : -1]


def sliced_objects(body: memoryview) -> tuple[bytes, memoryview] | None:
    """As `sliced_args`, of a request in the form of Node objects: pod and NodeList."""
    head, end = bytes(body[:_LARGEST_POD_BYTES]), len(body) - len(_NO_NAMES)
    at = head.find(_KEY_OF_NODES)
    if at < 0 or not head.startswith(_FIRST_KEY) or bytes(body[end:]) != _NO_NAMES:
        return None
    return head[len(_FIRST_KEY) : at], body[at + len(_KEY_OF_NODES) - 1 : end]


def read_pod(raw: msgspec.Raw | bytes) -> Manifest | None:
    """The pod; ``None`` if it is not there or is no v1 Pod."""
    try:
        return _POD.decode(raw) if _is_there(raw) else None
    except _BROKEN:
        return None


def read_nodes(args: Args, table: NameTable, recent: Recent[Asked]) -> Asked:
    """The nodes that are asked about; names win over Node objects.

    Parameters
    ----------
    args
        The request.
    table
        Names that are known.
    recent
        What was read from the last lists of names with this table.

    Raises
    ------
    WireError
        There are neither names nor Node objects, or what there is is no list.
    """
    if not _is_there(args.names):
        return known_objects(args.nodes, table) or _lenient_objects(args.nodes, table)
    key = bytes(args.names)
    found = known_nodes(key, table, recent)
    if found is None:
        found = _read_names(key, table)
        recent.put(key, found)
    return found


def known_nodes(names: bytes, table: NameTable, recent: Recent[Asked]) -> Asked | None:
    """The nodes of a list of names, if it was read before, or if all are known and it is written as Go writes it."""
    found = recent.get(names)
    if found is not None:
        return found
    rows = table.reader.read(names)
    if rows is None or has_duplicates((), rows, len(table)):
        return None
    found = Asked(Known(table.names, rows), rows, names)
    recent.put(names, found)
    return found


def known_objects(raw: msgspec.Raw | memoryview, table: NameTable) -> Asked | None:
    """The nodes of a NodeList, if it is one in which each has a name of its own."""
    try:
        items = _RAWS.decode(raw).items
        names = [_name_of(each) for each in items]
    except _BROKEN:
        return None
    rows = table.rows(names)
    if not all(names) or has_duplicates(names, rows, len(table)):
        return None
    return Asked(names, rows, bytes(raw), items)


def kept(asked: Asked, verdict: Verdict, table: NameTable) -> Asked:
    """The nodes that are not rejected, in the same order; `table` is the one that the rows are of."""
    keeps = verdict.code == 0
    rows = asked.rows[keeps]
    if isinstance(asked.names, Known):
        return Asked(Known(table.names, rows), rows, table.reader.text(rows))
    names = asked.some(np.flatnonzero(keeps))
    if asked.objects is None:
        return Asked(names, rows, _ENCODER.encode(names))
    items = list(compress(asked.objects, keeps.tolist()))
    return Asked(names, rows, _node_list(items), items)


def filter_result(answered: Asked, failed: bytes = _NONE_FAILED) -> tuple[bytes, ...]:
    """ExtenderFilterResult as JSON, in pieces.

    Parameters
    ----------
    answered
        The nodes that are kept.
    failed
        From `failed_nodes`; by default none failed.
    """
    if answered.objects is not None:
        return b'{"Nodes":', answered.echo, b',"NodeNames":null', failed
    return b'{"Nodes":null,"NodeNames":', answered.echo, failed


def failed_nodes(asked: Asked, verdict: Verdict) -> bytes:
    """End of an ExtenderFilterResult: each rejected node with its reason.

    A reason that evicting pods could cure goes to FailedNodes, where the scheduler tries preemption; any other to
    FailedAndUnresolvableNodes. The scheduler takes what it prints in events for a format: no reason may hold a percent sign.
    """
    positions = verdict.positions
    resolvable = verdict.resolvable.take(verdict.code.take(positions))
    failed, unresolvable = (
        _reasons(asked, verdict, chosen) for chosen in (positions[resolvable], positions[~resolvable])
    )
    return b',"FailedNodes":%b,"FailedAndUnresolvableNodes":%b,"Error":""}' % (failed, unresolvable)


def _reasons(asked: Asked, verdict: Verdict, positions: IntArray) -> bytes:
    if not len(positions):
        return b"{}"
    document = _ENCODER.encode(dict(zip(asked.some(positions), verdict.why(positions), strict=True)))
    return document.replace(b"%", b" percent")


def filter_error(message: str) -> bytes:
    """ExtenderFilterResult that says only that the call failed."""
    head = b'{"Nodes":null,"NodeNames":[],"FailedNodes":{},"FailedAndUnresolvableNodes":{},"Error":'
    return head + _ENCODER.encode(message) + b"}"


def _is_there(raw: msgspec.Raw | bytes) -> bool:
    return len(raw) > len(_NULL) or bytes(raw) not in (b"", _NULL)


def _lowered(raw: msgspec.Raw | memoryview | bytes) -> dict[str, msgspec.Raw]:
    """Parts of an object by key in lower case; what is no object has none."""
    try:
        parts = _KEYS.decode(raw)
    except _BROKEN:
        return {}
    return {key.lower(): value for key, value in parts.items() if _is_there(value)}


def _read_names(raw: bytes, table: NameTable) -> Asked:
    try:
        names = _STRINGS.decode(raw)
        rows = table.rows(names)
        if not has_duplicates(names, rows, len(table)):
            return Asked(names, rows, raw)
    except _BROKEN:
        names = _only_strings(raw)
    names = list(dict.fromkeys(names))
    return Asked(names, table.rows(names), _ENCODER.encode(names))


def _only_strings(raw: bytes) -> list[str]:
    try:
        return [each for each in _ANYTHING.decode(raw) if isinstance(each, str)]
    except _BROKEN:
        raise WireError("NodeNames is no list of names") from None


def _name_of(item: msgspec.Raw) -> str:
    """Name of a Node: where Go writes it, it is cut out, which spares a second look at all the rest."""
    start = bytes(memoryview(item)[:_LONGEST_START])
    name, quote, _ = start.removeprefix(_NODE_START).partition(b'"')
    if start.startswith(_NODE_START) and quote and b"\\" not in name:
        return name.decode()
    return _NODE.decode(item).metadata.name


def _lenient_objects(raw: msgspec.Raw, table: NameTable) -> Asked:
    by_name = {name: item for item in _lenient_items(raw) if (name := _lenient_name(item))}
    names, items = list(by_name), list(by_name.values())
    return Asked(names, table.rows(names), _node_list(items), items)


def _lenient_items(raw: msgspec.Raw) -> list[msgspec.Raw]:
    try:
        return _RAW.decode(_lowered(raw)["items"])
    except (KeyError, *_BROKEN):
        raise WireError("there is neither a list of NodeNames nor one of Nodes") from None


def _lenient_name(item: msgspec.Raw) -> str:
    try:
        return _STRING.decode(_lowered(_lowered(item)["metadata"])["name"])
    except (KeyError, *_BROKEN):
        return ""


def _node_list(items: Iterable[msgspec.Raw]) -> bytes:
    return b'{"metadata":{},"items":[%b]}' % b",".join(map(bytes, items))
