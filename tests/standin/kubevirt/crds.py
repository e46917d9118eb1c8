"""Our own minimal definitions of KubeVirt's resources: they keep all fields, and know those that the tests need."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final

from tests.controlplane.rest import Rest, RestError
from tests.controlplane.waiting import until
from tests.standin.kubevirt.names import GROUP, KUBEVIRTS
from tests.standin.kubevirt.settings import KubeVirtSettings, kubevirt_object, kubevirt_status
from tests.standin.wire import Json, condition_of

DEFINITIONS: Final = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
OPEN: Final[Json] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


@dataclass(frozen=True)
class Column:
    """A printer column."""

    name: str
    path: str
    kind: str = "string"
    priority: int = 0

    def wire(self) -> Json:
        return {"name": self.name, "type": self.kind, "jsonPath": self.path, "priority": self.priority}


@dataclass(frozen=True)
class Definition:
    """What differs between the resources. VMIs have no status subresource: KubeVirt writes their status as a whole object."""

    kind: str
    short: tuple[str, ...]
    columns: tuple[Column, ...]
    spec: Json
    has_status: bool

    @property
    def name(self) -> str:
        return f"{self.kind.lower()}s.{GROUP}"


AGE: Final = Column("Age", ".metadata.creationTimestamp", "date")
PHASE: Final = Column("Phase", ".status.phase")
READY: Final = Column("Ready", ".status.conditions[?(@.type=='Ready')].status")
MIGRATABLE: Final = Column("Live-Migratable", ".status.conditions[?(@.type=='LiveMigratable')].status", priority=1)
STRINGS: Final[Json] = {"type": "object", "additionalProperties": {"type": "string"}}
RESOURCES: Final = (
    Definition(
        "VirtualMachineInstance",
        ("vmi", "vmis"),
        (AGE, PHASE, Column("NodeName", ".status.nodeName"), READY, MIGRATABLE),
        {**OPEN, "required": ["domain"], "properties": {"domain": OPEN, "nodeSelector": STRINGS}},
        has_status=False,
    ),
    Definition(
        "VirtualMachineInstanceMigration",
        ("vmim", "vmims"),
        (PHASE, Column("VMI", ".spec.vmiName")),
        {**OPEN, "properties": {"vmiName": {"type": "string"}, "addedNodeSelector": STRINGS}},
        has_status=True,
    ),
    Definition("KubeVirt", ("kv", "kvs"), (AGE, PHASE), OPEN, has_status=True),
)


def definition(resource: Definition) -> Json:
    """CustomResourceDefinition of a resource."""
    singular = resource.kind.lower()
    names = {"kind": resource.kind, "plural": f"{singular}s", "singular": singular, "shortNames": list(resource.short)}
    schema = {"type": "object", "required": ["spec"], "properties": {"spec": resource.spec, "status": OPEN}}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "additionalPrinterColumns": [column.wire() for column in resource.columns],
        **({"subresources": {"status": {}}} if resource.has_status else {}),
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": resource.name},
        "spec": {"group": GROUP, "scope": "Namespaced", "names": names, "versions": [version]},
    }


def install(rest: Rest, settings: KubeVirtSettings) -> None:
    """Create the definitions that are not there yet, and the KubeVirt object as `settings` say it."""
    for resource in RESOURCES:
        _create(rest, DEFINITIONS, definition(resource))
    for resource in RESOURCES:
        until(partial(_serves, rest, f"{DEFINITIONS}/{resource.name}"), resource.name)
    _create(rest, "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": GROUP[:8]}})
    show(rest, settings)


def show(rest: Rest, settings: KubeVirtSettings) -> None:
    """Have the KubeVirt object say what `settings` say."""
    wanted = kubevirt_object(settings)
    until(lambda: _create(rest, KUBEVIRTS, wanted), "KubeVirt object")
    rest.patch(f"{KUBEVIRTS}/kubevirt", [{"op": "replace", "path": "/spec", "value": wanted["spec"]}], "json")
    rest.patch(f"{KUBEVIRTS}/kubevirt/status", {"status": kubevirt_status(settings)})


def _create(rest: Rest, path: str, body: Json) -> bool:
    """Whether it is there."""
    try:
        rest.post(path, body)
    except RestError as error:
        if error.status == 404:
            return False
        if error.status != 409:
            raise
    return True


def _serves(rest: Rest, path: str) -> bool:
    with suppress(RestError):
        return condition_of(rest.get(path), "Established").get("status") == "True"
    return False
