"""Whatever happens, the store's state is what `assemble` makes of the objects that the server holds."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.sources.dumps import container, kubevirt, launcher, merge, node, pod, vmi
from tests.sources.store.worlds import BEGINNING, World, named, objects, said
from ullage.sources.store.cluster_store import ClusterStore
from ullage.sources.watched import WATCHED

_STEPS = st.one_of(
    st.tuples(st.just("put"), objects()),
    st.tuples(st.just("put"), objects()),
    st.tuples(st.just("put"), objects()),
    st.tuples(st.just("put"), objects()),
    st.tuples(st.just("delete"), st.integers(0, 40)),
    st.tuples(st.just("list"), st.sampled_from(WATCHED)),
    st.tuples(st.just("forget"), st.sampled_from(WATCHED)),
    st.tuples(st.just("check"), st.none()),
)


def _play(world: World, number: int, step: str, what: object) -> None:
    if step == "put":
        world.put(what, anew=number % 5 == 0)
    elif step == "delete":
        world.delete(what)
    elif step == "list":
        world.store.replace(what, world.listed(what))
    elif step == "forget":
        world.forget(what)
    if step == "check":
        _check(world, number)
    elif number % 3 == 0:
        world.store.publish(float(number))  # what was published before is what the next state is made of


def _check(world: World, number: int = 0) -> None:
    state = world.store.publish(float(number))
    assert said(state) == said(world.assembled())
    assert world.store.publish(number + 1.0) is state


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.lists(objects(), max_size=6).map(lambda more: [*BEGINNING, *more]), st.lists(_STEPS, min_size=4, max_size=30))
def test_the_state_is_that_of_the_objects(beginning, steps):
    world = World()
    for found in beginning:
        world.put(found)
    _check(world)
    for number, (step, what) in enumerate(steps):
        _play(world, number, step, what)
    _check(world)
    fresh = ClusterStore()
    for resource in WATCHED:
        fresh.replace(resource, world.listed(resource))
    assert said(fresh.publish(0.0)) == said(world.store.publish(0.0))


def _follow(*stages):
    """Each stage is objects that come or change, or a name to delete; states are compared after each."""
    world = World()
    for stage in stages:
        for found in stage:
            world.put(found)
        _check(world)
    return world


_GOING = {"startTimestamp": "2026-01-01T00:00:00Z", "targetNode": "n9"}


class TestNodes:
    def test_the_target_of_a_migration_appears(self):
        moving = vmi("vm", "n1", "a", status={"migrationState": _GOING})
        _follow([node("n1"), launcher("vm", "n1", "a"), moving], [node("n9")])

    def test_the_target_of_a_migration_goes(self):
        moving = vmi("vm", "n1", "a", status={"migrationState": _GOING})
        world = _follow([node("n1"), node("n9"), launcher("vm", "n1", "a"), moving])
        world.delete(1)
        _check(world)

    def test_a_node_comes_before_those_that_are_bound_to(self):
        _follow(
            [node("n5"), node("n7"), pod("p", "n5"), pod("q", "n7")],
            [node("n6")],
            [node("n7", spec={"unschedulable": True})],
        )

    def test_a_node_goes_and_leaves_its_pods(self):
        world = _follow([node("n5"), node("n7"), pod("p", "n5"), pod("q", "n7")])
        world.delete(0)
        _check(world)
        _follow_on(world, [node("n5")])

    def test_a_node_comes_back_to_its_machines(self):
        world = _follow([node("n5"), launcher("vm", "n5", "a"), vmi("vm", "n5", "a")])
        world.delete(0)
        _check(world)
        _follow_on(world, [node("n5")])

    def test_host_models_change_with_labels(self):
        labels = {"host-model-cpu.node.kubevirt.io/m": "true"}
        _follow(
            [node("n1"), launcher("vm", "n1", "a"), vmi("vm", "n1", "a")], [node("n1", metadata={"labels": labels})]
        )


def _follow_on(world, stage):
    for found in stage:
        world.put(found)
    _check(world)


class TestVolumes:
    def test_a_volume_is_bound_after_its_pod_was_placed(self):
        zone = {"topology.kubernetes.io/zone": "z1"}
        claim = named("PersistentVolumeClaim", "c1", namespace="a", spec={"volumeName": "v1"})
        volume = named("PersistentVolume", "v1", spec={})
        mounted = [{"name": "d", "persistentVolumeClaim": {"claimName": "c1"}}]
        _follow(
            [node("n1"), pod("p", "n1", "a", spec={"volumes": mounted})],
            [claim],
            [volume],
            [merge(volume, {"metadata": {"labels": zone}})],
            [merge(claim, {"spec": {"volumeName": None}})],
            [merge(volume, {"spec": {"claimRef": {"namespace": "a", "name": "c1"}}})],
        )


class TestPairing:
    def test_a_vmi_appears_that_takes_pods_of_another_name(self):
        hinted = launcher("gone", "n1", "a")
        hinted["metadata"]["labels"]["kubevirt.io/created-by"] = "uid-vmi-a-vm-0"
        _follow([node("n1"), hinted], [vmi("vm", "n1", "a")], [vmi("gone", "n1", "a")])

    def test_a_pod_that_stays_behind_becomes_the_machine_again(self):
        job = {"metadata": {"labels": {"kubevirt.io/migrationJobUID": "j"}}}
        world = _follow(
            [node("n1"), node("n2"), launcher("vm", "n1", "a"), vmi("vm", "n1", "a")],
            [merge(launcher("vm", "n2", "a", "b"), job)],
            [vmi("vm", "n2", "a")],
            [launcher("vm", "n1", "a", status={"phase": "Succeeded"})],
        )
        assert world.store.publish(0.0).workloads.pod == ("virt-launcher-vm-b",)


def test_the_cluster_settings_change_every_vm():
    _follow(
        [node("n1"), launcher("vm", "n1", "a"), vmi("vm", "n1", "a")],
        [kubevirt("v1.7.1", evictionStrategy="External")],
        [kubevirt("v1.7.1", developerConfiguration={"memoryOvercommit": 150})],
        [kubevirt("v1.7.1", additionalGuestMemoryOverheadRatio="2.0")],
    )


def test_resources_come_and_go_with_pods():
    limits = {"limits": {"example.com/gpu": "1"}}
    world = _follow(
        [node("n1"), pod("p")],
        [pod("q", spec={"containers": [container(resources=limits)]})],
        [pod("r", spec={"containers": [container(resources={"requests": {"example.com/none": "0"}})]})],
    )
    assert world.store.publish(0.0).resources[4:] == ("example.com/gpu", "example.com/none")
    world.delete(2)
    world.delete(2)
    _check(world)
    assert len(world.store.publish(0.0).resources) == 4


def test_budgets_follow_their_selectors_and_their_pods():
    budget = named("PodDisruptionBudget", "b1", "policy/v1", "ns", spec={"selector": {"matchLabels": {"app": "b"}}})
    world = _follow(
        [node("n1"), pod("b"), budget],
        [pod("a"), pod("c", metadata={"labels": {"app": "b"}})],
        [merge(budget, {"status": {"disruptionsAllowed": 2}})],
    )
    assert [(each.members.tolist(), each.disruptions_allowed) for each in world.store.publish(0.0).budgets] == [
        ([1, 2], 2)
    ]
    _follow_on(world, [merge(budget, {"spec": {"selector": {"matchLabels": {"app": "a"}}}})])
    _follow_on(world, [named("Namespace", "ns"), merge(named("Namespace", "ns"), {"metadata": {"labels": {"l": "1"}}})])


class TestTemplates:
    """Pods of one template share what is read of it, and nothing else."""

    def test_a_bad_quantity_is_noted_of_each_pod(self):
        bad = {"containers": [container(cpu="much")]}
        world = _follow([node("n1"), pod("p", spec=bad), pod("q", spec=bad)])
        (note,) = (each for each in world.store.publish(0.0).notes if each.code == "malformed-object")
        assert set(note.objects) == {"Pod ns/p", "Pod ns/q"}

    def test_terms_that_refer_to_labels_and_namespaces(self):
        spread = [{"topologyKey": "zone", "maxSkew": 1, "labelSelector": {}, "matchLabelKeys": ["hash"]}]
        apart = {"podAntiAffinity": {_REQUIRED: [{"topologyKey": "zone", "labelSelector": {}}]}}
        world = _follow(
            [node("n1")],
            [pod(f"s{i}", spec={"topologySpreadConstraints": spread}, metadata={"labels": {"hash": i}}) for i in "12"],
            [pod("a", namespace=space, spec={"affinity": apart}) for space in ("x", "y")],
        )
        assert len(world.store.publish(0.0).placements) == 4

    def test_what_is_the_pods_own(self):
        daemon = {"ownerReferences": [{"kind": "DaemonSet", "name": "d", "controller": True}]}
        _follow(
            [node("n1"), node("n2"), pod("p"), pod("q", "n2")],
            [pod("d", metadata=daemon), pod("e", metadata={"annotations": {"kubernetes.io/config.mirror": "x"}})],
            [
                pod("p", status={"phase": "Pending"}),
                pod("q", "n2", metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"}),
            ],
            [pod("f", spec={"volumes": [{"name": "v", "emptyDir": {}}]}), pod("g", spec={"priority": 2_000_000_000})],
            [pod("h", spec={"containers": [container(ports=[{"containerPort": 1, "hostPort": 80}])]})],
        )


_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
