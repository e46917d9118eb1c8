from __future__ import annotations

import threading

import msgspec
import pytest

from tests.sources.dumps import Object, launcher, merge, node, note, pod, vmi
from tests.sources.store.worlds import BY_KIND, World, said
from ullage.model.state import ClusterState
from ullage.sources.collection import decoder_of
from ullage.sources.store.assembly import Assembly
from ullage.sources.store.cluster_store import ClusterStore
from ullage.sources.watched import KUBEVIRTS, MACHINES, NODES, PODS, Resource, Verb


def at(found: Object, version: int, uid: str | None = None) -> Object:
    return merge(found, {"metadata": {"resourceVersion": str(version), **({"uid": uid} if uid else {})}})


def change(store: ClusterStore, found: Object, verb: Verb = Verb.MODIFIED) -> None:
    store.change(BY_KIND[found["kind"]], verb, msgspec.json.encode(found))


def listed(store: ClusterStore, resource: Resource, *found: Object) -> None:
    store.replace(resource, [msgspec.json.encode(each) for each in found])


@pytest.fixture
def store() -> ClusterStore:
    store = ClusterStore()
    listed(store, NODES, node("n1"), node("n2"))
    return store


def published(store: ClusterStore) -> ClusterState:
    return store.publish(5.0)


class TestPublishing:
    def test_nothing_new_gives_the_same_state(self, store):
        change(store, at(pod("p"), 1))
        state = published(store)
        assert store.publish(9.0) is state
        assert state.observed_at_seconds == 5.0

    def test_a_change_that_bears_on_nothing_gives_the_same_state(self, store):
        change(store, at(pod("p"), 1))
        state = published(store)
        change(store, at(pod("p", metadata={"annotations": {"other": "x"}}, status={"podIP": "10.0.0.1"}), 2))
        change(store, at(node("n1", status={"conditions": [{"type": "Ready", "status": "True"}]}), 3))
        change(store, at({"kind": "PersistentVolumeClaim", "metadata": {"name": "c", "namespace": "ns"}}, 4))
        assert store.publish(9.0) is state

    def test_every_state_has_a_number_and_shares_what_is_the_same(self, store):
        change(store, at(pod("p"), 1))
        first = published(store)
        change(store, at(pod("p", spec={"priority": 3}), 2))
        second = store.publish(6.0)
        assert (first.generation, second.generation, second.observed_at_seconds) == (1, 2, 6.0)
        assert (first.workloads.priority.tolist(), second.workloads.priority.tolist()) == ([0], [3])
        assert second.workloads.name is first.workloads.name
        assert second.workloads.labels is first.workloads.labels
        assert second.nodes is first.nodes

    def test_no_measure_is_known(self, store):
        change(store, at(pod("p"), 1))
        state = published(store)
        assert state.workloads.measures.value.shape[0] == 1
        assert (state.workloads.measures.source == -1).all()
        assert (state.nodes.measures.source == -1).all()

    def test_an_empty_store_says_so(self):
        assert note(ClusterStore().publish(1.0), "empty-cluster") is not None


class TestVersions:
    def test_an_older_event_changes_nothing(self, store):
        change(store, at(pod("p", spec={"priority": 2}), 20))
        change(store, at(pod("p", spec={"priority": 1}), 9))
        assert published(store).workloads.priority.tolist() == [2]

    def test_another_uid_is_another_object(self, store):
        change(store, at(pod("p"), 1, "one"))
        change(store, at(pod("p"), 2, "two"))
        change(store, at(pod("p"), 3, "one"), Verb.DELETED)
        assert published(store).workloads.uid == ("two",)

    def test_each_deletion_of_a_pod_is_told_and_of_nothing_else(self):
        told = []
        store = ClusterStore(told.append)
        change(store, at(pod("p"), 1, "one"))
        change(store, at(pod("p"), 2, "one"), Verb.MODIFIED)
        change(store, at(pod("p"), 3, "one"), Verb.DELETED)
        change(store, at(pod("never-seen"), 4, "two"), Verb.DELETED)
        store.change(NODES, Verb.DELETED, msgspec.json.encode({"metadata": {"name": "n", "uid": "three"}}))
        store.change(PODS, Verb.DELETED, b"{}")
        assert told == ["one", "two"]

    def test_what_was_deleted_does_not_come_back_with_a_late_event(self, store):
        change(store, at(pod("p"), 1, "one"))
        change(store, at(pod("p"), 3, "one"), Verb.DELETED)
        change(store, at(pod("p"), 2, "one"))
        assert published(store).workloads.name == ()
        change(store, at(pod("p"), 4, "two"), Verb.ADDED)
        assert published(store).workloads.uid == ("two",)

    def test_a_list_counts_whatever_was_known(self, store):
        change(store, at(pod("p", spec={"priority": 2}), 20))
        change(store, at(pod("gone"), 21))
        listed(store, PODS, at(pod("p", spec={"priority": 1}), 9), at(pod("q"), 10))
        state = published(store)
        assert (state.workloads.name, state.workloads.priority.tolist()) == (("p", "q"), [1, 0])

    def test_the_newest_of_two_in_a_list_counts(self, store):
        listed(store, PODS, at(pod("p", spec={"priority": 2}), 20), at(pod("p", spec={"priority": 1}), 19))
        assert published(store).workloads.priority.tolist() == [2]

    def test_a_list_that_fails_changes_nothing(self, store):
        change(store, at(pod("p"), 1))

        def pages():
            yield msgspec.json.encode(at(pod("q"), 2))
            raise ConnectionError

        with pytest.raises(ConnectionError):
            store.replace(PODS, pages())
        assert published(store).workloads.name == ("p",)


