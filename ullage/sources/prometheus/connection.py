"""One Prometheus server over HTTP: every request has an end, and no answer is passed off as another.

`PrometheusConnect` brings session and adapter. Its own queries are not used: they put long queries into the URL, and
they drop what says that an answer is partial.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from time import monotonic
from typing import Final

import requests
from prometheus_api_client import PrometheusConnect
from requests.auth import AuthBase
from urllib3.util.retry import Retry

from ullage.errors import UllageError
from ullage.sources.prometheus.settings import PrometheusSettings
from ullage.telemetry.decode import AnswerError, failure

MAX_BODY_BYTES: Final = 1 << 30
"""A larger answer is refused: 100,000 pods with ten labels each are a tenth of it."""

_CONNECT_SECONDS: Final = 5.0
_CHUNK_BYTES: Final = 1 << 18
_REFUSALS: Final = frozenset({401, 403, 407})


class UnreachableError(UllageError):
    """The server cannot be asked anything: it is away, does not know us, or is something else."""


class _Bearer(AuthBase):
    # As `auth`, and not as a header, it also keeps a ~/.netrc from replacing it.
    def __init__(self, token_file: str) -> None:
        self._token_file = token_file

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token_file:
            request.headers["Authorization"] = f"Bearer {_token(self._token_file)}"
        return request


def _token(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UnreachableError(f"the token for Prometheus cannot be read: {error}") from error


class Connection(PrometheusConnect):  # type: ignore[misc]  # the package has no types
    """Requests to one server, one at a time.

    Parameters
    ----------
    settings
        Address and credentials.
    """

    def __init__(self, settings: PrometheusSettings) -> None:
        session = requests.Session()
        session.verify = settings.ca_file or True
        session.cert = (settings.cert_file, settings.key_file) if settings.cert_file else None
        # No retries in here: the next reading is the retry, and its answer is newer.
        super().__init__(
            url=settings.url.rstrip("/"),
            headers=dict(settings.headers),
            retry=Retry(0, read=False),
            session=session,
            auth=_Bearer(settings.token_file),
            timeout=settings.timeout_seconds,
        )
        self._parameters = dict(settings.parameters)

    def ask(self, path: str, form: Mapping[str, str], timeout_seconds: float) -> bytes:
        """Body of the answer to a query, sent as a form.

        Parameters
        ----------
        path
            ``query`` or ``query_range``.
        form
            Parameters of the query.
        timeout_seconds
            When to give up. The server is told, too.

        Raises
        ------
        AnswerError
            This query failed.
        UnreachableError
            Any query would fail.
        """
        data = {**self._parameters, **form, "timeout": f"{1000 * timeout_seconds:.0f}ms"}
        return self._send("POST", path, timeout_seconds, data=data)

    def get(self, path: str, parameters: Mapping[str, str], timeout_seconds: float) -> bytes:
        """Body of the answer to a GET; raises as `ask`."""
        return self._send("GET", path, timeout_seconds, params={**self._parameters, **parameters})

    def _send(self, method: str, path: str, timeout_seconds: float, **content: Mapping[str, str]) -> bytes:
        end = monotonic() + timeout_seconds
        try:
            with self._session.request(
                method,
                f"{self.url}/api/v1/{path}",
                headers=self.headers,
                auth=self.auth,
                verify=self._session.verify,  # without it REQUESTS_CA_BUNDLE would take the place of our own CA
                timeout=(min(_CONNECT_SECONDS, timeout_seconds), timeout_seconds),
                allow_redirects=False,  # a POST would come out as a GET, and the token somewhere else
                stream=True,
                **content,
            ) as response:
                return _accepted(response, _body(response, end))
        except requests.Timeout as error:
            raise AnswerError(f"no answer within {timeout_seconds:.3g} s") from error
        except requests.exceptions.ChunkedEncodingError as error:
            raise AnswerError(f"the answer broke off: {error}") from error
        except requests.RequestException as error:
            raise UnreachableError(f"Prometheus at {self.url} cannot be reached: {error}") from error


def _body(response: requests.Response, end: float) -> bytes:
    chunks, size = [], 0
    for chunk in response.iter_content(_CHUNK_BYTES):
        chunks.append(chunk)
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise AnswerError(f"the answer is larger than {MAX_BODY_BYTES:,} bytes")
        if monotonic() > end:
            raise AnswerError(f"the answer came too slowly: {size:,} bytes until the time was up")
    return b"".join(chunks)


def _accepted(response: requests.Response, body: bytes) -> bytes:
    status = response.status_code
    if status == requests.codes.ok:
        return body
    said = f"HTTP {status} {response.reason}".rstrip() + (f": {text}" if (text := failure(body)) else "")
    if status in _REFUSALS:
        raise UnreachableError(f"Prometheus refuses us: {said}", "check the token file and what its account may read")
    if response.is_redirect:
        raise UnreachableError(f"Prometheus sends us elsewhere: {said}", "a login page? ask the API's own address")
    raise AnswerError(said)
