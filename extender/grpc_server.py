"""The gRPC server: the same decisions as over HTTP, in packed columns. Its API stands in ``proto/ullage/api/v1/``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final, NamedTuple, TypeAlias, TypeVar

import grpc
import msgspec
import numpy as np
from google.protobuf import json_format, struct_pb2
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from extender.classes import classes, measure_ages
from extender.metrics import ERROR, NEUTRAL, SCORED
from extender.pods import described_pod, pod_request
from extender.scheduling import Opinion, Published, Scheduling
from extender.verbs import PodRequest, Verdict
from extender.wire import read_pod
from ullage.api.v1 import scheduling_pb2 as pb
from ullage.api.v1 import scheduling_pb2_grpc as services
from ullage.errors import UsageError
from ullage.model.arrays import IntArray
from ullage.scoring.columns import NodeView
from ullage.serving.tls import Certificates

ValueT = TypeVar("ValueT")
Question: TypeAlias = pb.FilterRequest | pb.ScoreRequest | pb.ExplainRequest

_SERVICE: Final = pb.DESCRIPTOR.services_by_name["Scheduling"].full_name
_LARGEST_MESSAGE_BYTES: Final = 64 * 2**20
_OUTCOMES: Final = {SCORED: pb.OUTCOME_SCORED, NEUTRAL: pb.OUTCOME_NEUTRAL}
_ROW: Final = np.dtype("<u4")


class _Call(NamedTuple):
    """A request that was understood."""

    published: Published
    pod: PodRequest | None
    rows: IntArray
    names: Sequence[str] | None
    begun_at: float


class Refused(Exception):  # noqa: N818  # it is a status
    """A request that cannot be answered.

    Parameters
    ----------
    status
        gRPC status.
    reason
        One sentence.
    """

    def __init__(self, status: grpc.StatusCode, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class SchedulingService(services.SchedulingServicer):
    """The service `Scheduling`.

    Parameters
    ----------
    scheduling
        What decides.
    """

    def __init__(self, scheduling: Scheduling) -> None:
        self._scheduling = scheduling
        self._clock = scheduling.clocks.monotonic

    async def Filter(  # noqa: N802
        self, request: pb.FilterRequest, context: grpc.aio.ServicerContext[pb.FilterRequest, pb.FilterResponse]
    ) -> pb.FilterResponse:
        """Which nodes must not get the pod, and why."""

        def compute(call: _Call, view: NodeView, pod: PodRequest) -> pb.FilterResponse:
            return _filtered(self._scheduling.verdict(view, pod, call.rows))

        try:
            call, opinion = self._decide("filter", request, compute)
        except Refused as refused:
            await context.abort(refused.status, refused.reason)
        response = opinion.value or pb.FilterResponse(verdicts=bytes(len(call.rows)))
        response.generation, response.note = call.published.generation, opinion.note
        response.outcome = _OUTCOMES[opinion.outcome]
        return response

    async def Score(  # noqa: N802
        self, request: pb.ScoreRequest, context: grpc.aio.ServicerContext[pb.ScoreRequest, pb.ScoreResponse]
    ) -> pb.ScoreResponse:
        """How well each node suits the pod."""

        def compute(call: _Call, view: NodeView, pod: PodRequest) -> bytes:
            scores = self._scheduling.scores(view, pod, call.rows)
            return np.clip(scores, 0, 255).astype(np.uint8).tobytes()

        try:
            call, opinion = self._decide("prioritize", request, compute)
        except Refused as refused:
            await context.abort(refused.status, refused.reason)
        return pb.ScoreResponse(
            generation=call.published.generation,
            outcome=_OUTCOMES[opinion.outcome],
            note=opinion.note,
            scores=opinion.value if opinion.value is not None else bytes(len(call.rows)),
            score_scale=self._scheduling.decision.best_score,
        )

    async def Explain(  # noqa: N802
        self, request: pb.ExplainRequest, context: grpc.aio.ServicerContext[pb.ExplainRequest, pb.ExplainResponse]
    ) -> pb.ExplainResponse:
        """How the decision comes about."""

        def compute(call: _Call, view: NodeView, pod: PodRequest) -> struct_pb2.Struct:
            explanation = self._scheduling.explanation(view, pod, call.rows, call.names)
            return json_format.Parse(msgspec.json.encode(explanation), struct_pb2.Struct())

        try:
            call, opinion = self._decide("explain", request, compute)
        except Refused as refused:
            await context.abort(refused.status, refused.reason)
        return pb.ExplainResponse(
            generation=call.published.generation,
            outcome=_OUTCOMES[opinion.outcome],
            note=opinion.note,
            explanation=opinion.value,
        )

    async def WatchState(  # noqa: N802
        self,
        request: pb.WatchStateRequest,
        context: grpc.aio.ServicerContext[pb.WatchStateRequest, pb.WatchStateResponse],
    ) -> AsyncIterator[pb.WatchStateResponse]:
        """The state, now and whenever it changes; a client that is slow misses generations in between."""
        del context
        generation, names_version = 0, request.names_version
        while (published := await self._scheduling.changed(generation)) is not None and published.view is not None:
            generation = published.generation
            yield _state(published, published.view, names_version, self._scheduling.age_seconds())
            names_version = published.table.version

    def _decide(
        self, verb: str, request: Question, compute: Callable[[_Call, NodeView, PodRequest], ValueT]
    ) -> tuple[_Call, Opinion[ValueT]]:
        begun_at, outcome, asked = self._clock(), ERROR, 0
        try:
            published = self._scheduling.current
            names = request.nodes.names or None
            call = _Call(published, _pod(request.pod), _rows(request.nodes, published), names, begun_at)
            opinion = self._scheduling.decide(
                verb, published, call.pod, begun_at, lambda view, pod: compute(call, view, pod)
            )
            outcome, asked = opinion.outcome, len(call.rows)
        finally:
            self._scheduling.metrics.called(verb, outcome, self._clock() - begun_at, asked)
        return call, opinion


class GrpcServer:
    """Serves the API, with the standard services for health and reflection.

    Parameters
    ----------
    scheduling
        What decides.
    """

    def __init__(self, scheduling: Scheduling) -> None:
        size = _LARGEST_MESSAGE_BYTES
        self._server = grpc.aio.server(options=[("grpc.max_receive_message_length", size)])
        self._health = health.aio.HealthServicer()
        services.add_SchedulingServicer_to_server(SchedulingService(scheduling), self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names = (_SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self._server)

    async def start(self, address: str, certificates: Certificates | None = None) -> int:
        """Listen; the port.

        Parameters
        ----------
        address
            ``host:port``; port 0 is any free one.
        certificates
            For TLS.

        Raises
        ------
        UsageError
            The address cannot be listened on.
        """
        await self.set_ready(ready=False)
        try:
            if certificates is None:
                port = self._server.add_insecure_port(address)
            else:
                port = self._server.add_secure_port(address, certificates.grpc_credentials())
        except RuntimeError:
            raise UsageError(f"{address}: gRPC cannot listen there", "is the port taken?") from None
        await self._server.start()
        return port

    async def set_ready(self, *, ready: bool) -> None:
        """Tell health checks whether there is a state to decide on."""
        response = health_pb2.HealthCheckResponse
        status = response.SERVING if ready else response.NOT_SERVING
        for service in ("", _SERVICE):
            await self._health.set(service, status)

    async def stop(self, grace_seconds: float) -> None:
        """Take no new call, and cancel those that are not finished in time."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(grace_seconds)


