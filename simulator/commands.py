"""``ullage generate``: a plausible cluster from a seed, for trials, tests and benchmarks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ullage.commands import current_console

if TYPE_CHECKING:
    from ullage.model.state import ClusterState


@click.command(name="generate")
@click.option("--nodes", type=int, default=22, show_default=True, help="Number of nodes")
@click.option("--workloads", type=int, help="Number of VMs and pods  [default: 20 per node]")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same cluster")
@click.option(
    "--hot",
    metavar="SHARE",
    type=float,
    default=0.1,
    show_default=True,
    help="Share of the nodes whose mean use is over 80 % in CPU or memory",
)
@click.option(
    "--overcommit",
    metavar="RATIO",
    type=float,
    default=1.5,
    show_default=True,
    help="Guest memory over requested memory",
)
@click.option(
    "--vms", metavar="SHARE", type=float, default=0.7, show_default=True, help="Share of VMs; the rest are pods"
)
@click.option("--zones", type=int, default=3, show_default=True, help="Number of zones")
@click.option(
    "--format",
    "form",
    type=click.Choice(["dump", "snapshot"]),
    default="dump",
    show_default=True,
    help="Kubernetes objects as kubectl prints them, or a snapshot with all measures",
)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    default="-",
    show_default=True,
    help='File to write; gzip if it ends in ".gz"; "-" is stdout',
)
@click.option("--force", is_flag=True, help="Replace FILE if it exists")
def command(
    nodes: int,
    workloads: int | None,
    seed: int,
    hot: float,
    overcommit: float,
    vms: float,
    zones: int,
    form: str,
    output: str,
    *,
    force: bool,
) -> None:
    """Make up a cluster with VMs, pods, their use and their constraints.

    Sizes and use are drawn from heavy-tailed distributions like those of published traces. VMs are placed by their requests,
    as kube-scheduler does it, and then some nodes are driven over 80 %, while the cluster as a whole has room to relieve
    them. Some VMs cannot migrate, some must not share a node, one node in fifty is cordoned and one has no metrics.

    A dump tells what a cluster with KubeVirt and metrics-server tells. A snapshot tells more: peaks, deviations, pressure,
    dirty rates. Judged by its peaks, more nodes are over than by mean use, which --hot speaks of.

    \b
    Make a cluster, and plan its relief:
      ullage generate --nodes 22 --workloads 300 --hot 0.2 -o cluster.json.gz
      ullage plan cluster.json.gz

    \b
    A large one as a snapshot:
      ullage generate --nodes 5000 --workloads 100000 --hot 0.05 --format snapshot -o large.json.gz
    """  # noqa: D301 - click's mark for text that keeps its lines
    from simulator.generator import ClusterSpec, generate
    from ullage.commands.files import check_free, save

    check_free(output, overwrite=force)
    spec = ClusterSpec(
        nodes=nodes,
        workloads=workloads,
        seed=seed,
        hot_share=hot,
        overcommit_ratio=overcommit,
        vm_share=vms,
        zones=zones,
    )
    data = _encoded(generate(spec), form)
    console = current_console()
    if output == "-":
        console.write(data.decode())
        return
    save(output, data, overwrite=force)
    console.note(f"{output}: {nodes} nodes, {spec.total} workloads, seed {seed}")


def _encoded(state: ClusterState, form: str) -> bytes:
    if form == "dump":
        from simulator import dump

        return dump.encode(state)
    from ullage.sources import snapshot

    return snapshot.encode(state)
