"""Every row of the tables: what the API server and KubeVirt say, and what it means."""

from __future__ import annotations

import ast
import inspect
import json
import math
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import descheduler.executors
from descheduler.executors import answers
from descheduler.executors.answers import CREATION, EVICTION, cancelling, check_reply, reading, receipt
from descheduler.executors.port import FINAL, Receipt, Verdict
from tests.descheduler.executors.api import DENIED, status
from ullage.model.codes import CODES
from ullage.sources.kube_api.errors import (
    ApiError,
    CredentialsError,
    ForbiddenError,
    KubeError,
    StoppedError,
    UnreachableError,
    UnreadableError,
    answered,
)

PDB = ({"reason": "DisruptionBudget", "message": "The disruption budget web needs 2 healthy pods and has 2 currently"},)
BEHIND = (
    {"reason": "DisruptionBudget", "message": "The disruption budget web is still being processed by the server."},
)
BUDGET = "Cannot evict pod as it would violate the pod's disruption budget."
MIGRATION = 'admission webhook "migration-create-validator.kubevirt.io" denied the request: '
CALLING = 'Internal error occurred: failed calling webhook "virt-launcher-eviction-interceptor.kubevirt.io": timeout'


def error(code: int, reason: str, message: str, causes: tuple = (), wait: int = 0) -> ApiError:
    """The error that the connection raises for an answer."""
    http, body = status(code, reason, message, causes, wait)
    return answered(http, "", json.dumps(body).encode())


@pytest.mark.parametrize(
    ("said", "verdict", "code", "wait"),
    [
        # reliability.md B4
        (error(429, "TooManyRequests", BUDGET, PDB, 0), "later", "disruption-budget", 5),
        (error(429, "TooManyRequests", BUDGET, BEHIND, 10), "later", "disruption-budget-behind", 10),
        (error(429, "TooManyRequests", BUDGET), "later", "disruption-budget", 5),
        (
            error(429, "TooManyRequests", DENIED + 'Eviction triggered evacuation of VMI "a/b"'),
            "under-way",
            "evacuating",
            0,
        ),
        (
            error(429, "", DENIED + 'Evacuation in progress: Eviction triggered evacuation of VMI "a/b"'),
            "under-way",
            "evacuating",
            0,
        ),
        (
            error(429, "", DENIED + "VMI b is configured with an eviction strategy but is not live-migratable"),
            "refused",
            "not-live-migratable",
            0,
        ),
        (error(429, "", DENIED + "Eviction request for target Pod"), "refused", "migration-target", 0),
        (
            error(429, "", DENIED + "cannot evict hotplug pod associated with running vmi"),
            "refused",
            "evacuation-refused",
            0,
        ),
        (
            error(429, "", DENIED + "kubevirt failed marking the vmi for eviction: x"),
            "refused",
            "evacuation-refused",
            0,
        ),
        (error(429, "", DENIED + "kubevirt failed getting the vmi: x"), "refused", "evacuation-refused", 0),
        (error(429, "", 'admission webhook "other" denied the request: no'), "refused", "rejected", 0),
        (error(429, "TooManyRequests", "too many requests, please try again later"), "later", "server-busy", 1),
        (error(429, "TooManyRequests", "too many requests", wait=7), "later", "server-busy", 7),
        (
            error(500, "InternalError", "This pod has more than one PodDisruptionBudget"),
            "refused",
            "several-budgets",
            0,
        ),
        (error(500, "InternalError", CALLING), "unknown", "webhook-down", 0),
        (error(404, "NotFound", 'pods "a" not found'), "gone", "workload-gone", 0),
        (
            error(409, "Conflict", "Precondition failed: UID in precondition: 1, UID in object meta: 2"),
            "gone",
            "workload-gone",
            0,
        ),
        (
            error(
                409,
                "Conflict",
                "the UID in the precondition (1) does not match the UID in record (2). The object might",
            ),
            "gone",
            "workload-gone",
            0,
        ),
        (error(409, "Conflict", "the object has been modified"), "later", "conflict", 5),
        (error(403, "Forbidden", "x: pdb disruptions allowed is negative"), "refused", "disruption-budget-broken", 0),
        (error(403, "Forbidden", "DisruptedPods map too big"), "refused", "disruption-budget-broken", 0),
        (error(403, "Forbidden", "namespace a is being terminated"), "refused", "namespace-terminating", 0),
        (error(403, "Forbidden", 'User "u" cannot create resource "pods/eviction"'), "refused", "forbidden", 0),
        (error(403, "Forbidden", 'admission webhook "x" denied the request: no'), "refused", "rejected", 0),
        (error(403, "", "ValidatingAdmissionPolicy 'a' with binding 'b' denied request: no"), "refused", "rejected", 0),
        (error(504, "Timeout", "couldn't update PodDisruptionBudget due to conflicts"), "unknown", "server-timeout", 0),
        (error(500, "InternalError", "etcdserver: leader changed"), "unknown", "server-error", 0),
        (error(503, "ServiceUnavailable", "apiserver is shutting down"), "unknown", "server-error", 0),
        (error(502, "", "<html>"), "unknown", "server-error", 0),
        (error(401, "Unauthorized", "Unauthorized"), "later", "unauthorized", 10),
        (error(422, "Invalid", "invalid"), "refused", "rejected", 0),
        (error(400, "BadRequest", "bad"), "refused", "rejected", 0),
        (answered(404, "Not Found", b"404 page not found"), "unknown", "server-error", 0),
        (error(302, "Found", "elsewhere"), "unknown", "server-error", 0),
        # no reply at all
        (UnreachableError("reset"), "unknown", "no-reply", 0),
        (StoppedError("stopped"), "unknown", "no-reply", 0),
        (UnreadableError("half"), "unknown", "unreadable-reply", 0),
        (CredentialsError("none"), "later", "unauthorized", 10),
    ],
)
def test_answers_to_evictions(said: KubeError, verdict: str, code: str, wait: float) -> None:
    found = receipt(said, EVICTION)
    assert (found.verdict, found.code, found.retry_after_seconds) == (verdict, code, wait)
    assert found.text == said.message
    assert math.isnan(found.seconds)


