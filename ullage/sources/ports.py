"""What the services ask of a source, whatever it is made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

import msgspec

from ullage.model.state import ClusterState
from ullage.sources.watched import Resource, Verb
from ullage.telemetry.identity import NodeIdentities
from ullage.telemetry.readings import Problem, Readings


class KindHealth(msgspec.Struct, frozen=True, gc=False):
    """How well one watched resource is known.

    Attributes
    ----------
    resource
        ``plural.group``.
    is_served
        Whether the API server has it; optional ones may be absent.
    is_synced
        Whether a full list was taken since the start.
    objects, quarantined
        How many are held, and how many of the server's could not be read.
    lag_seconds
        Seconds since something was last heard (event, bookmark or list); NaN before the first.
    relists
        How often it was listed anew after the first time, by reason.
    error
        Why it cannot be watched at the moment; empty if it can.
    """

    resource: str
    is_served: bool = True
    is_synced: bool = False
    objects: int = 0
    quarantined: int = 0
    lag_seconds: float = float("nan")
    relists: Mapping[str, int] = msgspec.field(default_factory=dict)
    error: str = ""


class ReadingHealth(msgspec.Struct, frozen=True, gc=False):
    """How well one source of measures answers.

    Attributes
    ----------
    source
        Its name.
    age_seconds
        Seconds since it last answered; NaN before the first time.
    took_seconds
        Duration of that answer.
    problems
        What of it could not be used.
    error
        Why it cannot be asked at the moment; empty if it can.
    """

    source: str
    age_seconds: float = float("nan")
    took_seconds: float = float("nan")
    problems: tuple[Problem, ...] = ()
    error: str = ""


class SetAside(msgspec.Struct, frozen=True, gc=False, order=True):
    """A node that cannot be judged, with the code and the sentence that say why."""

    node: str
    code: str
    text: str


class Health(msgspec.Struct, frozen=True, gc=False):
    """How well a source knows the cluster.

    Attributes
    ----------
    is_synced
        Whether every resource that is needed was listed.
    kinds, readings
        How well watched resources are known, and how well sources of measures answer.
    set_aside
        Nodes that cannot be judged.
    requests
        Requests to the API server so far: verb, HTTP status (``error`` where no answer came), how many.
    """

    is_synced: bool = False
    kinds: tuple[KindHealth, ...] = ()
    readings: tuple[ReadingHealth, ...] = ()
    set_aside: tuple[SetAside, ...] = ()
    requests: tuple[tuple[str, str, int], ...] = ()


class StateSource(Protocol):
    """Gives the newest state of a cluster. `current` and `health` never block and may be called from any thread."""

    def start(self) -> None:
        """Begin to follow the cluster, in threads of its own."""

    def stop(self) -> None:
        """End within a few seconds."""

    def current(self) -> ClusterState | None:
        """Newest state, with measures; ``None`` before the first full sync."""

    def wait(self, timeout_seconds: float) -> bool:
        """Wait for the first state; whether it is there."""

    def health(self) -> Health:
        """How well the cluster is known now."""


class ObjectSink(Protocol):
    """Takes what a list or a watch brings, as raw JSON. Calls for one resource come one after another."""

    def replace(self, resource: Resource, objects: Iterable[bytes | msgspec.Raw]) -> None:
        """All objects of a resource, after a list: what is not among them is gone."""

    def change(self, resource: Resource, verb: Verb, raw: bytes | msgspec.Raw) -> None:
        """One object as a watch event brings it."""

    def forget(self, resource: Resource) -> None:
        """The resource is not served any more: none of its objects exists."""


class ReadingSource(Protocol):
    """Gives readings. Calls block; they end by the source's own timeout."""

    @property
    def name(self) -> str:
        """Name in measures, metrics and logs."""

    def read(self, nodes: NodeIdentities, now_seconds: float) -> Readings:
        """Instant values of all nodes and workloads; raises `UllageError` if the source cannot be used."""

    def history(self, nodes: NodeIdentities, start_seconds: float, end_seconds: float) -> Iterator[Readings]:
        """Readings of the past, oldest first, one per step of the source; nothing if it keeps none."""
