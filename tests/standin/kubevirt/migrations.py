"""Migrations go through KubeVirt's phases (kubevirt.md 2.1), as fast as the network and the guest let them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from tests.controlplane.rest import Rest, RestError
from tests.standin.clock import Clock
from tests.standin.kubevirt import names
from tests.standin.kubevirt.course import Copy, Link, bandwidths
from tests.standin.kubevirt.launcher import guest, target_pod
from tests.standin.kubevirt.outcomes import Outcomes
from tests.standin.kubevirt.slots import has_room, in_order, is_started
from tests.standin.kubevirt.vmis import Machines
from tests.standin.mirror import Mirror
from tests.standin.pods import HOLD, Kubelets
from tests.standin.running import Running
from tests.standin.use import Share, Uses
from tests.standin.wire import (
    Json,
    Key,
    condition,
    condition_of,
    is_going,
    is_running,
    key_of,
    labels_of,
    phase_of,
    status_of,
    timestamp,
    with_condition,
)

TICK_SECONDS: Final = 0.05
PREPARE_SECONDS: Final = 1.0
"""How long a target prepares, and then how long it is ready before the copy begins."""
UNSCHEDULABLE_SECONDS: Final = 300.0
PENDING_SECONDS: Final = 900.0
KEPT: Final = 5
"""Finished migrations that are kept for each VMI."""
GONE: Final = "VMI is gone or has ended"


@dataclass
class Flight:
    """What is known of a migration under way besides its object.

    Attributes
    ----------
    phase, since
        Its phase, and when it came into it, by the clock.
    copy
        How far the copy is; ``None`` before it begins.
    """

    phase: str
    since: float
    copy: Copy | None = None


@dataclass
class Migrations:
    """All migrations, looked at one after the other in one thread.

    Attributes
    ----------
    vmims
        What there is.
    outcomes
        What tests have ordered.
    flights
        Those under way, by uid.
    """

    running: Running
    rest: Rest
    clock: Clock
    machines: Machines
    kubelets: Kubelets
    uses: Uses
    outcomes: Outcomes = field(default_factory=Outcomes)
    flights: dict[str, Flight] = field(default_factory=dict)
    _at: float = 0.0
    _passed: float = 0.0
    _shares: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.vmims = Mirror(self.running, self.rest, names.MIGRATIONS)
        self._steps = {
            "": self._admit,
            "Pending": self._wait_for_slot,
            "Scheduling": self._wait_for_pod,
            "Scheduled": self._hand_over,
            "PreparingTarget": self._prepare,
            "TargetReady": self._copy_begins,
            "Running": self._copy,
        }

    def start(self) -> None:
        self._at = self.clock.now()
        self.vmims.start()
        self.running.every("migrations", TICK_SECONDS, self.tick)

    def tick(self) -> None:
        """Bring every unfinished migration on, by the time that has passed."""
        now = self.clock.now()
        self._passed, self._at = now - self._at, now
        migrations = self.vmims.all()
        self._shares = self._bandwidths(migrations)
        for migration in in_order(migrations, self.machines.settings.known_version):
            with self.running.recording():
                self._step(migration)
        for migration in migrations:
            if is_going(migration) and phase_of(migration) in names.ENDED:
                with self.running.recording():
                    self._release(migration)

    def target_of(self, migration: Json) -> Json | None:
        """Target pod of a migration."""
        uid = migration["metadata"]["uid"]
        pods = self.machines.pods_of(machine_key(migration))
        return next((pod for pod in pods if labels_of(pod).get(names.JOB_LABEL) == uid), None)

    def started(self) -> list[Json]:
        """Migrations that take a slot."""
        return [each for each in self.vmims.all() if is_started(each)]

    def source_of(self, migration: Json) -> str:
        """Node that a migration goes out of."""
        machine = self.machines.vmis.get(machine_key(migration))
        return status_of(machine).get("nodeName", "") if machine else ""

    def _step(self, migration: Json) -> None:
        machine = self.machines.vmis.get(machine_key(migration))
        flight = self._flight(migration)
        if is_going(migration):
            self._fail(migration, "Live migration aborted", is_cancelled=True)
        elif machine is None or phase_of(machine) in names.ENDED:
            self._fail(migration, GONE)
        else:
            self._steps[phase_of(migration)](migration, machine, flight)

    def _flight(self, migration: Json) -> Flight:
        phase = phase_of(migration)
        flight = self.flights.setdefault(migration["metadata"]["uid"], Flight(phase, self.clock.now()))
        if flight.phase != phase:
            flight.phase, flight.since = phase, self.clock.now()
        return flight

    def _admit(self, migration: Json, machine: Json, _: Flight) -> None:
        labels = {names.VMI_LABEL: key_of(machine)[1]}
        path = names.migration_path(key_of(migration))
        self.vmims.learn(self.rest.patch(path, {"metadata": {"labels": labels, "finalizers": [names.FINALIZER]}}))
        self._enter(migration, "Pending")

    def _wait_for_slot(self, migration: Json, machine: Json, _: Flight) -> None:
        others = [each for each in self.started() if each["metadata"]["uid"] != migration["metadata"]["uid"]]
        is_taken = any(machine_key(each) == key_of(machine) for each in others)
        source = status_of(machine).get("nodeName")
        if is_taken or source is None:
            return
        if has_room(map(self.source_of, others), source, self.machines.settings.limits):
            self._create_target(migration, machine)

    def _create_target(self, migration: Json, machine: Json) -> None:
        pod = target_pod(machine, migration, self.machines.settings)
        if self.outcomes.of(key_of(machine)).hold_target:
            pod["metadata"]["annotations"][HOLD] = ""
        try:
            self.machines.create_pod(pod)
        except RestError as error:
            if error.status != 403 or b"exceeded quota" not in error.body:
                raise
            self._reject_by_quota(migration)
            return
        self._enter(migration, "Scheduling")

    def _reject_by_quota(self, migration: Json) -> None:
        kind = "migrationRejectedByResourceQuota"
        if not condition_of(migration, kind):
            said = condition(kind, True, self.clock.wall(), "MigrationRejectedByResourceQuota")
            self._write_status(
                migration, {"conditions": with_condition(status_of(migration).get("conditions") or (), said)}
            )

    def _wait_for_pod(self, migration: Json, _: Json, flight: Flight) -> None:
        pod = self.target_of(migration)
        if pod is None or is_going(pod) or phase_of(pod) in names.ENDED:
            self._fail(migration, "target pod is down")
        elif is_running(pod):
            self._enter(migration, "Scheduled")
        else:
            waited = self.clock.now() - flight.since
            is_unschedulable = condition_of(pod, "PodScheduled").get("reason") == "Unschedulable"
            if waited > (UNSCHEDULABLE_SECONDS if is_unschedulable else PENDING_SECONDS):
                self._fail(migration, f"target pod was pending for {round(waited)} seconds")

    def _hand_over(self, migration: Json, machine: Json, _: Flight) -> None:
        home, target = self.machines.home(machine), self.target_of(migration)
        if home is None or target is None:
            self._fail(migration, "target pod is down")
            return
        node, goal = status_of(machine)["nodeName"], target["spec"]["nodeName"]
        state = {
            "migrationUid": migration["metadata"]["uid"],
            "sourceNode": node,
            "sourcePod": key_of(home)[1],
            "targetNode": goal,
            "targetPod": key_of(target)[1],
            "mode": "PreCopy",
            "migrationConfiguration": self._configuration(),
        }
        self._write_machine(machine, dict.fromkeys(state_of(machine)) | state, target)
        self._enter(migration, "PreparingTarget", state)

    def _configuration(self) -> Json:
        limits = self.machines.settings.limits
        return {
            "bandwidthPerMigration": str(round(limits.bandwidth_bytes_per_second)),
            "completionTimeoutPerGiB": round(limits.completion_timeout_per_gib_seconds),
            "progressTimeout": round(limits.progress_timeout_seconds),
            "allowAutoConverge": limits.allow_auto_converge,
            "allowPostCopy": limits.allow_post_copy,
        }

    def _prepare(self, migration: Json, _: Json, flight: Flight) -> None:
        if self.clock.now() - flight.since >= PREPARE_SECONDS:
            self._enter(migration, "TargetReady")

    def _copy_begins(self, migration: Json, machine: Json, flight: Flight) -> None:
        if self.clock.now() - flight.since < PREPARE_SECONDS:
            return
        home = self.machines.home(machine)
        if home is None:
            self._fail(migration, GONE)
            return
        state = {"startTimestamp": timestamp(self.clock.wall())}
        self._write_machine(machine, state)
        self._enter(migration, "Running", state)
        use, of = self.uses.whole(home), guest(machine)
        size = of.guest_memory_bytes or of.requests_memory_bytes or 0
        # What lies in swap is read back in and copied, too.
        resident = min(size, use.working_set_bytes + use.swap_bytes)
        flight.copy = Copy(resident, size, use.dirty_bytes_per_second)

    def _copy(self, migration: Json, machine: Json, flight: Flight) -> None:
        target, outcome = self.target_of(migration), self.outcomes.of(key_of(machine))
        if flight.copy is None or target is None or not is_running(target):
            self._fail(migration, "target pod is down")
            return
        limits = self.machines.settings.limits
        bandwidth = 0.0 if outcome.stall else self._shares.get(migration["metadata"]["uid"], 0.0)
        flight.copy = flight.copy.advanced(self._passed, bandwidth, limits)
        checked = flight.copy if flight.copy.done_ratio >= 1 else flight.copy.checked(limits)
        if isinstance(checked, str):
            self._fail(migration, checked)
        elif outcome.fail_at is not None and checked.done_ratio >= outcome.fail_at:
            self._fail(migration, outcome.reason)
        elif checked.done_ratio >= 1:
            self._succeed(migration, machine, target, checked)
        else:
            flight.copy = checked
            self.uses.share(key_of(target), Share(0.0, checked.done_ratio))

    def _bandwidths(self, migrations: list[Json]) -> dict[str, float]:
        settings = self.machines.settings
        states = {
            each["metadata"]["uid"]: status_of(each)["migrationState"]
            for each in migrations
            if phase_of(each) == "Running"
        }
        links = {uid: Link(state["sourceNode"], state["targetNode"]) for uid, state in states.items()}
        return bandwidths(links, settings.link_bytes_per_second, settings.limits.bandwidth_bytes_per_second)

    def _succeed(self, migration: Json, machine: Json, target: Json, copy: Copy) -> None:
        node, source = target["spec"]["nodeName"], state_of(machine)["sourcePod"]
        now = timestamp(self.clock.wall())
        state = {"endTimestamp": now, "targetNodeDomainReadyTimestamp": now, "completed": True, "mode": copy.mode}
        state["targetNodeDomainDetected"] = True
        pods = {each["metadata"]["uid"]: None for each in self.machines.pods_of(key_of(machine))}
        status = {
            "nodeName": node,
            "activePods": {**pods, target["metadata"]["uid"]: node},
            "evacuationNodeName": None,
            "migrationState": state,
        }
        metadata = {"labels": {names.NODE_LABEL: node}, "annotations": {names.EVICTION_SOURCE: None}}
        self.machines.write(machine, {"metadata": metadata, "status": status})
        namespace = key_of(machine)[0]
        self.uses.share((namespace, source), Share(0.0, 0.0))
        self.uses.share(key_of(target), Share())
        self.kubelets.end((namespace, source), "Succeeded")
        self._finish(migration, "Succeeded", state)

    def _fail(self, migration: Json, reason: str, *, is_cancelled: bool = False) -> None:
        machine = self.machines.vmis.get(machine_key(migration))
        aborted = {"abortRequested": True, "abortStatus": "Succeeded"} if is_cancelled else {}
        ended = {"endTimestamp": timestamp(self.clock.wall()), "completed": True, "failed": True}
        state = {**ended, "failureReason": reason, **aborted}
        if machine and state_of(machine).get("migrationUid") == migration["metadata"]["uid"]:
            target = self.target_of(migration)
            left = {"activePods": {target["metadata"]["uid"]: None}} if target else {}
            self.machines.write(machine, {"status": {"migrationState": state, **left}})
        target = self.target_of(migration)
        if target is not None and not is_going(target):
            self.machines.delete_pod(key_of(target))
        self._finish(migration, "Failed", state)

    def _finish(self, migration: Json, phase: str, state: Json) -> None:
        self._enter(migration, phase, state)
        self.flights.pop(migration["metadata"]["uid"], None)
        self.outcomes.ended(machine_key(migration))
        self._release(migration)
        for old in self._finished(machine_key(migration))[KEPT:]:
            self.rest.delete(names.migration_path(key_of(old)))

    def _release(self, migration: Json) -> None:
        path = names.migration_path(key_of(migration))
        self.vmims.learn(self.rest.patch(path, {"metadata": {"finalizers": None}}))

    def _finished(self, machine: Key) -> list[Json]:
        """Finished migrations of a VMI, the newest first."""
        found = (each for each in self.vmims.all() if machine_key(each) == machine and phase_of(each) in names.ENDED)
        return sorted(found, key=lambda each: (each["metadata"]["creationTimestamp"], key_of(each)), reverse=True)

    def _enter(self, migration: Json, phase: str, state: Json | None = None) -> None:
        stamp = {"phase": phase, "phaseTransitionTimestamp": timestamp(self.clock.wall())}
        stamps = [*(status_of(migration).get("phaseTransitionTimestamps") or ()), stamp]
        more = {} if state is None else {"migrationState": state}
        self._write_status(migration, {"phase": phase, "phaseTransitionTimestamps": stamps, **more})

    def _write_status(self, migration: Json, status: Json) -> None:
        path = names.migration_path(key_of(migration))
        self.vmims.learn(self.rest.patch(f"{path}/status", {"status": status}))

    def _write_machine(self, machine: Json, state: Json, target: Json | None = None) -> None:
        pods = {} if target is None else {"activePods": {target["metadata"]["uid"]: target["spec"]["nodeName"]}}
        self.machines.write(machine, {"status": {"migrationState": state, **pods}})


def machine_key(migration: Json) -> Key:
    """Namespace and name of the VMI that a migration is for."""
    return key_of(migration)[0], migration["spec"].get("vmiName", "")


def state_of(machine: Json) -> Json:
    """State of the VMI's last or present migration; empty if there was none."""
    return status_of(machine).get("migrationState") or {}
