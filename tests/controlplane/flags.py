"""Command lines of the four programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, TypedDict

from tests.controlplane.certificates import Authority, Credentials, signing_key

AuditLevel = Literal["Metadata", "Request", "RequestResponse"]
PROXY_USER = "front-proxy"


class Settings(TypedDict, total=False):
    """What differs between one control plane and another; whatever is not given has its default.

    Attributes
    ----------
    controllers
        Run kube-controller-manager (default: yes). Without it, admission neither asks for service accounts nor taints
        new nodes, so that pods can be created and bound all the same.
    scheduler
        Run kube-scheduler (default: yes).
    scheduler_config
        File of a ``KubeSchedulerConfiguration`` (default: no extender and no limit of requests).
    audit_policy
        Level at which every request is written to the audit log, or the file of a policy (default: no audit log).
    fairness
        Leave priority and fairness on, which holds back a test that asks much at once (default: off).
    apiserver_flags, controller_flags
        Further arguments, which win over those given here.
    """

    controllers: bool
    scheduler: bool
    scheduler_config: Path | None
    audit_policy: AuditLevel | Path | None
    fairness: bool
    apiserver_flags: Sequence[str]
    controller_flags: Sequence[str]


class Identities:
    """Authorities, certificates and keys of one cluster, written to a folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.authority = Authority(folder, "ca")
        self.proxy_authority = Authority(folder, "front-proxy-ca")
        self.serving = self.authority.server("serving")
        self.proxy = self.proxy_authority.client(PROXY_USER)
        self.admin = self.authority.client("admin", ["system:masters"])
        self.tokens = signing_key(folder / "service-accounts.key")


def etcd(folder: Path, port: int, peer_port: int) -> list[str]:
    """Arguments of etcd: one member that does not wait for its disk."""
    url, peer_url = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peer_port}"
    return _arguments(
        {
            "data-dir": folder,
            "listen-client-urls": url,
            "advertise-client-urls": url,
            "listen-peer-urls": peer_url,
            "initial-advertise-peer-urls": peer_url,
            "initial-cluster": f"default={peer_url}",
            "unsafe-no-fsync": "true",
            "quota-backend-bytes": 8 << 30,
            "log-level": "warn",
        }
    )


def apiserver(folder: Path, port: int, etcd_port: int, identities: Identities, settings: Settings) -> list[str]:
    """Arguments of kube-apiserver, with RBAC and the aggregation layer."""
    return [
        *_arguments(
            {
                "etcd-servers": f"http://127.0.0.1:{etcd_port}",
                "advertise-address": "127.0.0.1",
                # Its own address as endpoints of the Service "kubernetes" would be refused: it is a loopback one.
                "endpoint-reconciler-type": "none",
                "service-cluster-ip-range": "10.0.0.0/16",
                "authorization-mode": "Node,RBAC",
                "allow-privileged": "true",
                **_serving(port, identities.serving),
                "client-ca-file": identities.authority.certificate,
                **_service_accounts(identities),
                **_aggregation(identities),
                **_limits(settings),
                **_audit(folder, settings),
            }
        ),
        *(
            []
            if settings.get("controllers", True)
            else ["--disable-admission-plugins=ServiceAccount,TaintNodesByCondition"]
        ),
        *settings.get("apiserver_flags", ()),
    ]


def scheduler(config: Path, kubeconfig: Path, port: int, identities: Identities) -> list[str]:
    """Arguments of kube-scheduler."""
    return _arguments({"config": config, **_component(kubeconfig, port, identities)})


def controller_manager(kubeconfig: Path, port: int, identities: Identities, settings: Settings) -> list[str]:
    """Arguments of kube-controller-manager, with all the controllers that are on by default."""
    given = {
        "kubeconfig": kubeconfig,
        **_component(kubeconfig, port, identities),
        "root-ca-file": identities.authority.certificate,
        "service-account-private-key-file": identities.tokens,
        "leader-elect": "false",
        "kube-api-qps": 1000,
        "kube-api-burst": 2000,
    }
    return [*_arguments(given), *settings.get("controller_flags", ())]


def _serving(port: int, serving: Credentials) -> dict[str, object]:
    return {
        "bind-address": "127.0.0.1",
        "secure-port": port,
        "tls-cert-file": serving.certificate,
        "tls-private-key-file": serving.key,
    }


def _component(kubeconfig: Path, port: int, identities: Identities) -> dict[str, object]:
    delegated = {"authentication-kubeconfig": kubeconfig, "authorization-kubeconfig": kubeconfig}
    return {**delegated, **_serving(port, identities.serving)}


def _service_accounts(identities: Identities) -> dict[str, object]:
    return {
        "service-account-issuer": "https://kubernetes.default.svc",
        "service-account-key-file": identities.tokens,
        "service-account-signing-key-file": identities.tokens,
    }


def _aggregation(identities: Identities) -> dict[str, object]:
    return {
        "requestheader-client-ca-file": identities.proxy_authority.certificate,
        "requestheader-allowed-names": PROXY_USER,
        "requestheader-username-headers": "X-Remote-User",
        "requestheader-group-headers": "X-Remote-Group",
        "requestheader-extra-headers-prefix": "X-Remote-Extra-",
        "proxy-client-cert-file": identities.proxy.certificate,
        "proxy-client-key-file": identities.proxy.key,
    }


def _limits(settings: Settings) -> dict[str, object]:
    if settings.get("fairness"):
        return {}
    return {"enable-priority-and-fairness": "false", "max-requests-inflight": 0, "max-mutating-requests-inflight": 0}


def _audit(folder: Path, settings: Settings) -> dict[str, object]:
    policy = settings.get("audit_policy")
    if policy is None:
        return {}
    if isinstance(policy, str):
        level, policy = policy, folder / "audit-policy.yaml"
        policy.write_text(
            f"apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules: [{{level: {level}}}]\n"
        )
    return {"audit-policy-file": policy, "audit-log-path": audit_log(folder), "audit-log-mode": "blocking"}


def audit_log(folder: Path) -> Path:
    """File of the audit log: an ``audit.k8s.io/v1`` Event in each line."""
    return folder / "audit.jsonl"


def _arguments(values: Mapping[str, object]) -> list[str]:
    return [f"--{name}={value}" for name, value in values.items()]
