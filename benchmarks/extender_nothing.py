"""The extender without a decision: our server, which keeps every node and scores all of them alike."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from pathlib import Path

from extender import verbs
from extender.app import Extender, Settings, decision
from extender.scheduling import Decision
from extender.verbs import PodRequest, Verdict
from ullage.config import defaults
from ullage.model.arrays import Int16Array, IntArray
from ullage.scoring.assumed import Assumed
from ullage.scoring.columns import NodeView
from ullage.serving.address import Address


def nothing() -> Decision:
    """A decision that costs next to nothing: the one that is taken without a state."""

    def keep_all(_view: NodeView, pod: PodRequest, rows: IntArray, _assumed: Assumed) -> Verdict:
        return verbs.filter_nodes(None, pod, rows)

    def all_alike(_view: NodeView, pod: PodRequest, rows: IntArray, _assumed: Assumed) -> Int16Array:
        return verbs.prioritize(None, pod, rows)

    return replace(decision(defaults()), filter_nodes=keep_all, prioritize=all_alike)


def main(snapshot: Path) -> None:
    """Serve on a free port, which is printed, until SIGTERM."""
    settings = Settings(snapshot, defaults(), listen=Address("127.0.0.1", 0))
    extender = Extender(settings, nothing())
    asyncio.run(extender.run(lambda: print(extender.http.addresses[0][1], flush=True)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
