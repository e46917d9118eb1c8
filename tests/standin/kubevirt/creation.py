"""The webhook in front of new migrations: what virt-api refuses (kubevirt.md 2.1)."""

from __future__ import annotations

from typing import Final

from tests.standin.https import Answer, Request
from tests.standin.kubevirt import names
from tests.standin.kubevirt.admission import allowed, denied
from tests.standin.kubevirt.migrations import Migrations, machine_key
from tests.standin.wire import Json, Key, annotations_of, condition_of, phase_of

BAD_REQUEST: Final = 400


class CreationWebhook:
    """Refuses migrations of VMIs that cannot be migrated, or are being migrated, and priorities that only KubeVirt sets."""

    def __init__(self, migrations: Migrations) -> None:
        self._migrations = migrations

    def route(self, request: Request) -> Answer:
        """Answer to an AdmissionReview."""
        asked = request.body["request"]
        migration = asked["object"]
        migration["metadata"].setdefault("namespace", asked["namespace"])
        reason = self._objection(migration)
        return denied(request, reason, BAD_REQUEST) if reason else allowed(request)

    def _objection(self, migration: Json) -> str:
        key = machine_key(migration)
        machine = self._migrations.machines.vmis.get(key)
        if machine is None:
            return f'the VMI "{key[0]}/{key[1]}" does not exist'
        if phase_of(machine) in names.ENDED:
            return "Cannot migrate VMI in finalized state."
        migratable = condition_of(machine, "LiveMigratable")
        if migratable.get("status") == "False":
            return f"Cannot migrate VMI, Reason: {migratable.get('reason')}, Message: {migratable.get('message')}"
        return self._conflict(key) or _priority(migration) or self._migrations.outcomes.of(key).reject

    def _conflict(self, key: Key) -> str:
        active = (each for each in self._migrations.vmims.all() if phase_of(each) not in names.ENDED)
        other = next((each["metadata"]["uid"] for each in active if machine_key(each) == key), None)
        if other is None:
            return ""
        text = f"in-flight migration detected. Active migration job ({other})"
        return f"{text} is currently already in progress for VMI {key[1]}."


def _priority(migration: Json) -> str:
    """KubeVirt's own migrations may have a priority; here they are told by the annotation of an evacuation."""
    if "priority" in migration["spec"] and names.EVACUATION not in annotations_of(migration):
        return "priority can only be set by the migration controllers of KubeVirt"
    return ""
