from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ullage.errors import UsageError
from ullage.estimation.overhead import GI, MI, KubeVirtVersion, Machine
from ullage.estimation.requests import (
    Cluster,
    Guest,
    first_known,
    guest_request_bytes,
    instancetype_request_bytes,
    pod_request_bytes,
    pod_request_millis,
    render,
    sidecars,
)
from ullage.model.qos import QoS, qos_of

GUEST = Guest(guest_memory_bytes=32 * GI, vcpus=8)


def cluster(version="1.4.0", **rest):
    return Cluster(version=KubeVirtVersion.parse(version), **rest)


def memory(guest, at):
    return render(guest, at).requests.memory_bytes


# Section 1.4 of the reference: a guest of 32Gi with 8 vCPUs.
@pytest.mark.parametrize(
    ("versions", "request_bytes", "overhead"),
    [
        (("0.59.0", "1.0.0", "1.3.1", "1.4.0"), 34739322881, 362 * MI + 1),
        (("1.4.1",), 34744565761, 367 * MI + 1),
        (("1.5.0", "1.5.2", "1.5.3"), 34749808641, 372 * MI + 1),
        (("1.6.0", "1.6.1", "1.6.3"), 34766585857, 388 * MI + 1),
        (("1.6.2", "1.6.4", "1.6.6", "1.7.0", "1.7.1", "1.8.4", "1.9.0"), 34699476992, 324 * MI),
        (("main",), 34720448512, 344 * MI),
    ],
)
def test_golden_rows_without_overcommit(versions, request_bytes, overhead):
    for version in versions:
        rendered = render(GUEST, cluster(version))
        assert rendered.requests.memory_bytes == request_bytes
        assert rendered.overhead_bytes == overhead
        assert rendered.requests.cpu_millis == 800
        assert rendered.limits.memory_bytes is None
        assert rendered.limits.cpu_millis is None


@pytest.mark.parametrize("version", ["1.6.0", "1.6.4", "1.7.1", "1.8.0", "1.9.0"])
def test_golden_row_with_an_explicit_request(version):
    guest = msgspec.structs.replace(GUEST, requests_memory_bytes=32 * GI)
    assert memory(guest, cluster(version)) == 34766585857


@pytest.mark.parametrize(
    ("version", "percent", "request_bytes"),
    [
        ("1.4.0", 150, 23263707137),
        ("1.7.0", 150, 23246230869),
        ("1.9.0", 150, 23246230869),
        ("1.4.0", 200, 17525899265),
        ("1.7.0", 200, 17519607808),
        ("1.9.0", 200, 17519607808),
    ],
)
def test_golden_rows_with_overcommit(version, percent, request_bytes):
    assert memory(GUEST, cluster(version, overcommit_percent=percent)) == request_bytes


def test_an_explicit_request_or_limit_disables_the_overcommit():
    at = cluster("1.9.0", overcommit_percent=200)
    assert guest_request_bytes(msgspec.structs.replace(GUEST, requests_memory_bytes=5 * GI), 200) == 5 * GI
    assert guest_request_bytes(msgspec.structs.replace(GUEST, limits_memory_bytes=6 * GI), 200) == 6 * GI
    limited = render(msgspec.structs.replace(GUEST, limits_memory_bytes=6 * GI), at)
    assert limited.requests.memory_bytes == limited.limits.memory_bytes == 6 * GI + limited.overhead_bytes


def test_overcommit_guest_overhead_leaves_it_out_of_the_request_only():
    guest = msgspec.structs.replace(
        GUEST, requests_memory_bytes=8 * GI, limits_memory_bytes=16 * GI, overcommit_guest_overhead=True
    )
    rendered = render(guest, cluster("1.9.0"))
    assert rendered.requests.memory_bytes == 8 * GI
    assert rendered.limits.memory_bytes == 16 * GI + rendered.overhead_bytes


@pytest.mark.parametrize(("ratio", "limit"), [(2.0, 69478645762), (1.0, 34739322881), (1.5, 52108984321)])
def test_automatic_limits_under_a_quota(ratio, limit):
    assert render(GUEST, cluster(memory_limit_ratio=ratio)).limits.memory_bytes == limit


def test_a_limit_of_its_own_wins_over_the_automatic_one():
    guest = msgspec.structs.replace(GUEST, limits_memory_bytes=40 * GI, requests_memory_bytes=32 * GI)
    rendered = render(guest, cluster(memory_limit_ratio=2.0))
    assert rendered.limits.memory_bytes == 40 * GI + rendered.overhead_bytes


def test_hugepages_back_the_guest_and_only_the_overhead_is_requested():
    guest = msgspec.structs.replace(GUEST, hugepages_bytes=GI)
    rendered = render(guest, cluster("1.4.0"))
    assert rendered.requests.hugepages_bytes == rendered.limits.hugepages_bytes == 32 * GI
    assert rendered.requests.memory_bytes == rendered.overhead_bytes == 362 * MI + 1
    more = msgspec.structs.replace(guest, requests_memory_bytes=33 * GI)
    rendered = render(more, cluster("1.9.0"))
    assert rendered.requests.hugepages_bytes == 32 * GI
    assert rendered.requests.memory_bytes == GI + rendered.overhead_bytes


def test_a_vm_without_guest_memory_gets_one_hugepage():
    assert guest_request_bytes(Guest(hugepages_bytes=2 * MI)) == 2 * MI


def test_dedicated_cpus_make_limits_equal_requests_and_cost_100_mi():
    plain = render(GUEST, cluster("1.9.0"))
    pinned = render(msgspec.structs.replace(GUEST, dedicated_cpus=True, isolate_emulator_thread=True), cluster("1.9.0"))
    assert pinned.requests == pinned.limits
    assert pinned.requests.cpu_millis == 9000
    assert pinned.overhead_bytes == plain.overhead_bytes + 100 * MI


