from __future__ import annotations

import base64
import json
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.sources.kube_api.clocks import SkippingClock
from tests.sources.kube_api.following import served
from tests.sources.kube_api.server import FakeApi
from ullage.sources.kube_api.connection import Connection
from ullage.sources.kube_api.credentials import open_access
from ullage.sources.kube_api.errors import CredentialsError, UnauthorizedError
from ullage.sources.watched import PODS


def kubeconfig(folder: Path, users: dict[str, Any], server: str = "http://127.0.0.1:1", **cluster: object) -> Path:
    """File with a context per user, named as the user; the first is the current one."""
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": next(iter(users)),
        "clusters": [{"name": "c", "cluster": {"server": server, **cluster}}],
        "users": [{"name": name, "user": user} for name, user in users.items()],
        "contexts": [{"name": name, "context": {"cluster": "c", "user": name}} for name in users],
    }
    path = folder / "config"
    path.write_text(yaml.safe_dump(document))
    return path


def plugin(folder: Path, status: object) -> dict[str, Any]:
    """User of an exec plugin that prints what a file holds and counts its calls."""
    said = folder / "said.json"
    said.write_text(
        json.dumps({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status})
    )
    script = folder / "plugin.py"
    script.write_text(
        "import pathlib, sys\n"
        f"folder = pathlib.Path({str(folder)!r})\n"
        "with (folder / 'calls').open('a') as calls: calls.write('x')\n"
        "sys.stdout.write((folder / 'said.json').read_text())\n"
    )
    command = {"apiVersion": "client.authentication.k8s.io/v1", "command": sys.executable, "args": [str(script)]}
    return {"exec": {**command, "interactiveMode": "Never"}}


def get(api: FakeApi, connection: Connection) -> str:
    """Token that a request brings."""
    connection.get(PODS.path)
    return api.requests[-1].headers.get("Authorization", "")


def load(path: Path, api: FakeApi, context: str | None = None) -> Connection:
    return Connection.load(path, context, api.clock)


def test_the_current_context_counts_unless_another_is_named(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path, {"alice": {"token": "a"}, "bob": {"token": "b"}})
    assert open_access(path, None).authorization() == "Bearer a"
    assert open_access(path, "bob").authorization() == "Bearer b"
    with pytest.raises(CredentialsError, match="carol"):
        open_access(path, "carol")


def test_the_environment_names_files_of_which_the_first_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        kubeconfig(tmp_path / name, {"user": {"tokenFile": "token"}}, f"http://{name}")
        (tmp_path / name / "token").write_text(f"of-{name}\n")
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path}/one/config:{tmp_path}/absent:{tmp_path}/two/config")
    found = open_access(None, None)
    assert (found.host, found.authorization()) == ("http://one", "Bearer of-one")


def test_nothing_at_all_is_said_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(CredentialsError) as caught:
        open_access(None, None)
    assert "--kubeconfig" in caught.value.hint


def test_in_a_pod_the_service_account_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    with pytest.raises(CredentialsError, match="in-cluster credentials: Service token file does not exist"):
        open_access(None, None)


def test_a_service_account_and_its_token_after_rotation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from kubernetes.config import incluster_config

    token, authority = tmp_path / "token", tmp_path / "ca.crt"
    token.write_text("first")
    authority.write_text("-----BEGIN CERTIFICATE-----\n")
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(token))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(authority))
    found = open_access(None, None)
    assert (found.host, found.authorization()) == ("https://[fd00::1]:443", "bearer first")
    token.write_text("second\n")
    assert open_access(None, None).authorization() == "bearer second"


