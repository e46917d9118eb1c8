"""The gRPC service ``Rebalancing``: a plan for the live state on request; nothing is carried out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import grpc
from google.protobuf import json_format, struct_pb2
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from descheduler.policy.decide import decide
from descheduler.policy.memory import Memory
from descheduler.policy.plan import Goal
from descheduler.report import render
from ullage.api.v1 import rebalancing_pb2 as pb
from ullage.api.v1 import rebalancing_pb2_grpc as services
from ullage.config import Configuration, override
from ullage.errors import UllageError, UsageError
from ullage.model.state import ClusterState
from ullage.serving.tls import Certificates
from ullage.sources.ports import StateSource

_SERVICE: Final = pb.DESCRIPTOR.services_by_name["Rebalancing"].full_name


class RebalancingService(services.RebalancingServicer):
    """The service.

    Parameters
    ----------
    source
        Gives the state.
    configuration
        Gives the configuration in effect.
    """

    def __init__(self, source: StateSource, configuration: Callable[[], Configuration]) -> None:
        self._source, self._configuration = source, configuration

    async def Plan(  # noqa: N802
        self, request: pb.PlanRequest, context: grpc.aio.ServicerContext[pb.PlanRequest, pb.PlanResponse]
    ) -> pb.PlanResponse:
        """A plan out of the blue, as ``ullage plan`` makes it."""
        state = self._source.current()
        if state is None:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "there is no state yet")
        try:
            return await asyncio.to_thread(_planned, state, self._configuration(), request)
        except UllageError as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"{error.message} {error.hint}".strip())


def _planned(state: ClusterState, config: Configuration, request: pb.PlanRequest) -> pb.PlanResponse:
    if request.goal:
        if request.goal not in list(Goal):
            raise UsageError(f"{request.goal!r} is no goal", f"known: {', '.join(Goal)}")
        config = override(config, "planning.goal", request.goal)
    if request.HasField("max_moves"):
        config = override(config, "planning.maxMoves", request.max_moves)
    plan, _ = decide(state, Memory(), config, state.observed_at_seconds, list(request.nodes))
    document = json_format.Parse(render(plan, "json"), struct_pb2.Struct())
    return pb.PlanResponse(generation=state.generation, plan=document)


class GrpcServer:
    """Serves it, with the standard services for health and reflection."""

    def __init__(self, service: RebalancingService) -> None:
        self._server = grpc.aio.server()
        self._health = health.aio.HealthServicer()
        services.add_RebalancingServicer_to_server(service, self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflection.enable_server_reflection((_SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME), self._server)

    async def start(self, address: str, certificates: Certificates | None = None) -> int:
        """Listen; the port.

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
        """Tell health checks whether there is a state to plan for."""
        response = health_pb2.HealthCheckResponse
        for service in ("", _SERVICE):
            await self._health.set(service, response.SERVING if ready else response.NOT_SERVING)

    async def stop(self, grace_seconds: float) -> None:
        """Take no new call, and cancel those that are not finished in time."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(grace_seconds)
