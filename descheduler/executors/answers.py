"""What answers of an API server mean for a move: one table per kind of call, the first rule that fits counts.

The status alone says little: KubeVirt accepts an evacuation with the same 429 by which a disruption budget refuses one. Texts
are those of ``pkg/registry/core/pod/storage/eviction.go`` of Kubernetes, and of the webhooks ``pod-eviction-admitter.go`` and
``migration-create-admitter.go`` of KubeVirt.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from descheduler.executors.port import FINAL, Receipt, Verdict
from ullage.sources.kube_api.errors import (
    ApiError,
    CredentialsError,
    ForbiddenError,
    KubeError,
    UnreadableError,
    answered,
)

_BUDGET: Final = "DisruptionBudget"
"""Cause of refusals by a PodDisruptionBudget."""
_READ_AGAIN_SECONDS: Final = 5.0


class Rule(msgspec.Struct, frozen=True):
    """What one answer means.

    Attributes
    ----------
    verdict, code
        What it means.
    status
        HTTP status; 0 for any.
    says
        Part of the message, or of a cause's.
    reason, cause
        Reason of the ``Status``, and of one of its causes; empty for any.
    wait_seconds
        With `LATER`: the least time to leave it alone, if the server asks for less.
    """

    verdict: Verdict
    code: str
    status: int = 0
    says: str = ""
    reason: str = ""
    cause: str = ""
    wait_seconds: float = 0.0

    def fits(self, error: ApiError) -> bool:
        """Whether it is this answer."""
        return (
            self.status in (0, error.status)
            and self.reason in ("", error.reason)
            and (not self.cause or any(each.reason == self.cause for each in error.causes))
            and any(self.says in said for said in (error.message, *(each.message for each in error.causes)))
        )


EVICTION: Final = (
    Rule(Verdict.UNDER_WAY, "evacuating", 429, "Eviction triggered evacuation"),
    Rule(Verdict.UNDER_WAY, "evacuating", 429, "Evacuation in progress"),
    Rule(Verdict.REFUSED, "not-live-migratable", 429, "is not live-migratable"),
    Rule(Verdict.REFUSED, "migration-target", 429, "Eviction request for target Pod"),
    Rule(Verdict.REFUSED, "evacuation-refused", 429, "cannot evict hotplug pod"),
    Rule(Verdict.REFUSED, "evacuation-refused", 429, "kubevirt failed "),
    Rule(Verdict.REFUSED, "rejected", 429, "denied the request"),
    Rule(Verdict.LATER, "disruption-budget-behind", 429, "still being processed", cause=_BUDGET, wait_seconds=10.0),
    Rule(Verdict.LATER, "disruption-budget", 429, cause=_BUDGET, wait_seconds=5.0),
    Rule(Verdict.LATER, "disruption-budget", 429, "disruption budget", wait_seconds=5.0),
    Rule(Verdict.REFUSED, "several-budgets", 500, "more than one PodDisruptionBudget"),
    Rule(Verdict.UNKNOWN, "webhook-down", 500, "failed calling webhook"),
    Rule(Verdict.GONE, "workload-gone", 404, reason="NotFound"),
    Rule(Verdict.GONE, "workload-gone", 409, "UID in precondition"),
    Rule(Verdict.GONE, "workload-gone", 409, "the UID in the precondition"),
    Rule(Verdict.LATER, "conflict", 409, wait_seconds=5.0),
    Rule(Verdict.REFUSED, "disruption-budget-broken", 403, "disruptions allowed is negative"),
    Rule(Verdict.REFUSED, "disruption-budget-broken", 403, "DisruptedPods map too big"),
)
"""Answers to ``POST pods/NAME/eviction``."""

CREATION: Final = (
    Rule(Verdict.GONE, "workload-gone", says='" does not exist'),
    Rule(Verdict.GONE, "workload-ended", says="Cannot migrate VMI in finalized state"),
    Rule(Verdict.REFUSED, "not-live-migratable", says="Cannot migrate VMI, Reason"),
    Rule(Verdict.REFUSED, "migrating", says="in-flight migration detected"),
    Rule(Verdict.LATER, "quota", 403, "exceeded quota", wait_seconds=60.0),
    # What admission has not let pass is not stored.
    Rule(Verdict.LATER, "webhook-down", 500, "failed calling webhook", wait_seconds=30.0),
    Rule(Verdict.GONE, "workload-gone", 404, 'namespaces "', reason="NotFound"),
    Rule(Verdict.REFUSED, "rejected", 404, reason="NotFound"),
    Rule(Verdict.LATER, "conflict", 409, wait_seconds=5.0),
)
"""Answers to the creation of a VirtualMachineInstanceMigration."""

CANCELLING: Final = (
    Rule(Verdict.UNDER_WAY, "cancelling", 404, reason="NotFound"),
    Rule(Verdict.UNDER_WAY, "cancelling", 409),
)
"""Answers to a request that ends a move; see `cancelling`."""

_ALL: Final = (
    Rule(Verdict.REFUSED, "namespace-terminating", 403, "is being terminated"),
    Rule(Verdict.REFUSED, "rejected", 403, "denied the request"),
    Rule(Verdict.REFUSED, "rejected", 403, "denied request"),
    Rule(Verdict.REFUSED, "forbidden", 403),
    Rule(Verdict.LATER, "unauthorized", 401, wait_seconds=10.0),
    Rule(Verdict.LATER, "server-busy", 429, wait_seconds=1.0),
    Rule(Verdict.UNKNOWN, "server-timeout", 408),
    Rule(Verdict.UNKNOWN, "server-timeout", 504),
    Rule(Verdict.UNKNOWN, "server-error", 404),  # of a proxy: the API's own carry a reason
    *(Rule(Verdict.REFUSED, "rejected", status) for status in (400, 405, 406, 409, 410, 413, 415, 422)),
    Rule(Verdict.UNKNOWN, "server-error"),
)
"""Answers that mean the same everywhere; the last one fits all that is left."""


def receipt(error: KubeError, rules: tuple[Rule, ...]) -> Receipt:
    """What the error of a write means.

    Parameters
    ----------
    error
        What the write raised.
    rules
        `EVICTION` or `CREATION`; for what cancels see `cancelling`.
    """
    if isinstance(error, ApiError):
        rule = next(rule for rule in (*rules, *_ALL) if rule.fits(error))
        is_later = rule.verdict is Verdict.LATER
        wait = max(rule.wait_seconds, error.retry_after_seconds) if is_later else 0.0
        return Receipt(rule.verdict, rule.code, error.message, wait)
    if isinstance(error, CredentialsError):  # nothing was sent
        return Receipt(Verdict.LATER, "unauthorized", error.message, 10.0)
    code = "unreadable-reply" if isinstance(error, UnreadableError) else "no-reply"
    return Receipt(Verdict.UNKNOWN, code, error.message)


def cancelling(error: KubeError) -> Receipt:
    """What the error of a request that ends a move means. It is never final: the move goes on as long as it is seen."""
    said = receipt(error, CANCELLING)
    return msgspec.structs.replace(said, verdict=Verdict.UNDER_WAY) if said.verdict in FINAL else said


def reading(ask: Callable[[], Receipt]) -> Receipt:
    """What `ask` finds out; if a read of it fails, that nothing is known now. Nothing was written then."""
    try:
        return ask()
    except ForbiddenError as error:
        return Receipt(Verdict.LATER, "forbidden", error.message, _READ_AGAIN_SECONDS)
    except KubeError as error:
        wait = max(_READ_AGAIN_SECONDS, error.retry_after_seconds)
        return Receipt(Verdict.LATER, "cannot-read", error.message, wait)


class _Said(msgspec.Struct):
    status: str | dict[str, msgspec.Raw] | None = None


_SAID: Final = msgspec.json.Decoder(_Said)


def check_reply(body: bytes) -> None:
    """Make sure that the body of an answer with a status of success says success as well, as client-go does.

    An eviction has no object to return: a ``Status`` is all that tells whether it was done.

    Raises
    ------
    ApiError
        It says failure.
    UnreadableError
        It is not an object of the API, but a proxy's page.
    """
    try:
        said = _SAID.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise UnreadableError(f"a reply that cannot be read: {error}") from error
    if said.status == "Failure":
        raise answered(0, "Failure", body)
