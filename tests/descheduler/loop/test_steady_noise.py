"""The loop over hours of noisy readings: it leaves noise alone, and comes to rest after what had to be done."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np

from descheduler.loop.cycle import Clocks, Cycles
from descheduler.policy.decide import decide
from descheduler.policy.memory import Memory
from descheduler.policy.plan import RebalancePlan
from descheduler.policy.setting import setting
from tests.builders import Cluster
from tests.descheduler.loop.sources import GivenSource, Time
from tests.descheduler.policy.making import node, refusals
from ullage.config import Configuration, defaults, override
from ullage.model.arrays import FloatArray, IntArray, frozen
from ullage.model.measures import Measures
from ullage.model.state import ClusterState
from ullage.telemetry.history import History
from ullage.telemetry.readings import NodeReading, Readings, Table, WorkloadReading

NOON = 1_700_000_400.0
MINUTE = 60.0
DAY = 1440 * MINUTE
GIB = 2.0**30
NODE_NOISE = np.array([0.03, 0.01])
"""Standard deviation of the use of a node, as a share of it: CPU and memory."""
IDLE = np.array([0.01, 0.002])
"""Share of a node that is used by none of its VMs; it swings by a tenth."""


class Sight:
    """What a source of measures and the windows over it make of a cluster, in time of its own.

    Parameters
    ----------
    bare
        Nodes and VMs; what is measured of them is their mean use, and noise that each VM takes with it when it moves.
    config
        The configuration.
    step_seconds
        From one reading to the next.

    Attributes
    ----------
    bare
        The cluster as it stands now, without what is measured.
    time
        The time of the last reading.
    """

    def __init__(self, bare: ClusterState, config: Configuration, step_seconds: float = MINUTE) -> None:
        self.bare, self.time = bare, Time(NOON)
        self._step_seconds = step_seconds
        self._random, self._history = np.random.default_rng(1), History(config)
        rows = bare.workloads
        self._launchers = tuple(
            (space, f"virt-launcher-{name}-abcde") for space, name in zip(rows.namespace, rows.name, strict=True)
        )
        self._mean = rows.measures.value[:, [0, 3]]  # CPU and memory
        self._noise = self._noises()

    def next(self) -> ClusterState:
        """The cluster with what is known after one more reading."""
        self.time.now += self._step_seconds
        use = np.maximum(self._mean + self._noise * self._random.standard_normal(self._mean.shape), 0)
        self._history.observe(self._reading(use), self.bare)
        assert self._history.problems == ()
        return self._history.measured(self.bare, self.time.now)

    def _noises(self) -> FloatArray:
        """Deviation of each VM, (W, 2): those on a node together make the node's."""
        home = self.bare.workloads.node
        variance = (self._capacity() * NODE_NOISE) ** 2
        return np.sqrt(variance[home] * self._mean / np.maximum(self._on_nodes(self._mean), 1e-9)[home])

    def _capacity(self) -> FloatArray:
        columns = [self.bare.resources.index(name) for name in ("cpu", "memory")]
        return self.bare.nodes.allocatable[:, columns]

    def _on_nodes(self, use: FloatArray) -> FloatArray:
        nodes, home = len(self.bare.nodes), self.bare.workloads.node
        return np.stack([np.bincount(home, each, nodes) for each in use.T], axis=1)

    def _reading(self, use: FloatArray) -> Readings:
        idle = IDLE * self._capacity() * self._random.normal(1, 0.1, (len(self.bare.nodes), 2))
        of_nodes = np.minimum(self._on_nodes(use) + idle, 1.05 * self._capacity())
        nodes = self._table(self.bare.nodes.name, of_nodes, len(NodeReading))
        pods = self._table(self._launchers, use, len(WorkloadReading))
        return Readings("test", self.time.now, nodes, pods, Table.empty(WorkloadReading))

    def _table(self, keys: tuple[str, ...] | tuple[tuple[str, str], ...], use: FloatArray, width: int) -> Table:
        value = np.full((len(keys), width), np.nan)
        value[:, :2] = use
        return Table(keys, value, np.where(np.isnan(value), np.nan, self.time.now))


