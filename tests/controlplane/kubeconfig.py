"""Kubeconfig files of one cluster."""

from __future__ import annotations

import base64
from pathlib import Path

import yaml

from tests.controlplane.certificates import Credentials

NAME = "test"


def by_certificate(url: str, authority: Path, credentials: Credentials) -> str:
    """Text of a kubeconfig whose user has a client certificate."""
    user = {
        "client-certificate-data": _encoded(credentials.certificate),
        "client-key-data": _encoded(credentials.key),
    }
    return _text(url, authority, user)


def by_token(url: str, authority: Path, token: str) -> str:
    """Text of a kubeconfig whose user has a bearer token."""
    return _text(url, authority, {"token": token})


def _text(url: str, authority: Path, user: dict[str, str]) -> str:
    cluster = {"server": url, "certificate-authority-data": _encoded(authority)}
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": NAME, "cluster": cluster}],
            "users": [{"name": NAME, "user": user}],
            "contexts": [{"name": NAME, "context": {"cluster": NAME, "user": NAME}}],
            "current-context": NAME,
        }
    )


def _encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
