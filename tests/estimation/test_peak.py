from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ullage.errors import ConfigError
from ullage.estimation.peak import ESTIMATORS, estimator

NAN = float("nan")
amounts = arrays(np.float64, 5, elements=st.floats(0, 1e15))
perhaps = arrays(np.float64, 5, elements=st.floats(0, 1e15) | st.just(NAN))
deviations = st.floats(0, 10)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mean", [10.0, 10.0, 10.0, 10.0, NAN]),
        ("sigma", [16.0, 10.0, 16.0, 10.0, NAN]),
        ("recent-peak", [12.0, 12.0, 10.0, 10.0, NAN]),
        ("peak", [16.0, 12.0, 16.0, 10.0, NAN]),
    ],
)
def test_estimators(name, expected):
    mean = np.array([10.0, 10.0, 10.0, 10.0, NAN])
    deviation = np.array([2.0, NAN, 2.0, NAN, 2.0])
    peak = np.array([12.0, 12.0, NAN, 9.0, 12.0])
    np.testing.assert_array_equal(estimator(name)(mean, deviation, peak, 3.0), expected)


@given(st.sampled_from(sorted(ESTIMATORS)), perhaps, perhaps, perhaps, deviations)
def test_only_an_unknown_mean_is_unknown_and_nothing_is_below_it(name, mean, deviation, peak, k):
    predicted = estimator(name)(mean, deviation, peak, k)
    np.testing.assert_array_equal(np.isnan(predicted), np.isnan(mean))
    known = ~np.isnan(mean)
    assert (predicted[known] >= mean[known]).all()


@given(amounts, perhaps, perhaps, deviations)
def test_peak_is_the_highest_of_all(mean, deviation, peak, k):
    found = {name: estimator(name)(mean, deviation, peak, k) for name in ESTIMATORS}
    np.testing.assert_array_equal(found["peak"], np.max(list(found.values()), axis=0))


@given(amounts, amounts, perhaps, deviations, deviations)
def test_more_deviations_never_predict_less(mean, deviation, peak, k, more):
    low, high = sorted((k, more))
    predict = estimator("peak")
    assert (predict(mean, deviation, peak, low) <= predict(mean, deviation, peak, high)).all()


def test_the_input_is_not_written_to():
    columns = [np.full(3, 2.0) for _ in range(3)]
    for column in columns:
        column.flags.writeable = False
    for name in ESTIMATORS:
        assert estimator(name)(*columns, 3.0).shape == (3,)


def test_an_unknown_estimator_lists_the_known_ones():
    with pytest.raises(ConfigError, match="unknown estimator 'oracle'") as error:
        estimator("oracle")
    assert error.value.path == "prediction.estimator"
    assert error.value.hint == "known: mean, sigma, recent-peak, peak"
