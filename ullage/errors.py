"""Every error that Ullage raises on purpose.

::

    UllageError                  what a user can be told in one sentence; exit code 1
    ├── UsageError               the command was called wrongly; exit code 2
    ├── ConfigError              a configuration is not valid; exit code 2
    ├── InputError               an input file cannot be used at all; exit code 2
    │   └── QuantityError        a Kubernetes quantity cannot be read
    └── EngineError              an optional engine is not installed or gave up; exit code 1

A program error (a broken invariant) is a plain ``ValueError`` or ``AssertionError`` and is not caught.
"""

from __future__ import annotations


class UllageError(Exception):
    """What a user can be told in one sentence, with a hint where there is one.

    Parameters
    ----------
    message
        What is wrong, with the offending value.
    hint
        What to do about it; may be empty.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(UllageError):
    """The command was called with arguments that make no sense together."""

    exit_code = 2


class ConfigError(UllageError):
    """A configuration value is not valid.

    Parameters
    ----------
    path
        Where the value stands, such as ``thresholds.cpu.high``.
    message
        What was found and what was expected.
    hint
        The nearest known key, or the accepted range.
    """

    exit_code = 2

    def __init__(self, path: str, message: str, hint: str = "") -> None:
        super().__init__(f"{path}: {message}", hint)
        self.path = path


class InputError(UllageError):
    """An input file cannot be used at all.

    Parameters
    ----------
    source
        The file's name, or ``-`` for standard input.
    message
        What is wrong with it.
    hint
        What to do about it.
    """

    exit_code = 2

    def __init__(self, source: str, message: str, hint: str = "") -> None:
        super().__init__(f"{source}: {message}", hint)
        self.source = source


class QuantityError(InputError):
    """A Kubernetes quantity cannot be read."""

    def __init__(self, text: object, message: str) -> None:
        super().__init__(f"quantity {text!r}", message, "write it as 2, 500m, 8Gi or 1.5e3")


class EngineError(UllageError):
    """An optional planning engine is not installed, or gave up."""
