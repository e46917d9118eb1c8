"""What a migration is expected to take: copying, and KubeVirt's deadline."""

import numpy as np
import pytest

from descheduler.policy.migrating import course
from tests.builders import Cluster
from ullage.config import defaults
from ullage.config.schema import Migration

GI = 2**30


@pytest.mark.parametrize(
    ("volume_gib", "dirty_rate", "timeout", "hopeless"),
    [
        (4, "40Mi", 20, False),  # 170 s: within 35 x 20, although not within the 5 x 20 of what is resident
        (32, "40Mi", 20, True),  # 1365 s against 35 x 20 = 700 s
        (32, "40Mi", 150, False),
        (32, "60Mi", 150, True),  # above 0.8 of the bandwidth
        (32, None, 20, False),  # nothing is known of it
    ],
)
def test_the_deadline_is_that_of_the_whole_guest(volume_gib, dirty_rate, timeout, hopeless):
    builder = Cluster().kubevirt(completion_timeout_per_gib_seconds=float(timeout)).node("a")
    state = builder.vm("shop/db", "a", guest="32Gi", dirty_rate=dirty_rate).build()
    found = course(state, np.array([volume_gib * float(GI)]), Migration())
    assert found.hopeless.tolist() == [hopeless]


def test_the_guest_that_writes_takes_longer_and_pods_take_nothing():
    builder = Cluster().node("a").vm("shop/busy", "a", dirty_rate="32Mi").vm("shop/idle", "a").pod("web/p", "a")
    seconds = course(builder.build(), np.full(3, 4.0 * GI), defaults().migration).seconds
    assert seconds[1] == pytest.approx(64)
    assert 1.9 * 64 < seconds[0] < 2 * 64
    assert np.isnan(seconds[2])
