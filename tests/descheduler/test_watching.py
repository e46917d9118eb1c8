from __future__ import annotations

import io
import os
import signal

import pytest

from descheduler.policy.pace import Progress
from descheduler.watching import Watch, watched
from ullage.commands import Console


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def console(stderr: io.StringIO) -> Console:
    return Console(io.StringIO(), stderr, {"TERM": "xterm"})


def test_progress_is_shown_now_and_then():
    stderr, seconds = Terminal(), [100.0]
    pace = Watch(console(stderr), lambda: seconds[0]).pace()
    for after, moves in ((0.0, 1), (0.1, 2), (0.3, 3), (12.3, 4)):
        seconds[0] = 100.0 + after
        pace.tell(Progress(11.5, moves, moves * 2.0**30))
    shown = [line.strip() for line in stderr.getvalue().split("\r\x1b[2K") if line]
    assert shown == [
        f"cost 11.5, {moves} moves, {moves:.1f} GiB, {after} s; Ctrl-C takes this plan"
        for moves, after in ((1, 0), (3, 0), (4, 12))
    ]


def test_no_progress_where_there_is_no_terminal():
    stderr = io.StringIO()
    Watch(console(stderr)).pace().tell(Progress(1.0, 1, 1.0))
    assert stderr.getvalue() == ""


def test_the_first_interrupt_asks_for_the_plan_and_the_second_ends():
    before = signal.getsignal(signal.SIGINT)
    with watched(console(io.StringIO())) as watch:
        pace = watch.pace()
        assert not pace.stopped()
        os.kill(os.getpid(), signal.SIGINT)
        assert pace.stopped()
        assert pace.budget(60.0, 1).progress() == 1.0
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
