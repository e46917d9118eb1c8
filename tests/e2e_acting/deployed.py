"""What is deployed beside the pods: definitions, rights, admission policies."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import yaml

from tests.controlplane.plane import ControlPlane
from tests.controlplane.rest import Rest, RestError
from tests.controlplane.waiting import until
from tests.e2e_acting.replicas import PLANS

DEPLOY: Final = Path(__file__).parents[2] / "deploy" / "kustomize"
PODS: Final = ("Deployment", "PodDisruptionBudget")


def deploy(plane: ControlPlane) -> None:
    """Apply all of `deploy` that the descheduler needs, as it is shipped, but its pods: replicas are processes here."""
    for base in ("crds", "descheduler"):
        rendered = yaml.safe_load_all(plane.kubectl("kustomize", str(DEPLOY / base)))
        objects = [each for each in rendered if each["kind"] not in PODS]
        plane.kubectl("apply", "--server-side", "-f", "-", input=yaml.safe_dump_all(objects))
    with plane.client() as admin:
        until(lambda: _is_served(admin), "the resource of plans")


def _is_served(client: Rest) -> bool:
    try:
        client.get(PLANS)
    except RestError:
        return False
    return True
