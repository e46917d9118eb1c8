"""The ``ullage`` command: a table of subcommands that are imported only when they are called, and one error boundary.

``ullage --help`` and shell completion need click and nothing else; numpy, msgspec, yaml and the clients stay unloaded. The
services are named as text, since `ullage` imports neither of them.
"""

from __future__ import annotations

import copy
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import PurePath
from typing import TYPE_CHECKING, Final, NamedTuple

import click

from ullage import __version__
from ullage.commands import ColorChoice, Console, current_console
from ullage.errors import UllageError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_COMPLETE_VARIABLE: Final = "_ULLAGE_COMPLETE"
_INTERRUPTED: Final = 130
_BROKEN_PIPE: Final = 141

# Click 8.2 and newer raise it for a group that is called with nothing; older ones print the help themselves.
_HELP_ASKED: Final[type[Exception] | tuple[()]] = getattr(click.exceptions, "NoArgsIsHelpError", ())


class Entry(NamedTuple):
    """Where a subcommand is, as ``module:attribute``, and its line in the help."""

    target: str
    summary: str


COMMANDS: Final[Mapping[str, Entry]] = {
    "plan": Entry("descheduler.commands:plan", "Plan which workloads to move where, from files"),
    "why": Entry("ullage.commands.why:command", "Say why a plan or an extender does what it does"),
    "audit": Entry("descheduler.audit_command:audit", "Find what endangers memory on a cluster, and what to do"),
    "extender": Entry("extender.commands:extender", "Serve kube-scheduler: filter and score nodes on real use"),
    "descheduler": Entry("descheduler.loop_command:descheduler", "Watch a cluster, and plan again and again"),
    "plans": Entry("descheduler.plans_command:plans", "See the plans of a cluster, and approve or reject them"),
    "taints": Entry("descheduler.taints_command:taints", "See the marks of a descheduler on nodes, and take them away"),
    "status": Entry("ullage.commands.status:command", "Say how well a cluster is known, and which nodes are set aside"),
    "snapshot": Entry("ullage.commands.snapshot:command", "Convert Kubernetes dumps to a snapshot, and look into one"),
    "generate": Entry("simulator.commands:command", "Generate a plausible cluster for trials and tests"),
    "overhead": Entry("ullage.commands.overhead:command", "Compute what KubeVirt adds to a VM's memory"),
    "config": Entry("ullage.commands.config:command", "Show, validate and explain the configuration"),
    "version": Entry("ullage.commands.version:command", "Print the version"),
    "completion": Entry("ullage.commands.completion:command", "Print the completion script for bash, zsh or fish"),
}
"""Every subcommand, in the order of the help."""

_HELP: Final = """Keeps room on every node of a Kubernetes cluster that runs VMs and containers with memory overcommit.

Reads what a cluster looks like and says which VMs to move where, why, and what the nodes look like before and after. It
needs no cluster, no service and no configuration.

\b
Plan from a dump of a cluster:
  kubectl get nodes,pods,pdb,vmi,vmim -A -o json > cluster.json
  kubectl get --raw /apis/metrics.k8s.io/v1beta1/nodes > nodes.json
  kubectl get --raw /apis/metrics.k8s.io/v1beta1/pods > pods.json
  {program} plan cluster.json nodes.json pods.json --report plan.html

\b
Ask why, from a saved plan:
  {program} plan cluster.json nodes.json pods.json -o json > plan.json
  {program} why node-7 --plan plan.json

\b
Try it without a cluster:
  {program} generate --nodes 20 -o cluster.json.gz
  {program} plan cluster.json.gz

\b
Keep a cluster's state in one small file; see what can be set:
  {program} snapshot convert cluster.json nodes.json pods.json -o cluster.snapshot
  {program} config explain thresholds
"""

_EPILOG: Final = """\b
"{program} COMMAND --help" tells more about a command. Documentation: README.md and docs/ of the project.
Exit codes: 0 ok, 1 error, 2 bad usage or input, 3 nothing to do, 4 nodes stay over (3 and 4 on request)."""


def _count_verbosity(context: click.Context, _: click.Parameter, value: int) -> None:
    if value:
        context.obj = replace(current_console(), verbosity=value)


def _set_quiet(context: click.Context, _: click.Parameter, value: bool) -> None:  # noqa: FBT001
    if value:
        context.obj = replace(current_console(), verbosity=-1)


def _set_color(context: click.Context, _: click.Parameter, value: ColorChoice | None) -> None:
    if value is not None:
        context.obj = replace(current_console(), color=value)


def _global_options() -> list[click.Parameter]:
    """Options that are accepted before and after the name of the subcommand."""
    choice = click.Choice(["auto", "always", "never"])
    return [
        click.Option(
            ["-v", "--verbose"], count=True, expose_value=False, callback=_count_verbosity, help="Say more on stderr"
        ),
        click.Option(
            ["-q", "--quiet"],
            is_flag=True,
            expose_value=False,
            callback=_set_quiet,
            help="Say nothing but errors on stderr",
        ),
        click.Option(
            ["--color"], type=choice, expose_value=False, callback=_set_color, help="When to color; NO_COLOR is honored"
        ),
    ]


def _with_global_options(command: click.Command) -> click.Command:
    taken = {name for parameter in command.params for name in parameter.opts}
    added = [option for option in _global_options() if not taken.intersection(option.opts)]
    extended = copy.copy(command)
    extended.params = [*command.params, *added]
    if isinstance(extended, click.Group):
        extended.commands = {name: _with_global_options(inner) for name, inner in extended.commands.items()}
    return extended


