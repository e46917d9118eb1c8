"""Plans as files in a folder, the oldest of which make room for new ones."""

from __future__ import annotations

from pathlib import Path

from descheduler.policy.plan import RebalancePlan
from descheduler.report import render
from ullage.commands.files import save
from ullage.errors import UsageError

_NAME = "plan-{at}-{generation}.json"


class Archive:
    """Keeps the newest plans that hold moves.

    Parameters
    ----------
    folder
        Where to; it must be there.
    keep
        How many files stay.

    Raises
    ------
    UsageError
        The folder is not there.
    """

    def __init__(self, folder: Path, keep: int) -> None:
        if not folder.is_dir():
            raise UsageError(f"{folder}: is no folder", f"create it: mkdir -p {folder}")
        self._folder, self._keep = folder, keep
        self._last: str = ""

    def add(self, plan: RebalancePlan) -> Path | None:
        """Write a plan that has moves and differs from the last one; its file.

        Raises
        ------
        OSError
            It cannot be written.
        """
        moves = ",".join(f"{m.workload.uid}>{m.target}" for m in plan.spec.moves)
        if not moves or moves == self._last:
            return None
        at = plan.status.observed_at.replace(":", "").replace("-", "")
        path = self._folder / _NAME.format(at=at, generation=plan.status.generation)
        save(str(path), render(plan, "json").encode(), overwrite=True)
        self._last = moves
        for old in sorted(self._folder.glob(_NAME.format(at="*", generation="*")))[: -self._keep]:
            old.unlink(missing_ok=True)
        return path
