"""How the loop is run, and the configuration that may change while it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from descheduler.loop.modes import Mode
from ullage.config import Configuration, defaults
from ullage.errors import UllageError
from ullage.serving.address import Address, refuse_plain
from ullage.serving.tls import TlsFiles
from ullage.sources.signature import signature_of


@dataclass(frozen=True)
class Settings:
    """How the loop is run.

    Attributes
    ----------
    mode
        What the loop may do with a plan.
    interval_seconds
        Time from the start of one cycle to the start of the next.
    max_state_age_seconds
        A state that was observed longer ago is not judged.
    listen, grpc_listen
        Where to serve HTTP, and gRPC if at all.
    tls
        Certificates for both; without them, only loopback is served.
    plain
        Serve without TLS whatever the address is.
    plans, keep_plans
        Folder that plans are written to, if any, and how many stay.
    metrics_by_node
        Whether metrics hold a series per node.
    """

    mode: Mode = Mode.PREDICTIVE
    interval_seconds: float = 60.0
    max_state_age_seconds: float = 120.0
    listen: Address = field(default_factory=lambda: Address("127.0.0.1", 8889))
    grpc_listen: Address | None = None
    tls: TlsFiles | None = None
    plain: bool = False
    plans: Path | None = None
    keep_plans: int = 100
    metrics_by_node: bool = True

    def check(self) -> None:
        """Raise `UsageError` if something would be served to others without TLS."""
        refuse_plain((self.listen, self.grpc_listen), has_tls=self.tls is not None, plain=self.plain)


class ConfigurationFile:
    """The configuration in effect: that of a file, and the last good one while the file is not valid.

    Parameters
    ----------
    path
        The file; ``None`` for the defaults.
    read
        Reads it.

    Attributes
    ----------
    current
        The configuration in effect.
    error
        Why the file as it is now is not in effect; empty if it is.

    Raises
    ------
    UllageError
        The file is not valid at the start.
    """

    def __init__(self, path: Path | None, read: Callable[[str], Configuration]) -> None:
        self._path, self._read = path, read
        self._seen = signature_of([path] if path else [])
        self.current = read(str(path)) if path else defaults()
        self.error = ""

    def reload(self, *, asked: bool = False) -> bool:
        """Read the file if it changed, or in any case if `asked`; whether it was read."""
        seen = signature_of([self._path] if self._path else [])
        if self._path is None or (seen == self._seen and not asked):
            return False
        self._seen = seen
        try:
            self.current, self.error = self._read(str(self._path)), ""
        except UllageError as error:
            self.error = error.message
        return True
