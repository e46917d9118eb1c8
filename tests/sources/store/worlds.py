"""Small made-up clusters that change: what an API server holds, and the events by which it says so."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
from hypothesis import strategies as st

from tests.sources.dumps import Object, container, kubevirt, launcher, merge, node, pod, vmi
from ullage.model.state import ClusterState
from ullage.sources.assembler import assemble
from ullage.sources.documents import Item
from ullage.sources.snapshot import encode
from ullage.sources.store.cluster_store import ClusterStore
from ullage.sources.watched import WATCHED, Resource, Verb

BY_KIND = {resource.kind: resource for resource in WATCHED}
SPACES, NODES, PODS, MACHINES, CLAIMS = ("a", "b"), ("n1", "n2", "n3"), ("p1", "p2", "x1"), ("vm1", "x1"), ("c1", "c2")
TIMES = ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z")
KUBEVIRT = "kubevirt.io/v1"
CREATED_BY = "kubevirt.io/created-by"
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def one_of(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(values)


def named(kind: str, name: str, version: str = "v1", namespace: str | None = None, **parts: Any) -> Object:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **parts}


@st.composite
def nodes(draw: st.DrawFn) -> Object:
    name = draw(one_of(*NODES))
    labels = draw(
        one_of({}, {"zone": "z1"}, {"kubernetes.io/arch": "arm64"}, {"host-model-cpu.node.kubevirt.io/m": "1"})
    )
    amounts = draw(one_of({}, {"cpu": "8"}, {"example.com/fpga": "1"}, {"memory": "bad"}, {"hugepages-2Mi": "1Gi"}))
    status: Object = {
        "allocatable": amounts,
        "capacity": amounts,
        "addresses": [{"type": "InternalIP", "address": name}],
    }
    status = draw(one_of(status, status, status, {"allocatable": None}, {"conditions": []}))
    spec = draw(one_of({}, {"unschedulable": True}, {"taints": [{"key": "k", "effect": "NoExecute"}]}))
    return node(name, metadata={"labels": labels}, status=status, spec=spec)


def _volumes(claims: tuple[str, ...]) -> list[Object]:
    mounted = [{"name": f"d-{claim}", "persistentVolumeClaim": {"claimName": claim}} for claim in claims]
    return [*mounted, {"name": "token", "projected": {}}]


_SPECS: tuple[Object, ...] = (
    {},
    {"volumes": [{"name": "e", "emptyDir": {}}]},
    {"volumes": [{"name": "c1", "ephemeral": {}}]},
    {"volumes": _volumes(("c1",))},
    {"volumes": _volumes(("c1", "c2"))},
    {"nodeSelector": {"zone": "z1"}, "tolerations": [{"key": "k", "operator": "Exists"}]},
    {"containers": [container(cpu="2", resources={"limits": {"cpu": "2", "memory": "2Gi", "example.com/gpu": "1"}})]},
    {"containers": [container(resources={"requests": {"example.com/zero": "0", "cpu": "bad"}})], "priority": 7},
    {"initContainers": [container("i", "3", restartPolicy="Always")], "hostNetwork": True},
    {
        "containers": [container(ports=[{"containerPort": 80, "hostPort": 80}])],
        "priorityClassName": "system-node-critical",
    },
    {
        "affinity": {
            "podAntiAffinity": {REQUIRED: [{"topologyKey": "zone", "labelSelector": {"matchLabels": {"app": "a"}}}]},
            "nodeAffinity": {
                REQUIRED: {"nodeSelectorTerms": [{"matchFields": [{"key": "metadata.name", "operator": "In"}]}]}
            },
        }
    },
)
_PHASES = ("Running", "Running", "Running", "Pending", "Succeeded", "Failed")


@st.composite
def _extras(draw: st.DrawFn) -> Object:
    labels = draw(one_of({"app": "a"}, {"app": "b"}, {"app": "b", "tier": "t"}, {"kubevirt.io": "virt-launcher"}))
    owner = draw(one_of(None, "ReplicaSet", "DaemonSet", "Node", "Pod"))
    annotations = draw(
        one_of(
            {},
            {"kubernetes.io/config.mirror": "x"},
            {"descheduler.alpha.kubernetes.io/evict": ""},
            {"kubernetes.io/config.source": "file", "other": "dropped"},
            {"kubevirt.io/memory-overhead-bytes": "1000"},
        )
    )
    owners = [{"kind": owner, "name": f"o{draw(st.integers(0, 2))}", "uid": "o", "controller": True}] if owner else None
    ends = draw(one_of(None, None, None, TIMES[0]))
    metadata = {"labels": labels, "annotations": annotations, "ownerReferences": owners, "deletionTimestamp": ends}
    status = {"phase": draw(one_of(*_PHASES)), "startTime": draw(one_of(*TIMES, None, "never"))}
    return {"metadata": metadata, "status": status}


@st.composite
def pods(draw: st.DrawFn) -> Object:
    name, space, spec = draw(one_of(*PODS)), draw(one_of(*SPACES)), draw(one_of(*_SPECS))
    on = draw(one_of(*NODES, *NODES, None))
    return merge(pod(name, on, space), merge(draw(_extras()), {"spec": spec}))


@st.composite
def launchers(draw: st.DrawFn) -> Object:
    vm, space = draw(one_of(*MACHINES)), draw(one_of(*SPACES))
    found = launcher(vm, draw(one_of(*NODES, *NODES, None)), space, draw(one_of("a", "b", "c")))
    metadata = found["metadata"]
    metadata["labels"][CREATED_BY] = f"uid-vmi-{space}-{vm}-{draw(st.integers(0, 1))}"
    metadata["labels"] |= draw(one_of({}, {"kubevirt.io/migrationJobUID": "j"}))
    if draw(one_of(False, False, False, True)):
        metadata["annotations"] = {}
    if draw(one_of(False, False, False, True)):
        metadata["ownerReferences"] = []
    spec = draw(one_of({}, {"volumes": _volumes(("c1",))}, {"containers": [container("compute", "1", "5Gi")]}))
    phase, ends = draw(one_of(*_PHASES)), draw(one_of(None, None, TIMES[0]))
    over = {"spec": spec, "status": {"phase": phase, "startTime": draw(one_of(*TIMES))}}
    return merge(found, merge(over, {"metadata": {"deletionTimestamp": ends}}))


@st.composite
def _journeys(draw: st.DrawFn, vm: str) -> Object | None:
    source, target = (f"virt-launcher-{vm}-{draw(one_of('a', 'b'))}" for _ in range(2))
    state = {"startTimestamp": TIMES[0], "targetNode": draw(one_of(*NODES)), "sourcePod": source, "targetPod": target}
    return draw(one_of(None, state, state | {"endTimestamp": TIMES[1]}, state | {"failed": True}))


@st.composite
def machines(draw: st.DrawFn) -> Object:
    name, space = draw(one_of(*MACHINES)), draw(one_of(*SPACES))
    conditions = draw(
        one_of(
            [],
            [{"type": "LiveMigratable", "status": "True"}],
            [
                {"type": "LiveMigratable", "status": "False", "reason": "R", "message": "m"},
                {"type": "Paused", "status": "True"},
            ],
        )
    )
    status = {
        "nodeName": draw(one_of(*NODES, None)),
        "phase": draw(one_of("Running", "Running", "Scheduling", "Succeeded")),
        "conditions": conditions,
        "migrationState": draw(_journeys(name)),
        "memory": draw(one_of(None, {"guestCurrent": "3Gi"}, {"memoryOverhead": "300Mi"})),
        "activePods": draw(one_of(None, {f"uid-virt-launcher-{name}-b": "n2"})),
    }
    domain = draw(
        one_of({}, {"cpu": {"model": "m"}}, {"devices": {"gpus": [{}]}}, {"resources": {"requests": {"memory": "2Gi"}}})
    )
    disk = {"name": "d", "dataVolume": {"name": "c2"}}
    spec = {"domain": domain, "volumes": draw(one_of(None, [disk])), "evictionStrategy": draw(one_of(None, "External"))}
    return merge(vmi(name, namespace=space), {"status": status, "spec": spec})


@st.composite
def migrations(draw: st.DrawFn) -> Object:
    status = {
        "phase": draw(one_of("Pending", "Running", "Succeeded", "Failed")),
        "migrationState": draw(one_of(None, {"endTimestamp": TIMES[0]})),
        "phaseTransitionTimestamps": [{"phase": "Failed", "phaseTransitionTimestamp": TIMES[1]}],
    }
    spec = {"vmiName": draw(one_of(*MACHINES))}
    name, space = draw(one_of("m1", "m2")), draw(one_of(*SPACES))
    return named("VirtualMachineInstanceMigration", name, KUBEVIRT, space, spec=spec, status=status)


@st.composite
def storage(draw: st.DrawFn) -> Object:
    name = draw(one_of("v1", "v2"))
    if draw(st.booleans()):
        spec = {"volumeName": draw(one_of(None, "", "v1", "v2"))}
        return named(
            "PersistentVolumeClaim", draw(one_of(*CLAIMS, "p1-c1")), namespace=draw(one_of(*SPACES)), spec=spec
        )
    claim = draw(one_of(None, {"namespace": "a", "name": "c1"}, {"namespace": "b", "name": "c2"}))
    terms = [{"matchExpressions": [{"key": "zone", "operator": "In", "values": [draw(one_of("z1", "z2"))]}]}]
    affinity = draw(one_of(None, {"required": {"nodeSelectorTerms": terms}}))
    found = named("PersistentVolume", name, spec={"claimRef": claim, "nodeAffinity": affinity})
    labels = draw(one_of(None, {"topology.kubernetes.io/zone": "z1__z2", "other": "o"}))
    return merge(found, {"metadata": {"labels": labels}})


@st.composite
def policies(draw: st.DrawFn) -> Object:
    space = draw(one_of(*SPACES))
    selector = draw(
        one_of(None, {}, {"matchLabels": {"app": "a"}}, {"matchExpressions": [{"key": "tier", "operator": "Exists"}]})
    )
    budget = named("PodDisruptionBudget", draw(one_of("b1", "kubevirt-migration-pdb-x")), "policy/v1", space)
    budget |= {"spec": {"selector": selector}, "status": {"disruptionsAllowed": draw(one_of(None, 0, 2))}}
    amounts = draw(one_of({"requests.cpu": "4"}, {"requests.cpu": "bad"}))
    quota = named(
        "ResourceQuota", "q", namespace=space, spec={"hard": amounts}, status=draw(one_of(None, {"used": {}}))
    )
    labelled = merge(
        named("Namespace", draw(one_of(*SPACES, "empty"))), {"metadata": {"labels": draw(one_of({}, {"l": "1"}))}}
    )
    developer = {"memoryOvercommit": draw(one_of(None, 150, 3))}
    settings = kubevirt(
        draw(one_of("v1.7.1", "v1.4.0", "odd")), developerConfiguration=developer, evictionStrategy="None"
    )
    return draw(one_of(budget, budget, quota, labelled, settings))


@st.composite
def broken(draw: st.DrawFn) -> Object:
    found = draw(st.one_of(pods(), nodes(), machines(), policies()))
    return merge(found, {"spec": draw(one_of(7, "none"))}) if found["kind"] != "Namespace" else found


def objects() -> st.SearchStrategy[Object]:
    parts = (
        nodes(),
        pods(),
        pods(),
        launchers(),
        launchers(),
        machines(),
        machines(),
        migrations(),
        storage(),
        policies(),
    )
    return st.one_of(*parts, broken())


BEGINNING = (
    *(node(name) for name in NODES),
    *(pod(name, on, "a") for name, on in zip(PODS, NODES, strict=True)),
    *(launcher(name, "n1", "a") for name in MACHINES),
    *(launcher(name, "n2", "a", "b") for name in MACHINES),
    *(vmi(name, "n1", "a") for name in MACHINES),
    *(named("PodDisruptionBudget", "b1", "policy/v1", space, spec={"selector": {}}) for space in SPACES),
)
"""A cluster to begin with, so that most changes meet something."""


@dataclass
class World:
    """What the server holds, and a store that is told of it."""

    store: ClusterStore = field(default_factory=ClusterStore)
    held: dict[tuple[Resource, str, str], Object] = field(default_factory=dict)
    version: int = 0
    _lives: dict[tuple[Resource, str, str], int] = field(default_factory=dict)

    def put(self, found: Object, *, anew: bool = False) -> None:
        """Create or change an object; `anew` for one that was deleted and created again without an event for the end."""
        metadata = found["metadata"]
        resource = BY_KIND[found["kind"]]
        key = resource, metadata.get("namespace", ""), metadata["name"]
        self.version += 1
        self._lives[key] = self._lives.get(key, 0) + anew
        prefix = "vmi" if resource.kind == "VirtualMachineInstance" else resource.plural
        uid = f"uid-{prefix}-{key[1]}-{key[2]}-{self._lives[key]}"
        verb = Verb.MODIFIED if key in self.held else Verb.ADDED
        self.held[key] = merge(found, {"metadata": {"uid": uid, "resourceVersion": str(self.version)}})
        self.store.change(resource, verb, msgspec.json.encode(self.held[key]))

    def delete(self, number: int) -> None:
        if self.held:
            key = list(self.held)[number % len(self.held)]
            found = self.held.pop(key)
            self.store.change(key[0], Verb.DELETED, msgspec.json.encode(found))
            self._lives[key] += 1  # a uid never comes back: the next object of this name is another one

    def forget(self, resource: Resource) -> None:
        self.held = {key: found for key, found in self.held.items() if key[0] != resource}
        self.store.forget(resource)

    def listed(self, resource: Resource) -> list[bytes]:
        return [msgspec.json.encode(found) for key, found in self.held.items() if key[0] == resource]

    def assembled(self) -> ClusterState:
        return assemble(Item(msgspec.json.encode(found)) for found in self.held.values())


def said(state: ClusterState) -> dict[str, Any]:
    """What a state says, but for its number and time."""
    document: dict[str, Any] = msgspec.json.decode(encode(replace(state, generation=0, observed_at_seconds=0.0)))
    return document
