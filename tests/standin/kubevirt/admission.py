"""Webhooks in front of the API: how they are asked, how they answer, and how they are registered."""

from __future__ import annotations

import base64
from contextlib import suppress
from typing import Final

from tests.controlplane.rest import Rest, RestError
from tests.controlplane.waiting import until
from tests.standin.https import Answer, Request
from tests.standin.kubevirt.names import GROUP
from tests.standin.wire import Json

CONFIGURATIONS: Final = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
CONFIGURATION: Final = "virt-api-validator"
EVICTION_PATH: Final = "/launcher-eviction-validate"
MIGRATION_PATH: Final = "/migration-validate-create"
EVICTION_NAME: Final = "virt-launcher-eviction-interceptor.kubevirt.io"
MIGRATION_NAME: Final = "migration-create-validator.kubevirt.io"
PROBE: Final = "standin-probe"


def allowed(request: Request) -> Answer:
    return _answer(request, {"allowed": True})


def denied(request: Request, message: str, code: int) -> Answer:
    """Refusal; kube-apiserver puts the webhook's name in front of the message."""
    return _answer(request, {"allowed": False, "status": {"message": message, "code": code}})


def _answer(request: Request, response: Json) -> Answer:
    body = {**response, "uid": request.body["request"]["uid"]}
    return Answer.json({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": body})


def register(rest: Rest, url: str, ca: bytes) -> None:
    """Have kube-apiserver ask the webhooks, and wait until it does.

    Parameters
    ----------
    url
        Of the server that has them.
    ca
        PEM of the authority that signed its certificate.
    """
    unregister(rest)
    common = {
        "failurePolicy": "Fail",
        "admissionReviewVersions": ["v1"],
        "timeoutSeconds": 10,
        "matchPolicy": "Equivalent",
    }
    client = {"caBundle": base64.b64encode(ca).decode()}
    launchers = {"name": "only-virt-launcher", "expression": 'request.name.startsWith("virt-launcher")'}
    eviction = {
        **common,
        "name": EVICTION_NAME,
        "sideEffects": "NoneOnDryRun",
        "clientConfig": {**client, "url": url + EVICTION_PATH},
        "rules": [_rule("", "v1", "pods/eviction")],
        "matchConditions": [launchers],
    }
    migration = {
        **common,
        "name": MIGRATION_NAME,
        "sideEffects": "None",
        "clientConfig": {**client, "url": url + MIGRATION_PATH},
        "rules": [_rule(GROUP, "v1", "virtualmachineinstancemigrations")],
    }
    body = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": CONFIGURATION},
        "webhooks": [eviction, migration],
    }
    rest.post(CONFIGURATIONS, body)
    until(lambda: _asks(rest), "admission by the webhooks")


def unregister(rest: Rest) -> None:
    """Have kube-apiserver ask the webhooks no more."""
    with suppress(RestError):
        rest.delete(f"{CONFIGURATIONS}/{CONFIGURATION}")


def _rule(group: str, version: str, resource: str) -> Json:
    return {"apiGroups": [group], "apiVersions": [version], "operations": ["CREATE"], "resources": [resource]}


def _asks(rest: Rest) -> bool:
    """Whether a migration of a VMI that does not exist is refused, in a dry run."""
    body = {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachineInstanceMigration",
        "metadata": {"name": PROBE},
        "spec": {"vmiName": PROBE},
    }
    path = f"/apis/{GROUP}/v1/namespaces/default/virtualmachineinstancemigrations?dryRun=All"
    try:
        rest.post(path, body)
    except RestError as error:
        return MIGRATION_NAME.encode() in error.body and PROBE.encode() in error.body
    return False
