"""A control plane for a person: ``python -m tests.controlplane``, until Ctrl-C."""

from __future__ import annotations

import signal
import sys
import tempfile
from pathlib import Path
from typing import cast

import click

from tests.controlplane import binaries
from tests.controlplane.flags import AuditLevel
from tests.controlplane.plane import ControlPlane
from tests.controlplane.processes import StartError

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option("--scheduler-config", type=FILE, help="A KubeSchedulerConfiguration; its kubeconfig is filled in.")
@click.option("--audit", type=click.Choice(["Metadata", "Request", "RequestResponse"]), help="Write an audit log.")
@click.option("--controllers/--no-controllers", default=True, help="With or without kube-controller-manager.")
def main(scheduler_config: Path | None, audit: str | None, *, controllers: bool) -> None:
    """Run a control plane without machines, and say how to use it."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    if why := binaries.missing():
        sys.exit(why)
    with tempfile.TemporaryDirectory(prefix="ullage-control-plane-") as folder:
        try:
            with ControlPlane.start(
                Path(folder) / "plane",
                scheduler_config=scheduler_config,
                audit_policy=cast(AuditLevel | None, audit),
                controllers=controllers,
            ) as plane:
                click.echo(_guide(plane, audited=audit is not None))
                while True:
                    signal.pause()
        except StartError as error:
            sys.exit(str(error))
        except KeyboardInterrupt:
            click.echo("Stopped")


def _guide(plane: ControlPlane, *, audited: bool) -> str:
    lines = [
        "The control plane is ready, until Ctrl-C:",
        f"  export KUBECONFIG={plane.admin}",
        f"  alias kubectl={binaries.find('kubectl')}",
        "  kubectl get all -A",
        f"Logs of the programs: {plane.logs}",
    ]
    return "\n".join(lines + [f"Audit log: {plane.audit_log}"] * audited)


if __name__ == "__main__":
    main()
