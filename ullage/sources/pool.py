"""Values that come again and again, kept once, without growing for ever."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final, Generic, TypeVar

Value = TypeVar("Value")

_MOST: Final = 2048


class Pool(Generic[Value]):
    """The values that were used most recently, by key: at least `most` of them, and at most twice as many.

    Threads may share a pool; at worst a value is kept twice for a while.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._young: dict[Hashable, Value] = {}
        self._old: dict[Hashable, Value] = {}

    def get(self, key: Hashable) -> Value | None:
        """Value of `key`; ``None`` if there is none (any more)."""
        found = self._young.get(key)
        if found is None:
            found = self._old.get(key)
            if found is not None:
                self.put(key, found)
        return found

    def put(self, key: Hashable, value: Value) -> Value:
        """Keep `value`, and give it back."""
        if len(self._young) >= self._most:
            self._old, self._young = self._young, {}
        self._young[key] = value
        return value

    def share(self, key: Hashable, value: Value) -> Value:
        """The value that is kept for `key`, else `value`, which is kept from now on."""
        found = self.get(key)
        return self.put(key, value) if found is None else found


class ByIdentity(Generic[Value]):
    """Values by the very objects that they were made from, which must not be changed: no equality is asked.

    Parts are held as long as their value is, so that no other object takes their identity.
    """

    def __init__(self) -> None:
        self._pool: Pool[tuple[tuple[object, ...], Value]] = Pool()

    def get(self, parts: tuple[object, ...]) -> Value | None:
        """Value of these parts; ``None`` if there is none (any more)."""
        found = self._pool.get(tuple(map(id, parts)))
        return None if found is None else found[1]

    def put(self, parts: tuple[object, ...], value: Value) -> Value:
        """Keep `value`, and give it back."""
        self._pool.put(tuple(map(id, parts)), (parts, value))
        return value
