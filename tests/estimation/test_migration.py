from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ullage.estimation.migration import (
    CONVERGENCE_RATIO,
    NIC_BYTES_PER_SECOND,
    NOT_MIGRATABLE,
    EvictionOutcome,
    Launcher,
    MigrationEnd,
    MigrationSettings,
    cooldown_seconds,
    deadline_seconds,
    effective_bandwidth,
    evict,
    expected_end,
    kubevirt_defaults,
    openshift_defaults,
    precopy,
    waves,
    why_not_migratable,
)
from ullage.estimation.overhead import GI, KubeVirtVersion
from ullage.model.state import EvictionStrategy


def version(text):
    return KubeVirtVersion.parse(text)


@pytest.mark.parametrize(("per_unit", "expected"), [(150, 5250), (20, 700), (800, 28000)])
def test_golden_deadlines_of_32_gi(per_unit, expected):
    assert float(deadline_seconds(32 * GI, per_unit)) == expected


def test_every_decimal_gigabyte_begun_counts():
    assert deadline_seconds(np.array([0, 1, 1e9, 1e9 + 1]), 150).tolist() == [0, 150, 150, 300]
    assert np.isnan(deadline_seconds(np.nan, 150))


@pytest.mark.parametrize(
    ("text", "timeout", "downtime"),
    [("1.3.1", 800, 0.3), ("1.4.0", 150, 0.3), ("1.8.4", 150, 0.3), ("1.9.0", 150, 0.9), ("main", 150, 0.9)],
)
def test_defaults_by_version(text, timeout, downtime):
    settings = kubevirt_defaults(version(text))
    assert settings.completion_timeout_per_gib_seconds == timeout
    assert settings.max_downtime_seconds == downtime
    assert (settings.parallel_per_cluster, settings.parallel_outbound_per_node) == (5, 2)


def test_openshift_goes_over_to_shorter_deadlines():
    assert openshift_defaults(version("1.3.1")).completion_timeout_per_gib_seconds == 800
    assert openshift_defaults(version("1.8.4")).completion_timeout_per_gib_seconds == 150
    ahead = openshift_defaults(version("main"))
    assert (ahead.completion_timeout_per_gib_seconds, ahead.parallel_outbound_per_node) == (20, 1)


def test_bandwidth_is_shared_and_limited():
    assert float(effective_bandwidth(NIC_BYTES_PER_SECOND, 1, 1)) == 1.25e9
    assert effective_bandwidth(8e8, np.array([0, 1, 2, 2]), np.array([0, 1, 1, 4])).tolist() == [8e8, 8e8, 4e8, 2e8]
    assert float(effective_bandwidth(8e8, 1, 1, 64 * 2**20)) == 64 * 2**20


def test_an_idle_guest_needs_one_pass_and_an_empty_last_round():
    course = precopy(10e9, 0.0, 1e9)
    assert (float(course.converges), float(course.rounds)) == (1, 2)
    assert float(course.duration_seconds) == 10
    assert float(course.total_bytes) == 10e9


def test_rounds_shrink_by_the_dirty_share():
    # 8e9, 4e9, 2e9, 1e9, 0.5e9, and 0.25e9 fits into 0.3 s.
    course = precopy(8e9, 0.5e9, 1e9, 0.3)
    assert float(course.rounds) == 6
    assert float(course.total_bytes) == pytest.approx(15.75e9)
    assert float(course.duration_seconds) == pytest.approx(15.75)


def test_a_guest_that_dirties_as_fast_as_the_link_never_ends():
    course = precopy(8e9, np.array([0.89e9, 0.91e9, 2e9]), 1e9)
    assert course.converges.tolist() == [1, 0, 0]
    assert np.isinf(course.duration_seconds).tolist() == [False, True, True]
    assert np.isinf(course.total_bytes).tolist() == [False, True, True]
    assert np.isinf(course.rounds).tolist() == [False, True, True]


def test_what_fits_into_the_downtime_goes_at_once():
    course = precopy(0.2e9, 5e9, 1e9, 0.3)
    assert (float(course.converges), float(course.rounds), float(course.total_bytes)) == (1, 1, 0.2e9)


def test_unknown_is_unknown_and_no_bandwidth_is_never():
    course = precopy(np.array([np.nan, 1e9, 1e9, 1e9]), np.array([0, np.nan, 0, 0.0]), np.array([1e9, 1e9, np.nan, 0]))
    assert np.isnan(course.duration_seconds).tolist() == [True, True, True, False]
    assert np.isnan(course.converges).tolist() == [True, True, True, False]
    assert course.converges[3] == 0


memory = st.floats(1e6, 1e12)
share = st.floats(0, 0.99 * CONVERGENCE_RATIO)


@given(memory, share, st.floats(1e6, 1e10), st.floats(0.01, 5))
def test_precopy_agrees_with_a_loop(total, ratio, bandwidth, downtime):
    course = precopy(total, ratio * bandwidth, bandwidth, downtime)
    left, sent = total, 0.0
    for _ in range(10_000):
        sent += left
        if left <= bandwidth * downtime:
            break
        left *= ratio
    assert float(course.total_bytes) == pytest.approx(sent, rel=0.01, abs=bandwidth * downtime)
    assert total <= float(course.total_bytes) * (1 + 1e-9)
    assert float(course.duration_seconds) <= total / (bandwidth * (1 - ratio)) * (1 + 1e-9)