def test_a_token_file_is_read_again(tmp_path: Path) -> None:
    with served() as api:
        api.serve(PODS.path)
        (tmp_path / "token").write_text("first\n")
        connection = load(kubeconfig(tmp_path, {"u": {"tokenFile": "token"}}, api.url), api)
        assert get(api, connection) == "Bearer first"
        (tmp_path / "token").write_text("second\n")
        assert get(api, connection) == "Bearer first", "it is not read for every request"
        api.clock.wait(threading.Event(), 10.0)
        assert get(api, connection) == "Bearer second"
        (tmp_path / "token").unlink()
        api.clock.wait(threading.Event(), 10.0)
        with pytest.raises(CredentialsError, match="token"):
            connection.get(PODS.path)


def test_a_plugin_runs_once_and_again_when_its_token_is_refused(tmp_path: Path) -> None:
    with served() as api:
        api.serve(PODS.path)
        api.tokens = {"first"}
        user = plugin(tmp_path, {"token": "first"})
        connection = load(kubeconfig(tmp_path, {"u": user}, api.url), api)
        assert [get(api, connection) for _ in range(3)] == ["Bearer first"] * 3
        assert (tmp_path / "calls").read_text() == "x"
        api.tokens = {"second"}
        plugin(tmp_path, {"token": "second"})
        assert get(api, connection) == "Bearer second"
        assert (tmp_path / "calls").read_text() == "xx"
        api.tokens = set()
        with pytest.raises(UnauthorizedError):
            connection.get(PODS.path)
        assert (tmp_path / "calls").read_text() == "xx"


def test_a_plugin_runs_again_when_its_token_expires(tmp_path: Path) -> None:
    with served() as api:
        api.serve(PODS.path)
        user = plugin(tmp_path, {"token": "first", "expirationTimestamp": "2020-01-01T00:00:00Z"})
        connection = load(kubeconfig(tmp_path, {"u": user}, api.url), api)
        plugin(tmp_path, {"token": "second", "expirationTimestamp": "2999-01-01T00:00:00Z"})
        assert get(api, connection) == "Bearer second"
        api.clock.wait(threading.Event(), 100.0)
        assert get(api, connection) == "Bearer second"
        assert (tmp_path / "calls").read_text() == "xx"


def test_a_plugin_that_gives_nothing_is_an_error(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path, {"u": plugin(tmp_path, {})})
    with pytest.raises(CredentialsError, match="credential plugin gave neither"):
        open_access(path, None)


def test_certificates_authority_server_name_and_proxy(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("authority")
    user = {"client-certificate-data": _encoded("certificate"), "client-key-data": _encoded("key")}
    cluster = {"certificate-authority": "ca.pem", "tls-server-name": "inner", "proxy-url": "http://proxy:3128"}
    path = kubeconfig(tmp_path, {"u": user}, "https://outer:6443/", **cluster)
    found = open_access(path, None)
    configuration = found._configuration
    assert (found.host, found.authorization()) == ("https://outer:6443", "")
    assert Path(configuration.cert_file or "").read_text() == "certificate"
    assert Path(configuration.key_file or "").read_text() == "key"
    assert configuration.ssl_ca_cert == str(tmp_path / "ca.pem")
    assert (configuration.tls_server_name, configuration.proxy) == ("inner", "http://proxy:3128")
    assert type(found.pool).__name__ == "ProxyManager"


def test_certificates_are_checked_unless_the_file_says_otherwise(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path, {"u": {"token": "t"}}, "https://server")
    assert open_access(path, None)._configuration.verify_ssl
    careless = kubeconfig(tmp_path, {"u": {"token": "t"}}, "https://server", **{"insecure-skip-tls-verify": True})
    assert not open_access(careless, None)._configuration.verify_ssl


@pytest.mark.parametrize("text", ["", "[]", "{", "a: [", "contexts: 5", "current-context: x\ncontexts: [{}]", "\x00"])
def test_a_broken_kubeconfig_is_an_error_of_ours(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(CredentialsError):
        open_access(path, None)


def test_a_missing_kubeconfig_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(CredentialsError, match="absent: there is no such file"):
        Connection.load(tmp_path / "absent", None, SkippingClock())


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
