"""A small world to act on: VMs that move when an executor is asked to, stores that survive a crash, and crashes on request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import msgspec

from descheduler.acting.actor import Actor, Decided, Ports
from descheduler.acting.breakers import Alerts
from descheduler.acting.course import PlanPhase, StepState
from descheduler.acting.ledger import Ledger
from descheduler.acting.resource import PlanResource
from descheduler.executors.port import Receipt, Step, Verdict
from descheduler.executors.taint import Change, TaintChange
from descheduler.policy.decide import decide
from descheduler.policy.memory import Memory, Moved
from tests.builders import Cluster
from ullage.config.schema import Breakers, Configuration, Hysteresis
from ullage.model.state import ClusterState

NOW = 1_000_000.0
CONFIG = Configuration(hysteresis=Hysteresis(persistence_seconds=0), breakers=Breakers(settle_seconds=0))


class Crash(Exception):  # noqa: N818  # it is none that anyone may catch
    """The process died here."""


@dataclass
class World:
    """The cluster's side: where VMs are, what is under way, what is stored. It outlives every actor."""

    homes: dict[str, tuple[str, float]]
    nodes: tuple[str, ...] = ("n1", "n2", "n3")
    takes_cycles: int = 2
    now: float = NOW
    under_way: dict[str, tuple[str, str, int]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    asked: set[str] = field(default_factory=set)
    moved: list[tuple[str, str]] = field(default_factory=list)
    plans: dict[str, PlanResource] = field(default_factory=dict)
    ledger: Ledger = field(default_factory=Ledger)
    marked: dict[str, str] = field(default_factory=dict)
    answer: Callable[[Step], Receipt | None] = lambda _: None
    probed: Callable[[Step], Receipt | None] = lambda _: None
    alerts: Alerts = field(default_factory=Alerts)
    crash: Callable[[str], None] = lambda _: None
    most_at_once: int = 0

    def state(self) -> ClusterState:
        """What is observed: VMs under way are migrating."""
        cluster = Cluster()
        for node in self.nodes:
            cluster.node(node)
        for name, (node, cpu) in self.homes.items():
            target = next((t for vm, t, _ in self.under_way.values() if vm == name), None)
            cluster.vm(f"shop/{name}", node, use_cpu=cpu, use_memory="2Gi", migration_target=target)
        return replace(cluster.build(), observed_at_seconds=self.now)

    def tick(self, seconds: float = 60.0) -> None:
        """Time passes, and migrations go on."""
        self.now += seconds
        for key, (vm, target, left) in list(self.under_way.items()):
            self.under_way[key] = (vm, target, left - 1)
            if left <= 1 and vm in self.homes:
                self.homes[vm] = (target, self.homes[vm][1])
                self.moved.append((vm, target))
                del self.under_way[key]

    # --- the ports ---

    def probe(self, step: Step) -> Receipt:
        return self.probed(step) or Receipt(Verdict.DONE, "feasible")

    def begin(self, step: Step) -> Receipt:
        vm, target = step.move.workload.name, step.move.target
        self.crash(f"before begin {vm}")
        self.asked.add(f"{step.plan}/{step.number}")
        answer = self.answer(step)
        if answer is not None:
            return answer
        self.requests.append(vm)
        key = f"{step.plan}/{step.number}"
        if key not in self.under_way and self.homes[vm][0] != target:
            self.under_way[key] = (vm, target, self.takes_cycles)
        self.most_at_once = max(self.most_at_once, len(self.under_way))
        self.crash(f"after begin {vm}")
        return Receipt(Verdict.UNDER_WAY, "accepted")

    def look(self, step: Step) -> Receipt:
        vm, target = step.move.workload.name, step.move.target
        if self.homes.get(vm, ("", 0))[0] == target:
            return Receipt(Verdict.DONE, "moved")
        if f"{step.plan}/{step.number}" in self.under_way:
            return Receipt(Verdict.UNDER_WAY, "accepted")
        if f"{step.plan}/{step.number}" not in self.asked:
            return Receipt(Verdict.CANCELLED, "migration-vanished")
        return Receipt(Verdict.FAILED, "migration-failed", "It did not arrive.")


class _Executor:
    name = "fake"

    def __init__(self, world: World) -> None:
        self.probe, self.begin, self.look = world.probe, world.begin, world.look

    def cancel(self, step: Step) -> Receipt:
        del step
        return Receipt(Verdict.CANCELLED, "cancelled")


class _Plans:
    def __init__(self, world: World) -> None:
        self._world = world

    def open(self) -> PlanResource | None:
        phases = (PlanPhase.PROPOSED, PlanPhase.APPROVED, PlanPhase.RUNNING)
        return next((p for p in self._world.plans.values() if p.status.phase in phases), None)

    def rejected(self) -> list[PlanResource]:
        return [p for p in self._world.plans.values() if p.status.phase is PlanPhase.REJECTED]

    def create(self, plan: PlanResource) -> PlanResource:
        return self._put("create", plan)

    def update(self, plan: PlanResource) -> PlanResource:
        return self._put("update", plan)

    def delete(self, plan: PlanResource) -> None:
        self._world.plans.pop(plan.metadata.name, None)

    def _put(self, verb: str, plan: PlanResource) -> PlanResource:
        self._world.crash(f"before {verb}")
        self._world.plans[plan.metadata.name] = plan
        self._world.crash(f"after {verb}")
        return plan


class _Ledger:
    def __init__(self, world: World) -> None:
        self._world = world

    def read(self) -> Ledger:
        return Ledger.read(self._world.ledger.text())

    def write(self, ledger: Ledger) -> None:
        self._world.crash("before ledger")
        self._world.ledger = ledger
        self._world.crash("after ledger")


class _Taints:
    def __init__(self, world: World) -> None:
        self._world = world

    def reconcile(self, wanted: dict[str, str], now_seconds: float) -> Sequence[TaintChange]:
        del now_seconds
        self._world.crash("before taints")
        before, self._world.marked = self._world.marked, dict(wanted)
        added = [TaintChange(name, Change.ADDED) for name in wanted.keys() - before.keys()]
        return [*added, *(TaintChange(name, Change.REMOVED) for name in before.keys() - wanted.keys())]


class Acting:
    """One process that acts on a world, until it crashes."""

    def __init__(self, world: World, config: Configuration = CONFIG, *, approves: bool = True) -> None:
        self.world, self.config = world, config
        self.told: list[tuple[str, str]] = []
        executor = _Executor(world)
        stores = _Plans(world), _Ledger(world), _Taints(world)
        ports = Ports(lambda *_: executor, *stores, self._tell, lambda _: world.alerts)
        self.actor = Actor(ports, approves=approves)
        self.memory = Memory.watching()

    def cycle(self, since: float = 0.0):
        """One cycle: observe, decide, act."""
        state = self.world.state()
        memory = Memory(self.actor.moves(), self.memory.over_since_seconds)
        plan, self.memory = decide(state, memory, self.config, self.world.now)
        return self.actor.cycle(Decided(state, plan, self.memory), self.config, since, self.world.now)

    def until_quiet(self, most: int = 60) -> int:
        """Cycles until nothing is open or under way."""
        for number in range(most):
            acted = self.cycle()
            self.world.tick()
            if (acted.plan is None or acted.plan.status.phase is PlanPhase.FINISHED) and not self.world.under_way:
                return number
        raise AssertionError("it does not end")

    def _tell(self, step: Step, state: StepState, executor: str) -> None:
        del executor
        self.told.append((step.move.workload.name, state.phase.value))


def approve(world: World, word: str) -> None:
    """A person decides on the one plan that waits."""
    ((name, plan),) = world.plans.items()
    spec = msgspec.structs.replace(plan.spec, approval=type(plan.spec.approval)(word))
    world.plans[name] = msgspec.structs.replace(plan, spec=spec)


def uids(moves: Sequence[Moved]) -> list[str]:
    """Uids, in order."""
    return [m.uid for m in moves]
