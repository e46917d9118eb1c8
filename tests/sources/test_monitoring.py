from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.sources.live_parts import ListedSource
from ullage.config.schema import Prometheus
from ullage.errors import UllageError
from ullage.sources.monitoring import FoundMonitoring, settings_of
from ullage.telemetry.identity import NodeIdentities

NODES = NodeIdentities.of({"node-1": ()})


class Reader(ListedSource):
    is_closed = False

    def close(self) -> None:
        self.is_closed = True


class Services:
    """Two services that look like Prometheus, the likelier one first."""

    def __init__(self) -> None:
        self.readers: dict[str, Reader] = {}
        self.looked = 0

    def get(self, path: str, params: Mapping[str, str]) -> bytes:
        self.looked += 1
        assert (path, dict(params)) == ("/api/v1/services", {})
        ports = [{"name": "http", "port": 9090}]
        names = {"thanos": {"app.kubernetes.io/name": "thanos-query"}, "vm": {"app.kubernetes.io/name": "vmsingle"}}
        metas = [{"name": name, "namespace": "monitoring", "labels": labels} for name, labels in names.items()]
        return json.dumps({"items": [{"metadata": each, "spec": {"ports": ports}} for each in metas]}).encode()

    def opened(self, url: str) -> Reader:
        return self.readers.setdefault(url.split("//")[1].split(".")[0], Reader("prometheus", past=2))


def test_the_first_that_knows_a_node_is_kept_until_it_fails() -> None:
    services = Services()
    services.readers = {"thanos": Reader("prometheus"), "vm": Reader("prometheus")}
    services.readers["thanos"].fails_to_see = True
    found = FoundMonitoring(services.get, services.opened)
    assert found.read(NODES, 5.0).nodes.keys == ("node-1",)
    found.read(NODES, 6.0)
    assert (services.looked, services.readers["vm"].asked) == (1, 2)
    assert services.readers["thanos"].is_closed
    assert not services.readers["vm"].is_closed
    services.readers["vm"].fails = "connection refused"
    with pytest.raises(UllageError, match="connection refused"):
        found.read(NODES, 7.0)
    assert services.readers["vm"].is_closed
    services.readers["thanos"].fails_to_see = False
    assert found.read(NODES, 8.0).nodes.keys == ("node-1",)
    assert services.looked == 2


def test_the_past_is_that_of_the_server_that_is_found() -> None:
    services = Services()
    found = FoundMonitoring(services.get, services.opened)
    assert [each.asked_at_seconds for each in found.history(NODES, 0.0, 10.0)] == [0.0, 5.0]
    assert list(services.readers) == ["thanos"]


def test_where_none_answers_each_reason_is_said() -> None:
    services = Services()
    services.readers = {"thanos": Reader("prometheus"), "vm": Reader("prometheus")}
    services.readers["thanos"].fails = "503"
    services.readers["vm"].fails_to_see = True
    with pytest.raises(UllageError, match=r"503; .*it knows no node") as caught:
        FoundMonitoring(services.get, services.opened).read(NODES, 5.0)
    assert "prometheus.url" in caught.value.hint


def test_the_service_account_is_shown_to_trusted_servers_only(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t")
    (tmp_path / "service-ca.crt").write_text("c")
    config = Prometheus(url="https://named", headers=("X-Scope-OrgID: north",), parameters=("dedup=true",))
    for url in ("https://named", "https://thanos-querier.openshift-monitoring.svc:9091"):
        safe = settings_of(config, url, tmp_path)
        assert (safe.token_file, safe.ca_file) == (str(tmp_path / "token"), str(tmp_path / "service-ca.crt"))
        assert (safe.headers, safe.parameters) == ((("X-Scope-OrgID", "north"),), (("dedup", "true"),))
    for url in (
        "http://thanos-querier.openshift-monitoring.svc:9091",
        "https://thanos-querier.tenant.svc:9091",
        "https://openshift-monitoring.svc.tenant.svc",
        "https://evil/.openshift-monitoring.svc",
    ):
        assert settings_of(config, url, tmp_path).token_file == ""
    assert settings_of(config, "https://named", tmp_path / "absent").token_file == ""


def test_what_the_configuration_says_counts() -> None:
    config = Prometheus(token_file="mine", ca_file="my-ca")  # noqa: S106  # a path
    named = settings_of(config, "http://prometheus:9090")
    assert (named.token_file, named.ca_file) == ("mine", "my-ca")
