"""By which names sources of measures call a node, joined by the node's identity."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, eq=False)
class NodeIdentities:
    """Names of nodes and every alias that stands for exactly one of them.

    Attributes
    ----------
    names
        Node names.
    by_alias
        Node name by alias: its own name, its addresses and its host name, without ports. An alias that two nodes claim is
        left out.
    """

    names: tuple[str, ...]
    by_alias: Mapping[str, str]

    @classmethod
    def of(cls, aliases: Mapping[str, Iterable[str]]) -> NodeIdentities:
        """Identities of nodes, each with its aliases; a node's own name always stands for itself."""
        claimed: dict[str, set[str]] = {}
        for name, others in aliases.items():
            for alias in others:
                claimed.setdefault(alias, set()).add(name)
        found = {alias: next(iter(nodes)) for alias, nodes in claimed.items() if len(nodes) == 1}
        found.update((name, name) for name in aliases)
        return cls(tuple(sorted(aliases)), MappingProxyType(found))

    def node(self, instance: str) -> str | None:
        """Node that a label such as ``worker-3``, ``10.0.0.7:9100`` or ``[fd00::7]:9100`` means; ``None`` if unknown."""
        found = self.by_alias.get(instance)
        return found if found is not None else self.by_alias.get(_without_port(instance))


def _without_port(instance: str) -> str:
    host, colon, port = instance.rpartition(":")
    return host.removeprefix("[").removesuffix("]") if colon and port.isdecimal() else instance
