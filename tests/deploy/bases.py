"""The kustomize bases on a real API server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import yaml

from tests.controlplane.plane import ControlPlane
from tests.controlplane.rest import Rest, RestError
from tests.controlplane.waiting import until

BASES: Final = Path(__file__).parents[2] / "deploy" / "kustomize"
NAMESPACE: Final = "ullage-system"
NAME: Final = "ullage-descheduler"
PLANS: Final = "/apis/ullage.dev/v1alpha1/rebalanceplans"
_POLICIES: Final = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
_SPACE: Final = f"/api/v1/namespaces/{NAMESPACE}"


def rendered(plane: ControlPlane, base: str) -> str:
    """What kubectl makes of a base."""
    return plane.kubectl("kustomize", str(BASES / base))


def apply_definitions(plane: ControlPlane, admin: Rest) -> None:
    """Have the API server know RebalancePlans, and keep none; they stay for the tests that follow."""
    plane.kubectl("apply", "--server-side", "-f", "-", input=rendered(plane, "crds"))
    until(lambda: has(admin, PLANS), "RebalancePlans")
    admin.delete(PLANS)
    until(lambda: not admin.list(PLANS), "no RebalancePlan")


@contextmanager
def applied(plane: ControlPlane, admin: Rest) -> Iterator[None]:
    """The descheduler's base in the cluster, its policies in force; in the end the namespace stays, which others use too."""
    text = rendered(plane, "descheduler")
    until(lambda: not is_ending(admin), "the end of the former namespace")
    plane.kubectl("apply", "--server-side", "-f", "-", input=text)
    for policy in (f"{NAME}-nodes", f"{NAME}-migrations"):
        until(lambda policy=policy: admin.get(f"{_POLICIES}/{policy}").get("status"), policy)  # type: ignore[misc]
    yield
    kept = [each for each in yaml.safe_load_all(text) if each["kind"] != "Namespace"]
    plane.kubectl("delete", "--wait=false", "-f", "-", input=yaml.safe_dump_all(kept))
    until(
        lambda: not admin.list(f"{_SPACE}/pods", labelSelector=f"app.kubernetes.io/name={NAME}"), "the end of the pods"
    )


def is_ending(admin: Rest) -> bool:
    """Whether the namespace is being deleted."""
    return has(admin, _SPACE) and "deletionTimestamp" in admin.get(_SPACE)["metadata"]


def has(admin: Rest, path: str) -> bool:
    """Whether something stands at a path, and is served; a new kind is not at once."""
    try:
        admin.get(path)
    except RestError as error:
        if error.status not in (404, 429):
            raise
        return False
    return True
