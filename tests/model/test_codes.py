"""Every code that the program can print stands in the tables, and every code of the tables can be printed."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import descheduler
import extender
import ullage
from descheduler.acting.breakers import BREAKERS
from ullage.model.codes import CODES, Code, Topic, holding
from ullage.model.codes.holding import BREAKERS as BREAKER_CODES
from ullage.telemetry.rules import Fault

PACKAGES = [Path(package.__path__[0]) for package in (descheduler, extender, ullage)]
CODE = re.compile(r"[a-z]+(?:-[a-z]+)+")
CARRIERS = {"Receipt": 1, "Rule": 1, "Problem": 0, "Note": 0, "PlanNote": 0, "Open": 0, "Reason": 0, "SetAside": 1}
"""Values that carry a code, and its place among their arguments."""
NAMES = {
    "container-disk", "current-context", "ephemeral-storage", "evacuate-urgent", "guest-console-log",
    "host-model", "host-passthrough", "http-web", "kube-prometheus", "kube-prometheus-stack", "kube-system", "web-tls",
    "kube-prometheus-stack-prometheus", "no-referrer", "operated-prometheus", "peak-margin", "query-frontend",
    "recent-peak", "requested-by", "system-cluster-critical", "system-node-critical", "thanos-querier", "thanos-query",
    "under-way", "victoria-metrics-single", "virt-launcher",
}  # fmt: skip
"""What looks like a code and is a name of something else."""


def modules() -> Iterator[Path]:
    for folder in PACKAGES:
        yield from (path for path in folder.rglob("*.py") if "codes" not in path.parts and "api" not in path.parts)


def texts(path: Path) -> set[str]:
    """Text constants of a module, without docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    constants = (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in alone)
    return {node.value for node in constants if isinstance(node.value, str)}


def names(path: Path) -> set[str]:
    """Identifiers of a module."""
    return {node.id for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Name)}


def carried(path: Path) -> Iterator[str]:
    """Constants that stand where a value carries its code."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CARRIERS:
            place = CARRIERS[node.func.id]
            given = [*node.args[place : place + 1], *(k.value for k in node.keywords if k.arg == "code")]
            yield from (a.value for a in given if isinstance(a, ast.Constant) and isinstance(a.value, str) and a.value)


USED = {text for path in modules() for text in texts(path)} | {fault.code for fault in Fault}
NAMED = {
    code.name
    for identifier, code in vars(holding).items()
    if isinstance(code, Code) and any(identifier in names(path) for path in modules())
}
"""Codes that stand by themselves in the tables, and are said by that name."""


def test_what_a_value_carries_as_its_code_is_one():
    found = {code for path in modules() for code in carried(path)}
    assert {"evacuating", "settling", "partial", "no-metrics"} <= found
    assert found - set(CODES) == set()


def test_what_looks_like_a_code_is_one():
    looks = {text for text in USED if CODE.fullmatch(text)}
    assert len(looks) > 100
    assert looks - set(CODES) - NAMES == set()
    assert NAMES - looks == set()


@pytest.mark.parametrize("topic", list(Topic))
def test_every_code_is_used(topic: Topic):
    wanted = {name for name, code in CODES.items() if code.topic is topic}
    assert wanted
    assert {name for name in wanted if name not in USED | NAMED and not name.startswith("limit-")} == set()


def test_faults_of_readings_and_breakers_are_codes():
    assert {fault.code for fault in Fault if fault} <= {n for n, c in CODES.items() if c.topic is Topic.READING}
    assert tuple(code.name for code in BREAKER_CODES) == BREAKERS
    assert {CODES[name].topic for name in BREAKERS} == {Topic.HOLDING}


def test_a_code_says_what_it_means_in_a_sentence():
    for code in CODES.values():
        assert code.meaning.endswith("."), code.name
