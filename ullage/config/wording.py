"""How values and names are shown in messages."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable
from difflib import get_close_matches


def short(value: object) -> str:
    """Value for a message: escaped, and cut where it is long or deep."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    cut = reprlib.Repr()
    cut.maxlevel, cut.maxstring, cut.maxother, cut.maxlong = 2, 60, 60, 40
    cut.maxdict = cut.maxlist = cut.maxtuple = cut.maxset = 3
    return cut.repr(value)


def nearest(word: str, known: Iterable[str]) -> str:
    """Nearest known word, whatever its case; empty if none is near."""
    by_folded = {name.casefold(): name for name in known}
    found = get_close_matches(word.casefold()[:100], by_folded, n=1)
    return by_folded[found[0]] if found else ""
