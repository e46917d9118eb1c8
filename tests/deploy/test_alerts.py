"""The alerts, judged by promtool on series in which each of them fires and on series in which none does."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from descheduler.loop.catalogue import CATALOGUE
from extender.app import Extender, Settings
from tests.deploy.bases import BASES
from ullage.config import defaults

RULES: Final = BASES / "monitoring" / "alerts.yaml"
DOCUMENT: Final = Path(__file__).parents[2] / "docs" / "alerts.md"
OTHERS: Final = {"kube_node_spec_taint", "node_uname_info", "node_pressure_memory_waiting_seconds_total"}
"""Of kube-state-metrics and node-exporter."""
OURS: Final = "ullage_descheduler_"
MOVES: Final = f"{OURS}moves_total{{executor='migrate',phase='%s'}}"
CALLS: Final = "ullage_extender_requests_total{verb='filter',outcome='%s'}"
QUIET: Final = {
    f"{OURS}metrics_age_seconds{{source='prometheus'}}": "15x120",
    f"{OURS}mode{{mode='Automatic'}}": "1x120",
    f"{OURS}mode{{mode='Predictive'}}": "0x120",
    f"{OURS}leader{{pod='a'}}": "0x120",
    f"{OURS}leader{{pod='b'}}": "1x120",
    f"{OURS}leader_transitions_total{{pod='b'}}": "1x120",
    f"{OURS}breaker_open{{name='settling'}}": "1x120",
    f"{OURS}breaker_open{{name='moves-fail'}}": "0x120",
    MOVES % "Running": "0+1x120",
    MOVES % "Failed": "0+0.1x120",
    f"{OURS}workload_moves": "2x120",
    "kube_node_spec_taint{node='n1',key='ullage.dev/overutilized'}": "1x120",
    f"{OURS}budget_remaining{{scope='hour'}}": "0x120",
    f"{OURS}moves_held_back{{code='budget-hour'}}": "0x120",
    CALLS % "scored": "0+60x120",
    CALLS % "neutral": "0+1x120",
    "node_uname_info{instance='n1'}": "1x120",
    "node_pressure_memory_waiting_seconds_total{instance='n1'}": "0+1x120",
}
"""Two hours, a sample a minute."""
LOUD: Final = {
    "UllageMetricsStale": {f"{OURS}metrics_age_seconds{{source='prometheus'}}": "0+60x120"},
    "UllageNoLeader": {f"{OURS}leader{{pod='b'}}": "0x120"},
    "UllageLeaderFlapping": {f"{OURS}leader_transitions_total{{pod='b'}}": "0+0.2x120"},
    "UllageBreakerOpen": {f"{OURS}breaker_open{{name='moves-fail'}}": "1x120"},
    "UllageMoveFailureRate": {MOVES % "Failed": "0+0.5x120"},
    "UllageThrash": {f"{OURS}workload_moves": "3x120"},
    "UllageTaintOrphan": {f"{OURS}leader{{pod='b'}}": "0x120", f"{OURS}mode{{mode='Automatic'}}": "0x120"},
    "UllageBudgetExhausted": {f"{OURS}moves_held_back{{code='budget-hour'}}": "4x120"},
    "UllageExtenderErrors": {CALLS % "neutral": "0+30x120"},
    "UllagePSIDisabled": {"node_uname_info{instance='n2'}": "1x120"},
}
"""By alert, what differs from quiet series when it fires."""
BESIDE: Final = {"UllageNoLeader": {"UllageTaintOrphan"}}
"""Alerts that fire with another one."""


def spec() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(RULES.read_text())["spec"]
    return found


def rules() -> list[dict[str, Any]]:
    return [rule for group in spec()["groups"] for rule in group["rules"]]


def judged(folder: Path, series: dict[str, str], firing: set[str]) -> subprocess.CompletedProcess[str]:
    """What promtool says of the claim that these alerts fire after two hours, and no others."""
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not there: apt-get install prometheus")
    (folder / "rules.yaml").write_text(yaml.safe_dump(spec()))
    claims = [
        {"expr": f"count(ALERTS{{alertstate='firing',alertname='{rule['alert']}'}}) > 0 or vector(0)",
         "eval_time": "2h", "exp_samples": [{"labels": "{}", "value": float(rule["alert"] in firing)}]}
        for rule in rules()
    ]  # fmt: skip
    test = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": claims,
    }
    document = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": [test]}
    (folder / "tests.yaml").write_text(yaml.safe_dump(document))
    return subprocess.run(
        [promtool, "test", "rules", folder / "tests.yaml"], capture_output=True, text=True, timeout=60
    )


def test_nothing_fires_while_all_is_well(tmp_path: Path) -> None:
    done = judged(tmp_path, QUIET, set())
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("alert", LOUD)
def test_an_alert_fires_and_no_other(alert: str, tmp_path: Path) -> None:
    done = judged(tmp_path, QUIET | LOUD[alert], {alert} | BESIDE.get(alert, set()))
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_tested_and_has_a_section_and_its_labels() -> None:
    assert {rule["alert"] for rule in rules()} == set(LOUD)
    sections = re.findall(r"^## (\w+)$", DOCUMENT.read_text(), re.MULTILINE)
    assert sections == [rule["alert"] for rule in rules()]
    for rule in rules():
        assert rule["annotations"]["runbook"] == f"docs/alerts.md#{rule['alert'].lower()}"
        labels = rule["labels"]
        assert set(labels) == {"severity", "operator_health_impact", *(f"kubernetes_operator_{x}" for x in PARTS)}
        assert labels["severity"] in {"info", "warning", "critical"}
        assert labels["operator_health_impact"] in {"none", "warning", "critical"}


PARTS: Final = ("part_of", "component")


@pytest.mark.parametrize("service", ["descheduler", "extender"])
def test_what_is_scraped_is_a_port_of_the_pods(service: str) -> None:
    monitors = yaml.safe_load_all((BASES / "monitoring" / "scraping.yaml").read_text())
    (spec,) = (each["spec"] for each in monitors if each["metadata"]["name"] == f"ullage-{service}")
    base = yaml.safe_load((BASES / service / "kustomization.yaml").read_text())
    assert spec["selector"]["matchLabels"].items() <= base["labels"][0]["pairs"].items()
    deployment = yaml.safe_load((BASES / service / "deployment.yaml").read_text())
    ports = deployment["spec"]["template"]["spec"]["containers"][0]["ports"]
    assert {each["port"] for each in spec["podMetricsEndpoints"]} <= {each["name"] for each in ports}


def test_every_metric_that_an_alert_names_exists(tmp_path: Path) -> None:
    extender = Extender(Settings(tmp_path / "none", defaults()))
    told = set(re.findall(r"^# TYPE (\w+)", extender.scheduling.metrics.text().decode(), re.MULTILINE))
    named = {name for rule in rules() for name in re.findall(r"\b(?:ullage|kube|node)_\w+", rule["expr"])}
    assert named - told - set(CATALOGUE) - OTHERS == set()
