from __future__ import annotations

from dataclasses import dataclass, replace

from descheduler.acting.course import PlanPhase
from tests.builders import Cluster
from tests.descheduler.acting.parts import Acting, World
from ullage.model.state import ClusterState


@dataclass
class Pods(World):
    """A world of pods, each of a ReplicaSet of its own."""

    def state(self) -> ClusterState:
        cluster = Cluster()
        for node in self.nodes:
            cluster.node(node)
        for name, (node, cpu) in self.homes.items():
            cluster.pod(f"shop/{name}", node, use_cpu=cpu, use_memory="2Gi", owner=("ReplicaSet", name))
        return replace(cluster.build(), observed_at_seconds=self.now)


def test_no_pod_is_evicted_before_a_plan_that_runs_could_be_seen():
    acting = Acting(Pods({f"v{i}": ("n1", 0.9) for i in range(9)}))
    acting.cycle()
    (plan,) = acting.world.plans.values()
    assert (plan.status.phase, len(plan.spec.moves)) == (PlanPhase.RUNNING, 2)
    assert acting.world.requests == []
    assert acting.world.ledger.begun == ()
    acting.world.tick()
    acting.cycle()
    assert len(acting.world.requests) == 2
    acting.until_quiet()
    assert len(acting.world.moved) == 2


def test_a_migration_begins_at_once_since_it_names_its_node():
    acting = Acting(World({f"v{i}": ("n1", 0.9) for i in range(9)}))
    acting.cycle()
    assert len(acting.world.requests) == 2
