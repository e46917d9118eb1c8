"""Log lines as JSON, one object per line."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Final, TextIO

LOGGER: Final = logging.getLogger("ullage.extender")
"""The extender's logger. Fields go into ``extra={"fields": {...}}``."""


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


def log_to(stream: TextIO, verbosity: int) -> logging.Handler:
    """Send the extender's log to a stream.

    Parameters
    ----------
    stream
        Where to.
    verbosity
        -1 warnings and errors, 0 also what happens, 1 and more details.

    Returns
    -------
    logging.Handler
        To be removed from `LOGGER` at the end.
    """
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    LOGGER.addHandler(handler)
    LOGGER.propagate = False
    LOGGER.setLevel({-1: logging.WARNING, 0: logging.INFO}.get(verbosity, logging.DEBUG))
    return handler


def note(message: str, level: int = logging.INFO, *, error: BaseException | None = None, **fields: object) -> None:
    """Log a message with its fields.

    Parameters
    ----------
    message
        Capitalised, without a full stop.
    level
        Level of `logging`.
    error
        Exception whose trace goes into the line.
    fields
        Further members of the line.
    """
    LOGGER.log(level, message, extra={"fields": fields}, exc_info=error)
