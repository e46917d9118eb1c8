"""Values of the wire: quantities, timestamps and metadata as Kubernetes prints them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TypeAlias

import numpy as np

from ullage.model.labels import Requirement
from ullage.model.resources import CPU

Json: TypeAlias = dict[str, object]


def quantity(resource: str, value: float) -> str:
    """Quantity of a resource: cores in whole, m or n; bytes in Ki where they are whole, else plain."""
    if resource != CPU:
        whole = round(value)
        return f"{whole // 1024}Ki" if whole and whole % 1024 == 0 else str(whole)
    millis = value * 1000
    if abs(millis - round(millis)) < 1e-6:
        return str(round(value)) if round(millis) % 1000 == 0 else f"{round(millis)}m"
    return f"{round(value * 1e9)}n"


def quantities(resources: Sequence[str], row: Sequence[float], *, without: Sequence[str] = ()) -> dict[str, str]:
    """Quantities by resource of one row of a matrix, without those that are zero, NaN or not wanted."""
    amounts = zip(resources, row, strict=True)
    return {name: quantity(name, value) for name, value in amounts if name not in without and value > 0}


def timestamp(seconds: float) -> str | None:
    """RFC 3339 in UTC, whole seconds; ``None`` for NaN."""
    return None if np.isnan(seconds) else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def metadata(name: str, namespace: str = "", **more: object) -> Json:
    """Metadata with what is given and not empty; keywords in snake case become camel case."""
    given: Json = {"name": name, "namespace": namespace}
    for key, value in more.items():
        first, *rest = key.split("_")
        given[first + "".join(part.capitalize() for part in rest)] = value
    return {key: value for key, value in given.items() if value}


def expressions(requirements: Sequence[Requirement]) -> list[Json]:
    """Requirements as matchExpressions."""
    return [
        {"key": each.key, "operator": each.operator, **({"values": list(each.values)} if each.values else {})}
        for each in requirements
    ]


def label_selector(requirements: Sequence[Requirement] | None) -> Json:
    """Label selector of requirements: plain equalities as matchLabels."""
    wanted = requirements or ()
    plain = {each.key: each.values[0] for each in wanted if is_equality(each)}
    rest = expressions([each for each in wanted if not is_equality(each)])
    return {**({"matchLabels": plain} if plain else {}), **({"matchExpressions": rest} if rest else {})}


def is_equality(requirement: Requirement) -> bool:
    """Whether a requirement asks for one value."""
    return requirement.operator == "In" and len(requirement.values) == 1


def present(**parts: object) -> Json:
    """Object of the parts that are not empty; a trailing underscore of a name is dropped."""
    return {name.rstrip("_"): value for name, value in parts.items() if value not in (None, {}, [], "")}
