"""How a Prometheus server is reached and asked."""

from __future__ import annotations

import msgspec


class PrometheusSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Address, credentials and times of one server.

    Attributes
    ----------
    url
        Base address, with the path prefix if there is one: ``https://thanos-querier.openshift-monitoring.svc:9091``.
    token_file
        File with a bearer token; read for every request, since tokens of service accounts are replaced every hour.
    ca_file
        CA bundle for HTTPS; empty for the system's.
    cert_file, key_file
        Client certificate and its key; empty for none.
    headers
        Further headers, such as ``("X-Scope-OrgID", "tenant")`` for servers with tenants.
    parameters
        Further parameters of every query, such as ``("dedup", "true")`` or ``("namespace", "mine")``.
    matchers
        Further label matchers of every metric, such as ``cluster="north"`` where the server holds several clusters.
    timeout_seconds
        What one reading, or one part of the history, may take with all its queries; 100,000 pods take some seconds.
    rate_window_seconds
        Window of rates. 150 s hold two scrapes at the slowest usual interval of 60 s, and five at 30 s.
    step_seconds
        Distance of readings of the past.
    probe_seconds
        After this time the server is asked anew which metrics it has.
    """

    url: str
    token_file: str = ""
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    parameters: tuple[tuple[str, str], ...] = ()
    matchers: str = ""
    timeout_seconds: float = 20.0
    rate_window_seconds: int = 150
    step_seconds: float = 60.0
    probe_seconds: float = 600.0
