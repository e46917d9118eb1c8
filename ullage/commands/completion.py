"""``ullage completion``: the script that teaches a shell to complete `ullage`."""

from __future__ import annotations

import click
from click.shell_completion import ShellComplete, get_completion_class

from ullage.commands import current_console
from ullage.errors import UsageError


@click.command("completion", short_help="Print the completion script for bash, zsh or fish")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print the script that lets a shell complete commands, options and values.

    \b
    Bash, in ~/.bashrc:                  source <(ullage completion bash)
    Zsh, in ~/.zshrc after compinit:     source <(ullage completion zsh)
    Fish, once:                          ullage completion fish > ~/.config/fish/completions/ullage.fish
    """  # noqa: D301  # click reads the mark before a block that it must not wrap
    kind = get_completion_class(shell)
    if kind is None:
        raise UsageError(f"no completion for {shell}", "bash, zsh and fish are known")
    completer = kind(context.find_root().command, {}, "ullage", "_ULLAGE_COMPLETE")
    # Not the class's own `source`: for bash it starts a bash to ask for its version.
    current_console().write(ShellComplete.source(completer))
