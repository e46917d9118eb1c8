"""A small API server over loopback: objects with uids and versions, evictions, KubeVirt's webhooks, and faults on its side."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

Json = dict[str, Any]
Answer = tuple[int, Json]
Moment = Literal["before", "committed", "hang"]
"""When a reply is lost: before anything was done, or after; or it never ends, though all was done."""

DENIED = 'admission webhook "virt-launcher-eviction-interceptor.kubevirt.io" denied the request: '
MIGRATIONS = "virtualmachineinstancemigrations"


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: dict[str, str]
    body: Json

    @property
    def is_dry_run(self) -> bool:
        return self.query.get("dryRun") == "All"

    @property
    def is_write(self) -> bool:
        return self.method != "GET" and not self.is_dry_run


def status(code: int, reason: str, message: str, causes: tuple[Json, ...] = (), wait: int = 0) -> Answer:
    """A ``Status`` of failure with its HTTP status."""
    details = {"causes": list(causes), "retryAfterSeconds": wait}
    said = {"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": message}
    return code, {**said, "details": details}


@dataclass
class Api:
    """The truth, who asked for it, and what was really done.

    Attributes
    ----------
    objects
        By path.
    requests, done
        Everything that was asked; the writes that took effect.
    lose
        The reply of the next write is lost in this way.
    answers
        Answers to the next writes that are given instead of the right ones; nothing is done then.
    page
        What every read is answered with, by a proxy in front.
    meanwhile
        Called before each write is done, as someone else who writes at the same time.
    """

    objects: dict[str, Json] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    done: list[Request] = field(default_factory=list)
    lose: Moment | None = None
    answers: list[Answer] = field(default_factory=list)
    page: Answer | None = None
    meanwhile: Callable[[Request], None] | None = None
    cluster_strategy: str | None = None
    has_cancel: bool = True
    drops_destinations: bool = False
    webhook: bool = True
    _versions: Any = field(default_factory=lambda: itertools.count(1))
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        self._closed = threading.Event()
        api = self

        class Handler(_Handler):
            cluster = api
            closed = api._closed

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._closed.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    # -- what the cluster does

    def put(self, path: str, made: Json) -> Json:
        """Create or replace an object."""
        with self._lock:
            made = deepcopy(made)
            meta = made["metadata"]
            meta.setdefault("name", path.rsplit("/", 1)[1])
            meta.setdefault("uid", f"uid-of-{meta['name']}")
            meta.setdefault("creationTimestamp", "2026-01-01T00:00:00Z")
            meta["resourceVersion"] = str(next(self._versions))
            self.objects[path] = made
            return made

    def change(self, path: str, patch: Json) -> None:
        """Merge a patch into an object."""
        with self._lock:
            self.put(path, _merged(self.objects[path], patch))

    def remove(self, path: str) -> None:
        with self._lock:
            del self.objects[path]

    def writes(self, method: str, part: str = "") -> list[Request]:
        """Writes that took effect."""
        with self._lock:
            return [each for each in self.done if each.method == method and part in each.path]

    def asked(self, method: str, part: str = "") -> list[Request]:
        """Requests, whatever became of them."""
        with self._lock:
            return [each for each in self.requests if each.method == method and part in each.path]

    # -- what it answers

    def answer(self, request: Request) -> tuple[Answer, Moment | None]:
        with self._lock:
            self.requests.append(request)
            if not request.is_write:
                return self._done(request), None
            if self.meanwhile is not None:
                self.meanwhile(request)
            lost, self.lose = self.lose, None
            if lost == "before":
                return (0, {}), lost
            if self.answers:
                return self.answers.pop(0), lost
            answer = self._done(request)
            if answer[0] < 300 or "Eviction triggered" in answer[1].get("message", ""):
                self.done.append(request)
            return answer, lost

    def _done(self, request: Request) -> Answer:
        if request.method == "GET":
            return self._get(request)
        if request.path.endswith("/eviction"):
            return self._evict(request)
        if request.path.endswith("/evacuate/cancel"):
            return self._unmark(request)
        return {"POST": self._post, "PATCH": self._patch, "DELETE": self._delete}[request.method](request)

    def _get(self, request: Request) -> Answer:
        if self.page is not None:
            return self.page
        if request.path in self.objects:
            return 200, self.objects[request.path]
        if request.path.endswith("/kubevirts"):
            return 200, {"items": [{"spec": {"configuration": {"evictionStrategy": self.cluster_strategy}}}]}
        if request.path.endswith(("/nodes", MIGRATIONS)):
            return self._list(request)
        return status(404, "NotFound", f"{request.path} not found")

    def _list(self, request: Request) -> Answer:
        paths = sorted(each for each in self.objects if each.rpartition("/")[0] == request.path)
        start, size = int(request.query.get("continue", 0)), int(request.query.get("limit", 500))
        meta: Json = {"resourceVersion": "1"}
        if start + size < len(paths):
            meta["continue"] = str(start + size)
        items = [self.objects[path] for path in paths[start : start + size]]
        wanted = request.query.get("labelSelector", "")
        if wanted:
            name, _, value = wanted.partition("=")
            items = [each for each in items if each["metadata"].get("labels", {}).get(name) == value]
        return 200, {"metadata": meta, "items": items}

    def _post(self, request: Request) -> Answer:
        path = f"{request.path}/{request.body['metadata']['name']}"
        if path in self.objects:
            return status(409, "AlreadyExists", f"{path} already exists")
        made = deepcopy(request.body)
        if request.path.endswith(MIGRATIONS):
            refused = self._unwelcome(request)
            if refused:
                return refused
            made["metadata"].setdefault("labels", {})["kubevirt.io/vmi-name"] = made["spec"]["vmiName"]
            made["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
            if self.drops_destinations:
                del made["spec"]["addedNodeSelector"]
        return 201, made if request.is_dry_run else self.put(path, made)

    def _unwelcome(self, request: Request) -> Answer | None:
        """KubeVirt's webhook for new migrations."""
        name = request.body["spec"]["vmiName"]
        for path, each in self.objects.items():
            ended = each.get("status", {}).get("phase") in ("Succeeded", "Failed")
            if path.startswith(request.path + "/") and each["spec"]["vmiName"] == name and not ended:
                text = f"in-flight migration detected. Active migration job (x) is already in progress for VMI {name}."
                return status(400, "BadRequest", f'admission webhook "m" denied the request: {text}')
        return None

    def _patch(self, request: Request) -> Answer:
        held = self.objects.get(request.path)
        if held is None:
            return status(404, "NotFound", "not found")
        if request.body["metadata"].get("resourceVersion", "") not in ("", held["metadata"]["resourceVersion"]):
            return status(
                409, "Conflict", "the object has been modified; please apply your changes to the latest version"
            )
        return 200, self.put(request.path, _merged(held, request.body))

    def _delete(self, request: Request) -> Answer:
        held = self.objects.get(request.path)
        if held is None:
            return status(404, "NotFound", "not found")
        refused = _other(request.body.get("preconditions", {}), held)
        if refused:
            return refused
        if held.get("status", {}).get("phase") == "Running":  # KubeVirt's finalizer keeps it until the copy has ended
            self.change(request.path, {"metadata": {"deletionTimestamp": "2026-01-01T00:01:00Z"}})
        else:
            del self.objects[request.path]
        return 200, {"kind": "Status", "status": "Success"}

    def _evict(self, request: Request) -> Answer:
        path = request.path.removesuffix("/eviction")
        pod = self.objects.get(path)
        if pod is None:
            return status(404, "NotFound", "pods not found")
        machine = pod["metadata"].get("annotations", {}).get("kubevirt.io/domain")
        if machine and self.webhook:
            namespace = pod["metadata"]["namespace"]
            answer = self._evacuate(
                f"/apis/kubevirt.io/v1/namespaces/{namespace}/virtualmachineinstances/{machine}", request
            )
            if answer:
                return answer
        refused = _other(request.body["deleteOptions"].get("preconditions", {}), pod)
        if refused:
            return refused
        if not request.is_dry_run:
            self.change(path, {"metadata": {"deletionTimestamp": "2026-01-01T00:01:00Z"}})
        return 201, {"kind": "Status", "status": "Success"}

    def _evacuate(self, path: str, request: Request) -> Answer | None:
        """KubeVirt's webhook in front of evictions."""
        machine = self.objects[path]
        strategy = machine["spec"].get("evictionStrategy") or self.cluster_strategy
        migratable = any(
            c["type"] == "LiveMigratable" and c["status"] == "True" for c in machine["status"]["conditions"]
        )
        if strategy in (None, "None") or (strategy == "LiveMigrateIfPossible" and not migratable):
            return None
        if not migratable:
            return status(
                429,
                "TooManyRequests",
                f"{DENIED}VMI x is configured with an eviction strategy but is not live-migratable",
            )
        text = f'Eviction triggered evacuation of VMI "{path}"'
        if machine["status"].get("evacuationNodeName"):
            text = f"Evacuation in progress: {text}"
        elif not request.is_dry_run:
            self.change(path, {"status": {"evacuationNodeName": machine["status"]["nodeName"]}})
        return status(429, "TooManyRequests", DENIED + text)

    def _unmark(self, request: Request) -> Answer:
        path = request.path.removesuffix("/evacuate/cancel").replace("subresources.", "")
        if not self.has_cancel:
            return 404, {"kind": "Status", "message": "404 page not found"}
        if self.objects[path]["status"].get("evacuationNodeName") != request.body["evacuationNodeName"]:
            return status(500, "InternalError", "the test of the patch failed")
        self.change(path, {"status": {"evacuationNodeName": None}})
        return 200, {}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    cluster: Api
    closed: threading.Event

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = Request(self.command, url.path, query, json.loads(body or b"{}"))
        (code, said), lost = self.cluster.answer(request)
        if lost == "hang":
            self.closed.wait(60)
        if lost is not None or self.closed.is_set():
            self.close_connection = True
            return
        data = json.dumps(said).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815  # names of the base class


def _other(preconditions: Json, held: Json) -> Answer | None:
    wanted, uid = preconditions.get("uid"), held["metadata"]["uid"]
    if wanted in (None, uid):
        return None
    return status(409, "Conflict", f"Precondition failed: UID in precondition: {wanted}, UID in object meta: {uid}")


def _merged(held: Json, patch: Json) -> Json:
    """RFC 7396."""
    result = dict(held)
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, dict):
            result[name] = _merged(result.get(name, {}), value)
        else:
            result[name] = value
    return result
