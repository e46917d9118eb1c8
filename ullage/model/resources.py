"""The resource axis: which column of a resource matrix is which resource, and in which unit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

CPU: Final = "cpu"
"""Cores."""
MEMORY: Final = "memory"
"""Bytes."""
PODS: Final = "pods"
"""Count; every running workload requests one."""
EPHEMERAL_STORAGE: Final = "ephemeral-storage"
"""Bytes."""
HUGEPAGES_PREFIX: Final = "hugepages-"
"""Bytes of pages of one size, such as ``hugepages-1Gi``."""

CPU_INDEX: Final = 0
MEMORY_INDEX: Final = 1
PODS_INDEX: Final = 2

BASE: Final = (CPU, MEMORY, PODS, EPHEMERAL_STORAGE)


def axis(names: Iterable[str]) -> tuple[str, ...]:
    """Resource axis that holds `names`: the base resources first, then the rest (hugepages, extended) in order of name."""
    return BASE + tuple(sorted(set(names) - set(BASE)))
