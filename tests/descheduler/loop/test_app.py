from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from prometheus_client.parser import text_string_to_metric_families

from descheduler.loop.app import Descheduler
from descheduler.loop.cycle import Clocks
from descheduler.loop.settings import ConfigurationFile, Settings
from descheduler.policy.decide import decide
from descheduler.policy.memory import Memory
from descheduler.report import render
from tests.builders import Cluster
from tests.descheduler.loop.sources import GivenSource
from ullage.api.v1 import rebalancing_pb2 as pb
from ullage.api.v1 import rebalancing_pb2_grpc as services
from ullage.commands.config import read_configuration
from ullage.config import defaults
from ullage.model.state import ClusterState
from ullage.serving.address import Address
from ullage.sources.ports import Health, KindHealth, ReadingHealth, SetAside
from ullage.telemetry.readings import Problem

HEAD = "apiVersion: ullage.dev/v1alpha1\nkind: Configuration\n"
AT_ONCE = HEAD + "hysteresis: {persistenceSeconds: 0}\n"
FREE = Address("127.0.0.1", 0)


def hot() -> ClusterState:
    return Cluster().node("n1").node("n2").vm("shop/v", "n1", use_cpu=2).vm("shop/w", "n1", use_cpu=5).build()


class Running:
    """A loop in the loop of the test."""

    def __init__(self, service: Descheduler, http: aiohttp.ClientSession) -> None:
        self.service, self._http = service, http

    async def get(self, path: str) -> tuple[int, str]:
        async with self._http.get(f"http://127.0.0.1:{self.service.http.port}{path}") as answer:
            return answer.status, await answer.text()

    async def until(self, path: str, holds: Callable[[int, str], bool]) -> str:
        async with asyncio.timeout(20):
            while True:
                status, text = await self.get(path)
                if holds(status, text):
                    return text
                await asyncio.sleep(0.01)


def run(
    source: GivenSource, test: Callable[[Running], Awaitable[None]], config: Path | None = None, **settings: object
) -> None:
    async def whole() -> None:
        given = Settings(**{"interval_seconds": 0.02, "max_state_age_seconds": 1e12, "listen": FREE, **settings})  # type: ignore[arg-type]
        loop = asyncio.get_running_loop()
        clocks = Clocks(loop.time, lambda: 2_000_000.0 + loop.time())
        service = Descheduler(given, source, ConfigurationFile(config, read_configuration), clocks)
        started = asyncio.Event()
        running = asyncio.create_task(service.run(started.set))
        await asyncio.wait({asyncio.create_task(started.wait()), running}, return_when=asyncio.FIRST_COMPLETED)
        try:
            async with aiohttp.ClientSession() as http:
                await test(Running(service, http))
        finally:
            service.end()
            await running

    asyncio.run(whole())
    assert not source.is_running


def figures(text: str) -> dict[str, float]:
    return {
        f"{s.name.removeprefix('ullage_descheduler_')}{','.join(s.labels.values())}": s.value
        for family in text_string_to_metric_families(text)
        for s in family.samples
    }


def test_before_the_first_state_it_is_alive_and_not_ready_and_then_it_shows_the_plan(tmp_path):
    source = GivenSource()
    file = tmp_path / "c.yaml"
    file.write_text(AT_ONCE)

    async def test(running: Running) -> None:
        assert (await running.get("/healthz"))[0] == 200
        assert [(await running.get(p))[0] for p in ("/readyz", "/plan", "/report")] == [503, 503, 503]
        source.state = hot()
        await running.until("/readyz", lambda status, _: status == 200)
        shown = json.loads((await running.get("/plan"))[1])
        assert [m["workload"]["name"] for m in shown["spec"]["moves"]] == ["v"]
        status, page = await running.get("/report")
        assert (status, "<!doctype html>" in page.lower(), "shop/v" in page) == (200, True, True)
        assert 'href="report"' in (await running.get("/"))[1]

    run(source, test, file)


