"""``ullage why``: from a saved plan or a running extender. Both are named as text and loaded when they are asked."""

from __future__ import annotations

from importlib import import_module

import click
import msgspec

from ullage.commands import current_console
from ullage.errors import InputError, UsageError
from ullage.sources.documents import read

_FILE = click.Path(allow_dash=True)


@click.command(
    "why",
    help="""Say why a plan, or a running extender, does what it does.

From a saved plan: SUBJECT is a node, or a VM or pod as [NAMESPACE/]NAME; node/NAME, vmi/NAME and pod/NAME say which. The
answer comes from the plan file alone.

From an extender: SUBJECT is a pod as [NAMESPACE/]NAME; -f gives its manifest, without which only its name is known. The answer
says how every node is judged for it, now.

\b
Examples:
  ullage plan cluster.json -o json > plan.json
  ullage why node-7 --plan plan.json
  ullage why shop/database-0 --plan plan.json
  ullage why shop/web -f pod.yaml --extender http://127.0.0.1:8888/scheduler""",
)
@click.argument("subject")
@click.option("--plan", "plan_file", type=_FILE, metavar="FILE", help="Plan as JSON or YAML, also .gz; - for stdin")
@click.option("--extender", "url", metavar="URL", help="Address of an extender, with its prefix")
@click.option(
    "-f", "--filename", "pod_file", type=_FILE, metavar="FILE", help="Manifest of the pod, with --extender; - for stdin"
)
@click.option("--ca-file", type=_FILE, metavar="FILE", help="Certificate authorities to trust, with --extender")
def command(subject: str, plan_file: str | None, url: str | None, pod_file: str | None, ca_file: str | None) -> None:
    """Answer from a saved plan or a running extender."""
    if (plan_file is None) == (url is None):
        raise UsageError("name one of --plan and --extender", "ullage why NODE --plan FILE")
    if url is not None:
        pod = _pod(subject, pod_file)
        answer = import_module("extender.asking").ask(url, pod, ca_file=ca_file)
    else:
        report = import_module("descheduler.report")
        answer = report.why(report.parse(read(str(plan_file)), str(plan_file)), subject)
    current_console().write(answer)


def _pod(subject: str, file: str | None) -> dict[str, object]:
    namespace, _, name = subject.removeprefix("pod/").rpartition("/")
    if file is None:
        return {"metadata": {"name": name, "namespace": namespace or "default"}, "spec": {}}
    yaml = import_module("yaml")
    try:
        pod = yaml.safe_load(read(file))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(file, f"is no YAML or JSON: {str(error).splitlines()[0]}", "give it a Pod") from None
    if not isinstance(pod, dict) or pod.get("kind", "Pod") != "Pod":
        raise InputError(file, "holds no Pod", "give it the manifest of a pod")
    converted: dict[str, object] = msgspec.to_builtins(pod, str_keys=True)
    return converted
