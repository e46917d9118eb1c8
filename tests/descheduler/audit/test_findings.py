"""Every finding is provoked once, a clean cluster has none, and what is not known is not made up."""

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from descheduler.audit import AuditReport, Severity, audit
from descheduler.audit.rules import RULES
from descheduler.report.audit import render
from tests.builders import Cluster
from tests.descheduler.audit.clusters import EVERYONE, PROVOKED, cluster, measured, node, vm
from ullage.config import defaults
from ullage.estimation.migration import EvictionOutcome, Launcher, evict
from ullage.model.arrays import frozen
from ullage.model.codes import CODES, Topic
from ullage.model.measures import Measures, NodeMeasure, WorkloadMeasure
from ullage.model.state import ClusterState, EvictionStrategy

GIB = 2**30
GOLDEN = Path(__file__).with_name("golden.json")
FINDINGS = [code.name for code in CODES.values() if code.topic is Topic.FINDING]


def examined(state: ClusterState, later: float = 0.0) -> AuditReport:
    return audit(state, defaults(), state.observed_at_seconds + later)


def codes(state: ClusterState) -> list[str]:
    return [found.code for found in examined(state).status.findings]


def only(state: ClusterState, code: str):
    (found,) = (each for each in examined(state).status.findings if each.code == code)
    return found


def test_a_clean_cluster_has_no_finding() -> None:
    status = examined(cluster()).status
    assert status.findings == ()
    assert [note.code for note in status.notes] == ["sysctls-not-visible"]
    assert (status.summary.critical, status.summary.warning, status.summary.info) == (0, 0, 0)


def test_every_rule_has_its_code_and_every_code_its_rule() -> None:
    assert sorted(rule.__name__.replace("_", "-") for rule in RULES) == sorted(FINDINGS) == sorted(PROVOKED)


@pytest.mark.parametrize("code", FINDINGS)
def test_every_finding_is_provoked(code: str) -> None:
    found = only(PROVOKED[code](), code)
    assert found.remedy == CODES[code].remedy != ""
    assert found.text.endswith(".")
    assert found.numbers
    assert any(value is not None for value in found.numbers.values()) or code == "memory-pressure"
    assert all(value is None or math.isfinite(value) for value in found.numbers.values())


def swap_used(share: float) -> ClusterState:
    return cluster({"a": {"use_swap": share * 34 * GIB}})


@pytest.mark.parametrize(
    ("code", "state", "severity"),
    [
        ("swap-nearly-full", swap_used(0.79), None),
        ("swap-nearly-full", swap_used(0.81), Severity.WARNING),
        ("swap-nearly-full", swap_used(0.96), Severity.CRITICAL),
        ("memory-stalled", cluster({"a": measured(psi_memory_some_ratio=0.24)}), None),
        ("memory-stalled", cluster({"a": measured(psi_memory_some_ratio=0.51)}), Severity.CRITICAL),
        ("swap-storm", cluster({"a": measured(swap_in_bytes_per_second="9Mi")}), None),
        (
            "swap-storm",
            cluster({"a": measured(swap_in_bytes_per_second="9Mi", swap_out_bytes_per_second="5Mi")}),
            Severity.CRITICAL,
        ),
        (
            "exhaustion-near",
            cluster(
                {"a": measured(memory_growth_bytes_per_second="20Mi", memory_growth_deviation_bytes_per_second="1Mi")}
            ),
            Severity.CRITICAL,
        ),
        ("exhaustion-near", cluster({"a": measured(memory_growth_bytes_per_second="20Mi")}), None),
        ("swap-too-small", cluster({"a": {"swap": "33Gi"}}), None),
        ("memory-over", cluster({"a": {"use_memory": "51Gi"}}), None),
        ("share-too-small", cluster(vms={"a-1": {"overhead": "600Mi"}}), None),
        ("over-reserved", cluster(more=lambda b: b.pod("w/p", "a", requests_memory="1Gi", use_memory="1Mi")), None),
    ],
)
def test_severities_at_their_bounds(code: str, state: ClusterState, severity: Severity | None) -> None:
    found = [each.severity for each in examined(state).status.findings if each.code == code]
    assert found == ([] if severity is None else [severity])


