"""``ullage config``: show, validate, explain the configuration, and print its JSON schema."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal, TypeVar

import click
import yaml

from ullage import config
from ullage.commands import current_console
from ullage.errors import InputError

FunctionT = TypeVar("FunctionT", bound=Callable[..., object])

_LARGEST_BYTES: Final = 1_000_000
_FORMAT = click.option(
    "-o",
    "--output",
    type=click.Choice(["yaml", "json"]),
    default="yaml",
    show_default=True,
    help="Format of the output",
)


def configuration_option(function: FunctionT) -> FunctionT:
    """Give a command the option ``--config FILE`` (environment: ULLAGE_CONFIG) as `config_file`, a text or None."""
    return click.option(
        "--config",
        "config_file",
        type=click.Path(allow_dash=True),
        metavar="FILE",
        envvar="ULLAGE_CONFIG",
        help="Configuration file, - for stdin",
    )(function)


def read_configuration(file: str | None) -> config.Configuration:
    """Configuration in a file; the defaults for None.

    Parameters
    ----------
    file
        Path, or ``-`` for standard input.

    Raises
    ------
    InputError
        The file cannot be read, is no UTF-8, or is far too large for a configuration.
    ConfigError
        It is not valid.
    """
    if file is None:
        return config.defaults()
    return config.load_text(_text(file), "standard input" if file == "-" else file)


def _text(file: str) -> str:
    try:
        with sys.stdin.buffer if file == "-" else Path(file).open("rb") as stream:
            content = stream.read(_LARGEST_BYTES + 1)
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise InputError(file, error.strerror or "cannot be read", "is the path right?") from None
    except UnicodeDecodeError:
        raise InputError(file, "is no UTF-8 text", "save it as UTF-8; a packed file must be unpacked") from None
    if len(content) > _LARGEST_BYTES:
        raise InputError(file, f"is larger than {_LARGEST_BYTES} bytes", "is this a configuration?")
    return text


@click.group("config", short_help="Show, validate and explain the configuration")
def command() -> None:
    """Show, validate and explain the configuration.

    No configuration is needed: everything has a default, with its reason in the explanation.

    \b
    ullage config show > ullage.yaml                 Start from the defaults
    ullage config validate ullage.yaml               Check a file
    ullage config explain planning.maxMoves          What a field means and why it is set so
    """  # noqa: D301  # click reads the mark before a block that it must not wrap


@command.command("show", short_help="Print the configuration in effect, with every default written out")
@configuration_option
@_FORMAT
def show(config_file: str | None, output: Literal["yaml", "json"]) -> None:
    """Print the configuration in effect, with every default written out."""
    document = config.to_document(read_configuration(config_file))
    text = json.dumps(document, indent=2) if output == "json" else yaml.safe_dump(document, sort_keys=False)
    current_console().write(text)


@command.command("validate", short_help="Check configuration files")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
def validate(files: tuple[str, ...]) -> None:
    """Check configuration files; the first fault ends it with exit code 2."""
    console = current_console()
    for file in files:
        read_configuration(file)
        console.note(f"{file}: valid")


@command.command("schema", short_help="Print the JSON schema, for editors and CI")
def schema() -> None:
    """Print the JSON schema of the configuration, for editors and CI."""
    current_console().write(config.schema_text())


@command.command("explain", short_help="Say what a field means, and why its default is what it is")
@click.argument("field", default="", metavar="[FIELD]")
def explain(field: str) -> None:
    """Say what a field or section means, and why its default is what it is; without FIELD list all."""
    current_console().write(config.explain(field))
