"""Counters: what was used since the stand-in began."""

from __future__ import annotations

import threading
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from tests.standin.clock import Clock
from tests.standin.readings import NodeReading, Readings

CPU: Final = "cpu"
DELAY: Final = "delay"
PASSED: Final = "passed"
PRESSURES: Final = ("cpu_ratio", "memory_ratio", "memory_full_ratio", "io_ratio", "io_full_ratio")
SWAP_IN, SWAP_OUT = "swap_in_pages_per_second", "swap_out_pages_per_second"
Meter: TypeAlias = tuple[Hashable, str]
"""Whose (a node's name, the uid of a pod) and what."""


@dataclass
class Meters:
    """Integrals of rates over the machine's time, as Prometheus goes by it."""

    readings: Readings
    clock: Clock
    _value: dict[Meter, float] = field(default_factory=dict)
    _at: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def advance(self) -> Mapping[Meter, float]:
        """Count up to now with the rates of the last reading; to be called before any rate changes."""
        rates = dict(rates_of(self.readings.true().values()))
        with self._lock:
            now = self.clock.real()
            passed, self._at = now - self._at, now
            for meter, rate in rates.items():
                self._value[meter] = self._value.get(meter, 0.0) + rate * passed
            return dict(self._value)


def rates_of(nodes: Iterable[NodeReading]) -> Iterable[tuple[Meter, float]]:
    """Rate of every counter: seconds per second, and pages per second."""
    for node in nodes:
        name = node.shape.name
        yield (name, PASSED), 1.0
        yield (name, CPU), min(node.use.cpu_cores, node.shape.cores)
        for each in (*PRESSURES, SWAP_IN, SWAP_OUT):
            yield (name, each), getattr(node.pressure, each)
        for pod in node.pods:
            uid = pod.pod["metadata"]["uid"]
            yield (uid, PASSED), 1.0
            yield (uid, CPU), pod.use.cpu_cores
            yield (uid, DELAY), pod.use.cpu_delay_ratio
            yield (uid, "cpu_ratio"), pod.use.cpu_delay_ratio