def test_swap_is_sized_by_the_overcommit() -> None:
    found = only(PROVOKED["swap-too-small"](), "swap-too-small")
    assert found.numbers == {
        "swapBytes": 16 * GIB,
        "neededBytes": 34 * GIB,
        "capacityBytes": 68 * GIB,
        "overcommitRatio": 1.5,
    }
    assert found.text == "16Gi of swap; 68Gi of RAM at 150% overcommit need 34Gi."


def test_vms_are_told_by_namespace() -> None:
    state = cluster(
        vms={
            "a-1": {"eviction_strategy": EvictionStrategy.UNSET},
            "b-1": {"eviction_strategy": EvictionStrategy.LIVE_MIGRATE_IF_POSSIBLE, "live_migratable": False},
            "b-2": {"eviction_strategy": EvictionStrategy.LIVE_MIGRATE_IF_POSSIBLE, "live_migratable": None},
            "c-1": {"eviction_strategy": EvictionStrategy.EXTERNAL, "live_migratable": False},
        }
    )
    found = only(state, "eviction-kills")
    assert found.members == ("shop/a-1", "shop/b-1")
    assert str(found.subject) == "namespace shop"
    assert found.text == (
        "An eviction would kill 2 VMs (a-1, b-1): 1 without an eviction strategy, "
        "1 with LiveMigrateIfPossible, but not migratable."
    )
    assert found.numbers == {"machines": 2, "withoutStrategy": 1, "notMigratable": 1}


def test_the_kubelet_also_evicts_when_pods_use_all_that_is_allocatable() -> None:
    full = {"a-1": {"use_memory": "33Gi"}, "a-2": {"use_memory": "32Gi"}}
    found = only(cluster({"a": {"use_memory": "66Gi"}}, full), "eviction-near")
    assert found.text == (
        "Pods use 65Gi of 64Gi allocatable; the kubelet evicts from there on. First to go: shop/a-1, shop/a-2."
    )
    assert (found.numbers["podsBytes"], found.numbers["allocatableBytes"]) == (65 * GIB, 64 * GIB)
    assert "eviction-near" not in codes(cluster({"a": {"use_memory": "66Gi"}}, {"a-1": {"use_memory": "33Gi"}}))


def test_why_a_drain_is_blocked() -> None:
    def stuck(reason: str) -> dict[str, object]:
        return {"live_migratable": False, "blocked_reason": reason}

    disks, bridge = "DisksNotLiveMigratable: PVC root is not shared", "InterfaceNotLiveMigratable"
    found = only(cluster(vms={"a-1": stuck(bridge), "b-1": stuck(disks), "c-1": stuck(disks)}), "drain-blocked")
    assert found.text == (
        "3 VMs (a-1, b-1, c-1) must migrate and cannot: DisksNotLiveMigratable 2, InterfaceNotLiveMigratable 1. "
        "A disk is on storage that only one node can use: a volume that is not ReadWriteMany, or an unshared hostDisk."
    )
    unsaid = only(cluster(vms={"a-1": stuck("")}), "drain-blocked")
    assert unsaid.text.endswith("no reason given 1. KubeVirt does not say why.")


@pytest.mark.parametrize("strategy", EvictionStrategy)
@pytest.mark.parametrize("migratable", [True, False])
def test_evictions_are_judged_as_the_webhook_judges_them(strategy: EvictionStrategy, migratable: bool) -> None:
    state = cluster(vms={"a-1": {"eviction_strategy": strategy, "live_migratable": migratable}})
    found = {code for code in codes(state) if code in {"eviction-kills", "drain-blocked"}}
    outcome = evict(Launcher(namespace="shop", name="a-1", strategy=strategy, migratable=migratable)).outcome
    expected = {EvictionOutcome.KILLED: {"eviction-kills"}, EvictionOutcome.REFUSED: {"drain-blocked"}}
    assert found == expected.get(outcome, set())


