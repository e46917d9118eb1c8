"""What the extender tells Prometheus. kube-scheduler has no latency metric per extender, so there is no other source of it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

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


class _Tally:
    """A histogram: an observation is one addition, and only a scrape turns it into samples."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def add(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def put_into(self, family: HistogramMetricFamily, label: str) -> None:
        upper = [*map(floatToGoString, self._bounds), "+Inf"]
        family.add_metric((label,), list(zip(upper, accumulate(self._counts), strict=True)), self._sum)


class _Verb:
    """Calls of one verb."""

    def __init__(self) -> None:
        self.outcomes = dict.fromkeys(OUTCOMES, 0)
        self.seconds = _Tally(_SECONDS)
        self.names = _Tally(_NAMES)


class _Calls(Collector):
    """What every call counts. A child of prometheus_client takes several times as long per observation."""

    def __init__(self) -> None:
        self.verbs = {verb: _Verb() for verb in VERBS}
        self.rejected: dict[str, int] = {}

    def collect(self) -> Iterator[Metric]:
        """Families, as a registry asks for them."""
        requests = CounterMetricFamily(*_named("requests", "Calls, by verb and outcome."), labels=("verb", "outcome"))
        rejected = CounterMetricFamily(
            *_named("rejected_nodes", "Nodes that a filter rejected, by code."), labels=("code",)
        )
        meaning = "From the parsed request to the bytes of the answer."
        seconds = HistogramMetricFamily(*_named("duration_seconds", meaning), labels=("verb",))
        names = HistogramMetricFamily(*_named("request_nodes", "Nodes per call."), labels=("verb",))
        for verb, calls in self.verbs.items():
            for outcome, count in calls.outcomes.items():
                requests.add_metric((verb, outcome), count)
            calls.seconds.put_into(seconds, verb)
            calls.names.put_into(names, verb)
        for code, count in self.rejected.items():
            rejected.add_metric((code,), count)
        yield from (requests, seconds, names, rejected)


class Metrics:
    """The metrics, each at 0 from the start; no label holds the name of an object. For one thread.

    Attributes
    ----------
    exceptions
        Faults in a decision, by verb.
    reload_failures
        New files that could not be used, by what they are (state, tls).
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._calls = _Calls()
        self.registry.register(self._calls)
        self.exceptions = self._counter("exceptions", "Faults that were answered without an opinion.", ("verb",))
        self.reload_failures = self._counter("reload_failures", "New files that could not be used.", ("what",))
        for verb in VERBS:
            self.exceptions.labels(verb)
        for what in ("state", "tls"):
            self.reload_failures.labels(what)
        build = Gauge("ullage_build_info", "Always 1. [ALPHA]", ("version",), registry=self.registry)
        build.labels(__version__).set(1)

    def gauge(self, name: str, meaning: str, value: Callable[[], float]) -> None:
        """Add a gauge that is read when it is asked for."""
        Gauge(*_named(name, meaning), registry=self.registry).set_function(value)

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
        calls = self._calls.verbs[verb]
        calls.outcomes[outcome] += 1
        calls.seconds.add(seconds)
        calls.names.add(names)

    def rejected(self, code: str, nodes: int) -> None:
        """Count nodes that a filter rejected."""
        self._calls.rejected[code] = self._calls.rejected.get(code, 0) + nodes

    def text(self) -> bytes:
        """Text exposition."""
        return generate_latest(self.registry)

    def _counter(self, name: str, meaning: str, labels: tuple[str, ...]) -> Counter:
        return Counter(*_named(name, meaning), labels, registry=self.registry)


def _named(name: str, meaning: str) -> tuple[str, str]:
    return _PREFIX + name, f"{meaning} [ALPHA]"
