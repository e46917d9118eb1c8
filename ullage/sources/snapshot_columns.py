"""Columns of a snapshot: arrays and texts to their short form, and back with checks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NoReturn

import numpy as np
import numpy.typing as npt

from ullage.errors import InputError
from ullage.model.arrays import FloatArray, Int8Array, Int32Array, Scalar, frozen
from ullage.model.labels import Labels
from ullage.model.measures import Measures, NodeMeasure
from ullage.model.state import is_ascending
from ullage.sources.snapshot_wire import (
    Dictionary,
    Fill,
    IntegerFill,
    Integers,
    LabelTable,
    MeasureTable,
    Numbers,
    Texts,
)

_EXACT: Final = 2.0**53
_SIGNED: Final = frozenset(
    {NodeMeasure.MEMORY_GROWTH_BYTES_PER_SECOND, NodeMeasure.MEMORY_AVAILABLE_BYTES},
)


def numbers(values: FloatArray) -> Numbers | None:
    """Short form of float64 (R,): ``None`` if all are NaN; NaN is null, whole numbers are integers.

    Raises
    ------
    ValueError
        A value is infinite.
    """
    missing = np.isnan(values)
    if missing.all():
        return None
    if np.isinf(values).any():
        raise ValueError("a column of the state holds an infinite value")
    bits = np.ascontiguousarray(values).view(np.int64)
    if (bits == bits[0]).all():
        return Fill(fill=float(values[0]))
    return _whole(values)


def _whole(values: FloatArray) -> list[float | None]:
    """List with the whole numbers as integers and NaN as ``None``; minus zero stays a float, to keep its sign."""
    whole = (np.trunc(values) == values) & (np.abs(values) < _EXACT) & ~((values == 0) & np.signbit(values))
    if whole.all():
        return values.astype(np.int64).tolist()  # type: ignore[no-any-return]
    listed = values.astype(object)
    listed[whole] = values[whole].astype(np.int64)
    listed[np.isnan(values)] = None
    return listed.tolist()  # type: ignore[no-any-return]


def integers(values: npt.NDArray[np.integer]) -> Integers:
    """Short form of integers (R,)."""
    if len(values) and (values == values[0]).all():
        return IntegerFill(fill=int(values[0]))
    return values.tolist()  # type: ignore[no-any-return]


def texts(values: Sequence[str]) -> Texts:
    """Short form of texts: a dictionary in order of appearance where at most half of them are distinct."""
    index = _positions(values)
    if 2 * len(index) > len(values):
        return list(values)
    rows = np.fromiter((index[value] for value in values), np.int64, len(values))
    return Dictionary(table=list(index), index=integers(rows))


def _positions(values: Iterable[str]) -> dict[str, int]:
    return {value: i for i, value in enumerate(dict.fromkeys(values))}


def label_table(labels: Labels) -> LabelTable:
    """Short form of labels; raises ``ValueError`` if the vocabulary does not stand in order."""
    if not is_ascending(zip(labels.keys, labels.values, strict=True)):
        raise ValueError("the vocabulary of the labels is not in order")
    vocabulary: dict[str, list[str]] = {}
    for key, value in zip(labels.keys, labels.values, strict=True):
        vocabulary.setdefault(key, []).append(value)
    return LabelTable(vocabulary=vocabulary, counts=integers(np.diff(labels.offsets)), pairs=labels.pairs.tolist())


def matrix(names: Sequence[str], values: FloatArray) -> dict[str, Numbers]:
    """Short form of float64 (R, C) with one name for each column; columns that are NaN throughout are left out."""
    columns = ((name, numbers(values[:, c])) for c, name in enumerate(names))
    return {name: column for name, column in columns if column is not None}


def measure_tables(measures: Measures, axis: type[IntEnum]) -> dict[str, MeasureTable]:
    """Short form of measures; those never measured are left out.

    Raises
    ------
    ValueError
        An age or a source stands where there is no value.
    """
    missing = np.isnan(measures.value)
    if not (np.isnan(measures.age_seconds) | ~missing).all() or not ((measures.source == -1) | ~missing).all():
        raise ValueError("a measure without a value has an age or a source")
    result: dict[str, MeasureTable] = {}
    listed: dict[str, FloatArray] = {}
    for measure in axis:
        value = numbers(measures.value[:, measure])
        if value is not None:
            known = ~missing[:, measure]
            result[measure.name.lower()] = MeasureTable(
                value=value,
                age_seconds=_ages(measure.name.lower(), measures.age_seconds[:, measure], known, listed),
                source=_sources(measures.source[:, measure], known),
            )
    return result


def _ages(
    name: str, ages: FloatArray, known: npt.NDArray[np.bool_], listed: dict[str, FloatArray]
) -> Numbers | str | None:
    """Short form of the ages of one measure; `listed` holds those that were written in full, and gets these if they are."""
    constant = numbers(ages[known])
    if constant is None or isinstance(constant, Fill):
        return constant
    for other, found in listed.items():
        if np.array_equal(found[known], ages[known], equal_nan=True):
            return other
    listed[name] = ages
    return numbers(ages)


def _sources(sources: Int8Array, known: npt.NDArray[np.bool_]) -> Integers:
    constant = integers(sources[known])
    return constant if isinstance(constant, IntegerFill) else integers(sources)


@dataclass(frozen=True)
class Reader:
    """Turns short forms back into arrays and texts; what does not fit is an `InputError` with its path.

    Attributes
    ----------
    source
        Name of the input, for errors.
    """

    source: str

    def fail(self, path: str, message: str) -> NoReturn:
        """Raise an `InputError` that says what is wrong at `path`."""
        raise InputError(self.source, f"{path}: {message}")

    def check_length(self, path: str, found: int, rows: int) -> None:
        """Raise an `InputError` unless a column has as many rows as its table."""
        if found != rows:
            self.fail(path, f"found {found} rows, expected {rows}")

    def check_ascending(self, path: str, keys: Iterable[object]) -> None:
        """Raise an `InputError` unless `keys` stand in strictly ascending order."""
        if not is_ascending(keys):
            self.fail(path, "expected ascending order without duplicates")

    def numbers(self, path: str, column: Numbers | None, rows: int, lowest: float = 0.0) -> FloatArray:
        """Column as float64 (rows,), NaN for null; `column` ``None`` is NaN throughout; nothing is below `lowest`."""
        if column is None:
            return np.full(rows, np.nan)
        if isinstance(column, Fill):
            values = np.full(rows, column.fill)
        else:
            self.check_length(path, len(column), rows)
            values = np.array(column, dtype=np.float64)
        self._check(path, values < lowest, values, f"{lowest:g} or more")
        return values

    def integers(
        self, path: str, column: Integers, rows: int, lowest: int, highest: int, dtype: type[Scalar]
    ) -> npt.NDArray[Scalar]:
        """Column as a read-only array of `dtype`, every value between `lowest` and `highest` (both allowed)."""
        if isinstance(column, IntegerFill):
            values = np.full(rows, column.fill, dtype=np.int64)
        else:
            self.check_length(path, len(column), rows)
            values = np.array(column, dtype=np.int64)
        expected = (
            f"{lowest} to {highest}" if highest >= lowest else "no rows, as the table that it points into is empty"
        )
        self._check(path, (values < lowest) | (values > highest), values, expected)
        return frozen(values, dtype)

    def _check(self, path: str, wrong: npt.NDArray[np.bool_], values: npt.NDArray[np.generic], expected: str) -> None:
        if wrong.any():
            row = int(np.argmax(wrong))
            self.fail(f"{path}[{row}]", f"found {values[row]}, expected {expected}")

    def texts(self, path: str, column: Texts, rows: int) -> tuple[str, ...]:
        """Column as a tuple of `rows` texts."""
        if isinstance(column, Dictionary):
            index = self.integers(f"{path}.index", column.index, rows, 0, len(column.table) - 1, np.int32)
            return tuple([column.table[i] for i in index.tolist()])
        self.check_length(path, len(column), rows)
        return tuple(column)

    def labels(self, path: str, table: LabelTable, rows: int) -> Labels:
        """Labels of `rows` rows."""
        pairs = [(key, value) for key, values in table.vocabulary.items() for value in values]
        self.check_ascending(f"{path}.vocabulary", pairs)
        counts = self.integers(f"{path}.counts", table.counts, rows, 0, len(pairs), np.int64)
        offsets = np.concatenate([[0], np.cumsum(counts)])
        total = int(offsets[-1])
        found = self.integers(f"{path}.pairs", table.pairs, total, 0, len(pairs) - 1, np.int32)
        steps = np.diff(found) <= 0
        steps[offsets[1:-1][(offsets[1:-1] > 0) & (offsets[1:-1] < total)] - 1] = False
        if steps.any():
            self.fail(f"{path}.pairs[{int(np.argmax(steps)) + 1}]", "expected ascending order within a row")
        return Labels(
            keys=tuple([key for key, _ in pairs]),
            values=tuple([value for _, value in pairs]),
            offsets=frozen(offsets, np.int64),
            pairs=found,
        )

    def matrix(
        self, path: str, columns: Mapping[str, Numbers], names: Sequence[str], rows: int, lowest: float = 0.0
    ) -> FloatArray:
        """Columns as a read-only float64 (rows, C); a column that is left out is NaN."""
        self.check_names(path, columns, names)
        result = np.empty((rows, len(names)))
        for c, name in enumerate(names):
            result[:, c] = self.numbers(f"{path}.{name}", columns.get(name), rows, lowest)
        return frozen(result, np.float64)

    def check_names(self, path: str, found: Iterable[str], known: Sequence[str]) -> None:
        """Raise an `InputError` if `found` holds a name that is not `known`."""
        unknown = sorted(set(found) - set(known))
        if unknown:
            self.fail(f"{path}.{unknown[0]}", f"unknown name, expected one of {', '.join(known)}")

    def column(self, path: str, column: Numbers | None, rows: int, lowest: float = 0.0) -> FloatArray:
        """As `numbers`, read-only."""
        return frozen(self.numbers(path, column, rows, lowest), np.float64)

    def measures(
        self, path: str, tables: Mapping[str, MeasureTable], axis: type[IntEnum], rows: int, sources: int
    ) -> Measures:
        """Measures of `rows` rows; each source is less than `sources`."""
        self.check_names(path, tables, [measure.name.lower() for measure in axis])
        value = np.full((rows, len(axis)), np.nan)
        age = np.full_like(value, np.nan)
        source = np.full(value.shape, -1, dtype=np.int8)
        ages: dict[str, FloatArray] = {}
        for measure in axis:
            name = measure.name.lower()
            if name in tables:
                where, table = f"{path}.{name}", tables[name]
                lowest = -np.inf if measure in _SIGNED and axis is NodeMeasure else 0.0
                value[:, measure] = self.numbers(f"{where}.value", table.value, rows, lowest)
                missing = np.isnan(value[:, measure])
                ages[name] = age[:, measure] = self._ages(f"{where}.age_seconds", table.age_seconds, missing, ages)
                source[:, measure] = self._sources(f"{where}.source", table.source, missing, sources)
        return Measures(frozen(value, np.float64), frozen(age, np.float64), frozen(source, np.int8))

    def _ages(
        self, path: str, column: Numbers | str | None, missing: npt.NDArray[np.bool_], known: Mapping[str, FloatArray]
    ) -> FloatArray:
        if isinstance(column, str):
            if column not in known:
                self.fail(path, f"found {column[:80]!r}, expected a measure further up")
            return np.where(missing, np.nan, known[column])
        age = self.numbers(path, column, len(missing))
        if isinstance(column, Fill):
            return np.where(missing, np.nan, age)
        self._check(path, missing & ~np.isnan(age), age, "null where the value is null")
        return age

    def _sources(self, path: str, column: Integers, missing: npt.NDArray[np.bool_], sources: int) -> Int32Array:
        source = self.integers(path, column, len(missing), -1, sources - 1, np.int32)
        if isinstance(column, IntegerFill):
            return np.where(missing, np.int32(-1), source)
        self._check(path, missing & (source != -1), source, "-1 where the value is null")
        return source