class Drill:
    """A loop that sees a cluster, cycle after cycle.

    Parameters
    ----------
    cluster
        The cluster.
    config
        The configuration.
    acts
        Whether proposed moves are made, at once.
    step_seconds
        From one reading, and cycle, to the next.
    """

    def __init__(
        self, cluster: Cluster, config: Configuration, *, acts: bool = False, step_seconds: float = MINUTE
    ) -> None:
        self._sight, self._source = Sight(cluster.build(), config, step_seconds), GivenSource()
        self._config, self._acts = config, acts
        self._loop = Cycles(self._source, Clocks(self._sight.time, self._sight.time), max_age_seconds=120)

    def cycles(self, count: int) -> list[RebalancePlan]:
        """Plans of so many cycles."""
        return [self._cycle() for _ in range(count)]

    def _cycle(self) -> RebalancePlan:
        sight = self._sight
        self._source.state = sight.next()
        plan = self._loop.next(self._config).plan
        assert plan is not None
        if self._acts and plan.spec.moves:
            sight.bare = moved(sight.bare, plan, sight.time.now)
        return plan


class Part:
    """A loop that looks at some of the nodes of a larger whole as if they were the cluster.

    It remembers and decides as `descheduler.loop.cycle.Cycles` does. Where no node is due, relieve moves nothing whatever else
    there is: then all that follows is left out, but for every fiftieth cycle, in which it is made sure of.
    """

    def __init__(self, bare: ClusterState, whole: ClusterState, config: Configuration) -> None:
        self._bare, self._config = bare, config
        names = {name: row for row, name in enumerate(whole.nodes.name)}
        uids = {uid: row for row, uid in enumerate(whole.workloads.uid)}
        self._nodes = np.array([names[name] for name in bare.nodes.name])
        self._workloads = np.array([uids[uid] for uid in bare.workloads.uid])
        self._memory = Memory.watching()
        self._cycles = 0
        self.acting = 0

    def look(self, whole: ClusterState) -> None:
        """One cycle on what is known of the whole now."""
        state, now = self._part(whole), whole.observed_at_seconds
        self._cycles += 1
        given = setting(state, self._memory, self._config, now, must_leave=False)
        can_rest = self._config.planning.goal == "relieve" and not given.due.any()
        if can_rest and self._cycles % 50:
            self._memory = self._memory.seeing(given.over_since_seconds)
            return
        plan, after = decide(state, self._memory, self._config, now)
        assert not (can_rest and plan.spec.moves)
        self.acting += bool(plan.spec.moves)
        self._memory = replace(after, moves=())

    def _part(self, whole: ClusterState) -> ClusterState:
        nodes = replace(self._bare.nodes, measures=rows_of(whole.nodes.measures, self._nodes))
        workloads = replace(self._bare.workloads, measures=rows_of(whole.workloads.measures, self._workloads))
        at = whole.observed_at_seconds
        return replace(self._bare, observed_at_seconds=at, nodes=nodes, workloads=workloads, sources=whole.sources)


def rows_of(measures: Measures, rows: IntArray) -> Measures:
    """Some rows of measures."""
    columns = (measures.value[rows], measures.age_seconds[rows], measures.source[rows])
    return Measures(*(frozen(column, column.dtype) for column in columns))


def moved(state: ClusterState, plan: RebalancePlan, now: float) -> ClusterState:
    """The state after all moves of a plan."""
    rows = state.workloads
    home, last = rows.node.copy(), rows.last_moved_at_seconds.copy()
    for move in plan.spec.moves:
        row = rows.uid.index(move.workload.uid)
        assert state.nodes.name[home[row]] == move.source
        home[row], last[row] = state.nodes.name.index(move.target), now
    workloads = replace(rows, node=frozen(home, home.dtype), last_moved_at_seconds=frozen(last, np.float64))
    return replace(state, workloads=workloads)


def balanced(
    nodes: int, cpu: float, memory: float = 0.5, vms: int = 8, name: str = "", cluster: Cluster | None = None
) -> Cluster:
    """Equal nodes with equal VMs, used to these ratios, beside what the cluster holds already."""
    cluster = cluster or Cluster()
    for n in range(nodes):
        cluster.node(f"{name}n{n:02}", cpu=32, memory="128Gi")
        for v in range(vms):
            use = {"use_cpu": cpu * 32 / vms, "use_memory": memory * 128 * GIB / vms}
            vm = f"shop/{name}v{n:02}-{v}"
            cluster.vm(vm, f"{name}n{n:02}", guest=1.25 * use["use_memory"], vcpus=32 / vms, **use)
    return cluster


def goal(name: str) -> Configuration:
    return override(defaults(), "planning.goal", name)


def acting(plans: list[RebalancePlan]) -> int:
    """Cycles that proposed a move."""
    return sum(bool(each.spec.moves) for each in plans)


# relieve is most at risk where noise comes near the threshold of 0.8, balance where there is room everywhere
BALANCED = {
    "six": (6, "relieve", 0.72),
    "twelve": (12, "relieve", 0.72),
    "many": (50, "relieve", 0.7),
    "even": (12, "balance", 0.6),
}