@pytest.mark.parametrize("counter", [2.0**63, 18446744073709547520.0])
def test_counters_that_went_below_zero_are_not_believed(counter: float) -> None:
    state = cluster()
    swap = (NodeMeasure.SWAP_USED_BYTES, NodeMeasure.SWAP_IN_BYTES_PER_SECOND, NodeMeasure.SWAP_OUT_BYTES_PER_SECOND)
    nodes = with_value(state.nodes.measures, (*swap, NodeMeasure.KSM_SAVED_BYTES), counter)
    workloads = with_value(state.workloads.measures, (WorkloadMeasure.SWAP_USED_BYTES,), counter)
    status = examined(
        replace(
            state,
            nodes=replace(state.nodes, measures=nodes),
            workloads=replace(state.workloads, measures=workloads),
        )
    ).status
    assert status.findings == ()
    assert [figures.swap_used_bytes for figures in status.nodes] == [None, None, None]
    assert [figures.oom_next for figures in status.nodes] == [f.oom_next for f in examined(state).status.nodes]


def with_value(measures: Measures, columns: Sequence[int], value: float) -> Measures:
    changed, age = measures.value.copy(), measures.age_seconds.copy()
    changed[:, list(columns)], age[:, list(columns)] = value, 10.0
    source = np.where(np.isnan(changed), -1, 0)
    return Measures(frozen(changed, np.float64), frozen(age, np.float64), frozen(source, np.int8))


def test_the_bearable_overcommit_is_target_times_guests_over_peaks() -> None:
    found = only(PROVOKED["overcommit-room"](), "overcommit-room")
    assert found.numbers["bearableOvercommitRatio"] == round(0.8 * 6 * 24 / (6 * 9), 6)
    assert found.numbers["nodesAtRisk"] == 0
    uneven = cluster(vms={name: {"use_memory": "19Gi" if name.startswith("a") else "5Gi"} for name in EVERYONE})
    found = only(uneven, "overcommit-room")
    # 0.8 x 144 / 58 = 1.99; node a has guests of 48 and peaks of 38: 1.57 of its memory.
    assert found.numbers["nodesAtRisk"] == 1
    assert found.numbers["riskRatio"] == round(1 / 3, 6)
    assert "read only once" not in found.text


def test_one_reading_is_said_to_be_one() -> None:
    unspread = {
        name: {"use_memory": "9Gi", "measures": {WorkloadMeasure.MEMORY_DEVIATION_BYTES: None}} for name in EVERYONE
    }
    assert "Each VM was read only once" in only(cluster(vms=unspread), "overcommit-room").text


def test_who_over_reserves_and_by_how_much() -> None:
    def add(builder: Cluster) -> None:
        builder.pod("web/p-1", "a", requests_memory="4Gi", use_memory="1Gi", owner=("ReplicaSet", "web"))
        builder.pod("web/p-2", "b", requests_memory="4Gi", use_memory="1Gi", owner=("ReplicaSet", "web"))
        builder.pod("web/q", "b", requests_memory="3Gi", use_memory="1Gi")
        builder.pod("web/unmeasured", "b", requests_memory="50Gi", use_memory=None)

    found = only(cluster(more=add), "over-reserved")
    assert found.numbers["unusedBytes"] == 8 * GIB
    assert found.text.endswith("8Gi unused. Most: web 6Gi, q 2Gi.")


def test_a_plain_dump_gets_one_note_and_no_finding_on_pressure() -> None:
    builder = Cluster()
    for name in ("a", "b"):
        builder.node(name, capacity={"memory": "68Gi"}, swap="34Gi").vm(f"shop/{name}", name)
    notes = [note.code for note in examined(builder.build()).status.notes]
    assert notes == ["pressure-not-visible", "sysctls-not-visible"]
    assert "psi-off" not in codes(builder.build())


def test_figures_of_a_node() -> None:
    figures = examined(cluster({"a": {"use_swap": "4Gi"}})).status.nodes[0]
    assert (figures.name, figures.allocatable_bytes, figures.working_set_bytes) == ("a", 64 * GIB, 26 * GIB)
    assert (figures.swap_bytes, figures.swap_used_bytes, figures.swap_left_bytes) == (34 * GIB, 4 * GIB, 30 * GIB)
    assert figures.committed_bytes == 2 * (24 * GIB + 300 * 2**20)
    assert figures.worst_case_ratio == round(figures.committed_bytes / (98 * GIB), 6)
    assert figures.memory_ratio == round(26 / 64, 6)
    assert figures.dies_next == ("shop/a-1", "shop/a-2")


