"""Values that flags put above the configuration."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ullage import config
from ullage.config import Band
from ullage.errors import ConfigError, UsageError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cpu=80%", {"cpu": 0.8}),
        ("cpu=80%,memory=0.75", {"cpu": 0.8, "memory": 0.75}),
        (" memory = 75% , cpu=0 ", {"memory": 0.75, "cpu": 0.0}),
        ("memory=120%", {"memory": 1.2}),
    ],
)
def test_thresholds_from_a_flag(text: str, expected: dict[str, float]) -> None:
    assert config.parse_thresholds(text) == expected


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("80%", "'80%' is no threshold", "cpu=80%,memory=75%"),
        ("", "'' is no threshold", "cpu=80%"),
        ("cpu=80%,", "'' is no threshold", "cpu=80%"),
        ("mem=80%", "expected one of cpu, memory", "did you mean memory?"),
        ("disk=80%", "'disk' is no resource", "known resources: cpu, memory"),
        ("cpu=80", "cpu='80' is not accepted", "write cpu=80%"),
        ("cpu=", "cpu='' is not accepted", "write cpu=80% or cpu=0.8"),
        ("cpu=-5%", "expected a ratio from 0 to 2", "cpu=80%"),
        ("cpu=300%", "expected a ratio from 0 to 2", "cpu=80%"),
        ("cpu=nan", "cpu='nan' is not accepted", "cpu=80%"),
        ("cpu=80%,cpu=70%", "cpu stands twice", "keep one"),
    ],
)
def test_flags_that_are_refused(text: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        config.parse_thresholds(text)
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("high", "target", "expected"),
    [
        ({}, {}, Band()),
        ({"cpu": 0.9}, {}, Band(low=0.5, high=0.9, target=0.8)),
        ({"cpu": 0.7}, {}, Band(low=0.5, high=0.7, target=0.7)),
        ({"cpu": 0.3}, {}, Band(low=0.3, high=0.3, target=0.3)),
        ({}, {"cpu": 0.6}, Band(low=0.5, high=0.8, target=0.6)),
        ({}, {"cpu": 0.4}, Band(low=0.4, high=0.8, target=0.4)),
        ({"cpu": 0.9}, {"cpu": 0.85}, Band(low=0.5, high=0.9, target=0.85)),
    ],
)
def test_marks_that_were_not_given_follow(high: dict[str, float], target: dict[str, float], expected: Band) -> None:
    found = config.with_thresholds(config.defaults(), high, target)
    assert found.thresholds.cpu == expected
    assert found.thresholds.memory == Band()
    assert config.parse(config.to_document(found), "x") == found


def test_a_target_above_high_is_refused() -> None:
    with pytest.raises(UsageError, match=r"the target of cpu, 0\.9, is above its high threshold, 0\.8") as caught:
        config.with_thresholds(config.defaults(), {}, {"cpu": 0.9})
    assert "--high cpu=90%" in caught.value.hint
    with pytest.raises(UsageError, match="no resource with thresholds"):
        config.with_thresholds(config.defaults(), {"disk": 0.9}, {})


@given(st.floats(0, 2), st.floats(0, 2))
def test_marks_stay_in_order(high: float, target: float) -> None:
    try:
        band = config.with_thresholds(config.defaults(), {"memory": high}, {"memory": target}).thresholds.memory
    except UsageError:
        assert target > high
    else:
        assert band.low <= band.target == target <= band.high == high


def test_override_is_checked_as_a_document_is() -> None:
    found = config.override(config.defaults(), "planning.maxMoves", 3)
    assert found.planning.max_moves == 3
    assert config.override(found, "planning.maxMoves", None) == config.defaults()
    for path, value in (("planning.maxMoves", "3"), ("planning.maxmoves", 3), ("nowhere.at.all", 3), ("planning", 3)):
        with pytest.raises(ConfigError, match="the command line"):
            config.override(config.defaults(), path, value)
