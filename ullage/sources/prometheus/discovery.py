"""Finds the monitoring of a cluster among its Services, by the labels and names that its distributions give them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from ullage.errors import InputError

SERVICES: Final = "/api/v1/services"

Get = Callable[[str, Mapping[str, str]], bytes]
"""Body of a GET of the Kubernetes API, by path and parameters."""


class Candidate(msgspec.Struct, frozen=True):
    """A Service that looks like a Prometheus API.

    Attributes
    ----------
    url
        Base address inside of the cluster.
    reason
        What it was recognized by.
    """

    url: str
    reason: str


class _Port(msgspec.Struct, frozen=True):
    port: int
    name: str = ""


class _Meta(msgspec.Struct, frozen=True):
    name: str
    namespace: str
    labels: dict[str, str] | None = None


class _Spec(msgspec.Struct, frozen=True):
    ports: list[_Port] | None = None


class _Service(msgspec.Struct, frozen=True):
    metadata: _Meta
    spec: _Spec = _Spec()


class _Services(msgspec.Struct, frozen=True):
    items: list[_Service] | None = None


class _Known(msgspec.Struct, frozen=True):
    reason: str
    labels: Mapping[str, str] = {}
    name: str = ""
    port: str = ""  # name of the port; the first port if no port has the name
    scheme: str = "http"
    path: str = ""

    def fits(self, service: _Service) -> bool:
        own = service.metadata.labels or {}
        has_labels = all(own.get(label) == value for label, value in self.labels.items())
        return has_labels and self.name in ("", service.metadata.name)


_NAME: Final = "app.kubernetes.io/name"
_COMPONENT: Final = "app.kubernetes.io/component"
# Those that see all of a cluster's Prometheus servers first.
_KNOWN: Final = (
    _Known("OpenShift's Thanos querier", {_NAME: "thanos-query"}, "thanos-querier", "web", "https"),
    _Known("Thanos query frontend", {_NAME: "thanos", _COMPONENT: "query-frontend"}, port="http"),
    _Known("Thanos query", {_NAME: "thanos", _COMPONENT: "query"}, port="http"),
    _Known("Thanos query", {_NAME: "thanos-query"}, port="http"),
    _Known("VictoriaMetrics cluster", {_NAME: "vmselect"}, port="http", path="/select/0/prometheus"),
    _Known("VictoriaMetrics", {_NAME: "vmsingle"}, port="http"),
    _Known("VictoriaMetrics", {_NAME: "victoria-metrics-single"}, port="http"),
    _Known("kube-prometheus", {_NAME: "prometheus"}, "prometheus-k8s", "web"),
    _Known("kube-prometheus-stack", {"app": "kube-prometheus-stack-prometheus"}, port="http-web"),
    _Known("Prometheus operator", {"operated-prometheus": "true"}, port="web"),
    _Known("Prometheus chart", {_NAME: "prometheus", _COMPONENT: "server"}, port="http"),
    _Known("Prometheus chart", {"app": "prometheus", "component": "server"}, port="http"),
)
_SECURE: Final = frozenset({"https", "web-tls"})


def discover(get: Get) -> tuple[Candidate, ...]:
    """Services that look like a Prometheus API, the likeliest first.

    Parameters
    ----------
    get
        Asks the Kubernetes API; its errors pass through.

    Raises
    ------
    InputError
        The answer is no list of Services.
    """
    body = get(SERVICES, {})
    try:
        services = msgspec.json.decode(body, type=_Services).items or []
    except msgspec.DecodeError as error:
        raise InputError(SERVICES, f"the answer is no list of Services: {error}") from error
    found = [each for each in map(_candidate, services) if each is not None]
    return tuple(candidate for _, candidate in sorted(found, key=lambda each: (each[0], each[1].url)))


def _candidate(service: _Service) -> tuple[int, Candidate] | None:
    """Position among those that are known, and the candidate; the first that fits counts."""
    for position, known in enumerate(_KNOWN):
        port = _port(service, known)
        if port is not None and known.fits(service):
            return position, Candidate(_url(service, known, port), known.reason)
    return None


def _port(service: _Service, known: _Known) -> _Port | None:
    ports = service.spec.ports or []
    return next((port for port in ports if port.name == known.port), next(iter(ports), None))


def _url(service: _Service, known: _Known, port: _Port) -> str:
    scheme = "https" if port.name in _SECURE or port.port == 443 else known.scheme
    return f"{scheme}://{service.metadata.name}.{service.metadata.namespace}.svc:{port.port}{known.path}"
