"""The audit log of the API server, which the program under test cannot see: requests as values."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.standin.wire import Json

GROUP: Final = "system:serviceaccounts:ullage-system"
READS: Final = frozenset({"get", "list", "watch"})
WRITTEN: Final = ["create", "update", "patch", "delete", "deletecollection"]
RESOURCES: Final = (
    ("", ["nodes", "pods", "pods/binding", "pods/eviction"]),
    ("kubevirt.io", ["virtualmachineinstances", "virtualmachineinstancemigrations"]),
    ("kubevirt.io", ["virtualmachineinstancemigrations/status"]),
    ("policy", ["poddisruptionbudgets", "poddisruptionbudgets/status"]),
    ("ullage.dev", ["rebalanceplans", "rebalanceplans/status"]),
)
_CREDENTIAL: Final = "authentication.kubernetes.io/credential-id"


def policy() -> str:
    """Policy that logs what an oracle needs: writes with their bodies, and all that the descheduler asks."""
    rules = [
        {
            "level": "RequestResponse",
            "verbs": WRITTEN,
            "resources": [{"group": "coordination.k8s.io", "resources": ["leases"]}],
            "namespaces": ["ullage-system"],
        },
        {
            "level": "RequestResponse",
            "verbs": WRITTEN,
            "resources": [{"group": group, "resources": names} for group, names in RESOURCES],
        },
        {"level": "Metadata", "userGroups": [GROUP]},
        {"level": "None"},
    ]
    head = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"]}
    return json.dumps({**head, "omitManagedFields": True, "rules": rules})  # JSON is YAML


@dataclass(frozen=True)
class Entry:
    """One request that was answered.

    Attributes
    ----------
    resource
        With the subresource, such as ``pods/eviction``.
    who, credential
        The user, and by which of its tokens it came.
    received, ended
        Unix times.
    request, response
        Bodies, empty where the log has none.
    said
        What the API server said of it, if it answered with no object.
    """

    verb: str
    resource: str
    namespace: str = ""
    name: str = ""
    who: str = ""
    credential: str = ""
    code: int = 200
    received: float = 0.0
    ended: float = 0.0
    is_dry_run: bool = False
    request: Json = field(default_factory=dict)
    response: Json = field(default_factory=dict)
    said: str = ""

    @property
    def is_write(self) -> bool:
        """Whether it would change something."""
        return self.verb not in READS and not self.is_dry_run and not self.resource.startswith("selfsubject")

    @property
    def is_applied(self) -> bool:
        """Whether the API server took it."""
        return 200 <= self.code < 300

    @property
    def version(self) -> int:
        """Resource version of the answer; 0 if there is none."""
        return int((self.response.get("metadata") or {}).get("resourceVersion") or 0)

    @property
    def uid(self) -> str:
        """Uid of the answer's object."""
        return str((self.response.get("metadata") or {}).get("uid") or "")


def read(file: Path, since: int = 0) -> list[Entry]:
    """Entries of a log from a position on, in the order in which they were answered."""
    with file.open("rb") as log:
        log.seek(since)
        found = [entry(json.loads(line)) for line in log if line.endswith(b"\n")]
    return sorted(found, key=lambda each: each.ended)


def entry(event: Mapping[str, Any]) -> Entry:
    """Entry of an ``audit.k8s.io/v1`` Event."""
    of, request = event.get("objectRef") or {}, event.get("requestObject") or {}
    response, code, said = event.get("responseObject") or {}, (event.get("responseStatus") or {}).get("code", 0), ""
    if response.get("kind") == "Status":  # an eviction may be answered with 201 and a failure
        code = response.get("code", code) if response.get("status") == "Failure" else code
        said = response.get("message") or ""
        response = {"metadata": {"uid": (response.get("details") or {}).get("uid", "")}}
    user = event["user"]
    sub = of.get("subresource")
    options = (request.get("deleteOptions") or {}) if isinstance(request, dict) else {}
    return Entry(
        verb=event["verb"],
        resource=of.get("resource", "") + (f"/{sub}" if sub else ""),
        namespace=of.get("namespace", ""),
        name=of.get("name") or _name(response),
        who=user["username"],
        credential=next(iter((user.get("extra") or {}).get(_CREDENTIAL, ())), ""),
        code=code,
        received=_seconds(event["requestReceivedTimestamp"]),
        ended=_seconds(event["stageTimestamp"]),
        is_dry_run="dryRun=All" in event["requestURI"] or bool(options.get("dryRun")),
        request=request if isinstance(request, dict) else {"operations": request},
        response=response,
        said=said,
    )


def _name(wire: Json) -> str:
    return str((wire.get("metadata") or {}).get("name") or "")


def _seconds(text: str) -> float:
    return dt.datetime.fromisoformat(text).timestamp()


def applied(entries: Iterable[Entry], *resources: str, verbs: Iterable[str] = WRITTEN) -> Iterator[Entry]:
    """Writes to resources that the API server took."""
    wanted = frozenset(verbs)
    return (e for e in entries if e.resource in resources and e.verb in wanted and e.is_write and e.is_applied)
