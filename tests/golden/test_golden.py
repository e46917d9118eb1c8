"""Whole plans as they were seen to be right; ``UPDATE_GOLDEN=1`` writes them anew, and the difference is to be read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from descheduler.report.wire import parse, to_json
from tests.descheduler.policy.checking import Checker
from tests.descheduler.policy.making import configuration, plan
from tests.golden.cases import CASES

HERE = Path(__file__).parent


@pytest.mark.parametrize("name", sorted(CASES))
def test_the_plan_is_the_one_that_was_seen_to_be_right(name):
    case = CASES[name]
    state, config = case.state(), configuration(**case.planning)
    made = plan(state, *case.nodes, config=config)
    path = HERE / name / "plan.json"
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(to_json(made), encoding="utf-8")
    assert to_json(made) == path.read_text(encoding="utf-8")
    assert parse(path.read_bytes(), name) == made
    assert Checker(state, made, config).problems(frozenset(case.nodes)) == []


def test_no_plan_is_left_without_a_case():
    assert {p.parent.name for p in HERE.glob("*/plan.json")} == set(CASES)
