from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ullage.telemetry.duplicates import settle

POINTS = st.lists(
    st.tuples(st.integers(0, 4), st.sampled_from([0.0, 1.0, 1.04, 1.2, 5.0]), st.sampled_from([10.0, 20.0])),
    max_size=12,
)


def _settle(points: list[tuple[int, float, float]]) -> tuple[dict[int, tuple[float, float]], set[int]]:
    cell, value, at = (np.array([point[k] for point in points]) for k in range(3))
    cells, values, times, refused = settle(cell.astype(np.int64), value.astype(float), at.astype(float))
    assert len(set(cells.tolist())) == len(cells)
    return dict(zip(cells.tolist(), zip(values.tolist(), times.tolist(), strict=True), strict=True)), set(
        refused.tolist()
    )


def test_the_newest_of_values_that_agree_counts() -> None:
    assert _settle([(3, 1.0, 20.0), (3, 1.04, 10.0), (1, 7.0, 5.0)]) == ({3: (1.0, 20.0), 1: (7.0, 5.0)}, set())


def test_values_that_do_not_agree_are_refused() -> None:
    assert _settle([(3, 1.0, 20.0), (3, 1.2, 10.0), (1, 7.0, 5.0)]) == ({1: (7.0, 5.0)}, {3})


@settings(deadline=None)
@given(POINTS, st.randoms())
def test_the_order_does_not_matter_and_nothing_is_invented(
    points: list[tuple[int, float, float]], random: object
) -> None:
    stand, refused = _settle(points)
    shuffled = points[:]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert _settle(shuffled) == (stand, refused)
    assert stand.keys() | refused == {cell for cell, _, _ in points}
    assert not stand.keys() & refused
    assert {(cell, *rest) for cell, rest in stand.items()} <= set(points)
    for cell, (_, at) in stand.items():
        assert at == max(when for each, _, when in points if each == cell)
