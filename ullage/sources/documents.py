"""Files of Kubernetes objects as a stream of single raw objects.

A file is JSON or YAML, plain or gzip (told by its first bytes, not by its name), and holds an object, a list of objects
(``List``, ``PodList``, ``NodeMetricsList``), several documents, or JSON objects one after the other. Objects are handed on
undecoded, so that one that is malformed does not take the rest with it; a file whose syntax is broken is refused.
"""

from __future__ import annotations

import codecs
import re
import sys
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from ullage.config.wording import nearest
from ullage.errors import InputError
from ullage.model.quantity import format_bytes
from ullage.sources.yaml_documents import yaml_documents

MAX_BYTES: Final = 4 * 2**30
"""Largest file that is read unless told otherwise, in bytes after decompression."""

_GZIP: Final = b"\x1f\x8b"
_READ: Final = 2**16
_PIECE: Final = 2**20
_PLAUSIBLE: Final = 2**28
_MOST_EXPANSION: Final = 250
_LOOKED_AT: Final = 1000
"""Files of a folder among which one with a name like a missing one's is looked for."""
_SPACE: Final = re.compile(rb"[ \t\r\n]*")
_TRAILING: Final = re.compile(r"trailing characters \(byte (\d+)\)")
_BYTE: Final = re.compile(r" \(byte (\d+)\)")
_AT_END: Final = "the file ends in the middle of an object: it was probably cut off while it was written"
_OBJECT_HINT: Final = "give it objects as kubectl prints them with -o json or -o yaml"


class Item(msgspec.Struct, frozen=True, gc=False):
    """One object, undecoded.

    Attributes
    ----------
    raw
        Its JSON text.
    kind
        The kind that it names itself if it stands alone, or that its list names; empty in a plain ``List``.
    """

    raw: bytes | msgspec.Raw
    kind: str = ""


class _Envelope(msgspec.Struct, gc=False):
    kind: msgspec.Raw = msgspec.Raw(b"")
    items: msgspec.Raw = msgspec.Raw(b"")


_ENVELOPES: Final = msgspec.json.Decoder(_Envelope)
_RAWS: Final = msgspec.json.Decoder(list[msgspec.Raw])


def read(path: str, *, stdin: BinaryIO | None = None, max_bytes: int = MAX_BYTES) -> bytes:
    """Content of a file, decompressed.

    Parameters
    ----------
    path
        A file's name, or ``-`` for standard input.
    stdin
        What ``-`` reads; the process's own standard input if not given.
    max_bytes
        Most bytes to accept, after decompression; no more than that is ever expanded.

    Raises
    ------
    InputError
        The file cannot be opened, is not valid gzip, or is larger.
    """
    try:
        if path == "-":
            return _read(stdin or sys.stdin.buffer, path, max_bytes)
        with Path(path).open("rb") as file:
            return _read(file, path, max_bytes)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise InputError(path, f"cannot be read: {reason}", _meant(Path(path), error)) from error


def _meant(path: Path, error: Exception) -> str:
    """Hint at what else may have been meant; empty if nothing suggests itself."""
    if isinstance(error, IsADirectoryError):
        return "name the files in it"
    if not isinstance(error, FileNotFoundError):
        return ""
    if not path.parent.is_dir():
        return f"there is no folder {path.parent}"
    with suppress(OSError):
        near = nearest(path.name, (other.name for other in islice(path.parent.iterdir(), _LOOKED_AT)))
        return f"did you mean {path.with_name(near)}?" if near else ""
    return ""


def _read(stream: BinaryIO, source: str, max_bytes: int) -> bytes:
    head = stream.read(2)
    chunks = _chunks(head, stream)
    try:
        return b"".join(_limited(_inflate(chunks, source) if head == _GZIP else chunks, source, max_bytes))
    except (EOFError, zlib.error) as error:
        raise InputError(
            source, f"is not valid gzip: {error}", "it may have been cut off; compress it again"
        ) from error


def _chunks(head: bytes, stream: BinaryIO) -> Iterator[bytes]:
    chunk = head
    while chunk:
        yield chunk
        chunk = stream.read(_READ)


def _inflate(chunks: Iterable[bytes], source: str) -> Iterator[bytes]:
    # Pieces are bounded on their way out, so that a bomb is met by the limit before it is expanded. Dumps shrink to a
    # twentieth or so; deflate could reach a thousandth.
    engine = zlib.decompressobj(wbits=31)
    taken = given = 0
    for chunk in chunks:
        rest = chunk
        taken += len(chunk)
        while rest:
            if engine.eof:
                rest = rest.lstrip(b"\0")  # padding between members, as tapes have it
                if not rest:
                    break
                engine = zlib.decompressobj(wbits=31)
            piece = engine.decompress(rest, _PIECE)
            given += len(piece)
            if given > max(_PLAUSIBLE, _MOST_EXPANSION * taken):
                raise InputError(
                    source, f"grows to more than {_MOST_EXPANSION} times its size: no dump does", _OBJECT_HINT
                )
            yield piece
            rest = engine.unconsumed_tail or engine.unused_data
    yield engine.flush()
    if not engine.eof:
        raise EOFError("it ends in the middle")


