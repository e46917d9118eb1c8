"""What the extender tells Prometheus. kube-scheduler has no latency metric per extender, so there is no other source of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from ullage import __version__

VERBS: Final = ("filter", "prioritize", "explain")
"""Verbs, as label values."""

SCORED: Final = "scored"
NEUTRAL: Final = "neutral"
ERROR: Final = "error"
OUTCOMES: Final = (SCORED, NEUTRAL, ERROR)
"""Outcomes, as label values: decided on the state; no opinion; a request that could not be understood."""

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST.encode()
"""Media type of the text."""

_SECONDS: Final = (1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_NAMES: Final = (1, 3, 10, 30, 100, 250, 500, 1000, 2500, 5000, 15000)
_PREFIX: Final = "ullage_extender_"


class _Verb:
    """Children of one verb, looked up once: a look-up costs more than a count."""

    def __init__(self, verb: str, requests: Counter, seconds: Histogram, names: Histogram) -> None:
        self.requests = {outcome: requests.labels(verb, outcome) for outcome in OUTCOMES}
        self.seconds = seconds.labels(verb)
        self.names = names.labels(verb)


class Metrics:
    """The metrics, each at 0 from the start; no label holds the name of an object.

    Attributes
    ----------
    exceptions
        Faults in a decision, by verb.
    reload_failures
        New files that could not be used, by what they are (state, tls).
    rejected
        Nodes that were rejected, by code.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        requests = self._counter("requests", "Calls, by verb and outcome.", ("verb", "outcome"))
        seconds = self._histogram("duration_seconds", "From the parsed request to the bytes of the answer.", _SECONDS)
        names = self._histogram("request_nodes", "Nodes per call.", _NAMES)
        self._verbs = {verb: _Verb(verb, requests, seconds, names) for verb in VERBS}
        self.exceptions = self._counter("exceptions", "Faults that were answered without an opinion.", ("verb",))
        self.reload_failures = self._counter("reload_failures", "New files that could not be used.", ("what",))
        self.rejected = self._counter("rejected_nodes", "Nodes that a filter rejected, by code.", ("code",))
        for verb in VERBS:
            self.exceptions.labels(verb)
        for what in ("state", "tls"):
            self.reload_failures.labels(what)
        build = Gauge("ullage_build_info", "Always 1. [ALPHA]", ("version",), registry=self.registry)
        build.labels(__version__).set(1)

    def gauge(self, name: str, meaning: str, value: Callable[[], float]) -> None:
        """Add a gauge that is read when it is asked for."""
        Gauge(_PREFIX + name, f"{meaning} [ALPHA]", registry=self.registry).set_function(value)

    def called(self, verb: str, outcome: str, seconds: float, names: int) -> None:
        """Count a call.

        Parameters
        ----------
        verb
            One of `VERBS`.
        outcome
            One of `OUTCOMES`.
        seconds
            How long it took.
        names
            How many nodes it asked about.
        """
        metrics = self._verbs[verb]
        metrics.requests[outcome].inc()
        metrics.seconds.observe(seconds)
        metrics.names.observe(names)

    def text(self) -> bytes:
        """Text exposition."""
        return generate_latest(self.registry)

    def _counter(self, name: str, meaning: str, labels: tuple[str, ...]) -> Counter:
        return Counter(_PREFIX + name, f"{meaning} [ALPHA]", labels, registry=self.registry)

    def _histogram(self, name: str, meaning: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(_PREFIX + name, f"{meaning} [ALPHA]", ("verb",), buckets=buckets, registry=self.registry)
