"""What was made from the last few texts that were read, and from what is still the same."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from operator import is_
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
        for key, value in self._entries:
            if key == text:
                return value
        return None

    def put(self, text: bytes, value: ValueT) -> None:
        """Keep a value; the oldest goes. What is made from a very large text is not kept."""
        if len(text) <= _LARGEST_BYTES:
            self._entries.appendleft((text, value))


class Same(Generic[ValueT]):
    """Values by the objects that they were made from, which are compared by identity.

    For objects that are never changed, and are given again as they are for as long as they hold: nobody has to look into them
    to see that what was made from them holds, too.

    Parameters
    ----------
    size
        How many are kept.
    """

    def __init__(self, size: int = 8) -> None:
        self._entries: deque[tuple[tuple[object, ...], ValueT]] = deque(maxlen=size)

    def of(self, make: Callable[[], ValueT], *objects: object) -> ValueT:
        """Value made from these, always of the same number; it is made if it is not there any more, and the oldest goes."""
        for known, value in self._entries:
            if all(map(is_, known, objects)):
                return value
        made = make()
        self._entries.appendleft((objects, made))
        return made

    def clear(self) -> None:
        """Forget all of them."""
        self._entries.clear()
