r"""Names and sentences from outside, made safe for the place where they are shown.

Kubernetes allows few characters in names, but a plan file may hold anything. What cannot be seen is spelled out (``\xNN``,
``\uNNNN``), so that a name moves no cursor, sets no colour and turns no text around.
"""

from __future__ import annotations

from typing import Final

_FORMULA: Final = "=+-@\t\r\uff1d\uff0b\uff0d\uff20"
_QUOTED: Final = frozenset(',"\r\n')


def _spelled(character: str) -> str:
    number = ord(character)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def visible(text: str) -> str:
    r"""Text in which every character can be seen; safe for a terminal.

    Controls, escapes, bidirectional overrides, zero-width characters, lone surrogates and unusual spaces (all that
    `str.isprintable` denies) become ``\xNN``, ``\uNNNN`` or ``\UNNNNNNNN``.
    """
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else _spelled(character) for character in text)


def csv_cell(text: str) -> str:
    """A CSV cell (RFC 4180) that no spreadsheet takes for a formula.

    A text that begins with ``= + - @``, tab or carriage return (also after spaces, also in full width) gets a leading
    apostrophe, as OWASP advises against CSV injection.
    """
    first = text.lstrip(" ")[:1]
    shown = visible(f"'{text}" if first and first in _FORMULA else text)
    if _QUOTED.isdisjoint(shown):
        return shown
    return '"' + shown.replace('"', '""') + '"'
