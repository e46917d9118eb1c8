"""An API server for one test, and the way to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.descheduler.executors.api import Api
from tests.descheduler.executors.world import World


@pytest.fixture
def world() -> Iterator[World]:
    api = Api()
    try:
        yield World(api)
    finally:
        api.close()
