"""Codes in the planner's sources: all in the table, and all of the planner's topics used (limit-... are scheduling's)."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import descheduler.policy
import ullage.scoring
from ullage.model.codes import CODES, Topic

CODE = re.compile(r"[a-z]+(-[a-z]+)+")
NOT_CODES = {"all-or-nothing", "recent-peak"}


def literals(folder: Path) -> set[str]:
    """Text constants of all modules below `folder`, without docstrings."""
    found = set()
    for path in folder.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        alone = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr)}
        constants = (n for n in ast.walk(tree) if isinstance(n, ast.Constant) and id(n) not in alone)
        found |= {c.value for c in constants if isinstance(c.value, str)}
    return found


def folder(module) -> Path:
    return Path(module.__path__[0])


def test_what_looks_like_a_code_is_one():
    looks = {text for text in literals(folder(descheduler.policy)) if CODE.fullmatch(text)}
    assert len(looks) > 30
    assert looks - NOT_CODES <= set(CODES)


def test_every_code_of_the_planner_is_used():
    used = literals(folder(descheduler.policy)) | literals(folder(ullage.scoring))
    topics = (Topic.REFUSED, Topic.DESTINATION, Topic.NODE, Topic.MOVE)
    mine = {name for name, code in CODES.items() if code.topic in topics and not name.startswith("limit-")}
    assert mine <= used
