"""From the bytes of a list of known names to their rows and back, without a Python object per name.

kube-scheduler asks about hundreds or thousands of names per pod, nearly always names that are known. To make each a string and
to look it up in a dict costs several times as much as to compare all of them at once with those of the table. Which row to
compare with is told by a hash without collisions among the known names, found when the table is made (hash and displace:
Belazzougui, Botelho, Dietzfelbinger, ESA 2009).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from ullage.model.arrays import IntArray

Words: TypeAlias = npt.NDArray[np.uint64]
Lines: TypeAlias = npt.NDArray[np.uint8]

_QUOTE: Final = ord('"')
_COMMA: Final = ord(",")
_END: Final = ord("]")
_WORD_BYTES: Final = 8
_SLOTS_PER_NAME: Final = 8
_NAMES_PER_GROUP: Final = 4
_HASHES: Final = 16
_DISPLACEMENTS: Final = 256
_GOLDEN: Final = 0x9E3779B97F4A7C15
"""2^64 over the golden ratio: multiples of it are spread evenly (Knuth, The Art of Computer Programming, 6.4)."""


class NameReader:
    """Reads and writes lists of names of one table, as Go writes them.

    Parameters
    ----------
    names
        N names, unique.
    """

    def __init__(self, names: Iterable[str]) -> None:
        texts = [msgspec.json.encode(name)[1:-1] for name in names]
        self._lines = _lines(texts)
        self._is_padded = bool(texts) and min(map(len, texts)) < max(map(len, texts))
        self._rows_of = _of_one_length(self._lines) if texts and not self._is_padded else None
        if self._rows_of is None:
            self._rows_of = _OfAnyLength(texts).rows

    def read(self, text: bytes) -> IntArray | None:
        """Rows of a JSON list, int64 (n,); ``None`` if it is written otherwise, is empty, or holds a name that is not known.

        Parameters
        ----------
        text
            The list. It is compared byte by byte with the known names, so what is accepted is valid JSON.
        """
        assert self._rows_of is not None  # noqa: S101
        return self._rows_of(text)

    def text(self, rows: IntArray) -> bytes:
        """The list of some names as JSON; `rows` are int64 (n,), >= 0."""
        if not len(rows):
            return b"[]"
        lines = self._lines.take(rows, axis=0).tobytes()
        if self._is_padded:
            lines = lines.translate(None, b"\0")
        return b"[%b]" % lines[:-1]


class _OfAnyLength:
    """Names that have to be cut out of a list before they can be compared."""

    def __init__(self, texts: Sequence[bytes]) -> None:
        self._longest = max(map(len, texts), default=0)
        self._width = max(1, -(-self._longest // _WORD_BYTES)) * _WORD_BYTES
        self._window = np.dtype(f"S{self._width}")
        self._known = np.array(texts, self._window).view(np.uint64).reshape(len(texts), self._width // _WORD_BYTES)
        self._masks = _masks(self._longest, self._width)
        self._hash = _hash_of(self._known)

    def rows(self, text: bytes) -> IntArray | None:
        """As `NameReader.read`."""
        if self._hash is None or not (text.startswith(b'["') and text.endswith(b'"]')) or b"\0" in text:
            return None
        words = self._names(text)
        if words is None:
            return None
        rows = self._hash.rows(words)
        return rows if self._known.take(rows, axis=0).tobytes() == words.tobytes() else None

    def _names(self, text: bytes) -> Words | None:
        """The names as words without what follows them, (n, width / 8)."""
        data = np.frombuffer(text, dtype=np.uint8)
        quotes = np.flatnonzero(data == _QUOTE)
        opening, closing = quotes[0::2], quotes[1::2]
        if len(opening) != len(closing) or not (opening[1:] == closing[:-1] + 2).all():
            return None
        lengths = closing - opening - 1
        if lengths.min() < 1 or lengths.max() > self._longest or (data[opening[1:] - 1] != _COMMA).any():
            return None
        window = np.ndarray((len(text),), self._window, text + bytes(self._width), 0, (1,))
        words = window[opening + 1].view(np.uint64).reshape(len(opening), self._width // _WORD_BYTES)
        words &= self._masks.take(lengths, axis=0)
        return words


def _of_one_length(lines: Lines) -> Callable[[bytes], IntArray | None] | None:
    """What reads names that are of one length; ``None`` if they are too short to be compared by words."""
    differing = np.flatnonzero((lines != lines[0]).any(axis=0))
    begin, end = (int(differing[0]), int(differing[-1]) + 1) if len(differing) else (0, 1)
    words = -(-(end - begin) // _WORD_BYTES)
    # without the last byte, which is another one after the last name of a list
    begin = min(begin, lines.shape[1] - 1 - words * _WORD_BYTES)
    return _OfOneLength(lines, begin, words).rows if begin >= 0 else None


class _OfOneLength:
    """Names of one length, as many clusters have them: of a list only the order is not known beforehand."""

    def __init__(self, lines: Lines, begin: int, words: int) -> None:
        self._lines = lines
        self._step = lines.shape[1]
        self._begin, self._words = begin, words
        self._hash = _hash_of(self._windows(lines.tobytes(), len(lines), 0))

    def rows(self, text: bytes) -> IntArray | None:
        """As `NameReader.read`."""
        count, rest = divmod(len(text) - 1, self._step)
        if rest or count < 1 or self._hash is None:
            return None
        rows = self._hash.rows(self._windows(text, count, 1))
        expected: Lines = self._lines.take(rows, axis=0)
        expected[-1, -1] = _END
        return rows if text.startswith(b"[") and text.startswith(expected.data, 1) else None

    def _windows(self, text: bytes, count: int, start: int) -> Words:
        """What tells the names apart: (n, words)."""
        shape, strides = (count, self._words), (self._step, _WORD_BYTES)
        return np.ndarray(shape, np.uint64, text, start + self._begin, strides)


class _Hash(NamedTuple):
    """A hash without collisions: the group of a name tells what turns its hash into a place of its own."""

    factors: Words
    displacements: Words
    shift: np.uint64
    slots: IntArray

    def rows(self, words: Words) -> IntArray:
        """The only row that each name may have, int64 (n,)."""
        hashes = words @ self.factors
        hashes += self.displacements.take(hashes & np.uint64(len(self.displacements) - 1))
        hashes >>= self.shift
        return self.slots.take(hashes.view(np.int64))


def _lines(texts: Sequence[bytes]) -> Lines:
    """Each name in quotes, with a comma, and with NULs up to the width of the longest: uint8 (N, width)."""
    width = max(map(len, texts), default=0) + 3
    return np.frombuffer(b"".join((b'"%b",' % text).ljust(width, b"\0") for text in texts), np.uint8).reshape(-1, width)


def _masks(longest: int, width: int) -> Words:
    """By length, what a name of that length covers of `width` bytes: (longest + 1, width / 8)."""
    covered = np.arange(width) < np.arange(longest + 1)[:, None]
    return np.ascontiguousarray(np.where(covered, 0xFF, 0).astype(np.uint8)).view(np.uint64)


def _hash_of(words: Words) -> _Hash | None:
    """A hash for some names; ``None`` if there are no names, or none was found, which chance makes as good as impossible."""
    attempts = (_attempt(words, number) for number in range(_HASHES if len(words) else 0))
    return next((each for each in attempts if each is not None), None)


def _attempt(words: Words, number: int) -> _Hash | None:
    count, width = words.shape
    factors = np.array([_GOLDEN * (2 * (number * width + i) + 1) % 2**64 for i in range(width)], dtype=np.uint64)
    groups = 1 << (count // _NAMES_PER_GROUP).bit_length()
    shift = np.uint64(64 - (_SLOTS_PER_NAME * count).bit_length())
    hashes = words @ factors
    of_group: dict[int, list[int]] = {}
    for row, group in enumerate((hashes & np.uint64(groups - 1)).tolist()):
        of_group.setdefault(group, []).append(row)
    result = _Hash(factors, np.zeros(groups, np.uint64), shift, np.full(1 << (64 - int(shift)), -1, dtype=np.int64))
    for group in sorted(of_group, key=lambda each: -len(of_group[each])):
        if not _place(result, group, of_group[group], hashes):
            return None
    np.maximum(result.slots, 0, out=result.slots)
    return result


def _place(target: _Hash, group: int, rows: list[int], hashes: Words) -> bool:
    """Find a displacement that puts the names of a group on places that are free and apart."""
    shift, texts = int(target.shift), hashes[rows].tolist()
    for number in range(_DISPLACEMENTS):
        displacement = number * _GOLDEN % 2**64
        places = [((each + displacement) % 2**64) >> shift for each in texts]
        if len(set(places)) == len(places) and (target.slots[places] < 0).all():
            target.displacements[group] = displacement
            target.slots[places] = rows
            return True
    return False
