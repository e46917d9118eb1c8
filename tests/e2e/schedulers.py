"""kube-scheduler with the configurations that ``deploy/scheduler`` offers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from tests.controlplane.plane import ControlPlane
from tests.e2e.extenders import Tls

DEPLOY: Final = Path(__file__).parents[2] / "deploy" / "scheduler"
PLAIN: Final = "http://127.0.0.1:8888/"
SERVICE: Final = "https://ullage-extender.ullage-system.svc:9443/"
FOLDER: Final = "/etc/kubernetes/ullage"
NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


def configuration(name: str, port: int, tls: Tls | None = None, changes: Mapping[str, str] = NOTHING) -> str:
    """Text of one of the files as it is, with the address and the files of this machine.

    Parameters
    ----------
    name
        Its name, without ``.yaml``.
    port
        Where the extender listens.
    tls
        Certificates, for the file that names some.
    changes
        What else is to be replaced by what.
    """
    address = {SERVICE: f"https://127.0.0.1:{port}/"} if tls else {PLAIN: f"http://127.0.0.1:{port}/"}
    files = {} if tls is None else _files(tls)
    given = text = (DEPLOY / f"{name}.yaml").read_text()
    for old, new in {**changes, **address, **files}.items():
        assert old in given, f"{name}.yaml has no {old!r}"
        text = text.replace(old, new)
    return text


def _files(tls: Tls) -> dict[str, str]:
    names = {"ca.crt": tls.authority.certificate, "tls.crt": tls.client.certificate, "tls.key": tls.client.key}
    return {f"{FOLDER}/{name}": str(path) for name, path in names.items()}


class Schedulers:
    """Exchanges the scheduler of a control plane, where it is not the right one already."""

    def __init__(self, plane: ControlPlane, folder: Path) -> None:
        self._plane, self._file = plane, folder / "scheduler.yaml"
        self._running = ""

    def use(self, text: str) -> None:
        """Run one with this configuration; with an empty one, the default scheduler."""
        if text == self._running:
            return
        self._file.write_text(text)
        self._plane.start_scheduler(self._file if text else None)
        self._running = text

    def log(self) -> str:
        """What the one that runs, and those before it, have written."""
        return self._plane.programs["kube-scheduler"].log.read_text()
