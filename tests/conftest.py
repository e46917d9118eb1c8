"""What pytest needs to know before it reads the tests."""

from __future__ import annotations

pytest_plugins = ["tests.controlplane.fixtures"]
