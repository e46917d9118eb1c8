"""TLS, client certificates, and their rotation."""

from __future__ import annotations

import http.client
import ssl
from pathlib import Path

import pytest

from tests.extender.certificates import Authority
from tests.extender.go_client import GoClient
from tests.extender.serving import args, cluster, running, write_state
from ullage.errors import UsageError
from ullage.serving.tls import Certificates, TlsFiles


@pytest.fixture
def authority() -> Authority:
    return Authority("first")


def refused(port: int, context: ssl.SSLContext) -> None:
    """A client that is not served."""
    client = GoClient(port, context)
    try:
        with pytest.raises((OSError, http.client.HTTPException)):
            client.get("/healthz")
    finally:
        client.close()


def served(tmp_path: Path, files: TlsFiles):
    return running(write_state(tmp_path / "cluster.snapshot", cluster()), tls=files)


def test_https_on_one_connection(tmp_path: Path, authority: Authority) -> None:
    with served(tmp_path, TlsFiles(*authority.write(tmp_path, "server"))) as found:
        client = GoClient(found.port, authority.trusted())
        for _ in range(20):
            assert client.filter(args()).kept == ["n1", "n2"]
        assert client.connections == 1
        client.close()
        refused(found.port, Authority("other").trusted())
        old = authority.trusted()
        old.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        with pytest.warns(DeprecationWarning, match="TLS"):
            old.maximum_version = ssl.TLSVersion.TLSv1_1
        refused(found.port, old)


def test_a_large_body_over_tls(tmp_path: Path, authority: Authority) -> None:
    names = [f"n-{i}" for i in range(40_000)]
    with served(tmp_path, TlsFiles(*authority.write(tmp_path, "server"))) as found:
        client = GoClient(found.port, authority.trusted())
        assert client.filter(args(names)).kept == names
        client.close()


def test_clients_must_show_a_certificate_of_the_client_ca(tmp_path: Path, authority: Authority) -> None:
    clients = Authority("clients")
    files = TlsFiles(*authority.write(tmp_path, "server"), clients.write_ca(tmp_path))
    with served(tmp_path, files) as found:
        client = GoClient(found.port, authority.trusted(clients.write(tmp_path, "scheduler")))
        assert client.filter(args()).kept == ["n1", "n2"]
        client.close()
        for stranger in (authority.trusted(), authority.trusted(authority.write(tmp_path, "stranger"))):
            refused(found.port, stranger)


def test_new_certificates_are_served_and_open_connections_stay(tmp_path: Path, authority: Authority) -> None:
    clients = Authority("clients")
    files = TlsFiles(*authority.write(tmp_path, "server"), clients.write_ca(tmp_path))
    shown = clients.write(tmp_path, "scheduler")
    with served(tmp_path, files) as found:
        old = GoClient(found.port, authority.trusted(shown))
        assert old.get("/healthz")[0] == 200
        second, new_clients = Authority("second"), Authority("new clients")
        second.write(tmp_path, "server")
        new_clients.write_ca(tmp_path)
        found.extender.reload_certificates()
        assert old.get("/healthz")[0] == 200
        new = GoClient(found.port, second.trusted(new_clients.write(tmp_path, "scheduler-2")))
        assert new.get("/healthz")[0] == 200
        refused(found.port, second.trusted(shown))
        old.close()
        new.close()


def test_in_the_middle_of_a_rotation_the_old_ones_stay(tmp_path: Path, authority: Authority) -> None:
    said: list[str] = []
    files = TlsFiles(*authority.write(tmp_path, "server"))
    certificates = Certificates(files, said.append)
    before = certificates.pem
    assert not certificates.reload()
    certificate, key = authority.write(tmp_path, "next")
    certificate.replace(files.certificate)
    assert not certificates.reload()
    assert not certificates.reload()
    assert len(said) == 1, "a change is told once"
    assert certificates.pem == before
    key.replace(files.key)
    assert certificates.reload()
    assert certificates.pem != before
    files.key.unlink()
    assert not certificates.reload()
    assert "No such file" in said[1] or "cannot" in said[1]


@pytest.mark.parametrize("content", [b"", b"no pem"])
def test_certificates_that_cannot_be_used_at_the_start_end_it(
    tmp_path: Path, authority: Authority, content: bytes
) -> None:
    certificate, key = authority.write(tmp_path, "server")
    key.write_bytes(content)
    with pytest.raises(UsageError, match="TLS"):
        Certificates(TlsFiles(certificate, key), lambda _: None)
