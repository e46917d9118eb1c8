from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ullage.errors import UsageError
from ullage.estimation.overhead import (
    GI,
    MAIN,
    MI,
    KubeVirtVersion,
    Machine,
    has_page_table_term,
    overhead_bytes,
    overhead_parts,
    page_table_bytes,
)

VERSIONS = [
    KubeVirtVersion.parse(text)
    for text in (
        "0.59.0",
        "1.0.0",
        "1.1.0",
        "1.4.0",
        "1.4.1",
        "1.5.2",
        "1.5.3",
        "1.6.1",
        "1.6.4",
        "1.8.0",
        "1.9.0",
        "main",
    )
]


def version(text):
    return KubeVirtVersion.parse(text)


@pytest.mark.parametrize(
    ("text", "mi"),
    [
        ("0.59.0", 226),
        ("1.0.0", 226),
        ("1.4.0", 226),
        ("1.4.1", 231),
        ("1.5.0", 236),
        ("1.5.3", 236),
        ("1.6.0", 252),
        ("1.9.0", 252),
        ("1.9.3", 252),
        ("main", 272),
        ("1.10.0", 272),
    ],
)
def test_fixed_sum_of_each_version(text, mi):
    assert overhead_bytes(Machine(vcpus=4), version(text)) == (mi + 8 + 4 * 8) * MI


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.7.1", (1, 7, 1)),
        ("v1.7.1", (1, 7, 1)),
        ("1.6", (1, 6, 0)),
        ("v1.8.0-rc.1", (1, 8, 0)),
        ("1.9.0+abc", (1, 9, 0)),
        ("v1.9.0-12-gd923fdb", (1, 9, 0)),
        (" main ", MAIN),
    ],
)
def test_versions_are_read(text, expected):
    assert version(text) == expected


def test_main_is_later_than_every_release_and_prints_as_such():
    assert version("99.0.0") < MAIN
    assert str(MAIN) == "main"
    assert str(version("v1.7")) == "1.7.0"


@pytest.mark.parametrize("text", ["", "1", "latest", "1.x.0", "1.7.1.2", "0.58.0", "-1.0.0", "1.7.1\n\nx"])
def test_versions_that_cannot_be_used(text):
    with pytest.raises(UsageError) as caught:
        version(text)
    assert repr(text) in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "present"),
    [
        ("1.4.0", True),
        ("1.5.3", True),
        ("1.5.4", False),
        ("1.6.0", True),
        ("1.6.1", True),
        ("1.6.2", False),
        ("1.6.3", True),
        ("1.6.4", False),
        ("1.6.6", False),
        ("1.7.0", False),
        ("main", False),
    ],
)
def test_when_the_page_table_term_went(text, present):
    assert has_page_table_term(version(text)) is present


def test_page_tables_round_up_to_whole_thousands_first():
    assert page_table_bytes(32 * GI) == 67108865  # 64Mi and one byte
    assert page_table_bytes(0) == 0
    assert page_table_bytes(1) == 1000 // 512


@pytest.mark.parametrize(
    ("change", "mi"),
    [
        ({"arm64": True}, 128),
        ({"graphics": False}, -32),
        ({"vfio": True}, 1024),
        ({"downward_metrics": True}, 1),
        ({"exec_probes": 1}, 110),
        ({"exec_probes": 2}, 120),
        ({"sev": True}, 256),
        ({"tpm": True}, 53),
        ({"guaranteed": True}, 100),
        ({"passt": True}, 250),
        ({"added_overhead_bytes": 7 * MI}, 7),
        ({"network_binding_bytes": 500 * MI}, 500),
        ({"vcpus": 2}, 8),
    ],
)
def test_each_term_on_1_9(change, mi):
    plain = Machine()
    changed = msgspec.structs.replace(plain, **change)
    at = version("1.9.0")
    assert overhead_bytes(changed, at) - overhead_bytes(plain, at) == mi * MI


def test_terms_that_came_later():
    machine = Machine(guaranteed=True, passt=True, added_overhead_bytes=MI)

    def names(text):
        return {part.name for part in overhead_parts(machine, version(text), ratio=2.0)}

    assert not names("0.59.0") & {"guaranteed", "passt", "addedOverhead", "ratio"}
    assert names("1.0.0") & {"guaranteed", "passt", "addedOverhead", "ratio"} == {"ratio"}
    assert names("1.7.4") & {"guaranteed", "passt", "addedOverhead", "ratio"} == {"guaranteed", "ratio"}
    assert names("1.8.0") >= {"guaranteed", "passt", "addedOverhead", "ratio"}


def test_ratio_counts_whole_thousands_and_cuts():
    at, machine = version("1.4.0"), Machine(vcpus=8)
    base = overhead_bytes(machine, at, 32 * GI)
    assert base == 379584513
    assert overhead_bytes(machine, at, 32 * GI, 1.2) == base + int(379585 * (1.2 - 1.0)) * 1000
    assert overhead_bytes(machine, at, 32 * GI, 1.0) == base
    assert overhead_bytes(machine, at, 32 * GI, 0.5) == base - 189792000


def test_ratio_does_not_scale_network_bindings_nor_before_1_5_3_the_guaranteed_part():
    def extra(machine, text):
        return overhead_bytes(machine, version(text), ratio=2.0) - overhead_bytes(Machine(), version(text), ratio=2.0)

    assert extra(Machine(network_binding_bytes=MI), "1.9.0") == MI
    assert extra(Machine(guaranteed=True), "1.5.2") == 100 * MI
    assert extra(Machine(guaranteed=True), "1.5.3") == pytest.approx(200 * MI, abs=1000)


machines = st.builds(
    Machine,
    vcpus=st.integers(1, 512),
    arm64=st.booleans(),
    graphics=st.booleans(),
    vfio=st.booleans(),
    downward_metrics=st.booleans(),
    exec_probes=st.integers(0, 2),
    sev=st.booleans(),
    tpm=st.booleans(),
    guaranteed=st.booleans(),
    passt=st.booleans(),
    added_overhead_bytes=st.integers(0, GI),
    network_binding_bytes=st.integers(0, GI),
)


@given(machines, st.sampled_from(VERSIONS), st.integers(0, 2**45), st.none() | st.floats(1.0, 4.0))
def test_parts_sum_to_the_overhead_and_are_named_once(machine, at, request, ratio):
    parts = overhead_parts(machine, at, request, ratio)
    assert sum(part.bytes for part in parts) == overhead_bytes(machine, at, request, ratio)
    assert len({part.name for part in parts}) == len(parts)
    assert all(part.bytes > 0 for part in parts)


@given(machines, st.sampled_from(VERSIONS), st.integers(0, 2**45), st.integers(0, 2**40), st.floats(1.0, 4.0))
def test_overhead_grows_with_request_vcpus_and_ratio(machine, at, request, more, ratio):
    base = overhead_bytes(machine, at, request, ratio)
    bigger = msgspec.structs.replace(machine, vcpus=machine.vcpus + 1)
    assert overhead_bytes(machine, at, request + more, ratio) >= base
    assert overhead_bytes(bigger, at, request, ratio) >= base + 8 * MI
    assert overhead_bytes(machine, at, request, ratio + 0.5) >= base
    assert overhead_bytes(machine, at, request, None) <= base


@given(machines, st.integers(0, 2**45))
def test_newer_releases_never_need_less_for_the_same_request(machine, request):
    sizes = [overhead_bytes(machine, at, request) for at in VERSIONS]
    assert sizes == sorted(sizes)
