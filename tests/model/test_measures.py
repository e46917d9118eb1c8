from __future__ import annotations

import numpy as np
import pytest

from ullage.model.arrays import frozen
from ullage.model.measures import Measures, NodeMeasure, WorkloadMeasure


def some() -> Measures:
    value = np.full((3, len(WorkloadMeasure)), np.nan)
    age = value.copy()
    source = np.full(value.shape, -1)
    value[0, WorkloadMeasure.CPU_MEAN_CORES], age[0, 0], source[0, 0] = 1.5, 10, 0
    value[1, WorkloadMeasure.CPU_MEAN_CORES], age[1, 0], source[1, 0] = 2.5, 300, 0
    return Measures(frozen(value, np.float64), frozen(age, np.float64), frozen(source, np.int8))


@pytest.mark.parametrize("axis", [NodeMeasure, WorkloadMeasure])
def test_members_number_the_columns_and_end_in_a_unit(axis):
    assert [int(member) for member in axis] == list(range(len(axis)))
    assert all(m.name.endswith(("_CORES", "_BYTES", "_RATIO", "_BYTES_PER_SECOND")) for m in axis)


def test_none_knows_nothing():
    nothing = Measures.none(2, NodeMeasure)
    assert nothing.value.shape == (2, len(NodeMeasure))
    assert np.isnan(nothing.value).all()
    assert np.isnan(nothing.age_seconds).all()
    assert (nothing.source == -1).all()
    assert Measures.none(0, NodeMeasure).value.shape == (0, len(NodeMeasure))


def test_column():
    np.testing.assert_array_equal(some().column(WorkloadMeasure.CPU_MEAN_CORES), [1.5, 2.5, np.nan])


def test_what_is_too_old_is_not_fresh():
    np.testing.assert_array_equal(some().fresh(WorkloadMeasure.CPU_MEAN_CORES, 60.0), [1.5, np.nan, np.nan])
    np.testing.assert_array_equal(some().fresh(WorkloadMeasure.CPU_MEAN_CORES, 300.0), [1.5, 2.5, np.nan])
    assert some().column(WorkloadMeasure.CPU_MEAN_CORES)[1] == 2.5


def test_unlike_shapes_are_refused():
    whole = Measures.none(2, NodeMeasure)
    with pytest.raises(ValueError, match="unlike shapes"):
        Measures(whole.value, whole.age_seconds[:1], whole.source)


def test_values_are_read_only():
    with pytest.raises(ValueError, match="read-only"):
        some().value[0, 0] = 1.0
