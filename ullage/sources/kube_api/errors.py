"""What can go wrong between us and a Kubernetes API server.

::

    KubeError                    the API server cannot be used
    ├── CredentialsError         nothing to authenticate with, or a kubeconfig that cannot be read
    ├── UnreachableError         no answer, or one that broke off: refused, reset, timed out, TLS
    ├── UnreadableError          an answer that is not what the API says: a proxy's page, half a document
    ├── StoppedError             we gave up ourselves
    └── ApiError                 the server says no, with an HTTP status
        ├── UnauthorizedError    401
        ├── ForbiddenError       403
        ├── NotFoundError        404
        ├── ConflictError        409
        ├── GoneError            410: the version or the page is no longer kept
        └── ThrottledError       429
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from ullage.errors import UllageError

_SHOWN_CHARACTERS: Final = 300


class KubeError(UllageError):
    """The Kubernetes API server cannot be used."""

    @property
    def retry_after_seconds(self) -> float:
        """How long the server asks to be left alone; 0 if it does not say."""
        return 0.0


class CredentialsError(KubeError):
    """There is nothing to authenticate with, or it cannot be read."""


class UnreachableError(KubeError):
    """No answer came, or it broke off."""


class UnreadableError(KubeError):
    """The answer is not what the API says."""


class StoppedError(KubeError):
    """The caller was told to stop in the meantime."""


class Cause(msgspec.Struct, frozen=True, gc=False):
    """One cause in a ``Status``, such as ``DisruptionBudget`` of a refused eviction."""

    reason: str = ""
    message: str = ""
    field: str = ""


class ApiError(KubeError):
    """The server answered with something else than success.

    Parameters
    ----------
    status
        HTTP status.
    reason
        ``reason`` of the ``Status`` object, such as ``Expired``; else that of HTTP.
    message
        What the server says.
    retry_after_seconds
        From the header or the ``Status``; 0 if neither says.
    causes
        Causes of the ``Status``.
    """

    def __init__(
        self,
        status: int,
        reason: str,
        message: str,
        retry_after_seconds: float = 0.0,
        causes: tuple[Cause, ...] = (),
    ) -> None:
        super().__init__(f"{status} {reason}: {message}" if message else f"{status} {reason}")
        self.status = status
        self.reason = reason
        self.causes = causes
        self._retry_after_seconds = retry_after_seconds

    @property
    def retry_after_seconds(self) -> float:
        """How long the server asks to be left alone; 0 if it does not say."""
        return self._retry_after_seconds


class UnauthorizedError(ApiError):
    """401: the credentials are not, or no longer, valid."""


class ForbiddenError(ApiError):
    """403: the credentials do not allow it."""


class NotFoundError(ApiError):
    """404."""


class ConflictError(ApiError):
    """409: it exists already, or has changed in the meantime."""


class GoneError(ApiError):
    """410: the version or the page is no longer kept."""


class ThrottledError(ApiError):
    """429: too many requests, or a disruption budget."""


_BY_STATUS: Final[Mapping[int, type[ApiError]]] = MappingProxyType(
    {
        401: UnauthorizedError,
        403: ForbiddenError,
        404: NotFoundError,
        409: ConflictError,
        410: GoneError,
        429: ThrottledError,
    }
)


class _Details(msgspec.Struct, gc=False, rename="camel"):
    causes: tuple[Cause, ...] | None = None
    retry_after_seconds: float | None = None


class _Status(msgspec.Struct, gc=False):
    code: int | None = None
    reason: str | None = None
    message: str | None = None
    details: _Details | None = None


_STATUS: Final = msgspec.json.Decoder(_Status)


def answered(status: int, reason: str, body: bytes | msgspec.Raw, retry_after: str = "") -> ApiError:
    """Error that an answer means.

    Parameters
    ----------
    status
        HTTP status; 0 for a ``Status`` inside of a watch, whose own code counts then.
    reason
        Reason phrase of HTTP.
    body
        A ``Status`` object, or whatever a proxy put there.
    retry_after
        The header; only seconds are understood, dates are not.
    """
    said = _decoded(body)
    code = status or said.code or 500
    details = said.details or _Details()
    asked = float(retry_after) if retry_after.isascii() and retry_after.isdigit() else 0.0
    message = _text(bytes(body)) if said.message is None else said.message[:_SHOWN_CHARACTERS]
    kind = _BY_STATUS.get(code, ApiError)
    wait = max(asked, details.retry_after_seconds or 0.0)
    return kind(code, said.reason or reason, message, wait, details.causes or ())


def _decoded(body: bytes | msgspec.Raw) -> _Status:
    try:
        return _STATUS.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return _Status()


def _text(body: bytes) -> str:
    return " ".join(body[: 4 * _SHOWN_CHARACTERS].decode(errors="replace").split())[:_SHOWN_CHARACTERS]
