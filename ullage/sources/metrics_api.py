"""The metrics API (``metrics.k8s.io``) as a source of readings, where there is no Prometheus.

It gives CPU and working set of nodes and pods, and swap where its server knows it; everything else stays unknown. It keeps no
history. Source: ``k8s.io/metrics/pkg/apis/metrics/v1beta1/types.go``: use was taken within ``window`` before ``timestamp``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final, TypeAlias, cast

import msgspec
import numpy as np

from ullage.errors import UllageError
from ullage.model.arrays import BoolArray, FloatArray, IntArray, frozen
from ullage.model.resources import CPU, MEMORY
from ullage.sources.metrics import SOURCE
from ullage.sources.objects import PodMetrics, Quantities
from ullage.sources.wire_values import amount, seconds
from ullage.telemetry.catalog import Axis, highest
from ullage.telemetry.decode import AnswerError
from ullage.telemetry.duplicates import settle
from ullage.telemetry.identity import NodeIdentities
from ullage.telemetry.readings import NodeKey, NodeReading, PodKey, Problem, Readings, Table, WorkloadReading

PATH: Final = "/apis/metrics.k8s.io/v1beta1"

MAX_WINDOW_SECONDS: Final = 300.0
"""A mean over a longer time says too little about now; servers take 10-60 s."""

EXAMPLES: Final = 3
"""Most names that a problem carries."""

Get: TypeAlias = Callable[[str, Mapping[str, str]], bytes]
"""Body of a GET of the Kubernetes API, by path and parameters; raises `UllageError`."""

_NO_PARAMETERS: Final[Mapping[str, str]] = MappingProxyType({})
_DURATION: Final = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(h|ms|m|s|us|\u00b5s|\u03bcs|ns)")
_UNITS: Final = MappingProxyType(
    {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "\u00b5s": 1e-6, "\u03bcs": 1e-6, "ns": 1e-9}
)
_NAMES: Final = (CPU, MEMORY, "swap")
_COLUMNS: Final = MappingProxyType(
    {
        Axis.NODES: (NodeReading.CPU_CORES, NodeReading.MEMORY_BYTES, NodeReading.SWAP_USED_BYTES),
        Axis.PODS: (WorkloadReading.CPU_CORES, WorkloadReading.MEMORY_BYTES, WorkloadReading.SWAP_USED_BYTES),
    }
)
_SENTENCES: Final = MappingProxyType(
    {
        "unknown-object": "Use of objects that the cluster does not have",
        "missing": "Objects that cannot be read",
        "nan": "Use that is missing or no quantity",
        "range": "Use that cannot be true",
        "stale": f"Use without a time, or over more than {MAX_WINDOW_SECONDS:.0f} s",
        "duplicate": "Use that is told twice and differs by more than 5 %",
    }
)


class _Metrics(PodMetrics):
    window: str | None = None
    usage: Quantities | None = None  # of a node; that of a pod stands with its containers


class _List(msgspec.Struct, frozen=True):
    kind: str = ""
    items: list[msgspec.Raw] | None = None


_LIST: Final = msgspec.json.Decoder(_List)
_ITEM: Final = msgspec.json.Decoder(_Metrics)


class MetricsApiSource:
    """Readings of nodes and pods from the aggregated API of the cluster.

    Parameters
    ----------
    get
        Asks the Kubernetes API, with a timeout of its own.
    """

    def __init__(self, get: Get) -> None:
        self._get = get

    @property
    def name(self) -> str:
        """Name in measures, metrics and logs."""
        return SOURCE

    def read(self, nodes: NodeIdentities, now_seconds: float) -> Readings:
        """Use of all nodes and pods.

        Raises
        ------
        UllageError
            Nodes cannot be read. Where only pods cannot, their table is empty, with a problem ``partial``.
        """
        of_nodes = _Reading(Axis.NODES, self._items("nodes"), nodes.names)
        problems: tuple[Problem, ...] = ()
        try:
            pods = self._items("pods")
        except UllageError as error:
            pods = []
            problems = (Problem("partial", f"Use of pods was not answered: {error.message}."),)
        of_pods = _Reading(Axis.PODS, pods)
        found = (of_nodes.table, of_pods.table, Table.empty(WorkloadReading))
        return Readings(SOURCE, now_seconds, *found, (*problems, *of_nodes.problems, *of_pods.problems))

    def history(self, nodes: NodeIdentities, start_seconds: float, end_seconds: float) -> Iterator[Readings]:  # noqa: ARG002
        """Nothing: the API knows the last moment only."""
        return iter(())

    def _items(self, plural: str) -> Sequence[msgspec.Raw]:
        body = self._get(f"{PATH}/{plural}", _NO_PARAMETERS)
        try:
            return _LIST.decode(body).items or []
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise AnswerError(f"the metrics API's list of {plural} cannot be read: {error}") from error


class _Reading:
    """The table of one list; a row per object that can be read."""

    def __init__(self, axis: Axis, items: Iterable[msgspec.Raw], known: Sequence[NodeKey] | None = None) -> None:
        self._axis = axis
        self._bad: dict[str, list[str]] = {}
        allowed = None if known is None else frozenset(known)
        found = [(key, item) for key, item in self._named(items) if self._is_known(key, allowed)]
        self.keys = tuple(sorted({key for key, _ in found}))
        self.table = self._table(found)
        self.problems = tuple(_problem(code, names) for code, names in self._bad.items())

    def _named(self, items: Iterable[msgspec.Raw]) -> Iterator[tuple[NodeKey | PodKey, _Metrics]]:
        for raw in items:
            try:
                item = _ITEM.decode(raw)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                self._complain("missing", "?")
                continue
            yield (item.name if self._axis is Axis.NODES else (item.namespace, item.name)), item

    def _is_known(self, key: NodeKey | PodKey, allowed: frozenset[str] | None) -> bool:
        is_known = allowed is None or key in allowed
        if not is_known:
            self._complain("unknown-object", _shown(key))
        return is_known

    def _complain(self, code: str, name: str) -> None:
        self._bad.setdefault(code, []).append(name)

    def _table(self, found: Sequence[tuple[NodeKey | PodKey, _Metrics]]) -> Table:
        row = {key: number for number, key in enumerate(self.keys)}
        columns, width = np.array(_COLUMNS[self._axis]), len(self._axis.readings)
        use = np.array([_use(item) for _, item in found]).reshape(-1, len(columns))
        at = np.array([_at_seconds(item) for _, item in found]).repeat(len(columns)).reshape(use.shape)
        keep = self._usable([key for key, _ in found], use, at)
        cell = np.array([row[key] for key, _ in found], np.int64)[:, None] * width + columns
        cells, value, when, refused = settle(cell[keep], use[keep], at[keep])
        for each in (refused // width).tolist():
            self._complain("duplicate", _shown(self.keys[each]))
        shape = (len(self.keys), width)
        keys = cast("tuple[NodeKey, ...] | tuple[PodKey, ...]", self.keys)
        return Table(keys, _filled(shape, cells, value), _filled(shape, cells, when))

    def _usable(self, keys: Sequence[NodeKey | PodKey], use: FloatArray, at: FloatArray) -> BoolArray:
        is_there = ~np.isnan(use)
        is_true = use < highest(self._axis)[np.array(_COLUMNS[self._axis])]
        bad = {
            "nan": ~is_there[:, :2],  # few servers tell swap
            "range": is_there & ~is_true,
            "stale": is_there & np.isnan(at),
        }
        for code, cells in bad.items():
            for row in np.flatnonzero(cells.any(axis=1)).tolist():
                self._complain(code, _shown(keys[row]))
        result: BoolArray = is_there & is_true & ~np.isnan(at)
        return result


def _use(item: _Metrics) -> tuple[float, float, float]:
    usages = [each.usage or {} for each in item.containers or ()] or [item.usage or {}]
    # NaN in one container makes the sum NaN, as it must: the rest alone would look like all of it.
    cpu, memory, swap = (sum(amount(usage.get(name)) for usage in usages) for name in _NAMES)
    return cpu, memory, swap


def _at_seconds(item: _Metrics) -> float:
    return seconds(item.timestamp) if duration_seconds(item.window) <= MAX_WINDOW_SECONDS else math.nan


def duration_seconds(text: str | None) -> float:
    """Seconds of a Go duration such as ``1m30.5s``; 0 where there is none, NaN where it cannot be read."""
    parts = _DURATION.findall(text or "")
    if "".join(number + unit for number, unit in parts) != (text or ""):
        return 0.0 if text == "0" else math.nan
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def _filled(shape: tuple[int, int], cell: IntArray, values: FloatArray) -> FloatArray:
    result = np.full(shape, np.nan)
    result.reshape(-1)[cell] = values
    return frozen(result, np.float64)


def _problem(code: str, names: Sequence[str]) -> Problem:
    shown = tuple(sorted(set(names))[:EXAMPLES])
    return Problem(code, f"{_SENTENCES[code]}: {len(names):,}.", len(names), shown)


def _shown(key: NodeKey | PodKey) -> str:
    return key if isinstance(key, str) else "/".join(key)
