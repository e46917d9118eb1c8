"""The watched file."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from extender.state_file import StateFile
from extender.watching import StateWatch
from tests.extender.serving import Service, cluster, write_state
from ullage.errors import UllageError


def test_a_file_is_read_once_per_change(tmp_path: Path) -> None:
    path = write_state(tmp_path / "s", cluster())
    file = StateFile(path)
    assert len(file.poll().nodes) == 3
    assert file.poll() is None
    write_state(path, cluster(nodes=5))
    assert len(file.poll().nodes) == 5
    os.utime(path, (1, 1))
    assert len(file.poll().nodes) == 5


def test_links_are_followed(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(write_state(tmp_path / "a", cluster()))
    file = StateFile(link)
    assert len(file.poll().nodes) == 3
    link.unlink()
    link.symlink_to(write_state(tmp_path / "b", cluster(nodes=4)))
    assert len(file.poll().nodes) == 4


def test_a_bad_file_is_told_once_and_read_when_it_is_good(tmp_path: Path) -> None:
    path = tmp_path / "s"
    file = StateFile(path)
    for content in (None, b"{", b"\x1f\x8b broken"):
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(UllageError):
            file.poll()
        assert file.poll() is None
    write_state(path, cluster())
    assert len(file.poll().nodes) == 3


def test_a_bad_new_file_keeps_the_old_state_and_is_counted(tmp_path: Path) -> None:
    async def scenario() -> None:
        service = Service()
        seen: list[int] = []
        path = write_state(tmp_path / "s", cluster())
        watch = StateWatch(StateFile(path), service.scheduling, lambda published: seen.append(published.generation))
        assert await watch.look()
        assert not await watch.look()
        for content in (b"{", b'{"apiVersion":"ullage.dev/v1alpha1","kind":"ClusterSnapshot"}', b"\0" * 1000):
            path.write_bytes(content)
            assert not await watch.look()
        assert service.value("reload_failures_total", what="state") == 3
        assert len(service.scheduling.current.table) == 3
        write_state(path, cluster(nodes=4))
        assert await watch.look()
        assert seen == [1, 2]

    asyncio.run(scenario())
