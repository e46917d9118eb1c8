"""A service account with the role of the deployment, and what the API server noted of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from tests.controlplane.plane import ControlPlane
from tests.controlplane.rest import Rest

ROLES: Final = "/apis/rbac.authorization.k8s.io/v1"
RBAC: Final = Path(__file__).parents[2] / "deploy" / "kustomize" / "extender" / "rbac.yaml"
READS: Final = frozenset({"get", "list", "watch"})


@dataclass(frozen=True)
class Account:
    """Who the commands under test are."""

    kubeconfig: Path
    user: str
    _log: Path

    def here(self) -> int:
        """Where the audit log ends now."""
        return self._log.stat().st_size

    def asked(self, since: int = 0) -> list[tuple[str, int, str]]:
        """Its requests as the audit log has them: verb, status and path."""
        with self._log.open("rb") as log:
            log.seek(since)
            events = [json.loads(line) for line in log if line.endswith(b"\n") and self.user.encode() in line]
        return [
            (each["verb"], each.get("responseStatus", {}).get("code", 0), each["requestURI"].partition("?")[0])
            for each in events
            if each["user"]["username"] == self.user
        ]

    def writes(self) -> list[tuple[str, int, str]]:
        """Those that change something, or would."""
        return [each for each in self.asked() if each[0] not in READS]

    def refused(self, since: int = 0) -> set[str]:
        """Paths that it may not ask for."""
        return {path for _, code, path in self.asked(since) if code in (401, 403)}


@contextmanager
def reader(plane: ControlPlane, admin: Rest, namespace: str) -> Iterator[Account]:
    """A service account that has the rules of the extender's ClusterRole, which reads, and no others."""
    kinds = {each["kind"]: each for each in yaml.safe_load_all(RBAC.read_text())}
    name = f"reader-{namespace}"
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}
    admin.post(f"/api/v1/namespaces/{namespace}/serviceaccounts", account)
    admin.post(f"{ROLES}/clusterroles", {**kinds["ClusterRole"], "metadata": {"name": name}})
    subjects = [{"kind": "ServiceAccount", "name": name, "namespace": namespace}]
    role = {**kinds["ClusterRoleBinding"]["roleRef"], "name": name}
    binding = {**kinds["ClusterRoleBinding"], "metadata": {"name": name}, "subjects": subjects, "roleRef": role}
    admin.post(f"{ROLES}/clusterrolebindings", binding)
    config = plane.service_account_kubeconfig(namespace, name)
    yield Account(config, f"system:serviceaccount:{namespace}:{name}", plane.audit_log)
    for path in ("clusterrolebindings", "clusterroles"):
        admin.delete(f"{ROLES}/{path}/{name}")
