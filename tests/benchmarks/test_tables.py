import math

from benchmarks.plan_process import slowest_imports
from benchmarks.tables import Bar, bars, gib, milliseconds, table


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert table(("name", "n"), [("a", "1,000"), ("long one", "2")]).splitlines() == [
        "name          n",
        "--------  -----",
        "a         1,000",
        "long one      2",
    ]


def test_a_bar_is_met_up_to_its_limit_and_never_by_nan() -> None:
    assert Bar("x", 2.0, 2.0).met
    assert not Bar("x", 2.01, 2.0).met
    assert not Bar("x", math.nan, 2.0).met
    assert [line.split()[-1] for line in bars([Bar("x", 1, 2, "s"), Bar("y", 3, 2, "s")]).splitlines()[2:]] == [
        "ok",
        "MISSED",
    ]


def test_units() -> None:
    assert gib(1.5 * 2**30) == "1.50"
    assert gib(math.nan) == "-"
    assert milliseconds(1.2344) == "1,234"


def test_imports_are_summed_by_package() -> None:
    trace = """import time: self [us] | cumulative | imported package
import time:      1500 |       1500 |   numpy.core
import time:       500 |       2000 | numpy
import time:       700 |        700 | click
a line of something else
"""
    packages, modules = slowest_imports(trace)
    assert packages == [("numpy", "2.0", "2"), ("click", "0.7", "1"), ("all 2 packages", "2.7", "3")]
    assert modules[0] == ("numpy.core", "1.5")