class TestUnreadable:
    def test_the_good_version_before_does_not_count_any_more(self, store):
        change(store, at(pod("p"), 1))
        published(store)
        change(store, at(pod("p", spec={"priority": "high"}), 2))
        state = published(store)
        assert state.workloads.name == ()
        assert store.counts()[PODS] == (0, 1)
        found = note(state, "malformed-object")
        assert found is not None
        assert found.objects == ("Pod ns/p",)
        assert "Expected `int | null`, got `str`" in found.text

    def test_a_good_version_heals_it(self, store):
        change(store, at(pod("p", spec={"priority": "high"}), 1))
        published(store)
        change(store, at(pod("p"), 2))
        state = published(store)
        assert (state.workloads.name, state.notes, store.counts()[PODS]) == (("p",), (), (1, 0))

    @pytest.mark.parametrize("how", ["delete", "list", "forget"])
    def test_it_goes_with_the_object(self, store, how):
        bad = at(pod("p", spec={"priority": "high"}), 1, "one")
        change(store, bad)
        assert published(store).notes
        if how == "delete":
            change(store, at(bad, 2), Verb.DELETED)
        elif how == "list":
            listed(store, PODS)
        else:
            store.forget(PODS)
        assert published(store).notes == ()
        assert store.counts()[PODS] == (0, 0)

    @pytest.mark.parametrize("raw", [b"{", b"[]", b"7", b"{}", b'{"metadata":{"name":""}}', b'{"metadata":"x"}'])
    def test_what_has_no_name_is_said(self, store, raw):
        store.change(PODS, Verb.ADDED, raw)
        assert "Pod without a name" in (note(published(store), "malformed-object") or pytest.fail("no note")).objects
        store.change(PODS, Verb.DELETED, raw)

    def test_one_of_a_list_does_not_take_the_rest_with_it(self, store):
        listed(store, PODS, at(pod("a", spec={"priority": "x"}), 1), at(pod("b"), 2))
        assert published(store).workloads.name == ("b",)
        assert store.counts()[PODS] == (1, 1)


def test_a_resource_that_is_not_served_any_more_leaves_nothing(store):
    change(store, at(vmi("vm"), 1))
    change(store, at(launcher("vm"), 2))
    assert published(store).workloads.owner.tolist() == [0]
    store.forget(MACHINES)
    store.forget(KUBEVIRTS)
    state = published(store)
    assert state.workloads.name == ("vm",)
    assert (note(state, "vmi-missing") or pytest.fail("no note")).objects == ("ns/vm",)


def test_nodes_are_known_by_all_their_names(store):
    addresses = [{"type": "InternalIP", "address": "10.0.0.7"}, {"type": "Hostname", "address": "n1"}]
    change(
        store,
        at(node("n1", metadata={"labels": {"kubernetes.io/hostname": "host-1"}}, status={"addresses": addresses}), 1),
    )
    identities = store.identities()
    assert identities.names == ("n1", "n2")
    assert [identities.node(alias) for alias in ("10.0.0.7:9100", "host-1", "n2", "other")] == ["n1", "n1", "n2", None]


def test_the_first_state_is_the_same_in_portions():
    world = World()
    for each in (node("n1"), node("n2"), *(pod(f"p{i}", f"n{i % 2 + 1}", f"ns{i % 3}") for i in range(9))):
        world.put(each)
    for name in ("a", "b", "c"):
        world.put(vmi(name))
        world.put(launcher(name))
    assembly = Assembly(most_at_once=2)
    for (resource, _, _), found in world.held.items():
        decoder = decoder_of(resource.group, resource.kind)
        assert decoder is not None
        assembly.inventory.put(decoder.decode(msgspec.json.encode(found)))
    assert said(assembly.state(0, 0.0)) == said(world.assembled())


def test_many_threads(store):
    def follow(resource: Resource, objects: list[Object]) -> None:
        for version, found in enumerate(objects):
            store.change(resource, Verb.ADDED, msgspec.json.encode(at(found, version + 1)))

    pods = [[pod(f"p{i}", f"n{i % 3}", spec={"priority": k}) for k in range(3) for i in range(40)]]
    nodes = [[node(f"n{i % 3}", spec={"unschedulable": i % 2 == 0}) for i in range(60)]]
    threads = [threading.Thread(target=follow, args=(PODS, each)) for each in pods]
    threads += [threading.Thread(target=follow, args=(NODES, each)) for each in nodes]
    for thread in threads:
        thread.start()
    generations = [store.publish(float(i)).generation for i in range(20)]
    for thread in threads:
        thread.join(timeout=30)
    state = published(store)
    assert generations == sorted(generations)
    assert len(state.workloads) == 40
    assert set(state.workloads.priority.tolist()) == {2}
    assert state.nodes.name == ("n0", "n1", "n2")
