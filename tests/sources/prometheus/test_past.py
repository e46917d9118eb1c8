"""How much of the past is asked for at once."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.sources.prometheus.server import matrix
from ullage.sources.prometheus.settings import PrometheusSettings
from ullage.sources.prometheus.source import CHUNK_STEPS, PrometheusSource
from ullage.telemetry.identity import NodeIdentities

DAY = 86_400
STEPS = 289
NAMES = b'{"status":"success","data":["node_memory_MemAvailable_bytes"]}'


class Past:
    """A server that has one metric of some nodes, at every step that is asked for."""

    def __init__(self, nodes: int) -> None:
        self.labels = [{"instance": f"node-{n}", "ullage": "3"} for n in range(nodes)]
        self.ranges: list[tuple[float, float]] = []

    def ask(self, path: str, form: Mapping[str, str], timeout_seconds: float) -> bytes:
        del path, timeout_seconds
        start, end, step = (float(form[name]) for name in ("start", "end", "step"))
        self.ranges.append((start, end))
        times = [start + number * step for number in range(round((end - start) / step) + 1)]
        is_time = "timestamp(" in form["query"]
        labels = [{**each, "ullage": "0"} for each in self.labels] if is_time else self.labels
        return matrix([(each, [(at, at if is_time else 1e9) for at in times]) for each in labels])

    def get(self, path: str, parameters: Mapping[str, str], timeout_seconds: float) -> bytes:
        del path, parameters, timeout_seconds
        return NAMES

    def close(self) -> None:
        pass


def steps_of(past: Past) -> list[int]:
    """Steps of each chunk; every chunk is asked for with the same queries."""
    return [round((end - start) / 300) + 1 for start, end in dict.fromkeys(past.ranges)]


@pytest.mark.parametrize(("nodes", "chunks"), [(3, 2), (0, 58)])
def test_a_day_of_few_rows_comes_at_once_and_an_empty_one_with_care(nodes: int, chunks: int) -> None:
    past = Past(nodes)
    source = PrometheusSource(PrometheusSettings(url="http://none", step_seconds=300.0), past)
    known = NodeIdentities.of({each["instance"]: () for each in past.labels})
    found = list(source.history(known, 1_000_000, 1_000_000 + DAY))
    steps = steps_of(past)
    assert (steps[0], len(steps), sum(steps)) == (CHUNK_STEPS, chunks, STEPS)
    assert [each.asked_at_seconds for each in found] == [1_000_000 + 300 * n for n in range(STEPS if nodes else 0)]
