"""Node names and their bytes on the wire, made once per set of names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import repeat
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from extender.name_reader import NameReader
from extender.verbs import Names
from ullage.model.arrays import BoolArray, IntArray

MAX_SCORE: Final = 100
"""Largest score on the wire."""

# Four characters as one number, so that the scores are written by one assignment over a strided column.
_DIGITS: Final = np.frombuffer(b"".join(b"%4d" % score for score in range(MAX_SCORE + 1)), dtype=np.uint32)
_HEAD: Final = b'{"Host":'
_TAIL: Final = b',"Score":0000},'
_SCORE: Final = slice(-6, -2)
_COMMA: Final = -1
_SPACE: Final = ord(" ")
# A raw NUL stands in no JSON text, so the padding can be taken out again where it would be too much of the answer.
_NUL: Final = 0
_MOST_PADDING_RATIO: Final = 0.25


class Known:
    """Names of rows of a table, which become strings only where they are asked for.

    Parameters
    ----------
    names
        The names of the table.
    rows
        int64 (n,), all >= 0.
    """

    def __init__(self, names: Sequence[str], rows: IntArray) -> None:
        self._names, self._rows = names, rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, position: int, /) -> str:
        return self._names[int(self._rows[position])]

    def some(self, positions: IntArray) -> list[str]:
        """The names at some positions."""
        return list(map(self._names.__getitem__, self._rows.take(positions).tolist()))


class NameTable:
    """The names of one generation of nodes.

    Parameters
    ----------
    names
        N names, unique.
    index
        Row by name.
    version
        Tells tables apart; grows with every new set of names.

    Attributes
    ----------
    reader
        Reads and writes lists of these names.
    """

    def __init__(self, names: Sequence[str], index: Mapping[str, int], version: int) -> None:
        self.names = names
        self.version = version
        self._index = index
        self.reader = NameReader(names)
        self._entries, self._padding = _entries(names)

    def __len__(self) -> int:
        return len(self.names)

    def rows(self, names: Sequence[str]) -> IntArray:
        """Row of each name, int64 (n,); -1 for one that is not in the table."""
        return np.fromiter(map(self._index.get, names, repeat(-1)), np.int64, len(names))

    def priorities(self, names: Names, rows: IntArray, scores: npt.NDArray[np.integer]) -> bytes:
        """HostPriorityList as JSON, in the order of `names`; scores are integers and nothing else.

        Parameters
        ----------
        names
            n names.
        rows
            int64 (n,), their rows; -1 for a name that is not in the table.
        scores
            Integer (n,); clipped to 0..`MAX_SCORE`.
        """
        if isinstance(names, Known) or not len(rows) or rows.min() >= 0:
            return b"[%b]" % self._known(rows, scores)
        known = rows >= 0
        parts = [_one(names[i], int(scores[i])) for i in np.flatnonzero(~known).tolist()]
        if known.any():
            parts.append(self._known(rows[known], scores[known]))
        return b"[%b]" % b",".join(parts)

    def _known(self, rows: IntArray, scores: npt.NDArray[np.integer]) -> bytes:
        if not len(rows):
            return b""
        entries = self._entries.take(rows, axis=0)
        entries[:, _SCORE].view(np.uint32)[:, 0] = _DIGITS.take(scores, mode="clip")
        if self._padding == _NUL:
            flat = entries.ravel()
            return bytes(flat[flat != _NUL][:_COMMA])
        entries[-1, _COMMA] = _SPACE
        return bytes(entries)


def has_duplicates(names: Names, rows: IntArray, size: int) -> bool:
    """Whether a name stands twice.

    Parameters
    ----------
    names
        n names; only those are looked at whose row is -1.
    rows
        int64 (n,), their rows; -1 for a name that is not in the table.
    size
        Rows of the table.
    """
    seen: BoolArray = np.zeros(size + 1, dtype=np.bool_)
    seen[rows] = True  # an unknown name falls on the last place
    different = int(np.count_nonzero(seen))
    if different == len(rows) or not seen[size]:
        return different != len(rows)
    unknown = [names[i] for i in np.flatnonzero(rows < 0).tolist()]
    return different - 1 + len(set(unknown)) != len(rows)


def _entries(names: Iterable[str]) -> tuple[npt.NDArray[np.uint8], int]:
    """Entry of each name with a comma at its end, uint8 (N, width), and what the shorter ones are filled up with."""
    quoted = [msgspec.json.encode(name) for name in names]
    width = max(map(len, quoted), default=0)
    fixed = len(_HEAD) + len(_TAIL)
    used = sum(map(len, quoted)) + fixed * len(quoted)
    wasteful = (width + fixed) * len(quoted) > (1 + _MOST_PADDING_RATIO) * used
    padding = b"\0" if wasteful else b" "
    text = b"".join(_HEAD + name.ljust(width, padding) + _TAIL for name in quoted)
    table = np.frombuffer(text, dtype=np.uint8).reshape(len(quoted), width + fixed)
    return table, padding[0]


def _one(name: str, score: int) -> bytes:
    return b'{"Host":%b,"Score":%d}' % (msgspec.json.encode(name), min(max(score, 0), MAX_SCORE))
