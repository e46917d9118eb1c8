"""Subcommands of `ullage`, imported only when they are called, and the console that they write to."""

from ullage.commands.console import ColorChoice as ColorChoice
from ullage.commands.console import Console as Console
from ullage.commands.console import current_console as current_console
