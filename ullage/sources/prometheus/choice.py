"""Which alternative of each reading is asked for, as far as is known what the server has."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping

from ullage.telemetry.catalog import Alternative, Axis, Chosen, Metric, metrics


class Choice:
    """The first alternative whose metrics exist; if nothing comes of it, the next one that exists has its turn.

    A server lists names that nobody exports any more, for as long as it keeps them: so it takes turns.

    Parameters
    ----------
    present
        Names of metrics that the server has; ``None`` if it does not say, and then all are tried.
    """

    def __init__(self, present: Container[str] | None) -> None:
        self._existing = {(axis, int(m.reading)): _existing(m, present) for axis in Axis for m in metrics(axis)}
        self._turn = dict.fromkeys(self._existing, 0)

    @property
    def chosen(self) -> Chosen:
        """The alternatives in use."""
        return {key: existing[self._turn[key] % len(existing)] for key, existing in self._existing.items() if existing}

    def doubtful(self) -> tuple[Alternative, ...]:
        """Alternatives that are not the only one: their names exist, but perhaps not for these rows."""
        found = (existing for existing in self._existing.values() if len(existing) > 1)
        return tuple(dict.fromkeys(each for existing in found for each in existing))

    def prefer(self, alive: Iterable[Alternative]) -> None:
        """Alternatives that have series come before those that have none."""
        alive = frozenset(alive)
        for key, existing in self._existing.items():
            self._existing[key] = tuple(sorted(existing, key=lambda each: each not in alive))

    def pass_on(self, seen: Mapping[Axis, Container[int]]) -> None:
        """Give the next alternative its turn for each reading of which nothing was seen."""
        for axis, reading in self._existing:
            if reading not in seen[axis]:
                self._turn[axis, reading] += 1


def _existing(metric: Metric, present: Container[str] | None) -> tuple[Alternative, ...]:
    if present is None:
        return metric.alternatives
    return tuple(each for each in metric.alternatives if all(name in present for name in each.names))