def test_noise_on_balanced_nodes_proposes_nothing():
    """Four clusters and four loops, which look at them by one history: it costs the most, and knows nodes by themselves."""
    everything = Cluster()
    for name, (nodes, _, cpu) in BALANCED.items():
        balanced(nodes, cpu, name=name, cluster=everything)
    sight = Sight(everything.build(), defaults())
    parts = {
        name: Part(balanced(nodes, cpu, name=name).build(), sight.bare, goal(aim))
        for name, (nodes, aim, cpu) in BALANCED.items()
    }
    for _ in range(1000):
        whole = sight.next()
        for part in parts.values():
            part.look(whole)
    assert {name: part.acting for name, part in parts.items() if part.acting >= 10} == {}


def test_the_same_noise_would_be_acted_on_if_a_single_reading_counted():
    config = defaults()
    single = {"telemetry.windowSeconds": 60, "telemetry.bucketSeconds": 60, "telemetry.peakWindowSeconds": 60}
    hasty = {"hysteresis.persistenceSeconds": 0, "thresholds.cpu.target": 0.63, "thresholds.cpu.high": 0.63}
    for path, value in {**single, **hasty}.items():
        config = override(config, path, value)
    cluster = balanced(6, 0.6, vms=32)
    found = acting(Drill(cluster, config).cycles(30))
    assert found > 10
    sight = Sight(cluster.build(), config)  # the same noise once more
    part = Part(sight.bare, sight.bare, config)
    for _ in range(30):
        part.look(sight.next())
    assert part.acting == found


def test_a_day_of_noise_moves_less_than_a_tenth_of_the_vms():
    cluster = balanced(12, 0.62)
    for v in range(3):  # nearly too much on one node, so that there is something to do at first
        cluster.vm(f"shop/more-{v}", "n00", guest="10Gi", use_cpu=2.4, use_memory=4 * GIB)
    plans = Drill(cluster, goal("relieve"), acts=True, step_seconds=5 * MINUTE).cycles(int(DAY / (5 * MINUTE)))
    moves = Counter(move.workload.name for plan in plans for move in plan.spec.moves)
    assert 1 <= moves.total() <= 0.1 * 99
    assert acting(plans[len(plans) // 2 :]) == 0


def test_one_large_among_many_small_vms_comes_to_rest():
    cluster = Cluster().node("n0", cpu=64, memory="192Gi", pods=500)
    for n in range(1, 4):
        cluster.node(f"n{n}", cpu=64, memory="100Gi", pods=500)
    for i in range(144):
        cluster.vm(f"shop/small-{i:03}", "n0", guest="1Gi", use_cpu=0.05, use_memory="1Gi")
    cluster.vm("shop/large", "n0", guest="64Gi", use_cpu=1, use_memory="40Gi")
    plans = Drill(cluster, goal("relieve"), acts=True).cycles(180)
    moves = Counter(move.workload.name for plan in plans for move in plan.spec.moves)
    assert moves["large"] <= 1
    assert moves.most_common(1)[0][1] == 1
    assert acting(plans[-120:]) == 0
    assert plans[-1].status.summary.nodes_over_before == 0


def test_one_vm_too_big_for_any_node_is_never_proposed_and_always_explained():
    cluster = Cluster().node("n1").node("n2").node("n3")
    cluster.vm("shop/big", "n1", use_cpu=7.5, use_memory="50Gi", guest="60Gi")
    plans = Drill(cluster, goal("relieve")).cycles(60)
    assert acting(plans) == 0
    assert [refusals(plan) for plan in plans[-30:]] == [{"big": "no-destination"}] * 30
    assert {node(plan, "n1").code for plan in plans[-30:]} == {"node-over-no-room"}


def test_nodes_of_unlike_sizes_are_relieved_once():
    cluster = Cluster().node("n1", cpu=48, memory="256Gi").node("n2", cpu=24, memory="256Gi")
    cluster.node("n3", cpu=24, memory="256Gi")
    for name, cores in (("n1", 0.6 * 48), ("n2", 0.82 * 24), ("n3", 0.84 * 24)):
        for i in range(12):
            cluster.vm(f"shop/{name}-{i:02}", name, use_cpu=cores / 12, use_memory="2Gi", guest="2Gi")
    plans = Drill(cluster, goal("relieve"), acts=True).cycles(120)
    assert {(m.source, m.target) for plan in plans for m in plan.spec.moves} <= {("n2", "n1"), ("n3", "n1")}
    assert 2 <= sum(len(plan.spec.moves) for plan in plans) <= 8
    assert acting(plans[-60:]) == 0
