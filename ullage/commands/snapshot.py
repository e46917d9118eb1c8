"""``ullage snapshot``: make snapshots from dumps, and print the schema that they follow."""

from __future__ import annotations

from pathlib import Path

import click

from ullage.commands import current_console
from ullage.commands.config import configuration_option, read_configuration
from ullage.commands.sources import cluster_options


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


@command.command("capture")
@cluster_options
@click.option(
    "-o", "--output", metavar="FILE", required=True, help='File to write; gzip if it ends in ".gz"; "-" is stdout'
)
@click.option("--anonymize", "anonymous", is_flag=True, help="Replace names and label values; figures stay")
@click.option("--timeout", default="60s", show_default=True, metavar="TIME", help="Wait for the cluster's state")
@click.option("--force", is_flag=True, help="Replace FILE if it exists")
@configuration_option
def capture(
    kubeconfig: Path | None,
    context: str | None,
    output: str,
    timeout: str,
    config_file: str | None,
    *,
    anonymous: bool,
    force: bool,
) -> None:
    """Look at a live cluster and write what was seen as one snapshot.

    A snapshot holds no environment, no annotations and no secrets: only what decisions need. Names and labels are among it;
    with --anonymize they are replaced, and a plan for the snapshot is the same but for names.

    \b
    Example:
      ullage snapshot capture -o cluster.snapshot.gz
      ullage plan cluster.snapshot.gz
    """  # noqa: D301 - click's mark for text that keeps its lines
    from ullage.commands.files import check_free, save
    from ullage.commands.serving import seconds
    from ullage.commands.sources import Where, observe
    from ullage.sources.snapshot import encode

    check_free(output, overwrite=force)
    console = current_console()
    state = observe(
        Where(kubeconfig=kubeconfig, context=context), read_configuration(config_file), seconds("--timeout", timeout)
    )
    if anonymous:
        import secrets

        from ullage.sources.anonymize import anonymize

        state = anonymize(state, secrets.token_bytes(32))
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
