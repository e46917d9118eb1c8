"""A real control plane in processes of this machine: etcd, kube-apiserver, kube-scheduler, kube-controller-manager."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self, Unpack

import urllib3
import yaml

from tests.controlplane import binaries, flags, kubeconfig
from tests.controlplane.flags import Identities, Settings
from tests.controlplane.processes import Program, reserved_ports
from tests.controlplane.rest import Rest, RestError

START_SECONDS = 120.0
KUBECTL_SECONDS = 60.0
TOKEN_SECONDS = 24 * 3600
SCHEDULER_GROUP = "kubescheduler.config.k8s.io/v1"


class KubectlError(Exception):
    """``kubectl`` failed; the text is what it wrote about it."""


class ControlPlane:
    """One cluster without machines.

    Made by :meth:`start`. All its files are below one folder: ``logs``, ``pki``, ``kubeconfigs``, the audit log, and
    the data of etcd, which is removed in the end.

    Attributes
    ----------
    url
        Address of kube-apiserver.
    ca_file
        Certificate of the authority that signed its own.
    admin
        Kubeconfig of a user who may do everything.
    audit_log
        The audit log, if there is one: an ``audit.k8s.io/v1`` Event in each line, written before the answer is sent.
    logs
        Folder with a log of each program.
    programs
        What runs now, by name.
    """

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.folder = folder
        self.logs = folder / "logs"
        self.logs.mkdir(parents=True)
        (folder / "kubeconfigs").mkdir()
        self.audit_log = flags.audit_log(folder)
        self.programs: dict[str, Program] = {}
        self.url = ""
        self.scheduler_url = ""
        self._settings = settings
        self._identities = Identities(folder / "pki")
        self.ca_file = self._identities.authority.certificate
        self.admin = self._kubeconfig_path("admin")
        self._ending = ExitStack()

    @classmethod
    @contextmanager
    def start(cls, folder: Path, **settings: Unpack[Settings]) -> Iterator[Self]:
        """Run a control plane in an empty or new folder until the context ends.

        Raises
        ------
        MissingProgramError
            A program is not on this machine.
        StartError
            A program ended before it was ready, or was not ready within two minutes.
        """
        plane = cls(folder, settings)
        with plane._ending:
            plane._run()
            yield plane

    def kubeconfig(self, user: str, groups: Sequence[str] = ()) -> Path:
        """Kubeconfig of a user with a client certificate; it is made when it is asked for first."""
        path = self._kubeconfig_path(user, *groups)
        if not path.exists():
            signed = self._identities.authority.client(user, groups)
            path.write_text(kubeconfig.by_certificate(self.url, self.ca_file, signed))
        return path

    def service_account_kubeconfig(self, namespace: str, name: str) -> Path:
        """Kubeconfig of a service account, which must exist, with a fresh token of 24 hours (TokenRequest)."""
        path = self._kubeconfig_path("serviceaccount", namespace, name)
        token = self.service_account_token(namespace, name)
        path.write_text(kubeconfig.by_token(self.url, self.ca_file, token))
        return path

    def service_account_token(self, namespace: str, name: str) -> str:
        """Bearer token of a service account, which must exist."""
        spec = {"expirationSeconds": TOKEN_SECONDS}
        with self.client() as admin:
            answer = admin.post(
                f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token",
                {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec},
            )
        return str(answer["status"]["token"])

    def client(self, url: str | None = None) -> Rest:
        """Client of the admin, to kube-apiserver or to another of the programs (``scheduler_url``)."""
        admin = self._identities.admin
        return Rest(url or self.url, ca_file=self.ca_file, cert_file=admin.certificate, key_file=admin.key)

    def kubectl(self, *arguments: str, input: str | None = None, config: Path | None = None) -> str:  # noqa: A002 - its name in subprocess
        """Run kubectl as the admin, or as the user of another kubeconfig; returns what it prints.

        Raises
        ------
        KubectlError
            It ended with a status other than 0.
        """
        done = subprocess.run(
            [binaries.find("kubectl"), f"--kubeconfig={config or self.admin}", *arguments],
            input=input,
            capture_output=True,
            text=True,
            timeout=KUBECTL_SECONDS,
            check=False,
            cwd=self.folder,
            env={"HOME": str(self.folder), "PATH": "/usr/bin:/bin"},
        )
        if done.returncode:
            raise KubectlError(done.stderr.strip())
        return done.stdout

    def start_scheduler(self, config: Path | None = None) -> None:
        """Start kube-scheduler, in place of the one that runs, and wait until it has seen the cluster.

        Parameters
        ----------
        config
            File of a ``KubeSchedulerConfiguration``, of which a copy is used: with the kubeconfig of this cluster, and
            without leader election where the file does not ask for it. Default: no extender and no request limits.
        """
        self.stop_scheduler()
        with reserved_ports(1) as (port,):
            self._start_scheduler(config, port)()

    def stop_scheduler(self) -> None:
        """Stop kube-scheduler, if it runs."""
        self._stop("kube-scheduler")

    def _run(self) -> None:
        with reserved_ports(5) as (etcd, peer, apiserver, scheduler, controllers):
            self._start_etcd(etcd, peer)
            self._start_apiserver(apiserver, etcd)
            # Both need seconds of their own, so they start together.
            waits = [self._start_controllers(controllers)] if self._settings.get("controllers", True) else []
            if self._settings.get("scheduler", True):
                waits.append(self._start_scheduler(self._settings.get("scheduler_config"), scheduler))
            for wait in waits:
                wait()

    def _start_etcd(self, port: int, peer_port: int) -> None:
        data = self.folder / "etcd"
        self._ending.callback(shutil.rmtree, data, ignore_errors=True)
        program = self._start("etcd", flags.etcd(data, port, peer_port))
        program.wait_ready(lambda: _healthy(f"http://127.0.0.1:{port}/health"), START_SECONDS)

    def _start_apiserver(self, port: int, etcd_port: int) -> None:
        self.url = f"https://127.0.0.1:{port}"
        arguments = flags.apiserver(self.folder, port, etcd_port, self._identities, self._settings)
        self.admin.write_text(kubeconfig.by_certificate(self.url, self.ca_file, self._identities.admin))
        self._ready(self._start("kube-apiserver", arguments), self.url)()

    def _start_controllers(self, port: int) -> Callable[[], None]:
        # All controllers act as this one user, so it may do what any of them does.
        kubeconfig_path = self.kubeconfig("system:kube-controller-manager", ["system:masters"])
        arguments = flags.controller_manager(kubeconfig_path, port, self._identities, self._settings)
        return self._ready(self._start("kube-controller-manager", arguments), f"https://127.0.0.1:{port}", "/healthz")

    def _start_scheduler(self, config: Path | None, port: int) -> Callable[[], None]:
        kubeconfig_path = self.kubeconfig("system:kube-scheduler")
        copy = self.folder / "scheduler.yaml"
        copy.write_text(yaml.safe_dump(_filled(config, kubeconfig_path)))
        self.scheduler_url = f"https://127.0.0.1:{port}"
        arguments = flags.scheduler(copy, kubeconfig_path, port, self._identities)
        return self._ready(self._start("kube-scheduler", arguments), self.scheduler_url)

    def _start(self, name: str, arguments: list[str]) -> Program:
        program = Program([binaries.find(name), *arguments], self.logs / f"{name}.log")
        self.programs[name] = program
        # The last to start is the first to stop: kube-apiserver without etcd would hang.
        self._ending.callback(self._stop, name)
        return program

    def _stop(self, name: str) -> None:
        program = self.programs.pop(name, None)
        if program is not None:
            program.stop()

    def _ready(self, program: Program, url: str, path: str = "/readyz") -> Callable[[], None]:
        def wait() -> None:
            with self.client(url) as client:
                program.wait_ready(lambda: _answers(client, path), START_SECONDS)

        return wait

    def _kubeconfig_path(self, *words: str) -> Path:
        return self.folder / "kubeconfigs" / f"{'-'.join(words).replace('/', '_')}.yaml"


def _filled(config: Path | None, kubeconfig_path: Path) -> dict[str, Any]:
    unlimited = {"qps": 5000, "burst": 10000}
    given = {"clientConnection": unlimited} if config is None else yaml.safe_load(config.read_text())
    return {
        "apiVersion": SCHEDULER_GROUP,
        "kind": "KubeSchedulerConfiguration",
        **given,
        "clientConnection": {**given.get("clientConnection", {}), "kubeconfig": str(kubeconfig_path)},
        "leaderElection": given.get("leaderElection", {"leaderElect": False}),
    }


def _healthy(url: str) -> bool:
    try:
        return urllib3.request("GET", url, retries=False).status == 200
    except urllib3.exceptions.HTTPError:
        return False


def _answers(client: Rest, path: str) -> bool:
    try:
        client.raw("GET", path)
    except (RestError, urllib3.exceptions.HTTPError):
        return False
    return True
