"""Asks a running extender how it judges nodes for a pod, and tells the answer: ``ullage why NAME --extender URL``."""

from __future__ import annotations

import ssl
import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

import msgspec

from extender.verbs import Explanation, NodeExplanation
from ullage.errors import InputError, UllageError, UsageError
from ullage.model.quantity import format_bytes

_TIMEOUT_SECONDS: Final = 10.0
_LARGEST_ANSWER: Final = 64 * 2**20
_SHOWN: Final = 25


class _Answer(msgspec.Struct):
    """What ``POST <prefix>/explain`` answers."""

    outcome: str
    note: str = ""
    explanation: Explanation | None = None


def ask(url: str, pod: dict[str, object], *, ca_file: str | None = None) -> str:
    """What the extender at `url` says of every node for `pod`, as text.

    Parameters
    ----------
    url
        Address with the prefix, such as ``http://127.0.0.1:8888/scheduler``.
    pod
        A v1 Pod.
    ca_file
        Certificate authorities to trust instead of the system's.

    Raises
    ------
    UsageError
        No HTTP address.
    UllageError
        It cannot be reached, or answers something else.
    """
    return _told(_explanation(url, pod, ca_file), pod)


def _explanation(url: str, pod: dict[str, object], ca_file: str | None) -> Explanation:
    if urlsplit(url).scheme not in ("http", "https"):
        raise UsageError(f"{url} is no HTTP address", "write it as http://127.0.0.1:8888/scheduler")
    address = f"{url.rstrip('/')}/explain"
    request = urllib.request.Request(address, data=msgspec.json.encode({"Pod": pod}), method="POST")  # noqa: S310 - checked above
    context = ssl.create_default_context(cafile=ca_file) if address.startswith("https") else None
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS, context=context) as reply:  # noqa: S310
            answer = msgspec.json.decode(reply.read(_LARGEST_ANSWER), type=_Answer)
    except urllib.error.HTTPError as error:
        hint = "is the prefix right? The default is /scheduler"
        raise UllageError(f"{address} answered {error.code} {error.reason}", hint) from None
    except OSError as error:
        raise UllageError(f"{address} cannot be reached: {getattr(error, 'reason', error)}", "does it run?") from None
    except msgspec.MsgspecError as error:
        raise InputError(
            address, f"answers what no extender of ours does ({error})", "is it another service?"
        ) from None
    if answer.explanation is None:
        raise UllageError(f"{address} has no opinion: {answer.note or answer.outcome}", "look at its /readyz")
    return answer.explanation


def _told(found: Explanation, pod: dict[str, object]) -> str:
    nodes = sorted(found.nodes, key=lambda n: (bool(n.code), -n.score, -n.raw, n.name))
    lines = [*_headline(found, pod), "", *_table(found, nodes[:_SHOWN])]
    if len(nodes) > _SHOWN:
        lines.append(f"{len(nodes) - _SHOWN} more nodes score less, or are rejected.")
    rejected = [n for n in nodes if n.code][:_SHOWN]
    if rejected:
        lines += ["", "Rejected:", *(f"  {_clean(n.name)}: {_clean(n.reason)}" for n in rejected)]
    return "\n".join(lines) + "\n"


def _headline(found: Explanation, pod: dict[str, object]) -> list[str]:
    metadata = pod.get("metadata")
    name = metadata.get("name", "?") if isinstance(metadata, dict) else "?"
    lines = []
    if found.demand is not None:
        takes = f"{found.demand.cpu_cores:.3g} cores and {format_bytes(found.demand.memory_bytes)}"
        lines.append(f"Pod {_clean(str(name))} is expected to take {takes} (from its {found.demand.source}).")
    if found.note:
        lines.append(f"Nothing is judged: {_clean(found.note)}.")
    if found.destination:
        lines.append(f"A plan sends it to {_clean(found.destination)}.")
    lines.append(f"State generation {found.generation}; oldest measure {found.oldest_measure_seconds or 0:.0f} s.")
    return lines


def _table(found: Explanation, nodes: Sequence[NodeExplanation]) -> list[str]:
    terms = list(found.weights)
    rows = [["NODE", "SCORE", "CPU", "MEMORY", *(t.upper().replace("_", "-") for t in terms)]]
    rows.append(["(weight)", "", "", "", *(f"{found.weights[t]:.2f}" for t in terms)])
    for node in nodes:
        ratios = (_percent(node.cpu_ratio), _percent(node.memory_ratio))
        score = "rejected" if node.code else str(node.score)
        rows.append([_clean(node.name) or "(unknown)", score, *ratios, *(f"{node.terms.get(t, 0):.2f}" for t in terms)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _percent(ratio: float | None) -> str:
    return "?" if ratio is None else f"{100 * ratio:.1f}%"


def _clean(text: str) -> str:
    """Text that no terminal obeys."""
    return "".join(mark if mark.isprintable() else mark.encode("unicode_escape").decode() for mark in text)
