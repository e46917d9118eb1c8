"""What the loop may do with a plan."""

from __future__ import annotations

from enum import StrEnum


class Mode(StrEnum):
    """Mode of the loop.

    Attributes
    ----------
    OFF
        Nothing but taking our own marks off nodes.
    PREDICTIVE
        Plan and show; write nothing.
    MANUAL
        Mark nodes that are over, propose plans, and carry out those that a person approves.
    AUTOMATIC
        Mark, plan, and carry out.
    """

    OFF = "Off"
    PREDICTIVE = "Predictive"
    MANUAL = "Manual"
    AUTOMATIC = "Automatic"

    @property
    def writes(self) -> bool:
        """Whether anything is written to the cluster in this mode."""
        return self is not Mode.PREDICTIVE
