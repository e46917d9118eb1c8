"""What pytest needs to know before it reads the tests."""

from __future__ import annotations

import signal

import pytest
from hypothesis import HealthCheck, settings

# A shell starts background jobs with SIGINT ignored, and children would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes says how busy the machine is, and nothing of the code.
settings.register_profile("ullage", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ullage")

pytest_plugins = ["tests.controlplane.fixtures"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test on a real control plane that fails is run again: timeouts there say how busy the machine is."""
    for item in items:
        if item.get_closest_marker("xdist_group") is not None:
            item.add_marker(pytest.mark.flaky(reruns=2))
