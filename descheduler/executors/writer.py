"""The only way by which anything is written to a cluster: each write is checked first, and none is sent that may be late."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

from ullage.errors import UllageError
from ullage.model.codes import CODES
from ullage.sources.kube_api.connection import Connection, Limits

Guard: TypeAlias = Callable[[float], str]
"""Given how long a call may take: code of why it must not be made, empty if it may."""

CALL_SECONDS: Final = 5.0
"""Longest time of one write."""
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


class HeldBackError(UllageError):
    """A write was not sent: we do not lead any more, or someone pulled the kill switch.

    Parameters
    ----------
    code
        Why, as the guard said.
    """

    def __init__(self, code: str) -> None:
        super().__init__(CODES[code].meaning if code in CODES else code)
        self.code = code


class Writer:
    """Writes to an API server as long as a guard allows it.

    Parameters
    ----------
    connection
        The API server; reads go to it directly.
    guard
        Asked before every write: leadership and the kill switch.

    Attributes
    ----------
    evictions
        Requests for evictions that were sent, by code of what the answer means.
    """

    def __init__(self, connection: Connection, guard: Guard) -> None:
        self.connection = connection
        self._guard = guard
        self.evictions: Counter[str] = Counter()

    def write(
        self,
        verb: str,
        path: str,
        body: bytes | None = None,
        content_type: str = "application/json",
        params: Mapping[str, str] = _NOTHING,
    ) -> bytes:
        """Body of the answer to one write, sent once.

        Raises
        ------
        HeldBackError
            It was not sent.
        KubeError
            It was sent and did not succeed, or no reply came.
        """
        code = self._guard(CALL_SECONDS)
        if code:
            raise HeldBackError(code)
        limits = Limits(CALL_SECONDS / 2, CALL_SECONDS / 2, CALL_SECONDS)
        return self.connection.request(verb, path, params, body, content_type, limits)
