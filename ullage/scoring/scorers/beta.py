"""The distribution function of the Beta distribution, for arrays."""

from __future__ import annotations

from typing import Final

import numpy as np

from ullage.model.arrays import FloatArray

_LANCZOS: Final = (
    76.18009172947146,
    -86.50532032941677,
    24.01409824083091,
    -1.231739572450155,
    0.1208650973866179e-2,
    -0.5395239384953e-5,
)
_TINY: Final = 1e-300
_STEPS: Final = 200


def log_gamma(x: FloatArray) -> FloatArray:
    """Logarithm of the gamma function for x > 0 (Lanczos, "A precision approximation of the gamma function", 1964)."""
    base = x + 5.5
    series = np.full_like(x, 1.000000000190015)
    for i, coefficient in enumerate(_LANCZOS, start=1):
        series += coefficient / (x + i)
    result: FloatArray = (x + 0.5) * np.log(base) - base + np.log(2.5066282746310005 * series / x)
    return result


def beta_cdf(x: FloatArray, a: FloatArray, b: FloatArray) -> FloatArray:
    """Probability that a Beta(a, b) variable is at most x, by the continued fraction of the incomplete beta function.

    Abramowitz and Stegun, "Handbook of Mathematical Functions", 26.5.8, evaluated by Lentz's method.

    Parameters
    ----------
    x
        float64 (n,), 0..1.
    a, b
        float64 (n,), > 0.
    """
    inside = np.clip(x, 1e-15, 1 - 1e-15)
    swap = inside > (a + 1) / (a + b + 2)
    p, q, y = np.where(swap, b, a), np.where(swap, a, b), np.where(swap, 1 - inside, inside)
    front = np.exp(log_gamma(p + q) - log_gamma(p) - log_gamma(q) + p * np.log(y) + q * np.log1p(-y))
    part = np.clip(front * _fraction(y, p, q) / p, 0.0, 1.0)
    result: FloatArray = np.where(swap, 1 - part, part)
    return np.where(x <= 0, 0.0, np.where(x >= 1, 1.0, result))


def _fraction(x: FloatArray, a: FloatArray, b: FloatArray) -> FloatArray:
    c = np.ones_like(x)
    d = 1 / _away(1 - (a + b) * x / (a + 1))
    result = d.copy()
    for m in range(1, _STEPS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / _away(1 + term * d)
            c = _away(1 + term / c)
            result *= c * d
        if np.all(np.abs(c * d - 1) < 1e-10):
            break
    return result


def _away(x: FloatArray) -> FloatArray:
    """`x`, away from 0."""
    return np.where(np.abs(x) < _TINY, _TINY, x)
