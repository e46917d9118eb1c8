"""Subcommands of `ullage`, imported only when they are called."""
