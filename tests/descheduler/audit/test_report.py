"""The audit as text, as data and as a page: complete, quiet where nothing was found, and safe for where it is shown."""

import csv
import io
import json
import re

import msgspec
import pytest
import yaml

from descheduler.audit import AuditReport, Severity, audit
from descheduler.audit.findings import Finding, ObjectRef
from descheduler.report.audit import FORMATS, render
from descheduler.report.audit_html import page
from simulator.generator import ClusterSpec, generate
from tests.descheduler.audit.clusters import PROVOKED, cluster
from tests.descheduler.audit.test_findings import examined, small
from tests.descheduler.report.test_html import Page
from ullage.config import defaults
from ullage.errors import UsageError

HOSTILE = "<script>alert('x')</script>\x1b[31m=cmd|\u202e"


def hostile() -> AuditReport:
    """Names, texts and codes that try to get out of their place."""
    report = examined(small())
    found = Finding(
        HOSTILE, Severity.CRITICAL, ObjectRef("Node", "", HOSTILE), HOSTILE, {HOSTILE: 1}, HOSTILE, (HOSTILE,)
    )
    node = msgspec.structs.replace(report.status.nodes[0], name=HOSTILE, dies_next=(HOSTILE,), oom_next=(HOSTILE,))
    notes = (msgspec.structs.replace(report.status.notes[0], code=HOSTILE, text=HOSTILE),)
    status = msgspec.structs.replace(report.status, findings=(found,), nodes=(node,), notes=notes)
    return msgspec.structs.replace(report, status=status)


def test_the_table_of_a_small_audit() -> None:
    text = render(examined(small()), "table", width=100)
    assert text.startswith(
        "1 critical and 3 warnings on 3 nodes with 6 workloads. Observed 1970-01-12T13:46:40Z.\n\n"
        "CRITICAL memory-stalled\n"
        "  a: Some task waits for memory 60.0% of the time.\n"
        "  What helps: Move VMs off the node, or add RAM; faster swap shortens the waits.\n\n"
        "WARNING swap-nearly-full\n"
        "  b: 30Gi of 34Gi swap in use (88.2%); 4Gi left.\n"
    )
    lines = text.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("NODE "))
    assert lines[start].split() == [
        "NODE", "USED", "PEAK", "REQUESTED", "OVERCOMMIT", "WORST-CASE", "SWAP-USED", "RAM-LASTS", "EVICTED-FIRST",
    ]  # fmt: skip
    assert [line.split()[0] for line in lines[start + 1 : start + 4]] == ["a", "b", "c"]
    assert "30Gi of 34Gi" in lines[start + 2]


def test_a_clean_cluster_is_told_in_one_sentence() -> None:
    text = render(examined(cluster()))
    assert text.startswith(
        "Nothing found that endangers memory on 3 nodes with 6 workloads. Observed 1970-01-12T13:46:40Z."
    )
    assert "What helps" not in text
    assert render(examined(cluster()), "name") == ""
    assert render(examined(cluster()), "csv").count("\r\n") == 1


def large() -> AuditReport:
    state = generate(ClusterSpec(nodes=40, workloads=300))
    return audit(state, defaults(), state.observed_at_seconds)


def test_the_narrow_table_is_short_and_the_wide_one_whole() -> None:
    report = large()
    narrow, wide = render(report), render(report, "wide")
    assert re.search(r"  and \d+ more; -o wide lists all\.", narrow)
    assert "28 more nodes; -o wide lists all." in narrow
    assert "-o wide" not in wide
    for found in report.status.findings:
        assert wide.count(f"  {found.subject}: ") >= 1
    for node in report.status.nodes:
        assert f"\n{node.name} " in wide
    assert max(len(line) for line in render(report, width=80).splitlines() if line.startswith("  ")) <= 80


def test_json_and_yaml_are_the_same_object() -> None:
    report = examined(small())
    data = json.loads(render(report, "json"))
    assert yaml.safe_load(render(report, "yaml")) == data
    assert (data["apiVersion"], data["kind"], data["spec"]) == ("ullage.dev/v1alpha1", "AuditReport", {})
    assert data["status"]["findings"][0]["object"] == {"kind": "Node", "name": "a", "namespace": ""}


def test_csv_has_a_row_per_finding() -> None:
    report = examined(small())
    rows = list(csv.DictReader(io.StringIO(render(report, "csv"), newline="")))
    assert [row["code"] for row in rows] == [found.code for found in report.status.findings]
    assert rows[0]["severity"] == "critical"
    assert rows[0]["numbers"] == "psiMemorySomeRatio=0.6 psiMemoryFullRatio="


def test_names_are_those_of_kubectl() -> None:
    assert render(examined(small()), "name").splitlines() == ["node/a", "node/b", "namespace/shop"]


def test_an_unknown_format_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError) as error:
        render(examined(cluster()), "jsn")
    assert "json" in str(error.value.hint)


def test_color_only_where_asked() -> None:
    assert "\x1b" not in render(examined(small()))
    assert "\x1b[1;31mCRITICAL memory-stalled\x1b[0m" in render(examined(small()), color=True)
    assert "\x1b" not in render(examined(small()), "json", color=True)


@pytest.mark.parametrize("output", FORMATS)
def test_hostile_names_stay_in_their_place(output: str) -> None:
    text = render(hostile(), output)
    assert "\x1b" not in text
    assert "\u202e" not in text
    if output == "csv":
        assert not re.search(r"(^|,)\"?[=+@]", text, re.MULTILINE)


@pytest.mark.parametrize("make", [lambda: examined(small()), lambda: examined(cluster()), large, hostile])
def test_the_page_is_well_formed_and_stands_alone(make) -> None:
    text = page(make())
    read = Page(text)
    attributes = {key for _, found in read.elements for key in found}
    assert not attributes & {"src", "href", "srcset", "action", "data"}
    assert "<script" not in text
    assert "\x1b" not in text
    assert len(text.encode()) < 200_000


def test_the_page_tells_every_finding_of_a_small_cluster() -> None:
    for make in PROVOKED.values():
        report = examined(make())
        said = Page(page(report)).said("td", "h1", "code")
        for found in report.status.findings:
            assert found.text in said
            assert found.code in said


def test_a_large_page_is_cut_with_a_count() -> None:
    state = generate(ClusterSpec(nodes=2000, workloads=8000))
    text = page(audit(state, defaults(), state.observed_at_seconds))
    assert len(text.encode()) < 220_000
    assert re.search(r"and [\d,]+ more; ullage audit -o wide lists all\.", text)
