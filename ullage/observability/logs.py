"""Log lines as JSON, one object per line."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TextIO


class JsonLines(logging.Formatter):
    """Formats a record as ``ts``, ``level``, ``msg``, and the record's fields."""

    def format(self, record: logging.LogRecord) -> str:
        """One line of JSON, whatever the fields hold."""
        line = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "msg": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class Log:
    """The log of one service.

    Parameters
    ----------
    name
        Name of the logger, such as ``ullage.descheduler``.
    """

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def __call__(
        self,
        message: str,
        level: int = logging.INFO,
        *,
        error: BaseException | None = None,
        more: Mapping[str, object] = MappingProxyType({}),
        **fields: object,
    ) -> None:
        """Log a message with its fields.

        Parameters
        ----------
        message
            Capitalised, without a full stop.
        level
            Level of `logging`.
        error
            Exception whose trace goes into the line.
        fields, more
            Further members of the line.
        """
        self._logger.log(level, message, extra={"fields": {**fields, **more}}, exc_info=error)

    def to(self, stream: TextIO, verbosity: int) -> logging.Handler:
        """Send the log to a stream.

        Parameters
        ----------
        stream
            Where to.
        verbosity
            -1 warnings and errors, 0 also what happens, 1 and more details.

        Returns
        -------
        logging.Handler
            To be given to `off` at the end.
        """
        handler = logging.StreamHandler(stream)
        handler.setFormatter(JsonLines())
        self._logger.addHandler(handler)
        self._logger.propagate = False
        self._logger.setLevel({-1: logging.WARNING, 0: logging.INFO}.get(verbosity, logging.DEBUG))
        return handler

    def off(self, handler: logging.Handler) -> None:
        """Stop sending to where `handler` writes."""
        self._logger.removeHandler(handler)