def _pod(described: pb.Pod) -> PodRequest | None:
    if not described.manifest:
        return described_pod(described)
    pod = read_pod(described.manifest)
    return None if pod is None else pod_request(pod)


def _rows(nodes: pb.NodeSelection, published: Published) -> IntArray:
    """Rows in the published table, int32 (n,); -1 for a name that is not known (any more)."""
    if nodes.names:
        return published.table.rows(list(nodes.names))
    if len(nodes.rows) % _ROW.itemsize:
        raise Refused(grpc.StatusCode.INVALID_ARGUMENT, "rows must be uint32 each")
    rows = np.frombuffer(nodes.rows, _ROW)
    table = next((each for each in published.tables if each.version == nodes.names_version), None)
    if table is None and len(rows):
        raise Refused(grpc.StatusCode.FAILED_PRECONDITION, "this version of the names is not known: watch the state")
    if table is not None and len(rows) and int(rows.max()) >= len(table):
        raise Refused(grpc.StatusCode.INVALID_ARGUMENT, f"a row is not below {len(table)}, the number of names")
    if table is None or table is published.table:
        return rows.astype(np.int64)
    return published.table.rows([table.names[row] for row in rows.tolist()])


def _filtered(verdict: Verdict) -> pb.FilterResponse:
    positions = verdict.positions
    used = np.unique(verdict.code[positions])
    verdicts = np.zeros(len(verdict.code), dtype=np.uint8)
    verdicts[positions] = 1 + np.searchsorted(used, verdict.code[positions])
    return pb.FilterResponse(
        verdicts=verdicts.tobytes(),
        reasons=[pb.Reason(code=verdict.codes[i], resolvable=bool(verdict.resolvable[i])) for i in used.tolist()],
        messages=verdict.why(positions),
    )


def _state(published: Published, view: NodeView, names_version: int, age_seconds: float) -> pb.WatchStateResponse:
    version = published.table.version
    return pb.WatchStateResponse(
        generation=published.generation,
        observed_at_seconds=view.state.observed_at_seconds,
        age_seconds=age_seconds,
        names_version=version,
        names=() if version == names_version else published.table.names,
        classes=classes(view).astype(np.uint8).tobytes(),
        measure_ages_seconds=measure_ages(view).astype("<f4").tobytes(),
    )
