"""Ledger and plans on an API server."""

from __future__ import annotations

from contextlib import suppress
from typing import Final, Protocol

import msgspec

from descheduler.acting.course import PlanPhase
from descheduler.acting.ledger import ANNOTATION, Ledger
from descheduler.acting.resource import PATH, PlanResource
from descheduler.executors.writer import CALL_SECONDS, Guard, HeldBackError, Writer
from descheduler.leading.kube_lease import KubeLease
from descheduler.leading.lease import LeaseChangedError
from descheduler.leading.runner import pulled
from ullage.errors import UllageError
from ullage.sources.kube_api.errors import ConflictError, NotFoundError

_TRIES: Final = 5
_PATCH: Final = "application/json-patch+json"
_OPEN: Final = (PlanPhase.PROPOSED, PlanPhase.APPROVED, PlanPhase.RUNNING)


class LeaseLedger:
    """`LedgerPort` in an annotation of the Lease.

    Parameters
    ----------
    lease
        The Lease.
    guard
        Asked before every write: who leads no more would write what it knew over what its successor has begun.
    """

    def __init__(self, lease: KubeLease, guard: Guard) -> None:
        self._lease, self._guard = lease, guard

    def read(self) -> Ledger:
        """The ledger as it stands."""
        held = self._lease.read(CALL_SECONDS)
        return Ledger.read(held.annotations.get(ANNOTATION, "") if held else "")

    def write(self, ledger: Ledger) -> None:
        """Keep `ledger`; renewals of the Lease in between are no obstacle. Raises `HeldBackError` if it was not sent."""
        for _ in range(_TRIES):
            held = self._lease.read(CALL_SECONDS)
            if held is None:
                break
            # The kill switch as it is now: the guard knows it as it was at the last renewal.
            code = self._guard(CALL_SECONDS) or pulled(held.annotations)
            if code:
                raise HeldBackError(code)
            try:
                self._lease.annotate({ANNOTATION: ledger.text()}, held, CALL_SECONDS)
            except LeaseChangedError:
                continue
            return
        raise UllageError("the ledger could not be kept: the Lease is gone, or changes all the time")


class PlanPort(Protocol):
    """Keeps plans."""

    def open(self) -> PlanResource | None:
        """The plan that waits for approval or is carried out; the oldest, should there be several."""

    def rejected(self) -> list[PlanResource]:
        """Plans that a person has rejected."""

    def create(self, plan: PlanResource) -> PlanResource:
        """Keep a new plan; one of this name that is there already is taken as it is."""

    def update(self, plan: PlanResource) -> PlanResource:
        """Keep where a plan stands; fails if it is another plan of its name by now."""

    def delete(self, plan: PlanResource) -> None:
        """Forget a plan; fails if it has changed since it was read."""


class _List(msgspec.Struct):
    items: list[msgspec.Raw] = []


_ONE: Final = msgspec.json.Decoder(PlanResource)
_MANY: Final = msgspec.json.Decoder(_List)


class KubePlans:
    """`PlanPort` on an API server.

    Parameters
    ----------
    writer
        Writes.
    keep
        How many plans that ended stay.
    """

    def __init__(self, writer: Writer, keep: int = 20) -> None:
        self._writer, self._keep = writer, keep

    def all(self) -> list[PlanResource]:
        """Every plan that can be read, oldest first."""
        found = []
        for raw in _MANY.decode(self._writer.connection.get(PATH)).items:
            try:
                found.append(_ONE.decode(raw))
            except msgspec.DecodeError:
                continue  # someone else's, or of a later version: not ours to touch
        return sorted(found, key=lambda p: (p.metadata.creation_timestamp or "", p.metadata.name))

    def open(self) -> PlanResource | None:
        """The plan that waits for approval or is carried out; the oldest, should there be several."""
        return next((p for p in self.all() if p.status.phase in _OPEN), None)

    def rejected(self) -> list[PlanResource]:
        """Plans that a person has rejected."""
        return [p for p in self.all() if p.status.phase is PlanPhase.REJECTED]

    def create(self, plan: PlanResource) -> PlanResource:
        """Keep a new plan; one of this name that is there already is taken as it is."""
        made = self._made(plan)
        if made.status.steps:
            return made
        # A status that comes with a new object is dropped by the API: it is written by itself.
        kept = self.update(msgspec.structs.replace(plan, metadata=made.metadata))
        self._make_room()
        return kept

    def update(self, plan: PlanResource) -> PlanResource:
        """Keep where a plan stands."""
        # A uid in a merge patch would be ignored here: custom resources take nothing but the status from such a patch.
        patch = (
            {"op": "test", "path": "/metadata/uid", "value": plan.metadata.uid},
            {"op": "add", "path": "/status", "value": plan.status},
        )
        path = f"{PATH}/{plan.metadata.name}/status"
        return _ONE.decode(self._writer.write("PATCH", path, msgspec.json.encode(patch), _PATCH))

    def delete(self, plan: PlanResource) -> None:
        """Forget a plan; raises `ConflictError` if it has changed since it was read, as by an approval a moment ago."""
        meta = plan.metadata
        options = {"preconditions": {"uid": meta.uid, "resourceVersion": meta.resource_version}}
        try:
            self._writer.write("DELETE", f"{PATH}/{meta.name}", msgspec.json.encode(options))
        except NotFoundError:
            return

    def _made(self, plan: PlanResource) -> PlanResource:
        """The plan as the API server has it; without a status, if whoever made it came no further."""
        try:
            return _ONE.decode(self._writer.write("POST", PATH, msgspec.json.encode(plan)))
        except ConflictError:
            return _ONE.decode(self._writer.connection.get(f"{PATH}/{plan.metadata.name}"))

    def _make_room(self) -> None:
        ended = [p for p in self.all() if p.status.phase not in _OPEN]
        for plan in ended[: max(0, len(ended) - self._keep)]:
            with suppress(ConflictError):
                self.delete(plan)
