"""``ullage snapshot``: make snapshots from dumps, and print the schema that they follow."""

from __future__ import annotations

import click

from ullage.commands import current_console


@click.group(name="snapshot")
def command() -> None:
    """Convert Kubernetes dumps to a snapshot, and say what a snapshot looks like.

    A snapshot is one small file with all that Ullage knows of a cluster at one moment. "ullage plan" reads it like a dump,
    only faster.
    """


@command.command("convert")
@click.argument("files", metavar="DUMP...", nargs=-1, required=True, type=click.Path(allow_dash=True))
@click.option(
    "-o", "--output", metavar="FILE", required=True, help='File to write; gzip if it ends in ".gz"; "-" is stdout'
)
@click.option("--force", is_flag=True, help="Replace FILE if it exists")
def convert(files: tuple[str, ...], output: str, *, force: bool) -> None:
    """Read Kubernetes objects from DUMP... ("-" is stdin) and write them as one snapshot.

    \b
    Example:
      kubectl get nodes,pods,pdb,vmi,vmim,ns,kubevirt -A -o json > objects.json
      kubectl get --raw /apis/metrics.k8s.io/v1beta1/nodes > nodes.json
      kubectl get --raw /apis/metrics.k8s.io/v1beta1/pods > pods.json
      ullage snapshot convert objects.json nodes.json pods.json -o cluster.snapshot.json.gz
    """  # noqa: D301 - click's mark for text that keeps its lines
    from ullage.commands.files import check_free, save
    from ullage.sources.inputs import load
    from ullage.sources.snapshot import encode

    check_free(output, overwrite=force)
    console = current_console()
    state = load(files)
    for note in state.notes:
        console.warn(f"{note.code}: {note.text}")
    data = encode(state)
    if output == "-":
        console.write(data.decode())
        return
    save(output, data, overwrite=force)
    console.note(f"{output}: {len(state.nodes)} nodes, {len(state.workloads)} workloads")


@command.command("schema")
def schema() -> None:
    """Print the JSON schema of a snapshot."""
    from ullage.sources.snapshot_wire import schema as text

    current_console().write(text().decode())
