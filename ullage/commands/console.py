"""Where a command writes: data to stdout, everything else to stderr, with one decision on color.

Conventions as of kubectl, https://no-color.org and https://force-color.org. Importing this costs nothing but click.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TextIO

import click

ColorChoice = Literal["auto", "always", "never"]

_ERASE_LINE: Final = "\r\x1b[2K"


def printable(text: str) -> str:
    r"""Text on one line: what a terminal would obey (escape sequences, line breaks) is written as ``\x1b``."""
    return "".join(mark if mark.isprintable() else mark.encode("unicode_escape").decode() for mark in text)


def wants_color(choice: ColorChoice, *, terminal: bool, environment: Mapping[str, str]) -> bool:
    """Whether to write color: the flag, then NO_COLOR, FORCE_COLOR, TERM=dumb, and last whether it is a terminal.

    Parameters
    ----------
    choice
        Value of ``--color``.
    terminal
        Whether the stream is a terminal.
    environment
        Environment variables.
    """
    if choice != "auto":
        return choice == "always"
    if environment.get("NO_COLOR"):
        return False
    if environment.get("FORCE_COLOR", "0") not in {"", "0"}:
        return True
    return terminal and environment.get("TERM") != "dumb"


@dataclass(frozen=True)
class Console:
    """Writer of a command.

    Attributes
    ----------
    stdout, stderr
        Streams; the standard ones unless given.
    environment
        Environment variables, for the decision on color.
    color
        Value of ``--color``.
    verbosity
        -1 quiet, 0 normal, 1 and more for details.
    """

    stdout: TextIO = field(default_factory=lambda: sys.stdout)
    stderr: TextIO = field(default_factory=lambda: sys.stderr)
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    color: ColorChoice = "auto"
    verbosity: int = 0

    @property
    def colored(self) -> bool:
        """Whether data on stdout may hold color."""
        return wants_color(self.color, terminal=self.stdout.isatty(), environment=self.environment)

    @property
    def shows_progress(self) -> bool:
        """Whether progress is shown: only on a terminal that can erase a line, and not when quiet."""
        return self.verbosity >= 0 and self.stderr.isatty() and self.environment.get("TERM") != "dumb"

    def write(self, text: str) -> None:
        """Data to stdout, ended by a line break; empty text writes nothing."""
        if text:
            self.stdout.write(text if text.endswith("\n") else f"{text}\n")

    def note(self, text: str) -> None:
        """Sentence to stderr, unless quiet."""
        if self.verbosity >= 0:
            self._say(text)

    def warn(self, text: str) -> None:
        """Warning to stderr, unless quiet."""
        if self.verbosity >= 0:
            self._say(f"{self._styled('warning:', 'yellow')} {printable(text)}", clean=True)

    def detail(self, text: str) -> None:
        """Sentence to stderr with ``--verbose``."""
        if self.verbosity > 0:
            self._say(text)

    def fail(self, message: str, hint: str = "") -> None:
        """Error to stderr, with its hint on a second line; said even when quiet."""
        self._say(f"{self._styled('error:', 'red')} {printable(message)}", clean=True)
        if hint:
            self._say(f"{self._styled('hint:', 'cyan')} {printable(hint)}", clean=True)

    def progress(self, text: str) -> None:
        """One line on a terminal's stderr that the next one replaces; empty text takes it away."""
        if self.shows_progress:
            self.stderr.write(_ERASE_LINE + printable(text)[:78])
            self.stderr.flush()

    def _say(self, text: str, *, clean: bool = False) -> None:
        self.progress("")
        self.stderr.write(f"{text if clean else printable(text)}\n")

    def _styled(self, word: str, color: str) -> str:
        if wants_color(self.color, terminal=self.stderr.isatty(), environment=self.environment):
            return click.style(word, fg=color, bold=True)
        return word


def current_console() -> Console:
    """Console of the running command; one on the standard streams where a command is called by itself."""
    context = click.get_current_context(silent=True)
    found = context.find_object(Console) if context is not None else None
    return found or Console()
