"""One cycle of acting: look what became of moves, judge anew what is pending, begin what may begin, write down where it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final, Protocol

import msgspec

from descheduler.acting.acted import Acted as Acted
from descheduler.acting.acted import Diary, Happened
from descheduler.acting.breakers import Alerts, Ended, Open, only_one, opened
from descheduler.acting.budgets import Allowance, Flying
from descheduler.acting.course import NEVER_BEGUN, Course, Intent, Phase, PlanPhase, StepState, intents
from descheduler.acting.kube_stores import PlanPort
from descheduler.acting.ledger import Ledger, LedgerPort
from descheduler.acting.resource import PlanResource, timestamp
from descheduler.executors.port import MoveExecutor, Receipt, Step, Verdict
from descheduler.executors.taint import TaintChange
from descheduler.executors.writer import HeldBackError
from descheduler.policy.memory import Memory, Moved
from descheduler.policy.plan import PlannedMove, RebalancePlan
from descheduler.policy.recheck import Flight, recheck
from ullage.config.schema import Configuration
from ullage.model.codes import CODES
from ullage.model.codes.holding import STEERING
from ullage.model.state import ClusterState, WorkloadFlag, WorkloadKind

_LATE_SECONDS: Final = 3600.0
_LATE_FACTOR: Final = 4.0
_SEEN_SECONDS: Final = 60.0
"""So long after a move a state may still lack it; one that shows the workload at its source later has it back there."""


class Taints(Protocol):
    """Marks nodes."""

    def reconcile(self, wanted: dict[str, str], now_seconds: float) -> Sequence[TaintChange]:
        """Mark exactly the nodes `wanted` (uid by name)."""


class Teller(Protocol):
    """Is told of what happens to moves."""

    def __call__(self, step: Step, state: StepState, executor: str) -> None:
        """A move changed its phase."""


@dataclass(frozen=True)
class Ports:
    """What the actor acts through.

    Attributes
    ----------
    executor
        Executor for a move.
    plans, ledger
        What survives a restart.
    taints
        Marks of nodes that are over.
    tell
        Told of every change of a move's phase.
    alerts
        What is known of the alerts that are to stop moves; asked once a cycle, and never raises.
    """

    executor: Callable[[Step, ClusterState], MoveExecutor]
    plans: PlanPort
    ledger: LedgerPort
    taints: Taints
    tell: Teller
    alerts: Callable[[Configuration], Alerts] = lambda _: Alerts()


@dataclass(frozen=True, eq=False)
class Decided:
    """What was observed, what was decided on it, and what is remembered of the nodes."""

    state: ClusterState
    plan: RebalancePlan
    memory: Memory


class Actor:
    """Carries plans out, one at a time.

    Not thread-safe; everything that it knows beyond a cycle stands in the cluster, but for what it has looked at this time.

    Parameters
    ----------
    ports
        What it acts through.
    approves
        Whether plans need no person's word.
    """

    def __init__(self, ports: Ports, *, approves: bool) -> None:
        self._ports, self._approves = ports, approves
        self._ledger = Ledger()
        self._put_off: set[tuple[str, int]] = set()
        self._diary = Diary()

    def moves(self) -> tuple[Moved, ...]:
        """What was begun in the last 48 hours, by us or by another replica; to decide with.

        Raises
        ------
        UllageError
            It cannot be read.
        """
        self._ledger = self._ports.ledger.read()
        return self._ledger.begun

    def cycle(self, decided: Decided, config: Configuration, leads_since: float, now_seconds: float) -> Acted:
        """Act on the newest state.

        Parameters
        ----------
        decided
            What was observed and decided.
        config
            The configuration.
        leads_since, now_seconds
            Unix times.

        Raises
        ------
        UllageError
            The API server could not be asked; nothing is lost, and the next cycle goes on.
        """
        state, plan = decided.state, decided.plan
        turn = _Turn(state, plan, config, now_seconds)
        self._diary.turn()
        resource = self._ports.plans.open()
        alerts = self._ports.alerts(config)
        broken = opened(plan, self._ledger.ended, leads_since, config.breakers, now_seconds, alerts)
        try:
            self._mark(turn, decided.memory)
            resource = resource or self._made(turn, broken)
            if resource is not None:
                resource = self._advance(turn, resource, broken=bool(broken))
        except HeldBackError as error:
            return self._diary.tell(Acted(resource, broken, error.message, error.code))
        allowance = Allowance(config.budgets, state.kubevirt)
        flying = turn.flying(resource.course() if resource else None)
        left = allowance.left(flying, self._ledger.begun, now_seconds)
        return self._diary.tell(Acted(resource, broken, left=left, flying=tuple(flying)))

    def _mark(self, turn: _Turn, memory: Memory) -> None:
        """Mark the nodes that are over, and no other."""
        over = marked(turn.state, memory, turn.config.hysteresis.persistence_seconds, turn.now_seconds)
        self._diary.marks(list(over), self._ports.taints.reconcile(over, turn.now_seconds))

    def _made(self, turn: _Turn, broken: Sequence[Open]) -> PlanResource | None:
        """A resource of the newest plan, if it has moves that nothing speaks against."""
        plan = turn.plan
        if broken or not plan.spec.moves or self._is_rejected(plan, turn.config, turn.now_seconds):
            return None
        return self._proposing(PlanResource.of(_name(plan), plan, approved=self._approves))

    def _proposing(self, plan: PlanResource) -> PlanResource:
        made = self._ports.plans.create(plan)
        self._diary.planned(made)
        return made

    def _advance(self, turn: _Turn, resource: PlanResource, *, broken: bool) -> PlanResource:
        course = resource.course()
        if course.phase is PlanPhase.PROPOSED and not self._approves:
            return self._proposed(turn, resource)
        if course.phase is PlanPhase.REJECTED:
            return self._ports.plans.update(resource.at(course, turn.now_seconds, "It was rejected."))
        before = course
        course = self._looked(turn, course)
        if not broken:
            course = self._begun(turn, course)
        # Executors see the end of a move before the state does; what follows it must not be judged on a state of before.
        is_over = course.is_over and not turn.unseen(course)
        course = course.in_phase(PlanPhase.FINISHED if is_over else PlanPhase.RUNNING)
        if course == before:
            return resource
        after = resource.at(course, turn.now_seconds)
        return self._ports.plans.update(after.with_after(turn.plan) if is_over else after)

    def _proposed(self, turn: _Turn, resource: PlanResource) -> PlanResource:
        """A proposal stays as long as the newest plan is the same; one that is outdated makes room for it."""
        wanted = PlanResource.of(_name(turn.plan), turn.plan, approved=False)
        if wanted.moves() == resource.moves():
            return resource
        self._ports.plans.delete(resource)
        return self._proposing(wanted) if wanted.moves() else resource

    def _is_rejected(self, plan: RebalancePlan, config: Configuration, now_seconds: float) -> bool:
        """Whether a person has rejected the same moves not long ago."""
        moves = PlanResource.of("", plan, approved=False).moves()
        since = timestamp(now_seconds - config.eligibility.cooldown_seconds)
        return any(p.moves() == moves and (p.status.finished_at or "") > since for p in self._ports.plans.rejected())

    def _looked(self, turn: _Turn, course: Course) -> Course:
        """The course with what became of the moves under way."""
        outcomes, left = [], self._left_behind(course)
        for number in (*course.numbers(Phase.RUNNING), *left):
            step = turn.step(course, number)
            executor = self._ports.executor(step, turn.state)
            receipt = executor.look(step)
            if receipt.verdict is Verdict.UNDER_WAY and self._is_late(course, number, turn.now_seconds):
                receipt = executor.cancel(step)
            if receipt.verdict is Verdict.LATER or (number in left and receipt.code in NEVER_BEGUN):
                continue
            course = self._noted(turn, course, number, receipt)
            if receipt.verdict in (Verdict.DONE, Verdict.FAILED):
                outcomes.append(Ended(turn.now_seconds, receipt.verdict is Verdict.DONE, course.name, number))
        ledger = self._ledger.ending(outcomes)
        if ledger is not self._ledger:
            self._keep(ledger)
        return course

    @staticmethod
    def _is_late(course: Course, number: int, now_seconds: float) -> bool:
        """Whether a move takes so long that it is to be ended: executors with deadlines of their own end it before."""
        began = course.steps[number - 1].began_at_seconds
        expected = course.move(number).expected_seconds or 0.0
        return began is not None and now_seconds - began > max(_LATE_SECONDS, _LATE_FACTOR * expected)

    def _left_behind(self, course: Course) -> list[int]:
        """Pending moves that were written down, and not by us: who did so may have begun them, and died before it said so."""
        written = {m.uid for m in self._ledger.begun if m.plan == course.name}
        pending = course.numbers(Phase.PENDING)
        return [n for n in pending if course.move(n).workload.uid in written and (course.name, n) not in self._put_off]

    def _begun(self, turn: _Turn, course: Course) -> Course:
        """The course after what may begin was begun, and what became impossible was skipped."""
        most = 1 if only_one(self._ledger.ended, turn.config.breakers) else None
        if most is not None and course.numbers(Phase.RUNNING):
            self._diary.waits("budget-half-open", len(course.numbers(Phase.PENDING)))
            return course
        codes, settling = turn.codes(course, self._ledger), bool(turn.unseen(course))
        for intent in intents(course, codes, self._budget(turn, course), most, settling=settling):
            if intent.skip:
                course = self._skipped(turn, course, intent)
            elif intent.begin:
                course = self._start(turn, course, intent.number)
            else:
                self._diary.waits(intent.code)
        return course

    def _skipped(self, turn: _Turn, course: Course, intent: Intent) -> Course:
        text = CODES[intent.code].meaning if intent.code in CODES else "It is not possible any more."
        course = course.skipping(intent.number, intent.code, text, turn.now_seconds)
        self._tell(turn, course, intent.number)
        return course

    def _start(self, turn: _Turn, course: Course, number: int) -> Course:
        """Ask whether it would be let through, write it down, then begin it."""
        step = turn.step(course, number)
        executor, moved = self._ports.executor(step, turn.state), _moved(step.move, turn.now_seconds, course.name)
        if not self._is_written(moved):  # what was may have begun, and a probe would find it in its own way
            hindrance = _hindrance(executor.probe(step))
            if hindrance is not None:
                return self._put_back(turn, course, number, hindrance)
            self._keep(self._ledger.beginning(moved))
        receipt = executor.begin(step)
        if receipt.verdict is Verdict.LATER:
            self._put_off.add((course.name, number))
        return self._put_back(turn, course, number, receipt)

    def _put_back(self, turn: _Turn, course: Course, number: int, receipt: Receipt) -> Course:
        """The course with what a try to begin came to."""
        if receipt.verdict is Verdict.LATER:
            self._diary.waits(receipt.code)
        return self._noted(turn, course, number, receipt)

    def _is_written(self, moved: Moved) -> bool:
        """Whether this move was written down before, and could not begin then, or nobody knows whether it did."""
        return any((m.plan, m.uid) == (moved.plan, moved.uid) for m in self._ledger.begun)

    def _noted(self, turn: _Turn, course: Course, number: int, receipt: Receipt) -> Course:
        after = course.noting(number, receipt, turn.now_seconds)
        if after.steps[number - 1].phase is not course.steps[number - 1].phase:
            self._tell(turn, after, number)
        return after

    def _tell(self, turn: _Turn, course: Course, number: int) -> None:
        step, state = turn.step(course, number), course.steps[number - 1]
        name = self._ports.executor(step, turn.state).name
        self._diary.happened(_happened(name, step, state))
        self._ports.tell(step, state, name)

    def _keep(self, ledger: Ledger) -> None:
        self._ports.ledger.write(ledger)
        self._ledger = ledger

    def _budget(self, turn: _Turn, course: Course) -> Callable[[int, Sequence[int]], str]:
        allowance = Allowance(turn.config.budgets, turn.state.kubevirt)
        flying = turn.flying(course)

        def held_back(number: int, begun: Sequence[int]) -> str:
            # Plans are steered by once they run, and as soon as a pod is gone its replacement is placed.
            if course.phase is not PlanPhase.RUNNING and course.move(number).workload.kind == "Pod":
                return STEERING.name
            others = [*flying, *(turn.flight(course.move(n)) for n in begun)]
            recent = [*self._ledger.begun, *(_moved(course.move(n), turn.now_seconds) for n in begun)]
            return allowance.refuses(turn.flight(course.move(number)), others, recent, turn.now_seconds)

        return held_back


def _hindrance(probed: Receipt) -> Receipt | None:
    """What a dry run says against a move; ``None`` if nothing."""
    match probed.verdict:
        case Verdict.DONE | Verdict.UNDER_WAY:
            return None
        case Verdict.UNKNOWN:  # it changed nothing in any case
            return msgspec.structs.replace(probed, verdict=Verdict.LATER)
        case _:
            return probed


def _happened(executor: str, step: Step, state: StepState) -> Happened:
    began, ended = state.began_at_seconds, state.ended_at_seconds
    seconds = float("nan") if began is None or ended is None else ended - began
    return Happened(executor, state.phase, state.code, step.move.workload.namespace, step.move.source, seconds)


def _moved(move: PlannedMove, now_seconds: float, plan: str = "") -> Moved:
    return Moved(move.workload.uid, now_seconds, move.source, move.target, move.workload.namespace, plan)


@dataclass(frozen=True, eq=False)
class _Turn:
    """What one cycle looks at."""

    state: ClusterState
    plan: RebalancePlan
    config: Configuration
    now_seconds: float

    def step(self, course: Course, number: int) -> Step:
        """A move with the pod that runs its workload now; without a pod if the workload is gone."""
        move = course.move(number)
        row = self._row(move.workload.uid)
        return Step(course.name, number, move, "" if row is None else self.state.workloads.pod[row])

    def codes(self, course: Course, ledger: Ledger) -> list[str]:
        """What the newest state says of the pending moves."""
        pending = [course.move(n) for n in course.numbers(Phase.PENDING)]
        # A move of this plan that was written down and not begun must not rest from itself.
        ours = {m.workload.uid for m in pending}
        memory = Memory(tuple(m for m in ledger.begun if m.plan != course.name or m.uid not in ours))
        flights = [Flight(f.uid, f.source, f.target) for f in self.flying(course)]
        return recheck(self.state, memory, self.config, self.now_seconds, course.goal, pending, flights)

    def flying(self, course: Course | None) -> list[Flying]:
        """Everything that is under way: moves of ours, and what the state shows of others."""
        numbers = [*course.numbers(Phase.RUNNING), *self.unseen(course)] if course else []
        ours = [course.move(n) for n in numbers] if course else []
        known = {m.workload.uid for m in ours}
        workloads, names = self.state.workloads, self.state.nodes.name
        moving = workloads.has(WorkloadFlag.MIGRATING) | workloads.has(WorkloadFlag.EVICTION_IN_PROGRESS)
        moving = moving | (workloads.migration_target >= 0)
        others = [w for w in moving.nonzero()[0].tolist() if workloads.uid[w] not in known]
        found = [self.flight(m) for m in ours]
        for w in others:
            target = int(workloads.migration_target[w])
            source = names[int(workloads.node[w])]
            found.append(Flying(workloads.uid[w], source, names[target] if target >= 0 else "", *self._owned(w)))
        return found

    def unseen(self, course: Course) -> list[int]:
        """Moves that succeeded a moment ago, and whose workload the state shows where it was."""
        return [n for n in course.numbers(Phase.SUCCEEDED) if self._is_unseen(course, n)]

    def _is_unseen(self, course: Course, number: int) -> bool:
        move, ended = course.move(number), course.steps[number - 1].ended_at_seconds or 0.0
        row = self._row(move.workload.uid)
        if row is None or self.state.observed_at_seconds - ended > _SEEN_SECONDS:
            return False
        return self.state.nodes.name[int(self.state.workloads.node[row])] == move.source

    def flight(self, move: PlannedMove) -> Flying:
        """A move as something that is under way."""
        row = self._row(move.workload.uid)
        owned = (move.workload.namespace, "") if row is None else self._owned(row)
        return Flying(move.workload.uid, move.source, move.target, *owned)

    def _owned(self, row: int) -> tuple[str, str]:
        workloads = self.state.workloads
        owner = int(workloads.owner[row])
        # A VM's owner owns nothing else.
        shared = owner >= 0 and workloads.kind[row] == WorkloadKind.POD
        return workloads.namespace[row], str(self.state.owners[owner].name) if shared else ""

    def _row(self, uid: str) -> int | None:
        try:
            return self.state.workloads.uid.index(uid)
        except ValueError:
            return None


def marked(state: ClusterState, memory: Memory, persistence_seconds: float, now_seconds: float) -> dict[str, str]:
    """Nodes that are to be marked: uid by name of those that have been over for long enough, and did not fall visibly since."""
    since, long_ago = memory.over_since_seconds or {}, now_seconds - persistence_seconds
    nodes = zip(state.nodes.name, state.nodes.uid, strict=True)
    return {name: uid for name, uid in nodes if since.get(name, now_seconds + 1) <= long_ago}


def _name(plan: RebalancePlan) -> str:
    """Name of a plan: its time and what it moves, so that the same plan is not made twice."""
    moves = ",".join(f"{m.workload.uid}>{m.target}" for m in plan.spec.moves)
    digest = blake2b(moves.encode(), digest_size=4).hexdigest()
    at = plan.status.observed_at.replace(":", "").replace("-", "").lower()
    return f"{plan.spec.goal}-{at}-{digest}"
