"""What pods, VMs and nodes really use, whatever they request."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

import msgspec

from tests.standin.wire import Json, Key, annotations_of, key_of, labels_of

ANNOTATION: Final = "standin.ullage.dev/use"
"""Use of a pod, as JSON of `Use`, where the test sets none; a template passes it on to its pods."""
DOMAIN: Final = "kubevirt.io/domain"
MIGRATION_JOB: Final = "kubevirt.io/migrationJobUID"


class Use(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Use of a pod or VM, or of what a node runs besides its pods.

    Attributes
    ----------
    cpu_cores
        Cores, >= 0.
    working_set_bytes
        Memory that is not given back easily: anonymous memory and active page cache.
    swap_bytes
        What lies in swap, besides.
    cache_bytes
        Inactive page cache, besides.
    dirty_bytes_per_second
        Of a VM: how fast it writes to its memory.
    cpu_delay_ratio
        Share of the time that a vCPU could run and did not.
    """

    cpu_cores: float = 0.0
    working_set_bytes: int = 0
    swap_bytes: int = 0
    cache_bytes: int = 0
    dirty_bytes_per_second: float = 0.0
    cpu_delay_ratio: float = 0.0

    def __add__(self, other: Use) -> Use:
        return Use(
            cpu_cores=self.cpu_cores + other.cpu_cores,
            working_set_bytes=self.working_set_bytes + other.working_set_bytes,
            swap_bytes=self.swap_bytes + other.swap_bytes,
            cache_bytes=self.cache_bytes + other.cache_bytes,
            dirty_bytes_per_second=self.dirty_bytes_per_second + other.dirty_bytes_per_second,
        )

    def scaled(self, cpu: float, memory: float) -> Use:
        """The part of it that one of two pods has."""
        return msgspec.structs.replace(
            self,
            cpu_cores=self.cpu_cores * cpu,
            working_set_bytes=round(self.working_set_bytes * memory),
            swap_bytes=round(self.swap_bytes * cpu),
            cache_bytes=round(self.cache_bytes * memory),
        )

    def at_least(self, least: Use) -> Use:
        """Not less than `least` in CPU and memory."""
        return msgspec.structs.replace(
            self,
            cpu_cores=max(self.cpu_cores, least.cpu_cores),
            working_set_bytes=max(self.working_set_bytes, least.working_set_bytes),
        )


_DECODER: Final = msgspec.json.Decoder(Use)
NOTHING: Final = Use()
IDLE: Final = Use(cpu_cores=0.02, working_set_bytes=200 * 2**20)
"""What kernel and kubelet use of a node on which nothing runs."""


@dataclass(frozen=True)
class Share:
    """The part of a VM's use that one of its pods has."""

    cpu: float = 1.0
    memory: float = 1.0


def annotation(use: Use) -> dict[str, str]:
    """Annotation that gives a pod its use."""
    return {ANNOTATION: msgspec.json.encode(use).decode()}


@dataclass
class Uses:
    """Use of every pod: what the test set for it, for its VM or for its owner; else its annotation; else the default.

    Attributes
    ----------
    default
        Use of a pod for which there is nothing else.
    """

    default: Callable[[Json], Use] = field(default=lambda _: NOTHING)
    _of: dict[Key, Use] = field(default_factory=dict)
    _shares: dict[Key, Share] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def set(self, key: Key, use: Use) -> None:
        """Set the use of what has this namespace and name: a pod, a VM, or a pod's owner (all pods of a ReplicaSet alike)."""
        with self._lock:
            self._of[key] = use

    def change(self, key: Key, **fields: float) -> Use:
        """Set only some fields of the use that was set before."""
        use = msgspec.structs.replace(self._of.get(key, NOTHING), **fields)
        self.set(key, use)
        return use

    def share(self, pod: Key, share: Share) -> None:
        """Set how much of its VM's use a launcher pod has."""
        with self._lock:
            self._shares[pod] = share

    def whole(self, pod: Json) -> Use:
        """Use of a pod, or of the VM that it belongs to."""
        with self._lock:
            found = next((self._of[key] for key in _keys(pod) if key in self._of), None)
        if found is not None:
            return found
        text = annotations_of(pod).get(ANNOTATION)
        return self.default(pod) if text is None else _DECODER.decode(text)

    def of(self, pod: Json) -> Use:
        """Use of a pod; a VM's is where the VM is, and its memory grows at the target while it is copied."""
        use = self.whole(pod)
        with self._lock:
            share = self._shares.get(key_of(pod))
        if share is None and MIGRATION_JOB in labels_of(pod):
            share = Share(0.0, 0.0)
        return use if share is None else use.scaled(share.cpu, share.memory)


def _keys(pod: Json) -> Iterable[Key]:
    namespace, name = key_of(pod)
    yield namespace, name
    domain = annotations_of(pod).get(DOMAIN)
    if domain:
        yield namespace, domain
    for owner in pod["metadata"].get("ownerReferences") or ():
        yield namespace, owner["name"]


@dataclass(frozen=True)
class Pressure:
    """Stalls of a node: the share of the time in which some (or all: ``full``) tasks wait. 0..1."""

    cpu_ratio: float = 0.0
    memory_ratio: float = 0.0
    memory_full_ratio: float = 0.0
    io_ratio: float = 0.0
    io_full_ratio: float = 0.0
    swap_in_pages_per_second: float = 0.0
    swap_out_pages_per_second: float = 0.0


def pressure_of(use: Use, cores: float) -> Pressure:
    """Pressure that a test did not set: CPU stalls once more cores are wanted than there are."""
    lacking = 1 - cores / use.cpu_cores if use.cpu_cores > cores else 0.0
    return Pressure(cpu_ratio=lacking)
