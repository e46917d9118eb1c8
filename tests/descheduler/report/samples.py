"""Plans for the tests of the report: a small builder that keeps the figures of a plan in tune with its moves."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from descheduler.policy.plan import (
    Goal,
    LowerBound,
    NodeClass,
    NodeStatus,
    NodeView,
    PlannedMove,
    PlanNote,
    PlanSpec,
    PlanStatus,
    RebalancePlan,
    Refusal,
    Summary,
    Threshold,
    WorkloadRef,
)

GIB = 2**30
THRESHOLDS = (Threshold("cpu", 0.85, 0.8), Threshold("memory", 0.85, 0.8))
HOSTILE = (
    "<script>alert(1)</script>",
    "=cmd()",
    "\x1b[31mred",
    "a\u202eb",
    '"quoted",\r\nname',
    "'; --",
    "\x9b2J",
    "&amp;",
    "1e5",
    "\x7f",
    "+1\t2",
    "]]>--></title>",
)


def vm(namespace: str, name: str, kind: str = "VirtualMachineInstance") -> WorkloadRef:
    return WorkloadRef(kind, namespace, name, f"uid-{name}")  # type: ignore[arg-type]


@dataclass
class Node:
    name: str
    cpu: float | None
    memory: float | None
    workloads: int = 14
    cpu_cores: float = 64
    memory_bytes: int = 256 * GIB
    code: str = ""
    reason: str = ""


@dataclass
class Builder:
    """Collects nodes, moves and refusals, and gives a plan whose summary fits them."""

    nodes: list[Node] = field(default_factory=list)
    moves: list[PlannedMove] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    notes: list[PlanNote] = field(default_factory=list)
    goal: Goal = Goal.RELIEVE
    bound: LowerBound = field(default_factory=LowerBound)

    def move(
        self, name: str, source: str, target: str, gib: float = 12, cpu: float = 1.5, namespace: str = "shop"
    ) -> None:
        reason = f"{source} is over: memory above 85.0 %; {target} stays under 80.0 % with this VM"
        self.moves.append(
            PlannedMove(vm(namespace, name), source, target, int(gib * GIB), cpu, "relieve", reason, 9.5 + 2 * gib)
        )

    def refuse(self, name: str, node: str, code: str, reason: str, namespace: str = "shop", kind: str = "Pod") -> None:
        self.refused.append(Refusal(vm(namespace, name, kind), node, code, reason))

    def plan(self) -> RebalancePlan:
        away: dict[str, list[PlannedMove]] = {}
        here: dict[str, list[PlannedMove]] = {}
        for move in self.moves:
            away.setdefault(move.source, []).append(move)
            here.setdefault(move.target, []).append(move)
        nodes = sorted(self.nodes, key=lambda node: node.name)
        statuses = tuple(self._status(node, away, here) for node in nodes)
        return RebalancePlan(
            PlanSpec(self.goal, tuple(self.moves)),
            PlanStatus(
                engine="greedy",
                minimize="moves",
                observed_at="2026-03-01T12:00:00Z",
                generation=7,
                thresholds=THRESHOLDS,
                summary=self._summary(statuses),
                lower_bound=self.bound,
                nodes=statuses,
                refused=tuple(self.refused),
                notes=tuple(self.notes),
            ),
        )

    def _status(self, node: Node, away: dict[str, list[PlannedMove]], here: dict[str, list[PlannedMove]]) -> NodeStatus:
        out, into = away.get(node.name, []), here.get(node.name, [])
        bytes_gained = sum(move.memory_bytes for move in into) - sum(move.memory_bytes for move in out)
        cores_gained = sum(move.cpu_cores for move in into) - sum(move.cpu_cores for move in out)
        before = _view(node.cpu, node.memory, node.workloads, tuple(str(move.workload) for move in out[:3]))
        cpu = None if node.cpu is None else node.cpu + cores_gained / node.cpu_cores
        memory = None if node.memory is None else node.memory + bytes_gained / node.memory_bytes
        after = _view(
            cpu, memory, node.workloads + len(into) - len(out), tuple(str(move.workload) for move in into[:3])
        )
        return NodeStatus(
            node.name,
            node.cpu_cores,
            node.memory_bytes,
            before,
            after,
            len(into),
            len(out),
            node.code,
            node.reason,
        )

    def _summary(self, nodes: tuple[NodeStatus, ...]) -> Summary:
        def total(node_class: NodeClass, *, after: bool) -> int:
            return sum((node.after if after else node.before).node_class is node_class for node in nodes)

        return Summary(
            moves=len(self.moves),
            bytes=sum(move.memory_bytes for move in self.moves),
            nodes=len(nodes),
            workloads=sum(node.before.workloads for node in nodes),
            nodes_over_before=total(NodeClass.OVER, after=False),
            nodes_over_after=total(NodeClass.OVER, after=True),
            nodes_unknown=total(NodeClass.UNKNOWN, after=True),
            relief_possible=True,
            cpu_deviation_before=0.14,
            cpu_deviation_after=0.11,
            memory_deviation_before=0.17,
            memory_deviation_after=0.12,
        )


def _view(cpu: float | None, memory: float | None, workloads: int, dies_next: tuple[str, ...]) -> NodeView:
    if cpu is None or memory is None:
        return NodeView(NodeClass.UNKNOWN, cpu, memory, workloads=workloads)
    highest = max(cpu, memory)
    node_class = NodeClass.OVER if highest > 0.85 else NodeClass.UNDER if highest < 0.3 else NodeClass.FIT
    return NodeView(node_class, cpu, memory, cpu * 0.6, memory * 0.9, memory * 1.4, workloads, dies_next)


def small() -> RebalancePlan:
    """22 nodes: four over, of which one stays over; one unknown; five moves; refusals of four codes."""
    draw = random.Random(3)
    builder = Builder(bound=LowerBound(4, 52 * GIB))
    for index in range(1, 23):
        builder.nodes.append(Node(f"worker-{index:02}", draw.uniform(0.15, 0.6), draw.uniform(0.25, 0.66)))
    for index, memory in ((3, 0.912), (7, 0.934), (12, 0.871), (19, 0.966)):
        builder.nodes[index - 1].memory = memory
    builder.nodes[6].cpu = 0.883
    stuck = builder.nodes[18]
    stuck.code = "node-over-no-victim"
    stuck.reason = "memory 96.6 % is above 85.0 %; 14 of 14 workloads may not move: 9 not-live-migratable, 5 daemonset"
    builder.nodes[13].cpu = builder.nodes[13].memory = None
    builder.nodes[13].code, builder.nodes[13].reason = "node-unknown", "no NodeMetrics for this node"
    builder.move("db-primary-0", "worker-03", "worker-16", 31)
    builder.move("web-2", "worker-07", "worker-05", 22, 6)
    builder.move("cache-1", "worker-07", "worker-16", 12.5, 4.25, "platform")
    builder.move("builder-with-a-name-that-is-rather-long-7f9c4", "worker-12", "worker-21", 9.5, 2, "ci")
    builder.move("win-2019", "worker-12", "worker-05", 9)
    for index in range(9):
        reason = f"LiveMigratable is False: host device gpu-{index}"
        builder.refuse(f"gpu-{index}", "worker-19", "not-live-migratable", reason, "ml", "VirtualMachineInstance")
    for index in range(5):
        builder.refuse(f"agent-{index}", "worker-19", "daemonset", "owned by DaemonSet monitoring/agent", "monitoring")
    for index in range(12):
        builder.refuse(f"vm-{index}", "worker-03", "not-needed", "the goal is reached without it")
    builder.refuse("queue-0", "worker-07", "disruption-budget", "budget queue allows 0 disruptions")
    builder.notes.append(PlanNote("nodes-without-metrics", "1 of 22 nodes has no measured use", ("worker-14",)))
    builder.notes.append(PlanNote("workloads-estimated", "The use of 31 of 308 workloads was estimated"))
    return builder.plan()


def large(nodes: int = 1000, over: float = 0.05, seed: int = 5) -> RebalancePlan:
    """Many nodes, a share of them over and each relieved by one or two moves; 20 refusals per node that is over."""
    draw = random.Random(seed)
    builder = Builder()
    for index in range(nodes):
        use = min(0.84, draw.betavariate(4, 4.6))
        builder.nodes.append(Node(f"node-{index:05}.prod.example", min(0.8, use * draw.uniform(0.4, 1.1)), use))
    hot = draw.sample(builder.nodes, int(nodes * over))
    names = {node.name for node in hot}
    cool = [node for node in builder.nodes if node.name not in names and (node.memory or 0) < 0.6]
    for index, node in enumerate(hot):
        node.memory = draw.uniform(0.86, 0.97)
        for part in range(1 + (node.memory > 0.9)):
            builder.move(
                f"vm-{index}-{part}", node.name, draw.choice(cool).name, draw.uniform(14, 32), namespace="prod"
            )
        for number in range(20):
            reason = "the goal is reached without it" if number % 3 else "no node stays under its target with it"
            builder.refuse(f"vm-{index}-r{number}", node.name, "not-needed" if number % 3 else "no-destination", reason)
    builder.bound = LowerBound(len(builder.moves) - 3, sum(move.memory_bytes for move in builder.moves) * 9 // 10)
    return builder.plan()


def hostile() -> RebalancePlan:
    """Names that attack terminals, spreadsheets, YAML readers and HTML, in every field that takes a name or a sentence."""
    builder = Builder()
    for index, name in enumerate(HOSTILE):
        builder.nodes.append(
            Node(name, 0.5, 0.95 if index % 2 else 0.3, code="node-over-no-room" if index % 2 else name)
        )
    for source, target in zip(HOSTILE[1::2], HOSTILE[::2], strict=True):
        builder.move(source, source, target, 30, namespace=target)
        builder.refuse(target, source, target, source, source)
    builder.notes = [PlanNote(name, name, (name,)) for name in HOSTILE]
    return builder.plan()


def empty() -> RebalancePlan:
    """A cluster without nodes."""
    return Builder(notes=[PlanNote("empty-cluster", "The input holds no node")]).plan()
