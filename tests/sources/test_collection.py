from __future__ import annotations

import pytest

from tests.data import shared
from tests.sources.dumps import dump, load_bytes, node, node_metrics, note, pod, state_of
from ullage.sources.inputs import load


class TestMalformed:
    def test_one_malformed_object_does_not_take_the_rest_with_it(self):
        state = state_of(node("n1"), pod("bad", spec={"containers": "none"}), pod("good"))
        assert state.workloads.name == ("good",)
        found = note(state, "malformed-object")
        assert found is not None
        assert found.objects == ("Pod ns/bad",)
        assert "Expected `array | null`, got `str` - at `$.spec.containers`" in found.text

    @pytest.mark.parametrize(
        "item",
        [
            b"5",
            b"null",
            b'"x"',
            b"[]",
            b"{}",
            b'{"kind":"Pod"}',
            b'{"kind":7}',
            b'{"kind":"Pod","metadata":{"name":""}}',
        ],
    )
    def test_what_is_no_object_is_put_aside(self, item):
        state = load_bytes(
            b'{"kind":"List","items":[' + item + b"," + dump(node("n1"))[1:-1].partition(b"[")[2][:-1] + b"]}"
        )
        assert state.nodes.name == ("n1",)
        found = note(state, "malformed-object")
        assert found is not None
        assert ": 1 (" in found.text

    def test_many_are_counted_with_five_examples(self):
        state = state_of(node("n1"), *(pod(f"p{i:02d}", spec={"priority": "high"}) for i in range(12)))
        found = note(state, "malformed-object")
        assert found is not None
        assert found.objects == tuple(f"Pod ns/p{i:02d}" for i in range(5))
        assert ": 12 (" in found.text
        assert "and 7 more" in found.text

    def test_numbers_outside_their_range(self):
        state = state_of(node("n1"), pod("bad", spec={"priority": 2**40}))
        assert "Pod ns/bad" in (note(state, "malformed-object") or pytest.fail("no note")).objects

    def test_null_lists_and_maps_are_empty(self):
        nulls = {"containers": None, "initContainers": None, "volumes": None, "tolerations": None, "affinity": None}
        meta = {"labels": None, "annotations": None, "ownerReferences": None}
        bare = node("n1", spec=None, metadata={"labels": None}, status={"conditions": None, "nodeInfo": None})
        state = state_of(bare, pod("p", metadata=meta, spec=nulls))
        assert state.workloads.name == ("p",)
        assert note(state, "malformed-object") is None


class TestKinds:
    def test_unknown_kinds_are_counted(self):
        other = [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"c{i}"}} for i in range(3)]
        state = state_of(node("n1"), *other, {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}})
        found = note(state, "unknown-kind")
        assert found is not None
        assert found.text.endswith(": 4 (ConfigMap 3, Service 1).")

    def test_a_kind_of_another_group_is_another_kind(self):
        state = state_of({"apiVersion": "config.openshift.io/v1", "kind": "Node", "metadata": {"name": "cluster"}})
        assert state.nodes.name == ()
        assert (note(state, "unknown-kind") or pytest.fail("no note")).objects == ("Node",)

    def test_items_of_a_typed_list_need_no_kind(self):
        metrics = node_metrics("n1", cpu="2", memory="1Gi")
        del metrics["kind"], metrics["apiVersion"]
        lists = b'{"kind":"NodeMetricsList","items":[' + dump(metrics).partition(b"[")[2][:-2] + b"]}"
        state = load_bytes(dump(node("n1")) + lists)
        assert state.nodes.measures.value[0, 0] == 2.0

    def test_pods_and_nodes_are_recognized_by_their_shape(self):
        objects = [node("n1"), pod("p")]
        for each in objects:
            del each["kind"], each["apiVersion"]
        state = state_of(*objects)
        assert (state.nodes.name, state.workloads.name) == (("n1",), ("p",))


class TestDuplicates:
    @pytest.mark.parametrize("order", [1, -1])
    def test_the_newer_version_counts(self, order):
        old = node("n1", metadata={"resourceVersion": "99"}, spec={"unschedulable": True})
        new = node("n1", metadata={"resourceVersion": "100"})
        state = state_of(*[old, new][::order])
        assert state.nodes.name == ("n1",)
        assert state.nodes.flags[0] & 2 == 0
        assert (note(state, "duplicate-object") or pytest.fail("no note")).objects == ("Node n1",)

    def test_without_versions_the_later_one_counts(self):
        state = state_of(node("n1"), node("n1", spec={"unschedulable": True}))
        assert state.nodes.flags[0] & 2 == 2

    def test_names_are_unique_by_kind_and_namespace_only(self):
        state = state_of(node("n1"), pod("n1"), pod("n1", namespace="other"))
        assert len(state.workloads) == 2
        assert note(state, "duplicate-object") is None


@pytest.mark.skipif(shared("k8s-object-samples") is None, reason="shared data are not here")
def test_real_objects_of_an_openshift_cluster():
    folder = shared("k8s-object-samples")
    assert folder is not None
    state = load([str(path) for path in sorted(folder.glob("*.json"))])
    assert len(state.nodes) == 2
    assert state.nodes.allocatable[1, :3].tolist() == [3.5, 7002280 * 1024, 250]
    assert state.nodes.kubelet_version == ("v1.20.0+2817867",) * 2
    assert state.workloads.name == ("prometheus-k8s-0",)
    # Requests of seven containers: 70 + 1 + 1 + 1 + 1 + 1 + 1 millicores.
    assert state.workloads.requests[0, 0] == pytest.approx(0.076)
    assert [each.code for each in state.notes] == ["pod-not-placed"]
