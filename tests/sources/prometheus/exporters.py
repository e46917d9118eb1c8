"""Small exporters on loopback, and a real Prometheus that scrapes them."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import create_server
from time import monotonic

import pytest

SKIP = "no prometheus binary; get it with: apt-get install prometheus"
_PAUSE = threading.Event()  # never set: waiting for it is a bounded pause between two looks


def wait_until(is_so: Callable[[], bool], what: str, seconds: float = 30.0) -> None:
    end = monotonic() + seconds
    while not is_so():
        assert monotonic() < end, f"not within {seconds} s: {what}"
        _PAUSE.wait(0.1)


class Exposition:
    """Text of each path, as a function of the seconds since the start, so that counters grow at known rates."""

    def __init__(self, pages: Mapping[str, Callable[[float], str]]) -> None:
        self._pages, self._start = dict(pages), monotonic()
        self.down: set[str] = set()

    def page(self, path: str) -> str | None:
        text = None if path in self.down else self._pages.get(path)
        return None if text is None else text(monotonic() - self._start)


@contextmanager
def serving(exposition: Exposition) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            text = exposition.page(self.path)
            body = (text or "").encode()
            self.send_response(500 if text is None else 200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def scrape(job: str, port: int, path: str, **labels: str) -> dict[str, object]:
    """One job of a configuration with one target."""
    return {
        "job_name": job,
        "metrics_path": path,
        "honor_labels": True,
        "static_configs": [{"targets": [f"127.0.0.1:{port}"], "labels": labels}],
        # Several jobs of one name are not allowed; what the queries see is this label.
        "relabel_configs": [{"target_label": "job", "replacement": job.split("/")[0]}],
    }


@contextmanager
def prometheus(
    folder: Path, jobs: Sequence[Mapping[str, object]], alerts: Sequence[Mapping[str, object]] = ()
) -> Iterator[str]:
    """A server that scrapes, and judges alerts, every second; gives its address once every target was scraped eight times."""
    binary = shutil.which("prometheus")
    if binary is None:
        pytest.skip(SKIP)
    with create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    times = {"scrape_interval": "1s", "scrape_timeout": "900ms", "evaluation_interval": "1s"}
    (folder / "rules.yml").write_text(json.dumps({"groups": [{"name": "alerts", "rules": list(alerts)}]}))
    config = {"global": times, "scrape_configs": list(jobs), "rule_files": [f"{folder}/rules.yml"]}
    (folder / "prometheus.yml").write_text(json.dumps(config))  # JSON is YAML
    arguments = [f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data", "--log.level=warn"]
    process = subprocess.Popen(
        [binary, *arguments, f"--web.listen-address=127.0.0.1:{port}"], stderr=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until(
            lambda: _count(url, "sum(count_over_time(up[1m]) >= bool 8)") >= len(jobs), "all targets scraped", 60
        )
        yield url
    finally:
        process.terminate()
        process.wait(10)


def _count(url: str, query: str) -> float:
    address = f"{url}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
    try:
        with urllib.request.urlopen(address, timeout=2) as response:  # noqa: S310 - our own address
            result = json.load(response)["data"]["result"]
    except (urllib.error.URLError, OSError):
        return 0
    return float(result[0]["value"][1]) if result else 0
