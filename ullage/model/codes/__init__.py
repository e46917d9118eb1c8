"""Stable codes: every move, refusal, note and finding carries one.

A code never changes its meaning; a new meaning is a new code. ``docs/codes.md`` is made from these tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from ullage.model.codes.acting import ACTING
from ullage.model.codes.code import Code as Code
from ullage.model.codes.code import Topic as Topic
from ullage.model.codes.findings import FINDINGS
from ullage.model.codes.holding import HOLDING
from ullage.model.codes.notes import NOTES
from ullage.model.codes.planning import PLANNING
from ullage.model.codes.readings import READINGS


def _table(codes: tuple[Code, ...]) -> Mapping[str, Code]:
    table = {code.name: code for code in codes}
    if len(table) != len(codes):
        raise ValueError("a code stands twice in the tables")
    return MappingProxyType(table)


CODES: Final = _table(PLANNING + ACTING + HOLDING + FINDINGS + NOTES + READINGS)
"""All codes by name."""
