"""The extender on a live source, and its health on an address of its own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp

from extender.app import Cluster, Extender, Settings
from extender.live_state import Departures
from tests.builders import Cluster as Builder
from tests.descheduler.loop.sources import GivenSource
from tests.extender.serving import POD, args
from ullage.config import defaults
from ullage.errors import UllageError
from ullage.model.state import ClusterState
from ullage.serving.address import Address
from ullage.sources.snapshot import encode

FREE = Address("127.0.0.1", 0)
PLAN = {
    "spec": {"moves": [{"workload": {"uid": "uid-pod-shop-web-1"}, "to": "n2"}]},
    "status": {"phase": "Running", "steps": []},
}


def state() -> ClusterState:
    cluster = Builder().node("n1").node("n2").node("n3")
    return cluster.pod("shop/web-1", "n1", owner=("ReplicaSet", "web")).vm("shop/v", "n2", use_cpu=4).build()


def serve(test: Callable[[Extender, aiohttp.ClientSession], Awaitable[None]], extender: Callable[[], Extender]) -> None:
    async def whole() -> None:
        service = extender()
        await service.start()
        try:
            async with aiohttp.ClientSession() as http:
                await test(service, http)
        finally:
            await service.stop()

    asyncio.run(whole())


def url(extender: Extender, path: str) -> str:
    return f"http://127.0.0.1:{extender.http.addresses[0][1]}{path}"


def live(source: GivenSource, get: Callable[[str], bytes]) -> Callable[[], Extender]:
    settings = Settings(snapshot=None, config=defaults(), listen=FREE, poll_seconds=0.01)
    return lambda: Extender(settings, cluster=Cluster(source, get))


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while not await holds():
            await asyncio.sleep(0.01)


def no_plans(path: str) -> bytes:
    raise UllageError(f"404 NotFound: {path}")


def test_it_is_ready_once_the_cluster_is_known_and_follows_it():
    source = GivenSource()

    async def test(extender: Extender, http: aiohttp.ClientSession) -> None:
        async def status() -> int:
            async with http.get(url(extender, "/readyz")) as answer:
                return answer.status

        async def ready() -> bool:
            return await status() == 200

        assert source.is_running
        assert await status() == 503
        source.state = state()
        await until(ready)
        first = extender.scheduling.current.generation
        source.state = state()
        await asyncio.wait_for(extender.scheduling.changed(first), 20)
        async with http.post(url(extender, "/scheduler/filter"), json=args(["n1", "n2"])) as answer:
            assert json.loads(await answer.text())["NodeNames"] == ["n1", "n2"]

    serve(test, live(source, no_plans))
    assert not source.is_running


def test_a_pod_that_was_answered_for_and_is_deleted_is_forgotten():
    source, departures = GivenSource(state()), Departures()
    settings = Settings(snapshot=None, config=defaults(), listen=FREE, poll_seconds=0.01)

    async def test(extender: Extender, http: aiohttp.ClientSession) -> None:
        async def count() -> str:
            body = args(["n1", "n2", "n3"])
            async with http.post(url(extender, "/scheduler/prioritize"), json=body) as answer:
                assert answer.status == 200
            return await pods()

        async def pods() -> str:
            async with http.get(url(extender, "/metrics")) as answer:
                lines = (await answer.text()).splitlines()
            return next(each.split()[1] for each in lines if each.startswith("ullage_extender_ledger_pods "))

        async def counted() -> bool:
            return await count() == "1.0"

        async def forgotten() -> bool:
            return await pods() == "0.0"

        await until(counted)
        departures.tell("uid-of-another")
        departures.tell(str(POD["metadata"]["uid"]))
        await until(forgotten)

    serve(test, lambda: Extender(settings, cluster=Cluster(source, no_plans, departures)))


def test_the_replacement_of_an_evicted_pod_is_steered_to_the_planned_node():
    source = GivenSource(state())

    async def test(extender: Extender, http: aiohttp.ClientSession) -> None:
        pod = {
            "metadata": {
                "name": "web-2",
                "namespace": "shop",
                "uid": "uid-of-web-2",
                "ownerReferences": [{"kind": "ReplicaSet", "name": "web", "uid": "r", "controller": True}],
            },
            "spec": {"containers": [{"name": "c"}]},
        }

        async def steered() -> bool:
            body = {"Pod": pod, "Nodes": None, "NodeNames": ["n1", "n2", "n3"]}
            async with http.post(url(extender, "/scheduler/prioritize"), json=body) as answer:
                scores = {each["Host"]: each["Score"] for each in json.loads(await answer.text())}
            return scores == {"n1": 0, "n2": 10, "n3": 0}

        await until(steered)
        assert await steered()  # whenever it is asked about this pod

    serve(test, live(source, lambda _: json.dumps({"items": [PLAN]}).encode()))


def test_health_has_an_address_of_its_own_where_nothing_else_is_served(tmp_path: Path):
    file = tmp_path / "cluster.snapshot"
    file.write_bytes(encode(state()))
    settings = Settings(snapshot=file, config=defaults(), listen=FREE, health_listen=FREE, poll_seconds=0.01)

    async def test(extender: Extender, http: aiohttp.ClientSession) -> None:
        assert extender.health is not None
        base = f"http://127.0.0.1:{extender.health.addresses[0][1]}"

        async def ready() -> bool:
            async with http.get(base + "/readyz") as answer:
                return answer.status == 200

        await until(ready)
        async with http.get(base + "/metrics") as answer:
            assert "ullage_extender_nodes 3" in await answer.text()
        async with http.post(base + "/scheduler/filter", json=args(["n1"])) as answer:
            assert answer.status == 404

    serve(test, lambda: Extender(settings))
