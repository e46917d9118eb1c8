"""Alerts that fire, as Prometheus itself has them in the metric ``ALERTS``."""

from __future__ import annotations

from typing import Final

import msgspec

from ullage.sources.prometheus.connection import Connection
from ullage.telemetry.decode import Answer, AnswerError

_LONGEST_SECONDS: Final = 5.0


class _Series(msgspec.Struct, frozen=True):
    metric: dict[str, str] = {}


class _Data(msgspec.Struct, frozen=True):
    result: list[_Series] = []


class _Envelope(msgspec.Struct, frozen=True):
    data: _Data = _Data()


_DECODER: Final = msgspec.json.Decoder(_Envelope)


def promql(*matchers: str) -> str:
    """Query for the names of alerts that fire and have all the labels that `matchers` ask for; empty ones ask for none."""
    wanted = ",".join(('alertstate="firing"', *filter(None, matchers)))
    return f"group by (alertname) (ALERTS{{{wanted}}})"


def firing(connection: Connection, query: str, timeout_seconds: float) -> tuple[str, ...]:
    """Names of the alerts that a query of `promql` finds, sorted.

    Parameters
    ----------
    connection
        The server.
    query
        The query.
    timeout_seconds
        When to give up; never later than after 5 s.

    Raises
    ------
    UllageError
        The server cannot be asked, or did not answer in full: what it does not tell may be the very alert that counts.
    """
    body = connection.ask("query", {"query": query}, min(timeout_seconds, _LONGEST_SECONDS))
    remarks = Answer(body, "vector").remarks
    if remarks:
        raise AnswerError(f"it was not answered in full: {remarks[0]}")
    try:
        found = _DECODER.decode(body).data.result
    except msgspec.DecodeError as error:
        raise AnswerError(f"the answer cannot be read: {error}") from None
    return tuple(sorted({each.metric.get("alertname", "") or "an alert without a name" for each in found}))
