"""The verbs over HTTP: what kube-scheduler asks, and what probes and Prometheus ask."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, TypeVar

import msgspec
import numpy as np

from extender.http_protocol import Parts, Request, Response
from extender.http_server import Route
from extender.metrics import CONTENT_TYPE, ERROR
from extender.pods import pod_request
from extender.recent import Recent, Same
from extender.scheduling import Opinion, Published, Scheduling
from extender.verbs import PodRequest, Verdict
from extender.wire import (
    LARGEST_SLICED_BYTES,
    Asked,
    WireError,
    failed_nodes,
    filter_error,
    filter_result,
    kept,
    known_nodes,
    known_objects,
    read_args,
    read_nodes,
    read_pod,
    sliced_args,
    sliced_objects,
)
from ullage.scoring.columns import NodeView

AnswerT = TypeVar("AnswerT")

_INTERNAL: Final = "internal fault"


class _Call(NamedTuple):
    """A request that was understood."""

    published: Published
    pod: PodRequest | None
    asked: Asked
    begun_at: float


class HttpVerbs:
    """Answers HTTP requests.

    Parameters
    ----------
    scheduling
        What decides.
    """

    def __init__(self, scheduling: Scheduling) -> None:
        self._scheduling = scheduling
        self._clock = scheduling.clocks.monotonic
        self._pods: Recent[PodRequest | None] = Recent()
        self._filters: Same[Parts] = Same()
        self._priorities: Same[bytes] = Same()
        self.draining = False

    def routes(self, prefix: str) -> Mapping[tuple[bytes, bytes], Route]:
        """Routes for `HttpServer`; the verbs stand under `prefix`."""
        base = prefix.rstrip("/").encode()
        return {
            (b"POST", base + b"/filter"): self.filter,
            (b"POST", base + b"/prioritize"): self.prioritize,
            (b"POST", base + b"/explain"): self.explain,
            **self.health_routes(),
        }

    def health_routes(self) -> Mapping[tuple[bytes, bytes], Route]:
        """Routes of probes and of Prometheus alone."""
        return {
            (b"GET", b"/healthz"): self.healthz,
            (b"GET", b"/readyz"): self.readyz,
            (b"GET", b"/metrics"): self.metrics,
        }

    def filter(self, request: Request) -> Response:
        """ExtenderFilterResult; a request that names no node is a call error, which `ignorable` covers."""
        return self._answer("filter", request, self._filtered, lambda message: Response((filter_error(message),)))

    def prioritize(self, request: Request) -> Response:
        """HostPriorityList; a request that names no node gets an empty one, which adds nothing to any score."""
        return self._answer("prioritize", request, self._prioritized, lambda _: Response((b"[]",)))

    def explain(self, request: Request) -> Response:
        """How both would be decided; without NodeNames, for all nodes, or the best of them. The ledger stays as it is."""
        return self._answer("explain", request, self._explained, _refusal)

    def healthz(self, request: Request) -> Response:
        """Whether the process answers at all."""
        del request
        return Response((b"ok",), content_type=b"text/plain")

    def readyz(self, request: Request) -> Response:
        """Whether there is a state to decide on, and the server is not about to end."""
        del request
        if self.draining:
            return Response((b"draining",), 503, b"text/plain")
        if self._scheduling.current.view is None:
            return Response((b"no state yet",), 503, b"text/plain")
        return Response((b"ok",), content_type=b"text/plain")

    def metrics(self, request: Request) -> Response:
        """Text exposition."""
        del request
        return Response((self._scheduling.metrics.text(),), content_type=CONTENT_TYPE)

    def _answer(
        self,
        verb: str,
        request: Request,
        answer: Callable[[_Call], tuple[Parts, str]],
        refuse: Callable[[str], Response],
    ) -> Response:
        started, asked, outcome = self._clock(), 0, ERROR
        try:
            call = self._read(request, verb)
            asked = len(call.asked.rows)
            parts, outcome = answer(call)
            response = Response(parts)
        except WireError as error:
            response = refuse(error.message)
        except Exception as fault:  # noqa: BLE001  # the last boundary: no trace reaches the client
            self._scheduling.fault(verb, fault)
            response = refuse(_INTERNAL)
        self._scheduling.metrics.called(verb, outcome, self._clock() - started, asked)
        return response

    def _read(self, request: Request, verb: str) -> _Call:
        published = self._scheduling.current
        known = self._read_known(published, request)
        if known is not None:
            return known
        args = read_args(request.body)
        if verb == "explain" and not args.names_nodes:
            rows = np.arange(len(published.table), dtype=np.int64)
            asked = Asked(published.table.names, rows, b"")
        else:
            asked = read_nodes(args, published.table, published.asked)
        return _Call(published, self._pod(bytes(args.pod)), asked, request.begun_at)

    def _read_known(self, published: Published, request: Request) -> _Call | None:
        """The usual request: a pod and known names, as Go writes it."""
        if len(request.body) > LARGEST_SLICED_BYTES:
            return self._read_objects(published, request)
        text = bytes(request.body)
        found = published.calls.get(text)
        if found is None:
            found = self._known(published, text)
            if found is None:
                return None
            published.calls.put(text, found)
        return _Call(published, *found, request.begun_at)

    def _read_objects(self, published: Published, request: Request) -> _Call | None:
        """A pod and many Node objects, as Go writes them."""
        sliced = sliced_objects(request.body)
        pod = self._pod(sliced[0]) if sliced is not None else None
        if sliced is None or pod is None:
            return None
        asked = known_objects(sliced[1], published.table)
        return _Call(published, pod, asked, request.begun_at) if asked is not None else None

    def _known(self, published: Published, text: bytes) -> tuple[PodRequest, Asked] | None:
        sliced = sliced_args(text)
        pod = self._pod(sliced[0]) if sliced is not None else None
        if sliced is None or pod is None:
            return None
        asked = known_nodes(sliced[1], published.table, published.asked)
        return (pod, asked) if asked is not None else None

    def _pod(self, raw: bytes) -> PodRequest | None:
        found = self._pods.get(raw)
        if found is None:
            pod = read_pod(raw)
            found = pod_request(pod) if pod is not None else None
            self._pods.put(raw, found)
        return found

    def _filtered(self, call: _Call) -> tuple[Parts, str]:
        def compute(view: NodeView, pod: PodRequest) -> Parts:
            verdict = self._scheduling.verdict(view, pod, call.asked.rows)
            if call.asked.objects is not None:
                return _filtered(call, verdict)
            return self._filters.of(lambda: _filtered(call, verdict), call.asked, verdict.code)

        opinion = self._decide("filter", call, compute)
        return filter_result(call.asked) if opinion.value is None else opinion.value, opinion.outcome

    def _prioritized(self, call: _Call) -> tuple[Parts, str]:
        names, rows = call.asked.names, call.asked.rows
        table = call.published.table

        def compute(view: NodeView, pod: PodRequest) -> bytes:
            scores = self._scheduling.scores(view, pod, rows)
            return self._priorities.of(lambda: table.priorities(names, rows, scores), call.asked, scores)

        opinion = self._decide("prioritize", call, compute)
        if opinion.value is None:
            return (table.priorities(names, rows, np.zeros(len(rows), dtype=np.int16)),), opinion.outcome
        return (opinion.value,), opinion.outcome

    def _explained(self, call: _Call) -> tuple[Parts, str]:
        def compute(view: NodeView, pod: PodRequest) -> msgspec.Raw:
            found = self._scheduling.explanation(view, pod, call.asked.rows, call.asked.names)
            return msgspec.Raw(msgspec.json.encode(found))

        opinion = self._decide("explain", call, compute)
        document = {
            "generation": call.published.generation,
            "outcome": opinion.outcome,
            "note": opinion.note,
            "explanation": opinion.value,
        }
        return (msgspec.json.encode(document),), opinion.outcome

    def _decide(self, verb: str, call: _Call, compute: Callable[[NodeView, PodRequest], AnswerT]) -> Opinion[AnswerT]:
        return self._scheduling.decide(verb, call.published, call.pod, call.begun_at, compute)


def _filtered(call: _Call, verdict: Verdict) -> Parts:
    if not len(verdict.positions):
        return filter_result(call.asked)
    remaining = kept(call.asked, verdict, call.published.table)
    if remaining.objects is None:
        call.published.asked.put(remaining.echo, remaining)
    return filter_result(remaining, failed_nodes(call.asked, verdict))


def _refusal(message: str) -> Response:
    return Response((msgspec.json.encode({"error": message}),), 400)
