from __future__ import annotations

import io
import json
import logging

from ullage.observability.logs import Log


def test_a_line_is_one_object_with_its_fields():
    log, stream = Log("ullage.test.lines"), io.StringIO()
    handler = log.to(stream, verbosity=0)
    log("Something happened", nodes=3, what={"a": object})
    log("Not shown", logging.DEBUG)
    log.off(handler)
    log("Not shown either")
    (line,) = map(json.loads, stream.getvalue().splitlines())
    assert (line["level"], line["msg"], line["nodes"]) == ("info", "Something happened", 3)


def test_quiet_leaves_warnings_and_a_trace_stays_on_the_line():
    log, stream = Log("ullage.test.quiet"), io.StringIO()
    handler = log.to(stream, verbosity=-1)
    log("Not shown")
    try:
        raise ValueError("inside")
    except ValueError as error:
        log("It failed", logging.ERROR, error=error)
    log.off(handler)
    (line,) = map(json.loads, stream.getvalue().splitlines())
    assert "ValueError: inside" in line["trace"]