def test_metrics_tell_of_cycles_nodes_moves_and_of_what_is_known(tmp_path):
    source = GivenSource(hot())
    source.told = Health(
        is_synced=True,
        kinds=(
            KindHealth(
                "pods", is_synced=True, objects=7, quarantined=1, lag_seconds=2.5, relists={"gone": 3}, error="x"
            ),
        ),
        readings=(ReadingHealth("prometheus", 4.0, 0.5, (Problem("nan", "NaN", 6), Problem("nan", "NaN", 2))),),
        set_aside=(SetAside("n9", "stale", "old"),),
    )
    file = tmp_path / "c.yaml"
    file.write_text(AT_ONCE)

    async def test(running: Running) -> None:
        await running.until("/readyz", lambda status, _: status == 200)
        found = figures((await running.get("/metrics"))[1])
        assert found["cycles_totalplanned"] >= 1
        assert found["nodesover"] == 1
        assert found["moves_proposedrelieve"] == 1
        assert found["moves_proposedevacuate"] == 0
        assert found["node_utilization_ration1,cpu"] == pytest.approx(0.875)
        assert (found["objectspods"], found["objects_quarantinedpods"], found["relists_totalpods,gone"]) == (7, 1, 3)
        assert (found["watch_failingpods"], found["watch_lag_secondspods"]) == (1, 2.5)
        assert (found["metrics_age_secondsprometheus"], found["metrics_rejectednan"]) == (4.0, 8)
        assert found["nodes_set_asidestale"] == 1
        assert found["configuration_valid"] == 1
        status = json.loads((await running.get("/status"))[1])
        assert (status["mode"], status["cycle"]["moves"], status["health"]["set_aside"][0]["node"]) == (
            "Predictive",
            1,
            "n9",
        )

    run(source, test, file)


def test_a_bad_configuration_keeps_the_old_one_and_metrics_show_it(tmp_path):
    source, file = GivenSource(hot()), tmp_path / "c.yaml"
    file.write_text(AT_ONCE)

    async def test(running: Running) -> None:
        file.write_text(HEAD + "planning: {goal: tidy}\n")
        await running.until("/metrics", lambda _, text: figures(text)["configuration_valid"] == 0)
        assert figures((await running.get("/metrics"))[1])["configuration_reload_failures_total"] == 1
        assert "tidy" in json.loads((await running.get("/status"))[1])["configurationError"]
        assert len(json.loads((await running.get("/plan"))[1])["spec"]["moves"]) == 1
        file.write_text(AT_ONCE + "planning: {maxMoves: 0}\n")
        await running.until("/metrics", lambda _, text: figures(text)["configuration_valid"] == 1)
        await running.until("/plan", lambda _, text: json.loads(text)["spec"]["moves"] == [])

    run(source, test, file)


def test_a_fault_in_a_cycle_is_counted_and_the_next_one_is_made():
    class Faulty(GivenSource):
        def current(self) -> ClusterState | None:
            if self.state is None:
                raise ArithmeticError("a fault of the program")
            return self.state

    source = Faulty()

    async def test(running: Running) -> None:
        await running.until("/metrics", lambda _, text: figures(text)["cycles_totalfailed"] >= 2)
        source.state = hot()
        await running.until("/readyz", lambda status, _: status == 200)
        assert figures((await running.get("/metrics"))[1])["cycles_totalplanned"] >= 1

    run(source, test)


def test_over_grpc_a_plan_is_made_on_request():
    source = GivenSource()

    async def test(running: Running) -> None:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{running.service.grpc_port}") as channel:
            stub, health = services.RebalancingStub(channel), health_pb2_grpc.HealthStub(channel)
            with pytest.raises(grpc.aio.AioRpcError, match="no state yet"):
                await stub.Plan(pb.PlanRequest())
            source.state = hot()
            await running.until("/readyz", lambda status, _: status == 200)
            answer = await stub.Plan(pb.PlanRequest())
            plan, _ = decide(source.state, Memory(), defaults(), source.state.observed_at_seconds)
            assert answer.plan["spec"]["moves"][0]["workload"]["name"] == "v"
            assert len(answer.plan["status"]["nodes"]) == len(json.loads(render(plan, "json"))["status"]["nodes"])
            emptied = await stub.Plan(pb.PlanRequest(goal="evacuate", nodes=["n2"]))
            assert emptied.plan["spec"]["goal"] == "evacuate"
            assert len((await stub.Plan(pb.PlanRequest(max_moves=0))).plan["spec"]["moves"]) == 0
            with pytest.raises(grpc.aio.AioRpcError, match="'tidy' is no goal"):
                await stub.Plan(pb.PlanRequest(goal="tidy"))
            served = await health.Check(health_pb2.HealthCheckRequest())
            assert served.status == health_pb2.HealthCheckResponse.SERVING

    run(source, test, grpc_listen=FREE)


def test_plans_are_written_to_files(tmp_path):
    source, file = GivenSource(hot()), tmp_path / "c.yaml"
    file.write_text(AT_ONCE)
    folder = tmp_path / "plans"
    folder.mkdir()

    async def test(running: Running) -> None:
        async with asyncio.timeout(20):
            while not list(folder.iterdir()):
                await asyncio.sleep(0.01)
        (written,) = folder.iterdir()
        assert json.loads(written.read_text()) == json.loads((await running.get("/plan"))[1])

    run(source, test, file, plans=folder)
