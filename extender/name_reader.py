"""From the bytes of a list of known names to their rows, without a Python object per name.

kube-scheduler asks about hundreds or thousands of names per pod, nearly always names that are known. To make each a string and
to look it up in a dict costs several times as much as to compare all of them, as numbers of eight bytes, with those of the
table. Which row to compare with is told by a hash without collisions among the known names, found when the table is made
(hash and displace: Belazzougui, Botelho, Dietzfelbinger, ESA 2009).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from ullage.model.arrays import Int32Array, IntArray

Words: TypeAlias = npt.NDArray[np.uint64]

_QUOTE: Final = ord('"')
_COMMA: Final = ord(",")
_BETWEEN: Final = b'","'
_WORD_BYTES: Final = 8
_SLOTS_PER_NAME: Final = 8
_NAMES_PER_GROUP: Final = 4
_HASHES: Final = 16
_DISPLACEMENTS: Final = 256
_GOLDEN: Final = 0x9E3779B97F4A7C15
"""2^64 over the golden ratio: multiples of it are spread evenly (Knuth, The Art of Computer Programming, 6.4)."""


class Read(NamedTuple):
    """A list of names that was understood.

    Attributes
    ----------
    rows
        int32 (n,), all >= 0.
    bounds
        int64 (n + 1,): where the quote before each name stands, and the length of the text.
    """

    rows: Int32Array
    bounds: IntArray


class NameReader:
    """Reads lists of names of one table.

    Parameters
    ----------
    names
        N names, unique.
    """

    def __init__(self, names: Iterable[str]) -> None:
        texts = [msgspec.json.encode(name)[1:-1] for name in names]
        self._longest = max(map(len, texts), default=0)
        self._width = max(1, -(-self._longest // _WORD_BYTES)) * _WORD_BYTES
        self._window = np.dtype(f"S{self._width}")
        self._known = np.array(texts, self._window).view(np.uint64).reshape(len(texts), self._width // _WORD_BYTES)
        self._masks = _masks(self._longest, self._width)
        self._hash = _hash_of(self._known)

    def read(self, text: bytes) -> Read | None:
        """Rows of a JSON list as Go writes it; ``None`` if it is written otherwise or holds a name that is not known.

        Parameters
        ----------
        text
            The list. It is compared byte by byte with the known names, so what is accepted is valid JSON.
        """
        if self._hash is None or not (text.startswith(b'["') and text.endswith(b'"]')) or b"\0" in text:
            return None
        found = self._even(text) or self._uneven(text)
        if found is None:
            return None
        words, bounds = found
        rows = self._hash.rows(words)
        return Read(rows, bounds) if self._known.take(rows, axis=0).tobytes() == words.tobytes() else None

    def _even(self, text: bytes) -> tuple[Words, IntArray] | None:
        """The names as words, and their bounds, if all are of one length."""
        length = text.find(b'"', 2) - 2
        step = length + len(_BETWEEN)
        if not 0 < length <= self._longest or (len(text) - 1) % step:
            return None
        count = (len(text) - 1) // step
        data = b'%b,"%b' % (text[2:-1], bytes(self._width))
        between = np.ndarray((count, len(_BETWEEN)), np.uint8, data, length, (step, 1))
        if between.tobytes() != _BETWEEN * count:
            return None
        windows = np.ndarray((count,), self._window, data, 0, (step,)).copy()
        return self._words(windows, self._masks[length]), np.arange(1, len(text) + 1, step)

    def _uneven(self, text: bytes) -> tuple[Words, IntArray] | None:
        """The same for names of any length."""
        data = np.frombuffer(text, dtype=np.uint8)
        quotes = np.flatnonzero(data == _QUOTE)
        opening, closing = quotes[0::2], quotes[1::2]
        if len(opening) != len(closing) or not (opening[1:] == closing[:-1] + 2).all():
            return None
        bounds = np.append(opening, len(text))
        lengths = closing - opening - 1
        if lengths.min() < 1 or lengths.max() > self._longest or (data[bounds[1:-1] - 1] != _COMMA).any():
            return None
        window = np.ndarray((len(text),), self._window, text + bytes(self._width), 0, (1,))
        return self._words(window[opening + 1], self._masks.take(lengths, axis=0)), bounds

    def _words(self, windows: npt.NDArray[np.bytes_], masks: Words) -> Words:
        """Names and what follows them, without what follows them: (n, width / 8)."""
        words = windows.view(np.uint64).reshape(len(windows), self._width // _WORD_BYTES)
        words &= masks
        return words


class _Hash(NamedTuple):
    """A hash without collisions: the group of a name tells what turns its hash into a place of its own."""

    factors: Words
    displacements: Words
    shift: np.uint64
    slots: Int32Array

    def rows(self, words: Words) -> Int32Array:
        """The only row that each name may have, int32 (n,)."""
        hashes = words @ self.factors
        hashes += self.displacements.take(hashes & np.uint64(len(self.displacements) - 1))
        hashes >>= self.shift
        return self.slots.take(hashes.view(np.int64))


def without(text: bytes, bounds: IntArray, rejected: IntArray) -> bytes:
    """A list of names without some of them.

    Parameters
    ----------
    text, bounds
        The list, and `Read.bounds`.
    rejected
        int64 (k,): positions of names, ascending.
    """
    begins = [int(bounds[0]), *bounds[rejected + 1].tolist()]
    ends = [*bounds[rejected].tolist(), int(bounds[-1])]
    # a piece between two that are rejected, or behind the last one, may be empty
    return b"[%b]" % b",".join([text[a : b - 1] for a, b in zip(begins, ends, strict=True) if a < b])


def quoted(text: bytes, bounds: IntArray, positions: IntArray) -> list[bytes]:
    """The names at some positions of a list, as JSON."""
    begins, ends = bounds[positions].tolist(), bounds[positions + 1].tolist()
    return [text[a : b - 1] for a, b in zip(begins, ends, strict=True)]


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
    result = _Hash(factors, np.zeros(groups, np.uint64), shift, np.full(1 << (64 - int(shift)), -1, dtype=np.int32))
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
