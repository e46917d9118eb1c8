"""What a stable code is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Topic(StrEnum):
    """What a code is said of."""

    MOVE = "move"
    REFUSED = "refused"
    DESTINATION = "destination"
    NODE = "node"
    ACTING = "acting"
    HOLDING = "holding"
    NOTE = "note"
    READING = "reading"
    FINDING = "finding"


@dataclass(frozen=True)
class Code:
    """A stable code.

    Attributes
    ----------
    name
        Lower case with hyphens.
    topic
        What it is said of.
    meaning
        One sentence for people who meet it.
    remedy
        What one can do about it; empty if there is nothing to do.
    """

    name: str
    topic: Topic
    meaning: str
    remedy: str = ""
