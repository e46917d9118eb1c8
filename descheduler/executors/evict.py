"""Moves of pods by the Eviction API (``policy/v1``): disruption budgets are kept, and only the very pod of the plan is hit.

Where the replacement goes is the scheduler's business; the extender tells it of the planned destination.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from descheduler.executors import answers
from descheduler.executors.port import Receipt, Step, Verdict
from descheduler.executors.unsettled import Unsettled
from descheduler.executors.wire import ENDED, Pod, namespaced, read
from descheduler.executors.writer import CALL_SECONDS, Writer
from ullage.sources.kube_api.connection import Limits
from ullage.sources.kube_api.errors import KubeError

IN_PROGRESS: Final = "descheduler.alpha.kubernetes.io/eviction-in-progress"
"""Annotation of a pod that a controller of its own takes away."""
_PROBE: Final = Limits(CALL_SECONDS / 2, CALL_SECONDS / 2, CALL_SECONDS)
_DRY_RUN: Final[Mapping[str, str]] = MappingProxyType({"dryRun": "All"})


class Evictions:
    """Asks for evictions, each of one pod by its uid.

    Parameters
    ----------
    writer
        The API server.
    annotations
        Of the Eviction objects.
    """

    def __init__(self, writer: Writer, annotations: Mapping[str, str] = MappingProxyType({})) -> None:
        self._writer, self._annotations = writer, annotations

    def ask(self, namespace: str, pod: Pod) -> Receipt:
        """Ask for it; raises `HeldBackError` if it was not sent."""
        receipt = self._asked(namespace, pod)
        self._writer.evictions[receipt.code] += 1
        return receipt

    def _asked(self, namespace: str, pod: Pod) -> Receipt:
        try:
            reply = self._writer.write("POST", _path(namespace, pod), self._body(namespace, pod))
            answers.check_reply(reply)
        except KubeError as error:
            return answers.receipt(error, answers.EVICTION)
        return Receipt(Verdict.UNDER_WAY, "eviction-accepted", f"{pod.metadata.name} is being deleted.")

    def probe(self, namespace: str, pod: Pod) -> Receipt:
        """The answer that `ask` would get, by a dry run; no guard is asked, since it changes nothing.

        It is one for the API server and for its webhooks: old releases of KubeVirt look at one of the two marks, new ones at
        both.
        """
        body = self._body(namespace, pod, dry_run=True)
        try:
            reply = self._writer.connection.request("POST", _path(namespace, pod), _DRY_RUN, body, limits=_PROBE)
            answers.check_reply(reply)
        except KubeError as error:
            return answers.receipt(error, answers.EVICTION)
        return Receipt(Verdict.DONE, "feasible", f"{pod.metadata.name} may be evicted.")

    def _body(self, namespace: str, pod: Pod, *, dry_run: bool = False) -> bytes:
        options = {"dryRun": ["All"]} if dry_run else {}
        annotations = {"annotations": dict(self._annotations)} if self._annotations else {}
        document = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": pod.metadata.name, "namespace": namespace, **annotations},
            "deleteOptions": {"preconditions": {"uid": pod.metadata.uid}, **options},
        }
        return msgspec.json.encode(document)


class EvictExecutor:
    """`MoveExecutor` of pods: their controller makes a replacement.

    Not thread-safe. A move that is held back raises `HeldBackError`: nothing was sent then.

    Parameters
    ----------
    writer
        The API server.
    """

    name = "evict"

    def __init__(self, writer: Writer) -> None:
        self._connection = writer.connection
        self._evictions = Evictions(writer)
        self._unsettled = Unsettled(self._connection.clock.monotonic)

    def begin(self, step: Step) -> Receipt:
        """Evict the pod; one that is ending already is taken as begun."""
        return answers.reading(lambda: self._begin(step))

    def look(self, step: Step) -> Receipt:
        """Whether the pod is gone."""
        return answers.reading(lambda: self._look(step))

    def cancel(self, step: Step) -> Receipt:
        """Say how it stands: an eviction cannot be taken back."""
        receipt = self.look(step)
        if receipt.verdict is not Verdict.UNDER_WAY:
            return receipt
        return msgspec.structs.replace(receipt, code="cancel-impossible")

    def probe(self, step: Step) -> Receipt:
        """Whether the pod would be evicted, by a dry run that changes nothing."""
        return answers.reading(lambda: self._probe(step))

    def _begin(self, step: Step) -> Receipt:
        if self._unsettled.holds(step.move.workload.uid):
            return self._look(step)
        pod = _evictable(step, self._pod(step))
        if isinstance(pod, Receipt):
            return pod
        receipt = self._evictions.ask(step.move.workload.namespace, pod)
        if receipt.verdict is Verdict.UNKNOWN or receipt.code == "evacuating":
            self._unsettled.note(pod.metadata.uid)
        return receipt

    def _look(self, step: Step) -> Receipt:
        pod = self._pod(step)
        if pod is None:
            return Receipt(Verdict.DONE, "evicted", f"{step.move.workload} is gone from {step.move.source}.")
        if pod.is_going:
            return _ending(step)
        if IN_PROGRESS in pod.metadata.annotations:
            return Receipt(Verdict.UNDER_WAY, "eviction-in-background", f"{step.move.workload} carries {IN_PROGRESS}.")
        if self._unsettled.holds(pod.metadata.uid):
            return Receipt(Verdict.UNKNOWN, "no-reply", "It was asked for a moment ago, and is not seen yet.")
        return Receipt(Verdict.FAILED, "not-applied", f"{step.move.workload} runs on at {step.move.source}.")

    def _probe(self, step: Step) -> Receipt:
        pod = _evictable(step, self._pod(step))
        if isinstance(pod, Receipt):
            return pod
        return self._evictions.probe(step.move.workload.namespace, pod)

    def _pod(self, step: Step) -> Pod | None:
        """The planned pod; ``None`` if it is gone, even if another one has its name."""
        workload = step.move.workload
        pod = read(self._connection, namespaced("/api/v1", workload.namespace, "pods", workload.name), Pod)
        return pod if pod is not None and pod.metadata.uid == workload.uid else None


def _evictable(step: Step, pod: Pod | None) -> Pod | Receipt:
    """The pod, or why it need not, or must not, be evicted."""
    if pod is None:
        return Receipt(Verdict.GONE, "workload-gone", f"The pod {step.move.workload} of the plan is gone.")
    if pod.is_going:
        return _ending(step)
    if pod.status.phase in ENDED:
        return Receipt(Verdict.GONE, "workload-ended", f"{step.move.workload} is {pod.status.phase}.")
    if pod.spec.node_name != step.move.source:
        text = f"{step.move.workload} is at {pod.spec.node_name or 'no node'}, not at {step.move.source}."
        return Receipt(Verdict.REFUSED, "workload-elsewhere", text)
    return pod


def _ending(step: Step) -> Receipt:
    return Receipt(Verdict.UNDER_WAY, "pod-ending", f"{step.move.workload} is ending.")


def _path(namespace: str, pod: Pod) -> str:
    return namespaced("/api/v1", namespace, "pods", pod.metadata.name, "eviction")
