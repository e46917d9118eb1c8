from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from ullage.errors import InputError
from ullage.sources.prometheus.discovery import discover


def _service(name: str, namespace: str, labels: Mapping[str, str], *ports: tuple[str, int]) -> dict[str, object]:
    return {
        "metadata": {"name": name, "namespace": namespace, "labels": dict(labels), "uid": "u"},
        "spec": {
            "clusterIP": "10.0.0.1",
            "ports": [{"name": each, "port": port, "protocol": "TCP"} for each, port in ports],
        },
    }


THANOS = _service(
    "thanos-querier",
    "openshift-monitoring",
    {"app.kubernetes.io/name": "thanos-query"},
    ("web", 9091),
    ("tenancy", 9092),
)
OPERATED = _service("prometheus-operated", "openshift-monitoring", {"operated-prometheus": "true"}, ("web", 9090))
CHART = _service(
    "prometheus-server",
    "monitoring",
    {"app.kubernetes.io/name": "prometheus", "app.kubernetes.io/component": "server"},
    ("http", 80),
)
OTHER = _service("web", "shop", {"app": "prometheus-demo"}, ("http", 80))
BARE = {"metadata": {"name": "kubernetes", "namespace": "default"}, "spec": {}}


def _found(*services: dict[str, object]) -> list[str]:
    body = json.dumps({"kind": "ServiceList", "items": list(services)}).encode()
    return [each.url for each in discover(lambda path, _: body if path == "/api/v1/services" else b"")]


def test_openshift_is_asked_through_its_querier() -> None:
    assert _found(OTHER, OPERATED, BARE, THANOS) == [
        "https://thanos-querier.openshift-monitoring.svc:9091",
        "http://prometheus-operated.openshift-monitoring.svc:9090",
    ]


def test_the_chart_of_the_community() -> None:
    assert _found(CHART, OTHER) == ["http://prometheus-server.monitoring.svc:80"]


def test_victoria_metrics_cluster_has_a_path() -> None:
    select = _service("vm", "m", {"app.kubernetes.io/name": "vmselect"}, ("http", 8481))
    assert _found(select) == ["http://vm.m.svc:8481/select/0/prometheus"]


def test_nothing_is_there() -> None:
    assert _found(OTHER, BARE) == []


def test_an_answer_that_is_no_list_is_an_error() -> None:
    with pytest.raises(InputError, match="no list of Services"):
        discover(lambda *_: b"<html>")
