"""Engines: from a problem to a set of moves. One file each, one line here.

An engine gets the best places so far in a `Tally` and leaves better ones in it. It is repeatable: same problem, same result.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import Final, Protocol, cast

from descheduler.policy.problem import Problem, Tally
from ullage.errors import ConfigError


@dataclass(frozen=True, eq=False)
class Solution:
    """What an engine found.

    Attributes
    ----------
    tally
        Places and loads; every capacity and rule holds.
    engine
        Name of the engine whose moves these are (the exact one may fall back on the greedy one).
    optimal
        Whether it is proven that no solution costs less.
    remark
        Why it is not, in words; empty if there is nothing to say.
    """

    tally: Tally
    engine: str
    optimal: bool
    remark: str = ""


class Engine(Protocol):
    """Brings the sources of a problem down at the least cost."""

    def __call__(self, problem: Problem, *, time_limit_seconds: float) -> Solution:
        """Solve `problem`; `time_limit_seconds` binds only engines that use a solver."""
        ...


ENGINES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "greedy": "descheduler.policy.engines.greedy:solve",
        "exact": "descheduler.policy.engines.exact:solve",
        "search": "descheduler.policy.engines.search:solve",
    }
)
"""Where engines stand; loaded when they are asked for, because a solver is slow to import and may be missing."""


def engine(name: str) -> Engine:
    """Engine of that name; raises `ConfigError` that lists the known ones."""
    if name not in ENGINES:
        raise ConfigError("planning.engine", f"unknown engine {name!r}", f"known: {', '.join(ENGINES)}")
    module, _, attribute = ENGINES[name].partition(":")
    return cast(Engine, getattr(import_module(module), attribute))
