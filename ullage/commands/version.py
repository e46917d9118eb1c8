"""``ullage version``: which version this is, for people and for bug reports."""

from __future__ import annotations

import json
import platform
import sys
from typing import Literal

import click

from ullage import __version__
from ullage.commands import current_console


def _facts() -> dict[str, str]:
    return {
        "version": __version__,
        "apiVersion": "ullage.dev/v1alpha1",
        "python": platform.python_version(),
        "platform": f"{sys.platform}/{platform.machine()}",
    }


@click.command("version", short_help="Print the version")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Format of the output",
)
def command(output: Literal["text", "json"]) -> None:
    """Print the version of Ullage, and with -o json what a bug report needs."""
    text = json.dumps(_facts(), indent=2) if output == "json" else f"ullage {__version__}"
    current_console().write(text)
