"""What all sections of the configuration share."""

from __future__ import annotations

from typing import Final

import msgspec

MATCHER: Final = r"[a-zA-Z_][a-zA-Z0-9_]{0,99}(?:=|!=|=~|!~)\"[ !#-z|~]{0,200}\""
"""Regular expression of one label matcher of PromQL."""


class Section(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A part of the configuration with fields of its own; its docstring explains them."""
