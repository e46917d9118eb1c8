"""Pods of a test: where they are, and what is said of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from tests.controlplane.rest import Rest
from tests.controlplane.waiting import until
from tests.standin.objects import PodShape
from tests.standin.wire import Json, condition_of

WRITERS = 8


@contextmanager
def fresh_namespace(admin: Rest) -> Iterator[str]:
    """A namespace in which pods can be created."""
    wanted = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"generateName": "e2e-"}}
    name = str(admin.post("/api/v1/namespaces", wanted)["metadata"]["name"])
    path = f"/api/v1/namespaces/{name}"
    until(lambda: admin.list(f"{path}/serviceaccounts"), f"service account of {name}")
    yield name
    admin.delete(path)


class Pods:
    """Pods of one namespace."""

    def __init__(self, admin: Rest, namespace: str) -> None:
        self._admin = admin
        self.namespace = namespace
        self.path = f"/api/v1/namespaces/{namespace}/pods"

    def create(self, count: int, name: str = "pod", *, writers: int = WRITERS, **traits: object) -> None:
        """Create equal pods; ``traits`` are fields of `PodShape`."""
        shapes = [PodShape(f"{name}-{number}", namespace=self.namespace, **traits) for number in range(count)]  # type: ignore[arg-type]
        with ThreadPoolExecutor(writers) as pool:
            list(pool.map(lambda each: self._admin.post(self.path, each.wire()), shapes))

    def get(self, name: str) -> Json:
        found: Json = self._admin.get(f"{self.path}/{name}")
        return found

    def all(self, prefix: str = "") -> list[Json]:
        return [each for each in self._admin.list(self.path) if each["metadata"]["name"].startswith(prefix)]

    def landed(self, prefix: str = "", seconds: float = 60.0) -> Counter[str]:
        """Wait until all are bound; how many of them are on each node."""

        def nodes() -> list[str] | None:
            found = [str(each["spec"].get("nodeName") or "") for each in self.all(prefix)]
            return found if all(found) else None

        return Counter(until(nodes, "binding of all pods", seconds=seconds))

    def verdict(self, name: str, word: str = "") -> Json:
        """Wait until the scheduler says why a pod is not bound, in a message with a word; its condition."""

        def found() -> Json | None:
            condition = condition_of(self.get(name), "PodScheduled")
            return condition if word in condition.get("message", "") and condition.get("status") == "False" else None

        return until(found, f"a verdict on {name} with {word!r}")

    def events(self, name: str) -> list[str]:
        """Messages of the scheduler's events about a pod that has failed to be placed."""
        selector = f"involvedObject.name={name},reason=FailedScheduling"
        found = self._admin.list(f"/api/v1/namespaces/{self.namespace}/events", fieldSelector=selector)
        return [each["message"] for each in found]

    def delete_all(self) -> None:
        """Delete them and what makes them, and wait for the end."""
        self._admin.delete(f"/apis/apps/v1/namespaces/{self.namespace}/replicasets")
        self._admin.delete(self.path, {"gracePeriodSeconds": 0})
        until(lambda: not self.all(), "the end of all pods", seconds=60)
