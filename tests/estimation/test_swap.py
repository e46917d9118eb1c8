from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ullage.estimation.overhead import GI, KubeVirtVersion
from ullage.estimation.requests import Cluster, Guest, render
from ullage.estimation.swap import (
    eligible_request_bytes,
    gets_swap,
    is_covered,
    page_rate_bytes_per_second,
    plausible,
    share_bytes,
    swap_left_bytes,
    swap_limit_bytes,
    swap_needed_bytes,
    virtual_commit_bytes,
    virtual_memory_bytes,
    worst_case_bytes,
)
from ullage.model.qos import ContainerResources


def container(request=None, limit=None, **rest):
    return ContainerResources(name="c", requests_memory_bytes=request, limits_memory_bytes=limit, **rest)


# The kubelet's own unit tests: request, RAM and swap in Gi.
@pytest.mark.parametrize(
    ("request_gi", "ram_gi", "swap_gi", "expected"),
    [(1, 80, 4, 53687091), (2, 40, 2, 107374182), (5, 150, 40, 1431655765)],
)
def test_limited_swap_golden_vectors(request_gi, ram_gi, swap_gi, expected):
    assert float(swap_limit_bytes(request_gi * GI, ram_gi * GI, swap_gi * GI)) == expected


def test_limited_swap_over_rows_and_its_edges():
    limits = swap_limit_bytes(
        np.array([1.0 * GI, 0.0, 9.0 * GI, GI, np.nan, GI, GI]),
        np.array([80.0 * GI, 80 * GI, 8 * GI, 0, GI, np.nan, 80 * GI]),
        np.array([4.0 * GI, 4 * GI, 4 * GI, 4 * GI, GI, GI, np.nan]),
    )
    assert limits[:4].tolist() == [53687091, 0, 0, 0]
    assert np.isnan(limits[4:]).all()


def test_which_containers_get_none():
    assert gets_swap(container(GI))
    assert gets_swap(container(GI, 2 * GI))
    assert not gets_swap(container(GI, GI))
    assert not gets_swap(container())
    assert not gets_swap(container(0, GI))


def test_which_pods_get_none():
    vm = [container(8 * GI), container(35e6, 60e6, init=True, restartable_init=True)]
    assert eligible_request_bytes(vm) == 8 * GI + 35e6
    assert eligible_request_bytes(vm, static=True) == 0
    assert eligible_request_bytes(vm, priority=2_000_000_000) == 0
    assert eligible_request_bytes(vm, priority=1_999_999_999) == 8 * GI + 35e6
    assert eligible_request_bytes([container()]) == 0
    guaranteed = container(GI, GI, requests_cpu_cores=1, limits_cpu_cores=1)
    assert eligible_request_bytes([guaranteed]) == 0
    # One container that is Guaranteed by itself in a Burstable pod gets none, the other one does.
    assert eligible_request_bytes([guaranteed, container(3 * GI)]) == 3 * GI
    # An init container that has ended holds no swap.
    assert eligible_request_bytes([container(GI), container(5 * GI, init=True)]) == GI


def test_sizing():
    assert float(swap_needed_bytes(16e9, 1.5)) == 8e9
    assert swap_needed_bytes(np.array([16e9, 16e9, np.nan]), np.array([1.0, 0.8, 1.5])).tolist()[:2] == [0, 0]
    assert np.isnan(swap_needed_bytes(np.nan, 1.5))
    assert float(virtual_memory_bytes(256 * GI, 128 * GI)) == 384 * GI
    assert np.isnan(virtual_memory_bytes(256 * GI, np.nan))


