"""Codes of what of a reading cannot be used, and of nodes that are set aside for it."""

from __future__ import annotations

from typing import Final

from ullage.model.codes.code import Code, Topic

_METRICS: Final = "Look at the exporter and at the source of measures."

_READINGS: Final = (
    ("missing", "It was not read.", "Look at whether the node is scraped."),
    ("nan", "It is not a number.", _METRICS),
    ("inf", "It is infinite.", _METRICS),
    ("range", "It is below 0, or out of the range that it can have.", _METRICS),
    (
        "unit",
        "It is in another unit, it seems, such as percent for a ratio.",
        "Look at recording rules and relabelling.",
    ),
    ("stale", "Its sample is too old.", "Look at whether the exporter answers; telemetry.maxAgeSeconds sets the age."),
    ("future", "Its sample lies in the future.", "Keep the clocks of nodes and Prometheus in step."),
    ("duplicate", "It is given twice, with values that differ.", "Look for a node that is scraped by two jobs."),
    (
        "implausible",
        "It contradicts other values: above the capacity, below what the workloads use, or idle while tasks stall.",
        _METRICS,
    ),
    ("frozen", "It has been the same bit by bit for too many readings.", "Restart the exporter."),
    ("few-readings", "Too few readings in a row were good.", "Wait; telemetry.minimumSamples sets how many it takes."),
    ("unknown-object", "It is of an object that the cluster does not have."),
    ("partial", "The source did not answer in full."),
)

READINGS: Final = tuple(Code(name, Topic.READING, *said) for name, *said in _READINGS)