@pytest.mark.parametrize(
    ("change", "guaranteed"),
    [
        ({}, False),
        ({"requests_memory_bytes": GI, "limits_memory_bytes": GI}, False),
        (
            {
                "requests_memory_bytes": GI,
                "limits_memory_bytes": GI,
                "requests_cpu_millis": 1000,
                "limits_cpu_millis": 1000,
            },
            True,
        ),
        ({"limits_memory_bytes": GI, "limits_cpu_millis": 1000}, True),
        (
            {
                "requests_memory_bytes": GI,
                "limits_memory_bytes": 2 * GI,
                "requests_cpu_millis": 1000,
                "limits_cpu_millis": 1000,
            },
            False,
        ),
        ({"dedicated_cpus": True}, True),
    ],
)
def test_who_is_guaranteed(change, guaranteed):
    guest = msgspec.structs.replace(GUEST, **change)
    assert guest.is_guaranteed is guaranteed
    assert ("guaranteed" in {part.name for part in render(guest, cluster("1.9.0")).parts}) is guaranteed


@pytest.mark.parametrize(
    ("vcpus", "threads", "ratio", "millis"),
    [(8, 0, 10, 800), (1, 0, 10, 100), (12, 0, 10, 1200), (1, 0, 3, 334), (4, 0, 1, 4000), (8, 2, 10, 1000)],
)
def test_cpu_request(vcpus, threads, ratio, millis):
    guest = Guest(guest_memory_bytes=GI, vcpus=vcpus, io_threads=threads)
    assert render(guest, cluster(cpu_allocation_ratio=ratio)).requests.cpu_millis == millis


def test_an_explicit_cpu_request_wins():
    guest = msgspec.structs.replace(GUEST, requests_cpu_millis=250)
    assert render(guest, cluster()).requests.cpu_millis == 250


@pytest.mark.parametrize(
    ("guest", "percent", "expected"),
    [(32 * GI, 50, 16 * GI), (8 * GI, 25, 6 * GI), (4 * GI, 100, 0), (8 * GI, 15, 7301444608), (8 * GI, 0, None)],
)
def test_instancetype_overcommit(guest, percent, expected):
    assert instancetype_request_bytes(guest, percent) == expected


def test_bad_settings_are_told():
    with pytest.raises(UsageError, match="no memory"):
        guest_request_bytes(Guest())
    with pytest.raises(UsageError, match="overcommit of 5 %"):
        guest_request_bytes(GUEST, 5)
    with pytest.raises(UsageError, match="cpuAllocationRatio 0"):
        render(GUEST, cluster(cpu_allocation_ratio=0))
    with pytest.raises(UsageError, match="overcommitPercent 101"):
        instancetype_request_bytes(GI, 101)


def test_the_pod_asks_for_its_sidecars_too():
    guest = msgspec.structs.replace(GUEST, container_disks=2)
    rendered = render(guest, cluster())
    assert pod_request_bytes(rendered, guest) == 34739322881 + 35_000_000 + 2 * 1_000_000
    assert pod_request_millis(rendered, guest) == 800 + 5 + 2
    assert [each.restartable_init for each in sidecars(guest)] == [True, False, False]
    assert qos_of(sidecars(msgspec.structs.replace(guest, dedicated_cpus=True))) is QoS.GUARANTEED
    assert sidecars(Guest(console_log=False)) == ()


def test_what_the_cluster_tells_wins_over_the_formula():
    reported = np.array([34699476992.0, np.nan, np.nan])
    annotated = np.array([1.0, 300.0, np.nan])
    assert first_known(reported, annotated, 42.0).tolist() == [34699476992.0, 300.0, 42.0]
    assert np.isnan(first_known(reported, annotated)[2])


guests = st.builds(
    Guest,
    guest_memory_bytes=st.integers(2**20, 2**43),
    vcpus=st.integers(1, 256),
    overcommit_guest_overhead=st.booleans(),
    dedicated_cpus=st.booleans(),
    machine=st.builds(Machine, tpm=st.booleans(), vfio=st.booleans(), arm64=st.booleans()),
)
versions = st.sampled_from(["0.59.0", "1.4.0", "1.5.3", "1.6.3", "1.6.4", "1.9.0", "main"])


@given(guests, versions, st.integers(10, 400), st.integers(0, 200))
def test_more_overcommit_never_requests_more(guest, version, percent, more):
    less = memory(guest, cluster(version, overcommit_percent=percent + more))
    assert less <= memory(guest, cluster(version, overcommit_percent=percent))


@given(guests, versions, st.integers(100, 400))
def test_request_is_the_guests_share_plus_an_overhead_that_is_not_divided(guest, version, percent):
    rendered = render(guest, cluster(version, overcommit_percent=percent))
    own = guest.guest_memory_bytes * 100 // percent
    overhead = 0 if guest.overcommit_guest_overhead else rendered.overhead_bytes
    assert rendered.requests.memory_bytes == own + overhead
    assert rendered.overhead_bytes == sum(part.bytes for part in rendered.parts)
    assert rendered.limits.memory_bytes is None or rendered.limits.memory_bytes >= rendered.requests.memory_bytes


@given(guests, versions, st.integers(0, 2**40))
def test_a_bigger_guest_never_requests_less(guest, version, more):
    bigger = msgspec.structs.replace(guest, guest_memory_bytes=guest.guest_memory_bytes + more)
    assert memory(bigger, cluster(version)) >= memory(guest, cluster(version)) + more
