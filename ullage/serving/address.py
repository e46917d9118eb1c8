"""Where a server listens."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from ullage.errors import UsageError


@dataclass(frozen=True)
class Address:
    """Where to listen."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Address:
        """Address written as ``host:port``, ``[::1]:port`` or ``:port`` (every address of this machine).

        Raises
        ------
        UsageError
            It is none.
        """
        host, colon, port = text.rpartition(":")
        if not colon or not port.isdecimal() or int(port) > 65535:
            raise UsageError(f"{text}: is no address to listen on", "write host:port, such as 127.0.0.1:8888")
        return cls(host.removeprefix("[").removesuffix("]") or "0.0.0.0", int(port))  # noqa: S104

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def refuse_plain(addresses: tuple[Address | None, ...], *, has_tls: bool, plain: bool) -> None:
    """Raise `UsageError` if something would be served to others without TLS."""
    for address in addresses:
        if address is not None and not has_tls and not plain and not address.is_loopback:
            raise UsageError(
                f"{address}: is not loopback and there is no TLS",
                "give --tls-cert and --tls-key, or --allow-plain-http if the network is trusted",
            )
