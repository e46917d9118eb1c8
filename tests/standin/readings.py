"""What monitoring reads of the use: at a time, of all nodes and pods; and how it can lie."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace

from tests.standin.clock import Clock
from tests.standin.nodes import NodeShape
from tests.standin.pods import Kubelets
from tests.standin.use import IDLE, NOTHING, Pressure, Use, Uses, pressure_of
from tests.standin.wire import Json, Key, key_of

FRESH_SECONDS = 0.5
"""Readings are taken anew when they are older than this."""


@dataclass(frozen=True)
class PodReading:
    """Use of a pod that runs."""

    pod: Json
    use: Use
    node: str

    @property
    def key(self) -> Key:
        return key_of(self.pod)

    @property
    def containers(self) -> list[str]:
        """Names of its containers; the first has all of the use."""
        spec = self.pod["spec"]
        sidecars = (each for each in spec.get("initContainers") or () if each.get("restartPolicy") == "Always")
        return [each["name"] for each in (*spec["containers"], *sidecars)]


@dataclass(frozen=True)
class NodeReading:
    """Use of a node: the sum of its pods' and its own."""

    shape: NodeShape
    use: Use
    pressure: Pressure
    pods: tuple[PodReading, ...]
    taken_at: float
    """Unix seconds."""

    @property
    def swap_free_bytes(self) -> int:
        return max(0, (self.shape.swap_bytes or 0) - self.use.swap_bytes)

    @property
    def available_bytes(self) -> int:
        """MemAvailable: what is not in the working set."""
        return max(0, self.shape.memory_bytes - self.use.working_set_bytes)


@dataclass
class Readings:
    """Readings of all nodes, as true as the test lets them be.

    Attributes
    ----------
    uses
        What is really used.
    spoiled
        Nodes of which Prometheus is told no numbers.
    """

    kubelets: Kubelets
    uses: Uses
    clock: Clock
    spoiled: set[str] = field(default_factory=set)
    _pressure: dict[str, Pressure] = field(default_factory=dict)
    _hidden: set[str] = field(default_factory=set)
    _held: dict[str, NodeReading] = field(default_factory=dict)
    _zero: set[str] = field(default_factory=set)
    _late: dict[str, float] = field(default_factory=dict)
    _last: tuple[float, dict[str, NodeReading]] = (float("-inf"), {})
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def press(self, node: str, pressure: Pressure) -> None:
        """Set the stalls of a node."""
        self._pressure[node] = pressure
        self.refresh()

    def hide(self, *nodes: str) -> None:
        """Have monitoring know nothing of some nodes and their pods."""
        self._hidden |= set(nodes)

    def freeze(self, *nodes: str) -> None:
        """Have the values and time stamps of some nodes (all, if none is named) stay as they are now."""
        now = self.now()
        self._held |= {name: now[name] for name in nodes or now}

    def zero(self, *nodes: str) -> None:
        """Have some nodes show no use."""
        self._zero |= set(nodes)

    def delay(self, seconds: float, *nodes: str) -> None:
        """Have the time stamps of some nodes lie in the past."""
        self._late |= dict.fromkeys(nodes, seconds)

    def tell_truth(self) -> None:
        """End all lies."""
        for lie in (self._hidden, self._held, self._zero, self._late, self.spoiled):
            lie.clear()
        self.refresh()

    def refresh(self) -> None:
        """Have the next reading be a new one."""
        with self._lock:
            self._last = (float("-inf"), {})

    def true(self) -> dict[str, NodeReading]:
        """What is so, by node."""
        with self._lock:
            taken, readings = self._last
            if self.clock.real() - taken > FRESH_SECONDS:
                readings = self._take()
                self._last = (self.clock.real(), readings)
            return readings

    def now(self) -> dict[str, NodeReading]:
        """What monitoring says, by node."""
        truth = self.true()
        said = {name: self._said(self._held.get(name, each)) for name, each in truth.items()}
        return {name: each for name, each in said.items() if name not in self._hidden}

    def _take(self) -> dict[str, NodeReading]:
        pods = self.kubelets.on_node()
        return {name: self._read(shape, pods.get(name, [])) for name, shape in self.kubelets.nodes.shapes.items()}

    def _read(self, shape: NodeShape, pods: list[Json]) -> NodeReading:
        read = tuple(PodReading(pod, self.uses.of(pod), shape.name) for pod in pods)
        use = sum((each.use for each in read), shape.base).at_least(IDLE)
        pressure = self._pressure.get(shape.name) or pressure_of(use, shape.cores)
        return NodeReading(shape, use, pressure, read, self.clock.wall())

    def _said(self, reading: NodeReading) -> NodeReading:
        name = reading.shape.name
        late = self._late.get(name, 0.0)
        if name in self._zero:
            pods = tuple(replace(each, use=NOTHING) for each in reading.pods)
            reading = replace(reading, use=NOTHING, pods=pods)
        return replace(reading, taken_at=reading.taken_at - late) if late else reading
