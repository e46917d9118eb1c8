"""Answers of the Prometheus HTTP API as arrays and label columns.

Bodies are decoded in slices of `SLICE_BYTES`, since one call of the decoder holds the interpreter: 10 MB at once would keep
other threads waiting for 0.1 s. A slice ends where a series ends: ``{"metric":`` cannot stand inside a JSON string, where its
quotes would be escaped.

Labels stay text until somebody asks: of a million series of one refresh a few ten thousand differ in more than their mark, and
servers write labels sorted by name, the mark last. Series of one mark come in the order of those of the others, so that
whole blocks of them can be compared at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, pairwise
from typing import Final, TypeAlias, TypeVar, cast

import msgspec
import numpy as np

from ullage.errors import UllageError
from ullage.model.arrays import FloatArray, IntArray
from ullage.telemetry.catalog import MARK

SLICE_BYTES: Final = 1 << 16

MOST_MARKS: Final = 64
"""Marks are numbers below it."""

_START: Final = b'{"metric":'
_PLUS_INFINITY: Final = b'"+Inf"'  # as Prometheus prints it, and as the decoder does not read it
_SHOWN: Final = 200
_BENIGN: Final = "PromQL info:"
"""Remarks on how a query is written; up to Prometheus 2.52 they stood among the warnings."""

_MARK: Final = b'"%b":"' % MARK.encode()
_mark_of_tail: Final = {b'%d"}' % mark: mark for mark in range(MOST_MARKS)}.get
_mark_of: Final = {str(mark): mark for mark in range(MOST_MARKS)}.get

Decoded = TypeVar("Decoded")


class AnswerError(UllageError):
    """An answer of a source of measures cannot be used."""


class Labels(msgspec.Struct, frozen=True, gc=False):
    """The labels that say what a series is; empty where it does not have them."""

    ullage: str = ""
    node: str = ""
    kubernetes_node: str = ""
    nodename: str = ""
    instance: str = ""
    job: str = ""
    prometheus_replica: str = ""
    replica: str = ""
    namespace: str = ""
    exported_namespace: str = ""
    pod: str = ""
    name: str = ""


_Point: TypeAlias = tuple[float, float]


class _Series(msgspec.Struct, frozen=True, gc=False):
    metric: msgspec.Raw
    value: _Point | None = None  # of an instant vector
    values: list[_Point] = []  # of a range matrix


class _Data(msgspec.Struct, frozen=True, rename="camel"):
    result: list[_Series]
    result_type: str = ""


class _Envelope(msgspec.Struct, frozen=True, rename="camel"):
    status: str = ""
    data: _Data | None = None
    error_type: str = ""
    error: str = ""
    warnings: list[str] | None = None
    infos: list[str] | None = None
    is_partial: bool = False  # VictoriaMetrics

    @property
    def sentence(self) -> str:
        return ": ".join(part for part in (self.error_type, self.error) if part)


class _Names(msgspec.Struct, frozen=True):
    status: str = ""
    data: list[str] | None = None
    error: str = ""


_MANY: Final = msgspec.json.Decoder(list[_Series], strict=False)
_ONE: Final = msgspec.json.Decoder(_Envelope, strict=False)
_NAMES: Final = msgspec.json.Decoder(_Names)
_LABELS: Final = msgspec.json.Decoder(list[Labels])


@dataclass(frozen=True, eq=False)
class Block:
    """Points of some series.

    Attributes
    ----------
    metrics
        Label sets of L series, as they came.
    series
        int64 (P,), index into `metrics` of each point.
    at_seconds
        float64 (P,), time at which the query was evaluated for the point.
    value
        float64 (P,), NaN and infinities as they came.
    """

    metrics: list[msgspec.Raw]
    series: IntArray
    at_seconds: FloatArray
    value: FloatArray

    @property
    def origins(self) -> list[bytes]:
        """L texts that stand for the label sets without their marks, for `labels`.

        Series of the same labels have the same text, except on servers that do not sort labels, where they may have several.
        """
        return self._identities[0]

    @property
    def marks(self) -> IntArray:
        """The number in the label `MARK` of each series, int64 (L,); -1 where there is none."""
        return self._identities[1]

    def first(self) -> tuple[bytes, int]:
        """Origin and mark of the first series; empty and -1 if there is none, or if servers do not write the mark last."""
        head, _, tail = bytes(self.metrics[0]).rpartition(_MARK) if self.metrics else (b"", b"", b"")
        return head, _mark_of_tail(tail, -1)

    def holds(self, origins: Sequence[bytes], mark: int) -> bool:
        """Whether its series are those of `origins` in this order, all with this mark: far faster than to look at each."""
        tail = b'%b%d"}' % (_MARK, mark)
        # Texts of JSON objects can be cut in one way only.
        return len(origins) == len(self.metrics) and b"".join(self.metrics) == tail.join((*origins, b""))

    @cached_property
    def _identities(self) -> tuple[list[bytes], IntArray]:
        origins, marks = _identities(self.metrics)
        return origins, np.array(marks, np.int64)


def labels(origins: Sequence[bytes]) -> list[Labels]:
    """Labels that each text of a `Block` stands for."""
    # What stands before the mark ends in a comma, or is the opening brace alone.
    texts = [each if each.endswith(b"}") else each.rstrip(b", ") + b"}" for each in origins]
    return _checked(_LABELS, b"[%b]" % b",".join(texts))


class Answer:
    """What a server said to a query; the series are decoded while they are asked for.

    Parameters
    ----------
    body
        The body of the answer.
    result_type
        ``vector`` of an instant query, ``matrix`` of a range query.

    Attributes
    ----------
    remarks
        Warnings, and what says that the answer is not complete; empty if it is.

    Raises
    ------
    AnswerError
        The server says that the query failed, or the body is something else: HTML, cut off, another type of result.
    """

    def __init__(self, body: bytes, result_type: str) -> None:
        self._body, self._cuts = body, _cuts(body)
        envelope = _envelope(body, self._cuts)
        self._last = _result(envelope, result_type)
        self.remarks = _remarks(envelope)

    def blocks(self) -> Iterator[Block]:
        """All points; the interpreter is free to run other threads between blocks.

        Raises
        ------
        AnswerError
            The body is damaged; blocks that came before are true nevertheless.
        """
        for start, end in pairwise(self._cuts):
            elements: list[_Series] = _checked(_MANY, b"[%b]" % self._body[start : end - 1])
            yield _block(elements)
        yield _block(self._last)


def names(body: bytes) -> frozenset[str]:
    """Values of a label, from the answer that lists them; raises as `Answer`."""
    found = _checked(_NAMES, body)
    if found.status != "success" or found.data is None:
        raise AnswerError(f"the server does not list the names of metrics: {found.error or found.status or 'no data'}")
    return frozenset(found.data)


def failure(body: bytes) -> str:
    """What a body that came with an error status says, in at most some 200 characters; empty if nothing."""
    try:
        return _checked(_ONE, body).sentence[:_SHOWN]
    except AnswerError:
        return "" if _is_page(body) else " ".join(body[:_SHOWN].decode(errors="replace").split())


def _cuts(body: bytes) -> list[int]:
    """Where slices start; none if the body must be decoded as a whole."""
    cuts, at = [], body.find(_START)
    while at >= 0:
        cuts.append(at)
        at = body.find(_START, at + SLICE_BYTES)
    is_compact = all(body[at - 1 : at] == b"," for at in cuts[1:])
    return cuts if is_compact else []


def _envelope(body: bytes, cuts: Sequence[int]) -> _Envelope:
    # What comes before the first series, the last slice and what follows make a small answer that is valid by itself.
    return _checked(_ONE, body[: cuts[0]] + body[cuts[-1] :] if len(cuts) > 1 else body)


def _checked(decoder: msgspec.json.Decoder[Decoded], body: bytes) -> Decoded:
    try:
        return decoder.decode(body.replace(_PLUS_INFINITY, b'"Inf"') if _PLUS_INFINITY in body else body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise AnswerError(_complaint(body, error), "is this the address of a Prometheus API?") from error


def _complaint(body: bytes, error: Exception) -> str:
    if not body.strip():
        return "the answer is empty"
    if _is_page(body):
        return "the answer is a page of HTML and no JSON, as of a proxy or a login"
    return f"the answer cannot be read: {error}"


def _is_page(body: bytes) -> bool:
    return body[:_SHOWN].lstrip().startswith(b"<")


def _result(envelope: _Envelope, result_type: str) -> list[_Series]:
    if envelope.status != "success" or envelope.data is None:
        raise AnswerError(f"the query failed: {envelope.sentence[:_SHOWN] or envelope.status or 'no data'}")
    if envelope.data.result_type != result_type:
        raise AnswerError(f"the answer is of type {envelope.data.result_type!r}, not {result_type!r}")
    return envelope.data.result


def _remarks(envelope: _Envelope) -> tuple[str, ...]:
    said = [*(envelope.warnings or ()), *(envelope.infos or ())]
    found = [each[:_SHOWN] for each in said if not each.startswith(_BENIGN)]
    return tuple([*found, "not every part of the server answered"] if envelope.is_partial else found)


def _block(elements: Sequence[_Series]) -> Block:
    values = [each.value for each in elements]
    if None not in values:  # a million times; everything below it, never in a refresh
        return _points(elements, np.arange(len(elements)), cast("list[_Point]", values))
    instant = [each for each in elements if each.value is not None]
    if instant:
        return _block(instant)
    series = np.repeat(np.arange(len(elements)), [len(each.values) for each in elements])
    return _points(elements, series, chain.from_iterable(each.values for each in elements))


def _points(elements: Sequence[_Series], series: IntArray, points: Iterable[_Point]) -> Block:
    flat = np.fromiter(chain.from_iterable(points), np.float64, 2 * len(series))
    return Block([each.metric for each in elements], series, flat[0::2], flat[1::2])


def _identities(metrics: Iterable[msgspec.Raw]) -> tuple[list[bytes], list[int]]:
    parts = [bytes(each).rpartition(_MARK) for each in metrics]
    marks = [_mark_of_tail(tail) for _, _, tail in parts]
    if None not in marks:
        return [head for head, _, _ in parts], cast("list[int]", marks)
    texts = [b"".join(part) for part in parts]
    return texts, [_mark_of(each.ullage, -1) for each in labels(texts)]
