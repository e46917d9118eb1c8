from __future__ import annotations

import pytest

from descheduler.loop.archive import Archive
from descheduler.report import parse
from tests.builders import Cluster
from tests.descheduler.loop.sources import at
from tests.descheduler.policy.making import plan
from ullage.errors import UsageError

NOW = 1_000_000.0


def hot(name: str):
    return Cluster().node("n1").node("n2").vm(f"shop/{name}", "n1", use_cpu=2).vm("shop/w", "n1", use_cpu=5).build()


def test_a_plan_with_moves_is_written_once_and_reads_back(tmp_path):
    archive = Archive(tmp_path, keep=3)
    made = plan(at(hot("v"), NOW))
    path = archive.add(made)
    assert path is not None
    assert parse(path.read_bytes(), path.name) == made
    assert archive.add(plan(at(hot("v"), NOW + 60))) is None
    assert archive.add(plan(Cluster().node("n1").build())) is None
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_old_plans_make_room_and_other_files_stay(tmp_path):
    (tmp_path / "notes.json").write_text("mine")
    archive = Archive(tmp_path, keep=2)
    written = [archive.add(plan(at(hot(name), NOW + 60 * i))) for i, name in enumerate("abcd")]
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([*(w.name for w in written[-2:] if w), "notes.json"])


def test_a_folder_that_is_not_there_is_said(tmp_path):
    with pytest.raises(UsageError, match="is no folder"):
        Archive(tmp_path / "none", keep=1)
