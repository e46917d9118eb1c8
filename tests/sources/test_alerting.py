from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.sources.prometheus.server import Server, running, vector
from ullage.config import Configuration
from ullage.config.schema import Breakers, Prometheus
from ullage.errors import UllageError
from ullage.sources.alerting import Alerting
from ullage.sources.prometheus.alerts import promql

FIRING = vector([({"alertname": "NodeDown"}, 1), ({"alertname": "DiskFull"}, 1)])


def never(path: str, params: object) -> bytes:
    raise AssertionError(f"{path} was asked for, {params}")


def config(url: str = "", alerts: str = 'severity="critical"', **prometheus: object) -> Configuration:
    return Configuration(
        breakers=Breakers(alerts=alerts),
        prometheus=Prometheus(url=url, timeout_seconds=2.0, **prometheus),  # type: ignore[arg-type]
    )


@pytest.fixture
def server() -> Iterator[Server]:
    with running(Server()) as server:
        yield server


def test_alerts_that_fire_are_asked_for_by_their_labels(server: Server) -> None:
    server.answers = {"ALERTS": FIRING}
    assert Alerting(never).firing(config(server.url, matchers='cluster="north"')) == ("DiskFull", "NodeDown")
    wanted = 'group by (alertname) (ALERTS{alertstate="firing",cluster="north",severity="critical"})'
    assert server.queries() == [wanted]


def test_without_matchers_nobody_is_asked(server: Server) -> None:
    assert Alerting(never).firing(config(server.url, alerts="")) == ()
    assert server.requests == []


def test_no_alert_fires(server: Server) -> None:
    assert Alerting(never).firing(config(server.url)) == ()
    assert len(server.queries()) == 1


@pytest.mark.parametrize("fault", ["503", "html", "hang", "truncate"])
def test_a_server_that_cannot_be_asked_is_no_server_without_alerts(server: Server, fault: str) -> None:
    server.fault = fault
    with pytest.raises(UllageError):
        Alerting(never).firing(config(server.url))


def test_an_answer_that_is_not_whole_counts_for_nothing(server: Server) -> None:
    server.answers = {"ALERTS": vector([], warnings=["a store is away"])}
    with pytest.raises(UllageError, match="a store is away"):
        Alerting(never).firing(config(server.url))


def test_where_no_address_is_given_the_services_are_tried() -> None:
    def services(path: str, params: object) -> bytes:
        assert (path, params) == ("/api/v1/services", {})
        return json.dumps({"items": []}).encode()

    with pytest.raises(UllageError, match="none of the services looks like one"):
        Alerting(services).firing(config())


def test_a_query_without_matchers_asks_for_all() -> None:
    assert promql("", "") == 'group by (alertname) (ALERTS{alertstate="firing"})'
