"""What monitoring says of real use, without a control plane."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec
import pytest
import urllib3
from prometheus_client.parser import text_string_to_metric_families

from tests.standin.clock import Clock
from tests.standin.exposition import Exposition
from tests.standin.https import LoopbackServer, Request
from tests.standin.meters import Meters
from tests.standin.metrics_api import PREFIX, MetricsApi
from tests.standin.nodes import NodeShape
from tests.standin.readings import Readings
from tests.standin.running import Running
from tests.standin.use import Pressure, Share, Use, Uses, annotation
from tests.standin.wire import Json

GI = 2**30


@dataclass(frozen=True)
class SteppedClock(Clock):
    """Time that goes on when a test says so."""

    at: list[float] = field(default_factory=lambda: [0.0])

    def real(self) -> float:
        return self.at[0]

    def wall(self) -> float:
        return 1_000_000.0 + self.at[0]


@dataclass
class Placed:
    """Running pods by node, in place of the kubelets."""

    pods: dict[str, list[Json]]

    @property
    def nodes(self) -> "Placed":
        return self

    @property
    def shapes(self) -> dict[str, NodeShape]:
        base = Use(cpu_cores=0.5, working_set_bytes=2 * GI)
        return {name: NodeShape(name, swap_bytes=8 * GI, base=base) for name in self.pods}

    def on_node(self) -> dict[str, list[Json]]:
        return self.pods


def pod(name: str, **metadata: object) -> Json:
    spec = {"containers": [{"name": "app"}, {"name": "helper"}]}
    return {"metadata": {"name": name, "namespace": "shop", "uid": f"uid-{name}", **metadata}, "spec": spec}


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def readings(clock: SteppedClock) -> Readings:
    owner = [{"name": "rs", "kind": "ReplicaSet"}]
    launcher = pod("virt-launcher-db-1", annotations={"kubevirt.io/domain": "db"})
    target = pod(
        "virt-launcher-db-2", annotations={"kubevirt.io/domain": "db"}, labels={"kubevirt.io/migrationJobUID": "x"}
    )
    noted = pod("noted", annotations=annotation(Use(cpu_cores=0.25, working_set_bytes=GI)))
    placed = Placed({"n1": [launcher, pod("rs-a", ownerReferences=owner)], "n2": [target, noted]})
    uses = Uses(default=lambda _: Use(cpu_cores=9))
    uses.set(("shop", "db"), Use(cpu_cores=2, working_set_bytes=8 * GI, swap_bytes=GI))
    uses.set(("shop", "rs"), Use(cpu_cores=1, working_set_bytes=4 * GI))
    return Readings(placed, uses, clock)  # type: ignore[arg-type]


def test_node_uses_what_its_pods_and_itself_use(readings: Readings) -> None:
    now = readings.now()
    assert now["n1"].use == Use(cpu_cores=3.5, working_set_bytes=14 * GI, swap_bytes=GI)
    assert now["n2"].use == Use(cpu_cores=0.75, working_set_bytes=3 * GI)
    assert now["n1"].available_bytes == 50 * GI
    assert now["n1"].swap_free_bytes == 7 * GI


def test_use_follows_the_vm(readings: Readings) -> None:
    readings.uses.share(("shop", "virt-launcher-db-2"), Share(0.0, 0.25))
    assert readings.now()["n2"].use.working_set_bytes == 5 * GI
    readings.uses.share(("shop", "virt-launcher-db-1"), Share(0.0, 0.0))
    readings.uses.share(("shop", "virt-launcher-db-2"), Share())
    readings.refresh()
    now = readings.now()
    assert (now["n1"].use.cpu_cores, now["n2"].use.cpu_cores) == (1.5, 2.75)
    assert now["n2"].use.swap_bytes == GI


def test_cpu_stalls_once_more_cores_are_wanted_than_there_are(readings: Readings) -> None:
    readings.uses.set(("shop", "db"), Use(cpu_cores=30.5))
    assert readings.now()["n1"].pressure == Pressure(cpu_ratio=0.5)


def test_lies(readings: Readings, clock: SteppedClock) -> None:
    readings.freeze("n1")
    readings.zero("n2")
    clock.at[0] = 60.0
    readings.uses.set(("shop", "db"), Use(cpu_cores=7))
    now = readings.now()
    assert (now["n1"].use.cpu_cores, now["n1"].taken_at) == (3.5, 1_000_000.0)
    assert now["n2"].use == Use()
    assert now["n2"].pods[1].use == Use()
    readings.tell_truth()
    readings.delay(600.0, "n2")
    readings.hide("n1")
    assert readings.now().keys() == {"n2"}
    assert readings.now()["n2"].taken_at == 999_460.0
    readings.tell_truth()
    assert readings.now()["n1"].use.cpu_cores == 8.5


def ask(readings: Readings, path: str, **query: str) -> Json:
    found: Json = json.loads(MetricsApi(readings).route(Request(PREFIX + path, query)).body)
    return found


def test_metrics_api(readings: Readings) -> None:
    node = ask(readings, "/nodes/n1")
    assert node["usage"] == {"cpu": "3500000000n", "memory": f"{14 * 2**20}Ki", "swap": f"{2**20}Ki"}
    assert node["timestamp"] == "1970-01-12T13:46:40Z"
    assert [each["metadata"]["name"] for each in ask(readings, "/nodes")["items"]] == ["n1", "n2"]
    assert len(ask(readings, "/pods")["items"]) == 4
    assert ask(readings, "/namespaces/other/pods")["items"] == []
    containers = ask(readings, "/namespaces/shop/pods/noted")["containers"]
    assert containers == [
        {"name": "app", "usage": {"cpu": "250000000n", "memory": f"{2**20}Ki"}},
        {"name": "helper", "usage": {"cpu": "0n", "memory": "0Ki"}},
    ]
    assert ask(readings, "/nodes", labelSelector="kubernetes.io/hostname=n2")["items"][0]["metadata"]["name"] == "n2"
    assert MetricsApi(readings).route(Request(PREFIX + "/nodes/n9")).status == 404


@pytest.fixture
def scrape(readings: Readings, clock: SteppedClock) -> Iterator[str]:
    exposition = Exposition(readings, Meters(readings, clock))
    server = LoopbackServer(Running(), {"/": exposition.route})
    server.start()
    yield server.url()
    server.stop()


def values(url: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    answer = urllib3.request("GET", url, retries=False)
    assert answer.status == 200
    families = list(text_string_to_metric_families(answer.data.decode()))
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}


def test_exposition_of_nodes(readings: Readings, clock: SteppedClock, scrape: str) -> None:
    readings.press("n1", Pressure(memory_ratio=0.2, swap_in_pages_per_second=300))
    values(f"{scrape}/node")
    clock.at[0] = 10.0
    found = values(f"{scrape}/node")
    n1 = (("instance", "n1"),)
    assert found["node_memory_MemTotal_bytes", n1] == 64 * GI
    assert found["node_memory_MemAvailable_bytes", n1] == 50 * GI
    assert found["node_memory_SwapFree_bytes", n1] == 7 * GI
    assert found["node_pressure_memory_waiting_seconds_total", n1] == pytest.approx(2.0)
    assert found["node_vmstat_pswpin", n1] == pytest.approx(3000)
    cpus = [found["node_cpu_seconds_total", (("cpu", str(cpu)), *n1, ("mode", "user"))] for cpu in range(16)]
    assert sum(cpus) == pytest.approx(35.0)
    assert found["node_cpu_seconds_total", (("cpu", "0"), *n1, ("mode", "idle"))] == pytest.approx(10 - 35 / 16)


def test_exposition_of_containers(clock: SteppedClock, scrape: str) -> None:
    values(f"{scrape}/cadvisor")
    clock.at[0] = 10.0
    found = {
        (name, dict(labels)["pod"]): value
        for (name, labels), value in values(f"{scrape}/cadvisor?node=n1").items()
        if dict(labels)["container"] == "app"
    }
    assert {pod for _, pod in found} == {"virt-launcher-db-1", "rs-a"}
    assert found["container_cpu_usage_seconds_total", "virt-launcher-db-1"] == pytest.approx(20.0)
    assert found["container_memory_working_set_bytes", "rs-a"] == 4 * GI
    assert found["container_memory_swap", "virt-launcher-db-1"] == GI
    assert found["container_pressure_cpu_waiting_seconds_total", "rs-a"] == 0


def test_exposition_of_the_kubelet(scrape: str) -> None:
    found = values(f"{scrape}/resource?node=n2")
    assert found["node_memory_working_set_bytes", (("instance", "n2"),)] == 3 * GI
    assert urllib3.request("GET", f"{scrape}/nothing", retries=False).status == 404


def test_use_survives_its_annotation() -> None:
    use = Use(cpu_cores=1.5, working_set_bytes=GI, dirty_bytes_per_second=1e6)
    (text,) = annotation(use).values()
    assert msgspec.json.decode(text, type=Use) == use