class LazyGroup(click.Group):
    """A group that knows the names and help lines of its subcommands without importing them.

    Parameters
    ----------
    entries
        Subcommands by name.
    program
        How the command is called, for its help.
    """

    def __init__(self, entries: Mapping[str, Entry], program: str = "ullage") -> None:
        super().__init__(
            name=program,
            help=_HELP.format(program=program),
            epilog=_EPILOG.format(program=program),
            params=_global_options(),
            invoke_without_command=True,
            subcommand_metavar="COMMAND [ARGS]...",
            callback=_help_without_command,
            context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
        )
        self.entries = entries
        self.params.append(_version_option())

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the table."""
        del ctx
        return list(self.entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a subcommand; None for a name that is not in the table."""
        del ctx
        entry = self.entries.get(cmd_name)
        if entry is None:
            return None
        module, _, attribute = entry.target.partition(":")
        command = getattr(import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{entry.target} is no command")
        return _with_global_options(command)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Subcommand for the first argument; a name that is not known is answered with the nearest one."""
        if args[0] in self.entries or ctx.resilient_parsing:
            return super().resolve_command(ctx, args)
        from difflib import get_close_matches  # a fault is rare, and the start is not

        near = get_close_matches(args[0], self.entries, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known commands: {', '.join(self.entries)}"
        raise click.UsageError(f"no such command: {args[0]}\n{hint}", ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table into the help."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in self.entries.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Names that begin so, and options."""
        from click.shell_completion import CompletionItem  # only a completion needs it

        names = [name for name in self.entries if name.startswith(incomplete)]
        found = [CompletionItem(name, help=self.entries[name].summary) for name in names]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]


def _version_option() -> click.Option:
    def show(context: click.Context, _: click.Parameter, value: bool) -> None:  # noqa: FBT001
        if value and not context.resilient_parsing:
            current_console().write(f"ullage {__version__}")
            context.exit()

    return click.Option(
        ["--version"], is_flag=True, expose_value=False, is_eager=True, callback=show, help="Print the version and exit"
    )


@click.pass_context
def _help_without_command(context: click.Context) -> None:
    if context.invoked_subcommand is None:
        current_console().write(context.get_help())


def program_name(argument: str) -> str:
    """How the command was called: ``kubectl ullage`` for the plugin ``kubectl-ullage``, else ``ullage``."""
    return "kubectl ullage" if PurePath(argument).name.startswith("kubectl-") else "ullage"


def run(arguments: Sequence[str], console: Console, program: str = "ullage") -> int:
    """Run the command and turn everything that goes wrong into one line and an exit code.

    Parameters
    ----------
    arguments
        Arguments without the program's name.
    console
        Where to write, and the environment.
    program
        How the command is called, for help and usage.

    Returns
    -------
    int
        Exit code: 0 ok, 1 error, 2 bad usage or input, 130 interrupted, 141 the reader of stdout went away, or what the
        subcommand returns or exits with.
    """
    try:
        code = _invoke(arguments, console, program)
        console.stdout.flush()
    except (KeyboardInterrupt, click.Abort):
        console.fail("interrupted")
        return _INTERRUPTED
    except BrokenPipeError:
        return _BROKEN_PIPE
    except _HELP_ASKED as asked:
        console.write(str(asked))
        return 0
    except Exception as error:  # noqa: BLE001  # the one place where every error ends
        return _report(error, console)
    return code


def _invoke(arguments: Sequence[str], console: Console, program: str) -> int:
    """Exit code of the subcommand: not by click's own ``main``, which ends some errors before they come here."""
    group = LazyGroup(COMMANDS, program)
    instruction = console.environment.get(_COMPLETE_VARIABLE)
    if instruction:
        from click.shell_completion import shell_complete  # only a completion needs it

        return shell_complete(group, {}, program, _COMPLETE_VARIABLE, instruction)
    try:
        with group.make_context(program, list(arguments), obj=console) as context:
            result = group.invoke(context)
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    return result if isinstance(result, int) else 0


def _report(error: Exception, console: Console) -> int:
    if console.environment.get("ULLAGE_TRACE", "") not in {"", "0"}:
        traceback.print_exception(error, file=console.stderr)
    match error:
        case UllageError():
            console.fail(error.message, error.hint)
            return error.exit_code
        case click.ClickException():
            message, _, hint = error.format_message().partition("\n")
            console.fail(message, hint or _usage_hint(error))
            return error.exit_code
        case OSError(strerror=str(reason)):
            console.fail(f"{error.filename}: {reason}" if error.filename else reason)
        case _:
            name = type(error).__name__
            console.fail(
                f"unexpected {name}: {error}", "this is a fault in Ullage; ULLAGE_TRACE=1 shows where it arose"
            )
    return 1


def _usage_hint(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    return f'"{context.command_path} --help" shows the usage' if isinstance(context, click.Context) else ""


def main() -> None:
    """Entry point of ``ullage`` and ``kubectl-ullage``."""
    code = run(sys.argv[1:], Console(), program_name(sys.argv[0]))
    try:
        sys.stdout.flush()
    except OSError:
        # What is still in the buffer would raise once more when the interpreter flushes it at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


if __name__ == "__main__":
    main()
