"""Values that flags put above the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from ullage.config.fields import fields_of
from ullage.config.kinds import Ratio, Refused
from ullage.config.reading import parse, to_document
from ullage.config.schema import Band, Configuration, Thresholds
from ullage.config.wording import nearest, short
from ullage.errors import UsageError

COMMAND_LINE: Final = "the command line"
_RATIO: Final = Ratio()


def resources() -> tuple[str, ...]:
    """Resources that have thresholds."""
    return tuple(field.key for field in fields_of(Thresholds))


def _threshold(part: str) -> tuple[str, float]:
    name, equals, value = (text.strip() for text in part.partition("="))
    known = ", ".join(resources())
    if not equals:
        raise UsageError(f"{short(part.strip())} is no threshold, expected RESOURCE=RATIO", "write cpu=80%,memory=75%")
    if name not in resources():
        near = nearest(name, resources())
        hint = f"did you mean {near}?" if near else f"known resources: {known}"
        raise UsageError(f"{short(name)} is no resource with thresholds, expected one of {known}", hint)
    number = value.removesuffix("%")
    try:
        return name, _RATIO.read(value)
    except Refused:
        hint = (
            f"write {name}={number}%" if number == value and _is_percent(value) else f"write {name}=80% or {name}=0.8"
        )
        raise UsageError(f"{name}={short(value)} is not accepted, expected {_RATIO.expected}", hint) from None


def _is_percent(text: str) -> bool:
    try:
        _RATIO.read(f"{text}%")
    except Refused:
        return False
    return True


def parse_thresholds(text: str) -> dict[str, float]:
    """Ratios by resource from the value of a flag, such as ``cpu=80%,memory=0.75``.

    Raises
    ------
    UsageError
        Not of that form, an unknown resource, one named twice, or a ratio outside 0..2.
    """
    found: dict[str, float] = {}
    for part in text.split(","):
        name, ratio = _threshold(part)
        if name in found:
            raise UsageError(f"{name} stands twice in {short(text)}", "keep one of them")
        found[name] = ratio
    return found


def _band(name: str, band: Band, high: float | None, target: float | None) -> Band:
    top = band.high if high is None else high
    if target is not None and target > top:
        message = f"the target of {name}, {target:.4g}, is above its high threshold, {top:.4g}"
        raise UsageError(message, f"lower the target, or give --high {name}={target * 100:.4g}% too")
    middle = min(band.target, top) if target is None else target
    return Band(low=min(band.low, middle), high=top, target=middle)


def with_thresholds(config: Configuration, high: Mapping[str, float], target: Mapping[str, float]) -> Configuration:
    """Configuration with thresholds from flags; marks that were not given follow down, so that low <= target <= high holds.

    Parameters
    ----------
    config
        What the flags go above.
    high, target
        Ratios by resource, as `parse_thresholds` gives them; a resource may be left out.

    Raises
    ------
    UsageError
        A target that was given is above high, or a resource is not known.
    """
    unknown = sorted({*high, *target} - set(resources()))
    if unknown:
        raise UsageError(f"{short(unknown[0])} is no resource with thresholds", f"known: {', '.join(resources())}")
    marks = config.thresholds
    bands = {name: _band(name, getattr(marks, name), high.get(name), target.get(name)) for name in resources()}
    return msgspec.structs.replace(config, thresholds=Thresholds(**bands))


def override(config: Configuration, path: str, value: object, source: str = COMMAND_LINE) -> Configuration:
    """Configuration with the value at one path replaced, checked as a document is.

    Parameters
    ----------
    config
        What the value goes above.
    path
        Keys joined with dots, such as ``planning.maxMoves``.
    value
        Value as a document would hold it.
    source
        Where it comes from, for messages.

    Raises
    ------
    ConfigError
        The path is not known, or the value is not accepted there.
    """
    document = to_document(config)
    keys = path.split(".")
    place = document
    for key in keys[:-1]:
        inner = place.setdefault(key, {})
        place[key] = place = dict(inner) if isinstance(inner, dict) else {}
    place[keys[-1]] = value
    return parse(document, source)
