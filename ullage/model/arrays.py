"""Array types and the read-only rule of the model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

FloatArray: TypeAlias = npt.NDArray[np.float64]
IntArray: TypeAlias = npt.NDArray[np.int64]
Int32Array: TypeAlias = npt.NDArray[np.int32]
Int16Array: TypeAlias = npt.NDArray[np.int16]
Int8Array: TypeAlias = npt.NDArray[np.int8]
BoolArray: TypeAlias = npt.NDArray[np.bool_]

Scalar = TypeVar("Scalar", bound=np.generic)


def frozen(values: npt.ArrayLike, dtype: type[Scalar], shape: Sequence[int] | None = None) -> npt.NDArray[Scalar]:
    """Read-only array of `dtype` that owns its memory.

    Parameters
    ----------
    values
        Anything that numpy turns into an array; ``None`` becomes NaN for float types.
    dtype
        numpy scalar type.
    shape
        The shape that it must have.

    Raises
    ------
    ValueError
        The shape is another one.
    """
    array = np.array(values, dtype=dtype)
    if shape is not None and array.shape != tuple(shape):
        raise ValueError(f"expected shape {tuple(shape)}, found {array.shape}")
    array.flags.writeable = False
    return array
