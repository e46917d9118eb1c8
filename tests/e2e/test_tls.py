"""The scheduler asks over TLS, and both sides know whom they talk to."""

from __future__ import annotations

import shutil
import socket
import ssl
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from tests.controlplane.certificates import Authority, Credentials
from tests.controlplane.waiting import until
from tests.e2e import scene
from tests.e2e.extenders import Launcher, Tls
from tests.e2e.scene import EMPTY_BY_REQUESTS, EMPTY_BY_USE
from tests.e2e.schedulers import Schedulers, configuration
from tests.e2e.workloads import Pods

pytestmark = [pytest.mark.xdist_group("control-plane"), pytest.mark.usefixtures("contradiction")]
NODES = scene.NODES
PODS = 6
UNDER_LOAD = 40
NOT_IGNORABLE = {"ignorable: true": "ignorable: false"}
NO_CLIENT = {
    "      certFile: /etc/kubernetes/ullage/tls.crt\n": "",
    "      keyFile: /etc/kubernetes/ullage/tls.key\n": "",
}


@pytest.fixture
def tls(tmp_path: Path) -> Tls:
    """One authority for both sides."""
    authority = Authority(tmp_path, "ca")
    return Tls(authority, authority.server("extender"), authority.client("kube-scheduler"))


def shown(tls: Tls, port: int) -> bytes:
    """Certificate that the extender shows to who comes now."""
    context = ssl.create_default_context(cafile=str(tls.authority.certificate))
    context.load_cert_chain(tls.client.certificate, tls.client.key)
    with (
        socket.create_connection(("127.0.0.1", port)) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as secured,
    ):
        return secured.getpeercert(binary_form=True) or b""


def put_in_place(new: Path, old: Path) -> None:
    beside = old.with_suffix(".new")
    shutil.copy(new, beside)
    beside.replace(old)


def test_with_certificates_on_both_sides(
    schedulers: Schedulers, launcher: Launcher, pods: Pods, port: int, tls: Tls
) -> None:
    schedulers.use(configuration("with-tls", port, tls, NOT_IGNORABLE))
    with launcher.run(tls=tls) as extender:
        pods.create(PODS)
        assert set(pods.landed()) <= EMPTY_BY_USE
        assert extender.answers("scored") == extender.answers("scored", "prioritize") == PODS


def test_a_scheduler_without_a_certificate_is_not_answered(
    schedulers: Schedulers, launcher: Launcher, pods: Pods, port: int, tls: Tls
) -> None:
    schedulers.use(configuration("with-tls", port, tls, NO_CLIENT))
    with launcher.run(tls=tls) as extender:
        pods.create(PODS)
        assert set(pods.landed()) <= EMPTY_BY_REQUESTS
        assert extender.answers("scored") == 0
    with launcher.run(tls=replace(tls, asks_clients=False)) as extender:
        pods.create(PODS, "other")
        assert set(pods.landed("other")) <= EMPTY_BY_USE
        assert extender.answers("scored") == PODS


def test_an_extender_of_another_authority_is_not_asked(
    schedulers: Schedulers, launcher: Launcher, pods: Pods, port: int, tls: Tls, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other", "ca")
    foreign = Tls(other, other.server("extender"), other.client("kube-scheduler"))
    schedulers.use(configuration("with-tls", port, tls, NOT_IGNORABLE))
    with launcher.run(tls=foreign):
        pods.create(1)
        verdict = pods.verdict("pod-0", "certificate signed by unknown authority")
        assert verdict["reason"] == "SchedulerError"


def test_a_certificate_is_exchanged_while_pods_come_in(
    schedulers: Schedulers, launcher: Launcher, pods: Pods, port: int, tls: Tls
) -> None:
    schedulers.use(configuration("with-tls", port, tls, NOT_IGNORABLE))
    with launcher.run(tls=tls) as extender:
        before = shown(tls, port)
        load = threading.Thread(target=pods.create, args=(UNDER_LOAD, "load"), kwargs={"writers": 1})
        load.start()
        new = tls.authority.server("next")
        put_in_place(new.certificate, tls.server.certificate)
        put_in_place(new.key, tls.server.key)
        after = until(lambda: shown(tls, port) if shown(tls, port) != before else b"", "another certificate")
        load.join()
        assert after == der(new)
        pods.create(1, "last")
        assert set(pods.landed()) <= EMPTY_BY_USE
        assert extender.answers("scored", "prioritize") == UNDER_LOAD + 1
        assert not any(pods.events(f"load-{number}") for number in range(UNDER_LOAD))


def der(credentials: Credentials) -> bytes:
    return ssl.PEM_cert_to_DER_cert(credentials.certificate.read_text())


def test_a_scheduler_whose_connection_was_lost_comes_back_to_the_new_certificate(
    schedulers: Schedulers, launcher: Launcher, pods: Pods, port: int, tls: Tls
) -> None:
    schedulers.use(configuration("with-tls", port, tls, NOT_IGNORABLE))
    with launcher.run(tls=tls):
        pods.create(1, "before")
        pods.landed("before")
    new = tls.authority.server("next")
    with launcher.run(tls=replace(tls, server=new)) as extender:
        pods.create(PODS, "after")
        assert set(pods.landed("after")) <= EMPTY_BY_USE
        assert extender.answers("scored") >= PODS
