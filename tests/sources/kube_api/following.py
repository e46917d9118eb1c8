"""A reflector that follows a small API server into memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from kubernetes.client import Configuration

from tests.sources.kube_api.clocks import SkippingClock
from tests.sources.kube_api.server import FakeApi
from tests.sources.kube_api.sinks import MemorySink
from ullage.sources.kube_api.connection import Connection, Limits
from ullage.sources.kube_api.credentials import Access
from ullage.sources.kube_api.reflector import Reflector, Server, Timing
from ullage.sources.watched import PODS, Resource

QUICK = Limits(connect_seconds=2.0, read_seconds=0.3, total_seconds=1000.0)
"""Real seconds, where nothing but a timeout ends a call."""
PATIENT = Limits(connect_seconds=10.0, read_seconds=10.0, total_seconds=1000.0)
"""For a machine that is busy with other things."""
TIMING = Timing(silence_seconds=60.0)
IMPATIENT = Timing(silence_seconds=0.3)
"""Takes a short silence for death."""


def connect(api: FakeApi, limits: Limits = PATIENT) -> Connection:
    return Connection(lambda: access(api), api.clock, limits)


def access(api: FakeApi) -> Access:
    configuration = Configuration(host=api.url)
    configuration.proxy = None
    return Access(configuration, None)


@dataclass
class Following:
    """Both ends."""

    api: FakeApi
    clock: SkippingClock
    sink: MemorySink
    reflector: Reflector
    resource: Resource

    def is_equal(self) -> bool:
        return self.sink.objects == self.api.held(self.resource.path)

    def comes_equal(self) -> bool:
        return self.sink.comes_to(self.is_equal)

    def watches(self) -> bool:
        """Wait until a watch is open."""
        return self.api.seen(lambda: self.api.streams > 0)


@contextmanager
def served() -> Iterator[FakeApi]:
    api = FakeApi(SkippingClock())
    try:
        yield api
    finally:
        api.close()


@contextmanager
def following(
    resource: Resource = PODS, objects: int = 3, timing: Timing = TIMING, limits: Limits = PATIENT
) -> Iterator[Following]:
    """A reflector that has listed and watches."""
    with served() as api:
        api.serve(resource.path)
        for number in range(objects):
            api.put(resource.path, f"at-first-{number}")
        with reflecting(api, resource, timing, limits) as found:
            assert found.sink.comes_to(lambda: found.reflector.health().is_synced)
            assert found.watches()
            yield found


@contextmanager
def reflecting(
    api: FakeApi, resource: Resource = PODS, timing: Timing = TIMING, limits: Limits = PATIENT
) -> Iterator[Following]:
    sink = MemorySink(api.clock)
    reflector = Reflector(resource, Server.of(connect(api, limits)), sink, timing)
    reflector.start()
    try:
        yield Following(api, api.clock, sink, reflector, resource)
    finally:
        reflector.stop()
        assert reflector.join(2.0)
