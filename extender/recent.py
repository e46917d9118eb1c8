"""The last few texts that were read, and what was read from them."""

from __future__ import annotations

from collections import deque
from typing import Final, Generic, TypeVar

ValueT = TypeVar("ValueT")

_LARGEST_BYTES: Final = 4 * 2**20


class Recent(Generic[ValueT]):
    """Values by the text that they were made from.

    kube-scheduler asks twice about a pod, the second time with the names that were answered the first time. Comparing a text
    with the last few of the same length stops at the first difference; to hash it would cost more than half of reading it.

    Parameters
    ----------
    size
        How many are kept.
    """

    def __init__(self, size: int = 8) -> None:
        self._entries: deque[tuple[bytes, ValueT]] = deque(maxlen=size)

    def get(self, text: bytes) -> ValueT | None:
        """Value made from `text`, if it is still there."""
        return next((value for key, value in self._entries if key == text), None)

    def put(self, text: bytes, value: ValueT) -> None:
        """Keep a value; the oldest goes. What is made from a very large text is not kept."""
        if len(text) <= _LARGEST_BYTES:
            self._entries.appendleft((text, value))
