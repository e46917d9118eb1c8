from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ullage.model.qos import ContainerResources, QoS, qos_of


def container(cpu=None, memory=None, cpu_limit=None, memory_limit=None, **rest):
    return ContainerResources(
        name="c",
        requests_cpu_cores=cpu,
        requests_memory_bytes=memory,
        limits_cpu_cores=cpu_limit,
        limits_memory_bytes=memory_limit,
        **rest,
    )


FULL = container(1, 100, 1, 100)
EMPTY = container()


@pytest.mark.parametrize(
    ("containers", "expected"),
    [
        ([], QoS.BEST_EFFORT),
        ([EMPTY], QoS.BEST_EFFORT),
        ([container(0, 0, 0, 0)], QoS.BEST_EFFORT),
        ([FULL], QoS.GUARANTEED),
        ([FULL, FULL], QoS.GUARANTEED),
        ([FULL, EMPTY], QoS.BURSTABLE),
        ([FULL, container(1, 100, 1, 100, init=True)], QoS.GUARANTEED),
        ([FULL, container(init=True)], QoS.BURSTABLE),
        ([EMPTY, container(0.1, init=True)], QoS.BURSTABLE),
        ([FULL, container(1, 50, 1, 100, init=True, restartable_init=True)], QoS.BURSTABLE),
        ([container(1, 100)], QoS.BURSTABLE),
        ([container(1, 100, None, 100)], QoS.BURSTABLE),
        ([container(1, 100, 1, None)], QoS.BURSTABLE),
        ([container(1, 100, 2, 100)], QoS.BURSTABLE),
        ([container(None, None, 1, 100)], QoS.BURSTABLE),
        ([container(memory=34739322881, cpu=0.8)], QoS.BURSTABLE),
    ],
)
def test_the_kubelets_rule(containers, expected):
    assert qos_of(containers) is expected


def test_classes_are_ordered_by_safety():
    assert QoS.BEST_EFFORT < QoS.BURSTABLE < QoS.GUARANTEED
    assert [int(each) for each in QoS] == [0, 1, 2]


amount = st.none() | st.integers(0, 3)
containers = st.lists(st.builds(container, amount, amount, amount, amount), max_size=4)


@given(containers, containers)
def test_order_does_not_matter_and_two_unlike_pods_make_a_burstable_one(one, other):
    assert qos_of(one + other) is qos_of(other + one)
    if {qos_of(one), qos_of(other)} == {QoS.BEST_EFFORT, QoS.GUARANTEED} and one and other:
        assert qos_of(one + other) is QoS.BURSTABLE
