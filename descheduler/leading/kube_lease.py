"""The Lease on an API server."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from descheduler.leading.lease import Held, LeaseChangedError, Record
from ullage.sources.kube_api.connection import Connection, Limits
from ullage.sources.kube_api.errors import ConflictError, NotFoundError

_MERGE = "application/merge-patch+json"


class _Meta(msgspec.Struct, rename="camel"):
    resource_version: str = ""
    annotations: dict[str, str] | None = None


class _Lease(msgspec.Struct):
    metadata: _Meta
    spec: Record = Record()


_DECODER = msgspec.json.Decoder(_Lease)


class KubeLease:
    """`LeasePort` of one Lease.

    Parameters
    ----------
    connection
        The API server; best one of its own, so that other calls do not keep this one waiting.
    namespace, name
        Where the Lease stands.
    """

    def __init__(self, connection: Connection, namespace: str, name: str) -> None:
        self._connection, self._namespace, self._name = connection, namespace, name
        self._collection = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._path = f"{self._collection}/{name}"

    def read(self, timeout_seconds: float) -> Held | None:
        """The Lease; ``None`` if there is none."""
        try:
            return _held(self._connection.request("GET", self._path, limits=_limits(timeout_seconds)))
        except NotFoundError:
            return None

    def create(self, record: Record, timeout_seconds: float) -> Held:
        """A new Lease; raises `LeaseChangedError` if there is one."""
        document = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": self._name, "namespace": self._namespace},
            "spec": record,
        }
        return self._written("POST", self._collection, document, "application/json", timeout_seconds)

    def replace(self, record: Record, before: Held, timeout_seconds: float) -> Held:
        """The Lease with another record; raises `LeaseChangedError` if it has changed since `before`."""
        spec = {field: getattr(record, name) for field, name in _FIELDS.items()}
        document = {"metadata": {"resourceVersion": before.version}, "spec": spec}
        return self._written("PATCH", self._path, document, _MERGE, timeout_seconds)

    def annotate(self, annotations: Mapping[str, str], before: Held, timeout_seconds: float) -> Held:
        """The Lease with these annotations set; raises `LeaseChangedError` if it has changed since `before`."""
        document = {"metadata": {"resourceVersion": before.version, "annotations": annotations}}
        return self._written("PATCH", self._path, document, _MERGE, timeout_seconds)

    def _written(self, verb: str, path: str, document: object, content_type: str, timeout_seconds: float) -> Held:
        body, limits = msgspec.json.encode(document), _limits(timeout_seconds)
        try:
            return _held(self._connection.request(verb, path, body=body, content_type=content_type, limits=limits))
        except ConflictError as error:
            raise LeaseChangedError(error.message) from None


_FIELDS = dict(zip(Record.__struct_encode_fields__, Record.__struct_fields__, strict=True))


def _limits(timeout_seconds: float) -> Limits:
    return Limits(timeout_seconds, timeout_seconds, timeout_seconds)


def _held(body: bytes) -> Held:
    lease = _DECODER.decode(body)
    return Held(lease.spec, lease.metadata.resource_version, lease.metadata.annotations or {})
