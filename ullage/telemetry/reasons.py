"""Sentences that say why a node is set aside, with numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from ullage.model.quantity import format_bytes
from ullage.telemetry.rules import Fault, Limits


class Evidence(msgspec.Struct, frozen=True):
    """What a sentence is made of; NaN where a number is not known.

    Attributes
    ----------
    is_memory
        Memory in bytes, else CPU in cores.
    value
        What the source said.
    age_seconds
        Age of its sample when it was asked for; negative if it lies in the future.
    capacity
        What the node has.
    of_workloads
        What its workloads were seen to use.
    readings
        For how many readings the value has not changed.
    """

    is_memory: bool
    value: float
    age_seconds: float
    capacity: float
    of_workloads: float
    readings: int

    @property
    def what(self) -> str:
        """Name of the quantity."""
        return "memory" if self.is_memory else "CPU"

    def amount(self, value: float) -> str:
        """Amount with its unit."""
        return f"{format_bytes(value)}B" if self.is_memory else f"{value:.3g} cores"


_Sentence = Callable[[Evidence, Limits], str]

_SENTENCES: Final[Mapping[Fault, _Sentence]] = MappingProxyType(
    {
        Fault.NAN: lambda e, _: f"Its {e.what} use is not a number.",
        Fault.INFINITE: lambda e, _: f"Its {e.what} use is infinite.",
        Fault.FUTURE: lambda e, limits: (
            f"Its {e.what} use was sampled {-e.age_seconds:.0f} s in the future; {limits.future_seconds:.0f} s may be."
        ),
        Fault.STALE: lambda e, limits: (
            f"Its {e.what} use was sampled {_age(e)} before it was read; {limits.stale_seconds:.0f} s may be."
        ),
        Fault.NEGATIVE: lambda e, _: f"Its {e.what} use is below 0: {e.amount(e.value)}.",
        Fault.RANGE: lambda e, _: f"Its {e.what} use is out of range: {e.amount(e.value)}.",
        Fault.UNIT: lambda e, _: (
            f"Its {e.what} use is in another unit, it seems: {e.amount(e.value)} of {e.amount(e.capacity)}."
        ),
        Fault.DUPLICATE: lambda e, _: f"Two values of its {e.what} use differ by more than 5 %.",
        Fault.ABOVE_CAPACITY: lambda e, _: (
            f"Its {e.what} use is above its capacity: {e.amount(e.value)} of {e.amount(e.capacity)}."
        ),
        Fault.BELOW_WORKLOADS: lambda e, _: (
            f"It claims a {e.what} use of {e.amount(e.value)}, and its workloads use {e.amount(e.of_workloads)}."
        ),
        Fault.IDLE_BUT_STALLED: lambda e, _: (
            f"It looks idle with {e.amount(e.value)} of {e.amount(e.capacity)}, and its tasks wait for memory."
        ),
        Fault.FROZEN: lambda e, _: (
            f"Its {e.what} use has been the same bit by bit for {e.readings} readings: {e.amount(e.value)}."
        ),
        Fault.NO_USE: lambda e, _: f"Its {e.what} use is exactly 0, as that of no running node is.",
    }
)


def sentence(fault: Fault, evidence: Evidence, limits: Limits) -> str:
    """Why a node is set aside."""
    return _SENTENCES[fault](evidence, limits)


def _age(evidence: Evidence) -> str:
    return "an unknown time" if evidence.age_seconds != evidence.age_seconds else f"{evidence.age_seconds:.0f} s"
