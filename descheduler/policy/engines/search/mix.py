"""How often a search tries which kind of step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ullage.model.arrays import IntArray

_WHOLE = 1024


@dataclass(frozen=True)
class Mix:
    """Shares of kinds of steps, and how far away partners of swaps may be.

    Attributes
    ----------
    home
        Share of steps that propose to go back home.
    swap
        Share of steps that are swaps.
    replace
        Share of steps that are replacements.
    kin
        Share of swaps whose partner has the same home.
    window
        Partners of like size stand at most so far away in order of size, as a share of all workloads.
    kin_window
        Partners of the same home stand at most so many workloads away.
    near
        Share of shifts and swaps that propose a node to which it costs little to go from home, or a workload from there.
    """

    home: float = 0.15
    swap: float = 0.6
    replace: float = 0.1
    kin: float = 0.5
    window: float = 0.2
    kin_window: int = 16
    near: float = 0.0

    def integers(self, workloads: int) -> IntArray:
        """Bounds in 1/1024 and in workloads, int64 (7,): home from, swap and kin below, windows, replacement and near below."""
        most = max(1, workloads - 1)
        bounds = (_WHOLE * (1 - self.home), _WHOLE * self.swap, _WHOLE * self.swap * self.kin)
        chain = _WHOLE * (self.swap + self.replace)
        near = (min(most, max(1, int(workloads * self.window))), min(most, self.kin_window))
        return np.array([*map(int, bounds), *near, int(chain), int(_WHOLE * self.near)], dtype=np.int64)
