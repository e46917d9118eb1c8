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
        ("peak-margin", [16.0, 12.0, 16.0, 10.0, NAN]),
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
    found = [estimator(name)(mean, deviation, peak, k) for name in ("mean", "sigma", "recent-peak")]
    np.testing.assert_array_equal(estimator("peak")(mean, deviation, peak, k), np.max(found, axis=0))


@given(amounts, perhaps, perhaps, deviations)
def test_the_margin_is_none_for_what_is_steady_and_seven_tenths_of_a_deviation_at_most(mean, deviation, peak, k):
    bare, with_margin = (estimator(name)(mean, deviation, peak, k) for name in ("peak", "peak-margin"))
    assert (with_margin >= bare).all()
    assert (with_margin <= (bare + 0.7 * np.nan_to_num(deviation)) * (1 + 1e-12)).all()
    np.testing.assert_array_equal(estimator("peak-margin")(mean, np.zeros(5), peak, k), np.fmax(mean, peak))


@given(st.sampled_from(sorted(ESTIMATORS)), amounts, perhaps, perhaps, deviations, st.floats(0, 1e15))
def test_what_comes_adds_to_the_forecast_as_it_is(name, mean, deviation, peak, k, more):
    before, after = (estimator(name)(mean + x, deviation, peak + x, k) for x in (0.0, more))
    np.testing.assert_allclose(after, before + more, rtol=1e-12)


@given(amounts, amounts, perhaps, deviations, deviations)
def test_more_deviations_never_predict_less(mean, deviation, peak, k, more):
    low, high = sorted((k, more))
    predict = estimator("peak-margin")
    assert (predict(mean, deviation, peak, low) <= predict(mean, deviation, peak, high)).all()


def test_the_margin_of_a_peak():
    mean, deviation, peak = (np.array([x]) for x in (10.0, 2.0, 14.0))
    assert estimator("peak-margin")(mean, deviation, peak, 2.0).tolist() == [15.4]


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
    assert error.value.hint == "known: mean, sigma, recent-peak, peak, peak-margin"