def blind(state: ClusterState) -> ClusterState:
    nodes, workloads = state.nodes, state.workloads
    return replace(
        state,
        nodes=replace(nodes, measures=Measures.none(len(nodes), NodeMeasure)),
        workloads=replace(workloads, measures=without(workloads.measures, np.ones(workloads.measures.value.shape))),
    )


def without(measures: Measures, mask: np.ndarray) -> Measures:
    gone = mask.astype(bool)
    return Measures(
        frozen(np.where(gone, np.nan, measures.value), np.float64),
        frozen(np.where(gone, np.nan, measures.age_seconds), np.float64),
        frozen(np.where(gone, -1, measures.source), np.int8),
    )


def test_missing_is_not_zero() -> None:
    status = examined(blind(cluster())).status
    assert [found.code for found in status.findings] == ["metrics-missing"]
    for figures in status.nodes:
        assert figures.working_set_bytes is figures.memory_ratio is figures.swap_left_bytes is None
        assert figures.dies_next == figures.oom_next == ()
    assert status.summary.bearable_overcommit_ratio is None


def test_measures_age_until_now() -> None:
    state = cluster()
    assert examined(state, 280).status.findings == ()
    (found,) = examined(state, 300).status.findings
    assert (found.code, found.numbers["stale"], found.numbers["oldestSeconds"]) == ("metrics-missing", 3, 310)


@pytest.mark.parametrize("swap", [None, 0])
def test_swap_that_is_not_reported_is_not_missing(swap: int | None) -> None:
    found = codes(cluster({name: {"swap": swap} for name in "abc"}))
    assert found == ([] if swap is None else ["swap-missing"] * 3)


@given(st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_no_gap_is_a_fault(seed: int, share: float) -> None:
    draw = np.random.default_rng(seed)
    state = PROVOKED[FINDINGS[seed % len(FINDINGS)]]()

    def holed(columns, *names: str):
        changed = {name: getattr(columns, name).copy() for name in names}
        for column in changed.values():
            column[draw.random(column.shape) < share] = np.nan
        changed["measures"] = without(columns.measures, draw.random(columns.measures.value.shape) < share)
        return replace(columns, **changed)

    report = examined(
        replace(
            state,
            nodes=holed(state.nodes, "allocatable", "capacity", "swap_capacity_bytes"),
            workloads=holed(state.workloads, "limits", "guest_memory_bytes", "overhead_bytes"),
        )
    )
    json.loads(msgspec.json.encode(report), parse_constant=lambda name: pytest.fail(name))
    for found in report.status.findings:
        assert "nan" not in found.text


@given(st.permutations(EVERYONE), st.permutations("abc"))
def test_the_order_of_the_input_does_not_show(vms, nodes) -> None:
    builder = Cluster().kubevirt(memory_overcommit_ratio=1.5)
    for name in nodes:
        builder.node(name, **node(swap=0))
    for name in vms:
        builder.vm(f"shop/{name}", name[0], **vm(eviction_strategy=EvictionStrategy.NONE))
    usual = cluster(
        {name: {"swap": 0} for name in "abc"}, {n: {"eviction_strategy": EvictionStrategy.NONE} for n in EVERYONE}
    )
    assert render(examined(builder.build()), "json") == render(examined(usual), "json")


def test_an_empty_cluster() -> None:
    status = examined(Cluster().build()).status
    assert status.findings == status.nodes == status.notes == ()


def small() -> ClusterState:
    return cluster(
        {"a": {"swap": 0, **measured(psi_memory_some_ratio=0.6)}, "b": {"use_swap": "30Gi"}},
        {"a-1": {"eviction_strategy": EvictionStrategy.NONE}, "c-1": {"use_memory": None}},
    )


def test_golden() -> None:
    assert render(examined(small()), "json") == GOLDEN.read_text(encoding="utf-8")


def test_the_report_reads_back() -> None:
    report = examined(small())
    assert msgspec.json.decode(render(report, "json"), type=AuditReport) == report
