"""``ullage audit``: read, examine, show."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

import click

from descheduler.audit import AuditReport, Severity
from descheduler.audit import audit as examine
from descheduler.report.audit import FORMATS, render
from descheduler.report.audit_html import page
from ullage.commands import Console, current_console
from ullage.commands.config import configuration_option, read_configuration
from ullage.commands.files import save
from ullage.config import Configuration
from ullage.sources.inputs import load

NOTHING_FOUND: Final = 3
FOUND: Final = 4

_HELP = """Find what endangers memory on a cluster, and what to do.

FILE is a Kubernetes dump (JSON or YAML, also .gz, - for stdin) as kubectl prints it, or a snapshot. Several files are read
as one cluster. Nothing is written to any cluster.

\b
Examples:
  kubectl get nodes,pods,vmi,kubevirt,resourcequota -A -o json > cluster.json
  kubectl get --raw /apis/metrics.k8s.io/v1beta1/nodes > nodes.json
  kubectl get --raw /apis/metrics.k8s.io/v1beta1/pods > pods.json
  ullage audit cluster.json nodes.json pods.json
  ullage audit cluster.json nodes.json pods.json -o json --report audit.html
  ullage audit cluster.snapshot.gz --fail-on critical

Exit codes: 0 ok; 1 error; 2 bad usage or input; 3 nothing found, with --error-unchanged; 4 findings of this severity or a
higher one, with --fail-on."""


@click.command(help=_HELP)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option(
    "-o", "--output", type=click.Choice(list(FORMATS)), default="table", show_default=True, help="Format of stdout"
)
@click.option(
    "--report",
    "report_file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.html",
    help="Also write an HTML page",
)
@configuration_option
@click.option("--error-unchanged", is_flag=True, help="Exit with 3 if nothing was found")
@click.option("--fail-on", type=click.Choice(["critical", "warning"]), help="Exit with 4 if there are such findings")
def audit(
    files: tuple[str, ...],
    output: str,
    report_file: Path | None,
    config_file: str | None,
    error_unchanged: bool,  # noqa: FBT001
    fail_on: str | None,
) -> int:
    """Read, examine, show."""
    console = current_console()
    found = _examined(files, read_configuration(config_file), console)
    console.write(render(found, output, color=console.colored, width=shutil.get_terminal_size().columns))
    if report_file is not None:
        save(str(report_file), page(found).encode(), overwrite=True)
        console.note(f"report written to {report_file}")
    if fail_on and _fails(found, Severity(fail_on)):
        return FOUND
    return NOTHING_FOUND if error_unchanged and not found.status.findings else 0


def _examined(files: tuple[str, ...], config: Configuration, console: Console) -> AuditReport:
    console.progress(f"reading {', '.join(files)} ...")
    state = load(files)
    console.progress(f"examining {len(state.nodes)} nodes and {len(state.workloads)} workloads ...")
    found = examine(state, config, state.observed_at_seconds)
    console.progress("")
    return found


def _fails(found: AuditReport, severity: Severity) -> bool:
    summary = found.status.summary
    return bool(summary.critical or (severity is Severity.WARNING and summary.warning))
