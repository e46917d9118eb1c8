"""The extender's log."""

from __future__ import annotations

from typing import Final

from ullage.observability.logs import Log

note: Final = Log("ullage.extender")
"""Logs a message with its fields, as an object per line."""
