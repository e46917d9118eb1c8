from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator

import msgspec
import pytest

from tests.test_cli import run
from ullage.commands.status import table
from ullage.sources.ports import Health, KindHealth, ReadingHealth, SetAside
from ullage.telemetry.readings import Problem

HEALTH = Health(
    is_synced=True,
    kinds=(
        KindHealth("pods", is_synced=True, objects=12, lag_seconds=1.25),
        KindHealth("virtualmachineinstances.kubevirt.io", is_served=False),
        KindHealth("nodes", error="403 Forbidden: nodes is forbidden"),
    ),
    readings=(ReadingHealth("prometheus", 5.0, 0.3, (Problem("nan", "2 values are NaN", 2),)),),
    set_aside=(SetAside("n1", "stale", "Its CPU was measured 400 s ago (limit 300 s)."),),
)


def test_the_table_shows_sources_lag_problems_and_nodes_set_aside():
    lines = table(HEALTH).splitlines()
    assert lines[1].split() == ["pods", "synced", "12", "0", "1.2s"]
    assert lines[2].split()[:2] == ["virtualmachineinstances.kubevirt.io", "absent"]
    assert lines[3].endswith("403 Forbidden: nodes is forbidden")
    assert lines[6].split() == ["prometheus", "ok", "5.0s", "0.3s"]
    assert "2 values are NaN" in lines[9]
    assert lines[12].endswith("Its CPU was measured 400 s ago (limit 300 s).")


@pytest.fixture
def url() -> Iterator[str]:
    """A service that answers as a descheduler does."""

    class Service(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = msgspec.json.encode({"mode": "Predictive", "health": HEALTH})
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_running_service_is_asked(url):
    assert run("status", "--url", url)[:2] == (0, table(HEALTH))


def test_where_none_answers_it_says_so():
    code, _, err = run("status", "--url", "http://127.0.0.1:1")
    assert code == 1
    assert "no descheduler answers there" in err


def test_of_a_file_it_says_whether_it_can_be_read(tmp_path):
    assert run("status", "--snapshot", "examples/cluster.json.gz")[0] == 0
    code, out, _ = run("status", "--snapshot", str(tmp_path / "none"))
    assert code == 1
    assert "failing" in out