@given(memory, share, share, st.floats(1e6, 1e10))
def test_a_busier_guest_never_moves_faster(total, one, other, bandwidth):
    calm, busy = sorted((one, other))
    fast = float(precopy(total, calm * bandwidth, bandwidth).duration_seconds)
    assert fast <= float(precopy(total, busy * bandwidth, bandwidth).duration_seconds) * (1 + 1e-9)


@pytest.mark.parametrize(
    ("settings", "late"),
    [
        (MigrationSettings(), MigrationEnd.ABORTED),
        (MigrationSettings(allow_workload_disruption=True), MigrationEnd.PAUSED),
        (MigrationSettings(allow_post_copy=True), MigrationEnd.POST_COPY),
        (MigrationSettings(allow_post_copy=True, allow_workload_disruption=True), MigrationEnd.POST_COPY),
    ],
)
def test_how_it_ends(settings, late):
    course = precopy(8e9, np.array([0.1e9, 2e9, np.nan, 0.1e9]), 1e9)
    ends = expected_end(course, np.array([5250.0, 5250, 5250, 1]), settings)
    assert ends.dtype == np.int8
    assert ends.tolist() == [MigrationEnd.COMPLETES, late, MigrationEnd.UNKNOWN, late]


def test_waves():
    assert waves(np.array([0, 1, 5, 6]), 5).tolist() == [0, 1, 1, 2]
    assert float(waves(1, 0)) == np.inf


def test_cooldown_doubles_up_to_its_cap():
    assert cooldown_seconds(np.arange(8), 30.0).tolist() == [900, 900, 1800, 3600, 7200, 14400, 21600, 21600]
    assert cooldown_seconds(np.array([1, 2]), 1200.0).tolist() == [1200, 2400]
    assert float(cooldown_seconds(1, np.nan)) == 900
    assert float(cooldown_seconds(10**6, 30.0)) == 21600


TRIGGERED = 'Eviction triggered evacuation of VMI "shop/db"'
STUCK = "VMI db is configured with an eviction strategy but is not live-migratable"


@pytest.mark.parametrize(
    ("strategy", "migratable", "outcome", "reason"),
    [
        (EvictionStrategy.UNSET, True, EvictionOutcome.KILLED, ""),
        (EvictionStrategy.NONE, True, EvictionOutcome.KILLED, ""),
        (EvictionStrategy.LIVE_MIGRATE, True, EvictionOutcome.MOVED, TRIGGERED),
        (EvictionStrategy.LIVE_MIGRATE, False, EvictionOutcome.REFUSED, STUCK),
        (EvictionStrategy.LIVE_MIGRATE_IF_POSSIBLE, True, EvictionOutcome.MOVED, TRIGGERED),
        (EvictionStrategy.LIVE_MIGRATE_IF_POSSIBLE, False, EvictionOutcome.KILLED, ""),
        (EvictionStrategy.EXTERNAL, True, EvictionOutcome.EXTERNAL, TRIGGERED),
        (EvictionStrategy.EXTERNAL, False, EvictionOutcome.EXTERNAL, TRIGGERED),
    ],
)
def test_what_an_eviction_would_do(strategy, migratable, outcome, reason):
    found = evict(Launcher(namespace="shop", name="db", strategy=strategy, migratable=migratable))
    assert (found.outcome, found.reason) == (outcome, reason)


def test_special_pods():
    marked = Launcher(namespace="shop", name="db", strategy=EvictionStrategy.LIVE_MIGRATE, migratable=True, marked=True)
    assert evict(marked).outcome is EvictionOutcome.MOVED
    assert evict(marked).reason == f"Evacuation in progress: {TRIGGERED}"
    target = Launcher(
        namespace="shop", name="db", strategy=EvictionStrategy.LIVE_MIGRATE, migratable=True, migration_target=True
    )
    assert evict(target).outcome is EvictionOutcome.REFUSED
    assert evict(target).reason == "Eviction request for target Pod"
    assert evict(Launcher(namespace="shop", name="db", hotplug=True)).outcome is EvictionOutcome.REFUSED


@given(st.sampled_from(EvictionStrategy), *[st.booleans()] * 4)
def test_a_vm_that_wants_live_migration_is_never_killed(strategy, migratable, marked, target, hotplug):
    pod = Launcher(
        namespace="n",
        name="v",
        strategy=strategy,
        migratable=migratable,
        marked=marked,
        migration_target=target,
        hotplug=hotplug,
    )
    found = evict(pod)
    if strategy in (EvictionStrategy.LIVE_MIGRATE, EvictionStrategy.EXTERNAL):
        assert found.outcome is not EvictionOutcome.KILLED
    assert (found.reason == "") == (found.outcome is EvictionOutcome.KILLED)


def test_every_reason_has_a_sentence_of_its_own():
    assert len(NOT_MIGRATABLE) == 12
    assert all(text.endswith(".") for text in NOT_MIGRATABLE.values())
    assert all(one != other for one, other in itertools.combinations(NOT_MIGRATABLE.values(), 2))
    assert "ReadWriteMany" in why_not_migratable("DisksNotLiveMigratable")
    assert why_not_migratable("BrandNew") == "KubeVirt says BrandNew."
    assert why_not_migratable("") == "KubeVirt does not say why."