def test_the_references_example_fits_into_its_own_share():
    # 32Gi at 150 % on a node of 256Gi with half as much swap: 21.65 + 10.82 = 32.47 >= 32.32 Gi.
    at = Cluster(version=KubeVirtVersion.parse("1.9.0"), overcommit_percent=150)
    rendered = render(Guest(guest_memory_bytes=32 * GI, vcpus=8), at)
    request = rendered.requests.memory_bytes
    own = float(share_bytes(request, request, 256 * GI, 128 * GI))
    commit = 32 * GI + rendered.overhead_bytes
    assert request / GI == pytest.approx(21.65, abs=0.005)
    assert (own - request) / GI == pytest.approx(10.82, abs=0.01)
    assert commit / GI == pytest.approx(32.32, abs=0.005)
    assert is_covered(commit, own)
    assert not is_covered(commit, share_bytes(request, request, 256 * GI, 100 * GI))
    assert not is_covered(np.nan, own)


@given(
    st.integers(2**28, 2**38),
    st.integers(1, 64),
    st.integers(100, 400),
    st.sampled_from(["1.4.0", "1.6.3", "1.7.1", "main"]),
)
def test_swap_sized_by_the_rule_covers_every_vm(guest, vcpus, percent, version):
    rendered = render(
        Guest(guest_memory_bytes=guest, vcpus=vcpus),
        Cluster(version=KubeVirtVersion.parse(version), overcommit_percent=percent),
    )
    ram = 2.0**39
    request = rendered.requests.memory_bytes
    own = share_bytes(request, request, ram, swap_needed_bytes(ram, percent / 100))
    # Two bytes for the two roundings down, and one part in 10^12 for floating point.
    assert is_covered(guest + rendered.overhead_bytes, own * (1 + 1e-12) + 8)


def test_worst_case_counts_every_vm_once():
    node = np.array([0, 0, 1, 1])
    commit = np.array([10.0, 10.0, 10.0, np.nan])
    own = np.array([8.0, np.inf, 12.0, 5.0])
    assert worst_case_bytes(node, 3, commit, own, np.array([1.0, 2.0, 3.0])).tolist() == [19, 17, 3]
    both = worst_case_bytes(node, 3, np.array([np.nan] * 4), np.array([np.nan, 1, 1, 1]), np.array([1.0, 1.0, np.nan]))
    assert np.isnan(both[[0, 2]]).all()
    assert both[1] == 3


def test_virtual_commit_takes_the_present_use_of_vms_off():
    commit = virtual_commit_bytes(np.array([100.0]), np.array([10.0]), np.array([60.0]), np.array([150.0]))
    assert commit.tolist() == [180]
    assert np.isnan(virtual_commit_bytes(np.array([np.nan]), np.array([0.0]), np.array([0.0]), np.array([1.0])))


def test_underflowed_counters_are_dropped_and_not_zero():
    values = plausible(np.array([0.0, 5.0, 2.0**63, 1.8446744073709552e19, -1.0, np.nan]))
    assert values[:2].tolist() == [0, 5]
    assert np.isnan(values[2:]).all()
    assert np.isnan(swap_left_bytes(8.0, 1.8446744073709552e19))
    assert swap_left_bytes(np.array([8.0, 8.0]), np.array([3.0, 9.0])).tolist() == [5, 0]


def test_rates_count_pages():
    rate = page_rate_bytes_per_second(
        np.array([100.0, 100.0, 100.0, np.nan, 0.0]),
        np.array([400.0, 50.0, 400.0, 400.0, 2.0**63]),
        np.array([30.0, 30, 0, 30, 30]),
    )
    assert rate[0] == 10 * 4096
    assert np.isnan(rate[1:]).all()
    assert float(page_rate_bytes_per_second(0, 10, 1, page_bytes=65536)) == 655360


sizes = st.floats(0, 2.0**42) | st.integers(0, 2**42).map(float)


@given(sizes, sizes, sizes, sizes)
def test_a_limit_is_bounded_by_the_swap_and_grows_with_the_request(request, more, ram, swap):
    limit = float(swap_limit_bytes(request, ram, swap))
    assert 0 <= limit <= swap
    assert limit == int(limit)
    if request + more <= ram:
        assert float(swap_limit_bytes(request + more, ram, swap)) >= limit
