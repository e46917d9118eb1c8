"""Where the API server is and how to authenticate, as the official client's loader finds it.

The loader (``kubernetes.config``) understands contexts, CA and client certificates as files or data, tokens, exec plugins,
proxies and in-cluster service accounts. It reads token files and plugins' certificates only once; so an `Access` is cheap to
make anew, and its header is read again every few seconds.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import msgspec
import yaml

from ullage.sources.kube_api.errors import CredentialsError

if TYPE_CHECKING:
    from kubernetes.client import Configuration
    from urllib3 import PoolManager

_HERE: Final = "KUBERNETES_SERVICE_HOST"
_POOLED_CONNECTIONS: Final = 32
_KEEPALIVE: Final = (("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3), ("TCP_USER_TIMEOUT", 25_000))


class _Loader(Protocol):
    """``kubernetes.config``, which has no types of its own."""

    def load_kube_config(
        self, config_file: str, context: str | None, client_configuration: Configuration, *, persist_config: bool
    ) -> None: ...

    def load_incluster_config(self, client_configuration: Configuration) -> None: ...


class _User(msgspec.Struct, gc=False):
    token_file: str | None = msgspec.field(default=None, name="tokenFile")
    exec: dict[str, object] | None = None


class _NamedUser(msgspec.Struct, gc=False):
    name: str
    user: _User | None = None


class _Context(msgspec.Struct, gc=False):
    user: str = ""


class _NamedContext(msgspec.Struct, gc=False):
    name: str
    context: _Context | None = None


class _File(msgspec.Struct, gc=False):
    users: list[_NamedUser] | None = None
    contexts: list[_NamedContext] | None = None
    current_context: str | None = msgspec.field(default=None, name="current-context")


class Access:
    """A way to one API server.

    Parameters
    ----------
    configuration
        As the official loader has filled it.
    token_file
        A token that is read again each time.
    """

    def __init__(self, configuration: Configuration, token_file: Path | None) -> None:
        from kubernetes.client import ApiClient  # half a second, for live sources only

        configuration.retries = False
        configuration.socket_options = _socket_options()
        configuration.connection_pool_maxsize = _POOLED_CONNECTIONS
        self._configuration = configuration
        self._token_file = token_file
        self.host: str = configuration.host.rstrip("/")
        self.pool: PoolManager = ApiClient(configuration).rest_client.pool_manager

    def authorization(self) -> str:
        """``Authorization`` header, as files and plugins give it now; empty if certificates are all there is.

        Raises
        ------
        CredentialsError
            If a file cannot be read or a plugin fails.
        """
        if self._token_file is not None:
            return f"Bearer {_read(self._token_file).strip()}"
        return _loaded(lambda: self._configuration.get_api_key_with_prefix("BearerToken"), "the credentials").strip()


def open_access(kubeconfig: Path | None, context: str | None) -> Access:
    """Access by a kubeconfig, else by ``KUBECONFIG``, else by the one in the home directory, else in-cluster; as kubectl does.

    Raises
    ------
    CredentialsError
        If there is none, or it cannot be used.
    """
    files = str(kubeconfig) if kubeconfig is not None else os.environ.get("KUBECONFIG", "")
    home = Path("~/.kube/config").expanduser()
    if not files and home.exists():
        files = str(home)
    if files:
        return _by_kubeconfig(files, context)
    if _HERE in os.environ:
        return _in_cluster()
    hint = "give --kubeconfig FILE, set KUBECONFIG, or run it in a pod with a service account"
    raise CredentialsError("there is no way to a Kubernetes API server", hint)


def _by_kubeconfig(files: str, context: str | None) -> Access:
    config, configuration = _client()
    if not any(Path(name).expanduser().exists() for name in files.split(os.pathsep) if name):
        raise CredentialsError(f"{files}: there is no such file", "name a kubeconfig by --kubeconfig or KUBECONFIG")
    _loaded(lambda: config.load_kube_config(files, context, configuration, persist_config=False), files)
    user, folder = _user(files, context)
    if user.exec is not None and not configuration.api_key and not configuration.cert_file:
        hint = "run the plugin by hand; what it said stands in the log"
        raise CredentialsError(f"{files}: the credential plugin gave neither a token nor a certificate", hint)
    return Access(configuration, folder / user.token_file if user.token_file else None)


def _in_cluster() -> Access:
    config, configuration = _client()
    _loaded(lambda: config.load_incluster_config(configuration), "in-cluster credentials")
    return Access(configuration, None)


def _client() -> tuple[_Loader, Configuration]:
    try:
        from kubernetes import client, config  # half a second, for live sources only
    except ImportError as error:
        raise CredentialsError(
            f"the Kubernetes client is not installed ({error})", "pip install 'ullage[live]'"
        ) from error
    return config, client.Configuration()


def _loaded(load: Callable[[], str | None], what: str) -> str:
    """Result of the official loader; what it raises on bad input is not declared, and much of it is accidental."""
    from kubernetes.config import ConfigException  # half a second, for live sources only

    accidental = (yaml.YAMLError, OSError, ValueError, TypeError, LookupError, AttributeError)
    try:
        return load() or ""
    except ConfigException as error:
        raise CredentialsError(f"{what}: {error}", "kubectl config view shows what it holds") from error
    except accidental as error:
        raise CredentialsError(f"{what}: {type(error).__name__}: {error}", "is it a kubeconfig?") from error


def _user(files: str, context: str | None) -> tuple[_User, Path]:
    """User of the context, and the folder of the file that defines it; of equal names the first counts, as in kubectl."""
    read = [(Path(name).expanduser(), _parsed(Path(name).expanduser())) for name in files.split(os.pathsep) if name]
    chosen = context or next((file.current_context for _, file in reversed(read) if file.current_context), "")
    contexts = (each for _, file in read for each in file.contexts or () if each.name == chosen)
    wanted = next((each.context.user for each in contexts if each.context), "")
    users = ((each.user, path.parent) for path, file in read for each in file.users or () if each.name == wanted)
    return next(((user or _User(), folder) for user, folder in users), (_User(), Path()))


def _parsed(path: Path) -> _File:
    if not path.exists():
        return _File()
    try:
        return msgspec.convert(yaml.safe_load(_read(path)) or {}, _File)
    except (yaml.YAMLError, msgspec.ValidationError) as error:
        raise CredentialsError(f"{path}: {error}", "is it a kubeconfig?") from error


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise CredentialsError(f"{path}: {error}") from error


def _socket_options() -> list[tuple[int, int, int]]:
    """Options by which the kernel finds a dead peer within 25 s; what a platform lacks is left out."""
    known = [(getattr(socket, name), value) for name, value in _KEEPALIVE if hasattr(socket, name)]
    return [
        (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        *((socket.IPPROTO_TCP, option, value) for option, value in known),
    ]
