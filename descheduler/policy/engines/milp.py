"""Mixed-integer programs as arrays, and HiGHS that solves them.

HiGHS (Huangfu, Hall, "Parallelizing the dual revised simplex method", 2018) is an extra of the package; it is imported here and
nowhere else, and only when a program is solved.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING, Final, NamedTuple, cast

import numpy as np

from ullage.errors import EngineError
from ullage.model.arrays import FloatArray, IntArray

if TYPE_CHECKING:
    import highspy

_ALWAYS: Final[Mapping[str, object]] = MappingProxyType(
    {"output_flag": False, "threads": 1, "mip_feasibility_tolerance": 1e-9, "mip_rel_gap": 0.0}
)
"""One thread, and bounds that are bounds: what is printed and what is proven do not depend on the machine."""


class Entries(NamedTuple):
    """What is not zero in a matrix: `row` and `column`, int64 (E,), and `value`, float64 (E,)."""

    row: IntArray
    column: IntArray
    value: FloatArray


class Program(NamedTuple):
    """Minimize ``cost @ x``, with ``least <= x <= most``, the first `binary` of x 0 or 1, and rows that keep their right sides.

    Attributes
    ----------
    cost, least, most
        float64 (V,); `most` may be +inf.
    binary
        How many of the first variables are 0 or 1; the others are continuous.
    entries
        Left sides of the rows.
    right
        float64 (R,), may be +inf.
    equal
        How many of the first rows equal their right sides; the others are at most that.
    """

    cost: FloatArray
    least: FloatArray
    most: FloatArray
    binary: int
    entries: Entries
    right: FloatArray
    equal: int = 0


@dataclass(frozen=True, eq=False)
class Answer:
    """What was found.

    Attributes
    ----------
    values
        float64 (V,), the best ones; meaningless if none were `found`.
    found, proven, infeasible
        Whether there are values, whether none are better, and whether it is proven that there are none.
    iterations
        Of the simplex method: effort that does not depend on the machine.
    """

    values: FloatArray
    found: bool
    proven: bool
    infeasible: bool
    iterations: int


def available() -> bool:
    """Whether HiGHS is installed."""
    return find_spec("highspy") is not None


def load() -> ModuleType:
    """HiGHS.

    Raises
    ------
    EngineError
        It is not installed.
    """
    try:
        return import_module("highspy")
    except ImportError:
        raise EngineError("the engine exact needs HiGHS", "install it: pip install 'ullage[exact]'") from None


def solve(program: Program, hint: FloatArray | None, options: Mapping[str, object]) -> Answer:
    """Solve `program` from `hint`, float64 (V,), if there is one, with `options` of HiGHS; raises what `load` does."""
    highs = load()
    solver = highs.Highs()
    for option, value in {**_ALWAYS, **options}.items():
        solver.setOptionValue(option, value)
    solver.passModel(_model(program, highs))
    if hint is not None:
        start = highs.HighsSolution()
        start.col_value = hint.tolist()
        solver.setSolution(start)
    solver.run()
    status, info = solver.getModelStatus(), solver.getInfo()
    return Answer(
        np.array(solver.getSolution().col_value),
        found=bool(info.primal_solution_status == highs.SolutionStatus.kSolutionStatusFeasible),
        proven=bool(status == highs.HighsModelStatus.kOptimal),
        infeasible=bool(status == highs.HighsModelStatus.kInfeasible),
        iterations=max(0, int(info.simplex_iteration_count)),
    )


def _model(program: Program, highs: ModuleType) -> highspy.HighsLp:
    rows, columns, values = (part[program.entries.value != 0] for part in program.entries)
    order = np.lexsort((columns, rows))
    model = highs.HighsLp()
    model.num_col_, model.num_row_ = len(program.cost), len(program.right)
    model.col_cost_, model.col_lower_, model.col_upper_ = program.cost, program.least, program.most
    lower = np.full(len(program.right), -np.inf)
    lower[: program.equal] = program.right[: program.equal]
    model.row_lower_, model.row_upper_ = lower, program.right
    model.a_matrix_.format_ = highs.MatrixFormat.kRowwise
    model.a_matrix_.start_ = np.searchsorted(rows[order], np.arange(len(program.right) + 1))
    model.a_matrix_.index_, model.a_matrix_.value_ = columns[order], values[order]
    kinds = highs.HighsVarType
    model.integrality_ = [kinds.kInteger] * program.binary + [kinds.kContinuous] * (len(program.cost) - program.binary)
    return cast("highspy.HighsLp", model)
