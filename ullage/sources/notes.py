"""What an input could not tell, gathered while it is read and said once per code."""

from __future__ import annotations

from collections.abc import Hashable
from heapq import nsmallest
from types import MappingProxyType
from typing import Final

from ullage.model.state import Note

EXAMPLES: Final = 5
"""Most names, and most details, that a note carries."""

_DETAIL: Final = 160
_SENTENCES: Final = MappingProxyType(
    {
        "bad-measure": "Measures that cannot be true were dropped",
        "duplicate-object": "Objects that were there more than once, of which the newest counts",
        "malformed-object": "Objects that could not be read, or of which a value could not be read",
        "metrics-of-unknown": "Measures of nodes or pods that the input does not hold",
        "node-without-allocatable": "Nodes that do not say what they can allocate, so that nothing fits there",
        "overhead-by-formula": "VMs whose overhead is not reported and was computed for the KubeVirt version",
        "pod-not-placed": "Pods that are not bound to a node were left out",
        "pod-on-unknown-node": "Pods that are bound to nodes that the input does not hold were left out",
        "quota-without-status": "ResourceQuotas that do not report what is used; nothing is counted as used",
        "unknown-kind": "Objects of kinds that bear on no decision were passed over",
        "vmi-missing": "Virt-launcher pods without their VirtualMachineInstance; their constraints come from the pod",
        "volume-unknown": "Claims without their volumes, so that nodes and zones that these are bound to are not known",
        "vmi-without-pod": "VirtualMachineInstances without their virt-launcher pod were left out",
    }
)


class NoteBook:
    """Gathers notes by code; what it gives does not depend on the order in which they came.

    What is noted is remembered by its source, so that it can be taken back when the source is read again.

    Attributes
    ----------
    edits
        Grows with whatever is noted of an object or taken back.
    """

    def __init__(self) -> None:
        self._names: dict[str, dict[str, list[str]]] = {}
        self._counts: dict[str, dict[str, int]] = {}
        self._said: dict[str, Note] = {}
        self._source: Hashable = None
        self._by_source: dict[Hashable, list[tuple[str, str, str]]] = {}
        self._finished: dict[str, Note] = {}
        self.edits = 0

    def about(self, source: Hashable) -> None:
        """What is added from here on comes from `source`; what had come from it is taken back, unless it is ``None``."""
        self._source = source
        for code, name, detail in self._by_source.pop(source, ()):
            self.edits += 1
            names = self._names[code]
            names[name].remove(detail)
            if not names[name]:
                del names[name]
            self._finished.pop(code, None)

    def say(self, code: str, sentence: str) -> None:
        """Note `code` of the input as a whole; an empty sentence takes it back."""
        self._said.pop(code, None)
        if sentence:
            self._said[code] = Note(code, sentence)

    def add(self, code: str, name: str, detail: str = "") -> None:
        """Note `code` of the object `name`, with what is wrong with it; the same object counts once per code."""
        self.edits += 1
        clipped = detail if len(detail) <= _DETAIL else detail[: _DETAIL - 3] + "..."
        self._names.setdefault(code, {}).setdefault(name, []).append(clipped)
        if self._source is not None:
            self._by_source.setdefault(self._source, []).append((code, name, clipped))
        self._finished.pop(code, None)

    def count(self, code: str, group: str) -> None:
        """Note `code` once more for a whole group of objects, such as a kind."""
        groups = self._counts.setdefault(code, {})
        groups[group] = groups.get(group, 0) + 1

    def finish(self) -> tuple[Note, ...]:
        """All notes in order of code, with numbers and up to `EXAMPLES` names."""
        for code, names in self._names.items():
            if names and code not in self._finished:
                self._finished[code] = _named(code, names)
        notes = [*self._said.values(), *self._finished.values()]
        notes += [_counted(code, groups) for code, groups in self._counts.items()]
        return tuple(sorted(notes, key=lambda note: note.code))


def _named(code: str, names: dict[str, list[str]]) -> Note:
    first = tuple(nsmallest(EXAMPLES, names))
    details = {name: min(names[name]) for name in first}
    shown = "; ".join(f"{name}: {details[name]}" if details[name] else name for name in first)
    rest = f"; and {len(names) - len(first)} more" if len(names) > len(first) else ""
    return Note(code, f"{_SENTENCES[code]}: {len(names)} ({shown}{rest}).", first)


def _counted(code: str, groups: dict[str, int]) -> Note:
    ranked = sorted(groups, key=lambda group: (-groups[group], group))
    shown = ", ".join(f"{group} {groups[group]}" for group in ranked[:EXAMPLES])
    rest = f" and {len(ranked) - EXAMPLES} more kinds" if len(ranked) > EXAMPLES else ""
    return Note(code, f"{_SENTENCES[code]}: {sum(groups.values())} ({shown}{rest}).", tuple(ranked[:EXAMPLES]))
