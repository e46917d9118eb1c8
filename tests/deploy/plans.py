"""Plans to keep on an API server."""

from __future__ import annotations

import msgspec

from descheduler.acting.resource import PlanResource
from descheduler.policy.plan import RebalancePlan
from tests.builders import Cluster
from tests.descheduler.policy.making import plan

NOW = 1_700_000_000.25


def relief() -> RebalancePlan:
    """A plan that takes two VMs off n1."""
    cluster = Cluster().node("n1").node("n2")
    for number in range(9):
        cluster.vm(f"shop/v{number}", "n1", use_cpu=0.9, use_memory="2Gi")
    made = plan(cluster.build())
    assert len(made.spec.moves) == 2
    return made


def resource(name: str, *, approved: bool = False) -> PlanResource:
    """It as an object of the API."""
    return PlanResource.of(name, relief(), approved=approved)


def document(name: str, **spec: object) -> dict[str, object]:
    """It as JSON, with other members in its spec."""
    body: dict[str, object] = msgspec.to_builtins(resource(name))
    assert isinstance(body["spec"], dict)
    return {**body, "spec": {**body["spec"], **spec}}