@pytest.mark.parametrize(
    ("said", "verdict", "code"),
    [
        (error(400, "", MIGRATION + 'the VMI "a/b" does not exist'), "gone", "workload-gone"),
        (error(400, "", MIGRATION + "Cannot migrate VMI in finalized state."), "gone", "workload-ended"),
        (
            error(400, "", MIGRATION + "Cannot migrate VMI, Reason: DisksNotLiveMigratable, Message: x"),
            "refused",
            "not-live-migratable",
        ),
        (error(400, "", MIGRATION + "in-flight migration detected. Active migration job (1)"), "refused", "migrating"),
        (error(400, "", MIGRATION + "priority can only be set by virt-controller"), "refused", "rejected"),
        (error(403, "Forbidden", "exceeded quota: q, requested: count/x=1"), "later", "quota"),
        (error(403, "Forbidden", "cannot create resource"), "refused", "forbidden"),
        (error(403, "Forbidden", "because it is being terminated"), "refused", "namespace-terminating"),
        (error(500, "InternalError", CALLING), "later", "webhook-down"),
        (error(404, "NotFound", 'namespaces "a" not found'), "gone", "workload-gone"),
        (error(404, "NotFound", "the server could not find the requested resource"), "refused", "rejected"),
        (error(409, "Conflict", "try again"), "later", "conflict"),
        (error(429, "TooManyRequests", "too many requests"), "later", "server-busy"),
        (error(504, "Timeout", "timeout"), "unknown", "server-timeout"),
        (UnreachableError("reset"), "unknown", "no-reply"),
    ],
)
def test_answers_to_new_migrations(said: KubeError, verdict: str, code: str) -> None:
    found = receipt(said, CREATION)
    assert (found.verdict, found.code) == (verdict, code)


@given(st.integers(300, 599), st.text(max_size=60), st.text(max_size=20), st.integers(0, 10**6))
def test_any_answer_has_a_known_code(code: int, message: str, reason: str, wait: int) -> None:
    said = error(code, reason, message, wait=wait)
    for found in (receipt(said, EVICTION), receipt(said, CREATION), cancelling(said)):
        assert found.code in CODES
        assert (found.retry_after_seconds > 0) <= (found.verdict is Verdict.LATER)
    assert cancelling(said).verdict not in FINAL


@pytest.mark.parametrize(
    ("said", "verdict", "code"),
    [
        (error(404, "NotFound", "gone"), "under-way", "cancelling"),
        (error(409, "Conflict", "UID in precondition"), "under-way", "cancelling"),
        (error(403, "Forbidden", "no"), "under-way", "forbidden"),
        (error(429, "", "busy"), "later", "server-busy"),
        (UnreachableError("reset"), "unknown", "no-reply"),
    ],
)
def test_answers_to_what_cancels_are_never_final(said: KubeError, verdict: str, code: str) -> None:
    found = cancelling(said)
    assert (found.verdict, found.code) == (verdict, code)


def test_failed_reads_are_asked_again_later() -> None:
    def fails(raised: KubeError) -> Receipt:
        def ask() -> Receipt:
            raise raised

        return reading(ask)

    assert fails(UnreachableError("reset")).code == "cannot-read"
    assert fails(error(429, "", "busy", wait=30)).retry_after_seconds == 30
    assert fails(ForbiddenError(403, "Forbidden", "no")).code == "forbidden"
    assert {fails(UnreadableError("x")).verdict, fails(error(500, "", "x")).verdict} == {Verdict.LATER}


def test_success_of_the_wire_is_no_success_of_the_status() -> None:
    _, failure = status(500, "", "This pod has more than one PodDisruptionBudget, which is not supported.")
    with pytest.raises(ApiError, match="more than one") as raised:
        check_reply(json.dumps(failure).encode())
    assert raised.value.status == 500
    assert receipt(raised.value, EVICTION).code == "several-budgets"
    check_reply(b'{"kind":"Status","status":"Success"}')
    check_reply(b'{"kind":"Pod","status":{"phase":"Running"}}')
    for page in (b"<html>", b"", b"[]"):
        with pytest.raises(UnreadableError):
            check_reply(page)


CODE = re.compile(r"[a-z]+(-[a-z]+)+")
NOT_CODES = {"evacuate-urgent", "requested-by"}


def test_every_code_stands_in_the_table_and_is_used() -> None:
    found = set()
    for file in Path(inspect.getfile(descheduler.executors)).parent.glob("*.py"):
        if file.name in ("port.py", "writer.py"):
            continue
        constants = (n for n in ast.walk(ast.parse(file.read_text())) if isinstance(n, ast.Constant))
        found |= {each.value for each in constants if isinstance(each.value, str)}
    assert {each for each in found if CODE.fullmatch(each)} - NOT_CODES <= set(CODES)
    assert {each.name for each in CODES.values() if each.topic == "acting"} <= found


def test_the_last_rule_fits_everything() -> None:
    assert answers._ALL[-1].fits(error(599, "x", "y"))
