"""The Lease (``coordination.k8s.io/v1``) that replicas share, as a value, and the port to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec

from ullage.errors import UllageError


class Record(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """``spec`` of a Lease, as client-go has it (``client-go/tools/leaderelection/resourcelock``).

    Attributes
    ----------
    holder_identity
        Who leads; empty if it was given back.
    lease_duration_seconds
        How long others wait after the last change that they saw.
    acquire_time, renew_time
        For people: nobody judges by them, since clocks differ.
    lease_transitions
        How often the holder has changed.
    """

    holder_identity: str = ""
    lease_duration_seconds: int = 15
    acquire_time: str | None = None
    renew_time: str | None = None
    lease_transitions: int = 0


class Held(msgspec.Struct, frozen=True):
    """The Lease as the server has it.

    Attributes
    ----------
    record
        Its spec.
    version
        ``metadata.resourceVersion``, the precondition of the next write.
    annotations
        ``metadata.annotations``: the ledger and the kill switch stand there.
    """

    record: Record
    version: str
    annotations: Mapping[str, str] = {}


class LeaseChangedError(UllageError):
    """The Lease was written by someone in the meantime."""


class LeasePort(Protocol):
    """Reads and writes one Lease. Every call ends by `timeout_seconds`, and raises `UllageError` if it does not succeed."""

    def read(self, timeout_seconds: float) -> Held | None:
        """The Lease; ``None`` if there is none."""

    def create(self, record: Record, timeout_seconds: float) -> Held:
        """A new Lease; raises `LeaseChangedError` if there is one."""

    def replace(self, record: Record, before: Held, timeout_seconds: float) -> Held:
        """The Lease with another record; raises `LeaseChangedError` if it has changed since `before`."""
