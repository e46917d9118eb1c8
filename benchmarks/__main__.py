"""``python -m benchmarks [NAME...]``: run benchmarks by name, or all of them; ``--list`` says which there are."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Final

BENCHMARKS: Final = {
    "startup": "How long the command takes to start, and what it imports",
    "snapshot": "Size of a snapshot, and how long it takes to read",
    "rebalance_instances": "Moves, bytes and time on real instances, against the optimum",
    "scale": "Time and memory of the planner from 500 to 5,000 nodes",
    "plan_process": "A plan as a whole process",
    "anchors": "The same instances with the rules that users have today",
    "scenarios": "Four clusters out of balance: moves to the same deviation, beside the rule that VMs are balanced by today",
    "peaks": "The peak of a node's next hour on real traces: violations against savings",
    "machine_reassignment": "The search on Google's machine reassignment instances, with numpy and compiled (hours)",
    "search_balance": "The search beside the greedy engine on 1,000 nodes: balance and consolidate",
    "scoring_core": "One pod against 500 to 150,000 nodes, beside one pass over the same columns",
    "burst": "200 identical pods while metrics stand still, against an oracle that knows every placement",
    "live_store": "The live state: cold start, events, publishing and memory at 5,000 nodes and 100,000 pods",
    "live_cluster": "All of the live state at that size, over TLS: an API server and a Prometheus, without and with VMs",
    "extender_http": "The extender: parse to bytes, loopback beside canned bytes and Go, Node objects, memory",
    "standin_nodes": "5,000 nodes without machines on a real control plane, until all of them take pods",
    "control_plane": "Pods per second of a real kube-scheduler: no extender, one that does nothing, ours",
    "acting": "The whole loop on a real control plane: two instances relieved by migrations, and by evictions",
    "telemetry": "A refresh of all readings of 5,000 nodes and 100,000 workloads, beside the decoding alone",
}
"""Benchmarks by name; each is a module of this package with ``main() -> None``."""


def _exists(name: str) -> bool:
    return find_spec(f"benchmarks.{name}") is not None


def _list() -> None:
    for name, summary in BENCHMARKS.items():
        print(f"{name:20} {summary}{'' if _exists(name) else '  (missing)'}")


def _run(name: str) -> bool:
    print(f"\n== {name}: {BENCHMARKS[name]}\n", flush=True)
    if not _exists(name):
        print(f"missing: there is no benchmarks/{name}.py", flush=True)
        return False
    import_module(f"benchmarks.{name}").main()
    return True


def main(arguments: Sequence[str]) -> int:
    """Run the benchmarks with these names.

    Returns
    -------
    int
        0, 1 if one is missing, 2 if a name is not known.
    """
    if "--list" in arguments:
        _list()
        return 0
    unknown = [name for name in arguments if name not in BENCHMARKS]
    if unknown:
        print(f"no such benchmark: {', '.join(unknown)}; known: {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    ran = [_run(name) for name in arguments or BENCHMARKS]
    return 0 if all(ran) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
