"""What pytest needs to know before it reads the tests."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# How long an example takes says how busy the machine is, and nothing of the code.
settings.register_profile("ullage", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ullage")

pytest_plugins = ["tests.controlplane.fixtures"]

# Minutes each, some of them tens of minutes: `make test-slow` runs them.
collect_ignore_glob = [] if os.environ.get("ULLAGE_SLOW") else ["e2e_acting/*", "descheduler/loop/test_steady_noise.py"]