def _limited(chunks: Iterable[bytes], source: str, max_bytes: int) -> Iterator[bytes]:
    total = 0
    for chunk in chunks:
        total += len(chunk)
        if total > max_bytes:
            raise InputError(source, f"holds more than {format_bytes(max_bytes)}", "give it in several files")
        yield chunk


def items(data: bytes, source: str) -> Iterator[Item]:
    """Objects of a file, one by one, in their order.

    Parameters
    ----------
    data
        Content of the file, decompressed.
    source
        Its name, for messages.

    Raises
    ------
    InputError
        Empty, not UTF-8, neither JSON nor YAML, cut off, nested too deeply, or something else than objects on top.
    """
    start = _text_start(data, source)
    _check_utf8(data, source)
    if data[start : start + 1] in (b"{", b"["):
        yield from _json_items(data, start, source)
        return
    for document in yaml_documents(data[start:], source):
        yield from _expand(_ENVELOPES.decode(document), document)


def _text_start(data: bytes, source: str) -> int:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise InputError(source, "is UTF-16 text", "write it as UTF-8; a PowerShell redirection needs -Encoding utf8")
    bom = len(codecs.BOM_UTF8) if data.startswith(codecs.BOM_UTF8) else 0
    space = _SPACE.match(data, bom)
    start = space.end() if space else bom
    if start == len(data):
        raise InputError(source, "is empty", _OBJECT_HINT)
    return start


def _check_utf8(data: bytes, source: str) -> None:
    # msgspec looks at the encoding of what it decodes only, and objects are passed on undecoded.
    if data.isascii():
        return
    decoder = codecs.getincrementaldecoder("utf-8")()
    for begin in range(0, len(data), _PIECE):
        pending = len(decoder.getstate()[0])
        try:
            decoder.decode(data[begin : begin + _PIECE], final=begin + _PIECE >= len(data))
        except UnicodeDecodeError as error:
            where = _position(data, begin - pending + error.start)
            raise InputError(source, f"is not UTF-8 text at {where}", "write it as UTF-8") from error


def _position(data: bytes, byte: int) -> str:
    line = data.count(b"\n", 0, byte) + 1
    column = byte - data.rfind(b"\n", 0, byte)
    return f"line {line}, column {column} (byte {byte})"


def _json_items(data: bytes, start: int, source: str) -> Iterator[Item]:
    view = memoryview(data)
    while start < len(data):
        end = _document_end(data, view, start, source)
        document = view[start:end]
        yield from _expand(_ENVELOPES.decode(document), data if end - start == len(data) else bytes(document))
        start = end


def _document_end(data: bytes, view: memoryview, start: int, source: str) -> int:
    # The decoder is the fastest scanner at hand: where it meets the next document, it says at which byte.
    try:
        _ENVELOPES.decode(view[start:])
    except msgspec.ValidationError as error:
        raise _wrong_top(source, _position(data, start)) from error
    except msgspec.DecodeError as error:
        trailing = _TRAILING.search(str(error))
        if trailing is None:
            raise _malformed(data, start, source, str(error)) from error
        return start + int(trailing[1]) - 1  # it counts the byte that it stumbled over
    except RecursionError as error:
        raise InputError(source, "is nested too deeply", "no Kubernetes object is; is it the right file?") from error
    return len(data)


def _wrong_top(source: str, where: str) -> InputError:
    return InputError(source, f"holds something else than an object at {where}", _OBJECT_HINT)


def _malformed(data: bytes, start: int, source: str, message: str) -> InputError:
    found = _BYTE.search(message)
    if found is None:
        return InputError(source, f"{_AT_END} (after {len(data)} bytes)", "write it again")
    what = _BYTE.sub("", message).removeprefix("JSON is malformed: ")
    where = _position(data, start + int(found[1]))
    return InputError(source, f"is not valid JSON: {what} at {where}", _OBJECT_HINT)


def _expand(envelope: _Envelope, document: bytes) -> Iterator[Item]:
    kind = _kind(envelope.kind)
    has_items = bytes(memoryview(envelope.items)[:1]) == b"["
    if has_items and (kind.endswith("List") or not kind):
        yield from (Item(raw, kind.removesuffix("List")) for raw in _RAWS.decode(envelope.items))
    elif not kind.endswith("List"):
        yield Item(document, kind)


def _kind(raw: msgspec.Raw) -> str:
    try:
        return msgspec.json.decode(raw, type=str)
    except msgspec.DecodeError:
        return ""
