"""Measures of a made-up cluster, with their ages and gaps."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Final

import numpy as np

from simulator.load import Load, dirty_rate, pressure
from simulator.shapes import KIB, MIB
from ullage.model.arrays import BoolArray, FloatArray, IntArray, frozen
from ullage.model.measures import Measures, NodeMeasure, WorkloadMeasure

SOURCE: Final = "simulator"
_OLDEST_SECONDS: Final = 60


def node_measures(load: Load, swap: FloatArray, missing: BoolArray, rng: np.random.Generator) -> Measures:
    """Measures of N nodes.

    Parameters
    ----------
    load
        Use of the workloads.
    swap
        float64 (W,), swap of the workloads in bytes.
    missing
        bool (N,), nodes without any measure.
    rng
        Where randomness comes from.
    """
    nodes, installed = len(load.own), load.capacity[:, 1]
    mean, deviation = load.node_mean, load.node_deviation
    peak = load.node_peak
    cpu, memory = (mean / load.allocatable).T
    stalled, swapping = pressure(memory), pressure(memory) * rng.random(nodes)
    traffic = np.rint(swapping * 40 * MIB / 4096) * 4096
    columns: dict[IntEnum, FloatArray] = {
        NodeMeasure.CPU_MEAN_CORES: mean[:, 0],
        NodeMeasure.CPU_DEVIATION_CORES: deviation[:, 0],
        NodeMeasure.CPU_PEAK_CORES: peak[:, 0],
        NodeMeasure.MEMORY_MEAN_BYTES: mean[:, 1],
        NodeMeasure.MEMORY_DEVIATION_BYTES: deviation[:, 1],
        NodeMeasure.MEMORY_PEAK_BYTES: peak[:, 1],
        NodeMeasure.MEMORY_AVAILABLE_BYTES: installed - mean[:, 1],
        NodeMeasure.MEMORY_ANONYMOUS_BYTES: _part(mean[:, 1], 0.93),
        NodeMeasure.MEMORY_CACHE_BYTES: _part(mean[:, 1], 0.05),
        NodeMeasure.MEMORY_GROWTH_BYTES_PER_SECOND: np.rint(rng.standard_normal(nodes) * 20 * KIB),
        NodeMeasure.MEMORY_GROWTH_DEVIATION_BYTES_PER_SECOND: np.rint(rng.random(nodes) * 10 * KIB),
        NodeMeasure.SWAP_USED_BYTES: np.bincount(load.node, swap, nodes).astype(np.float64),
        NodeMeasure.SWAP_IN_BYTES_PER_SECOND: traffic,
        NodeMeasure.SWAP_OUT_BYTES_PER_SECOND: np.rint(traffic * rng.random(nodes) / 4096) * 4096,
        NodeMeasure.KSM_SAVED_BYTES: np.where(mean[:, 1] > 0.8 * installed, _part(mean[:, 1], 0.02), 0.0),
        NodeMeasure.PSI_CPU_SOME_RATIO: pressure(cpu),
        NodeMeasure.PSI_MEMORY_SOME_RATIO: stalled,
        NodeMeasure.PSI_MEMORY_FULL_RATIO: np.round(stalled * 0.4, 4),
        NodeMeasure.PSI_IO_SOME_RATIO: np.round(0.01 + swapping * 0.5, 4),
        NodeMeasure.PSI_IO_FULL_RATIO: np.round(0.005 + swapping * 0.3, 4),
    }
    ages = rng.integers(0, _OLDEST_SECONDS, nodes)
    ages -= ages[~missing].min(initial=_OLDEST_SECONDS)
    return _measures(NodeMeasure, columns, np.maximum(ages, 0), missing)


def workload_measures(
    load: Load, swap: FloatArray, is_vm: BoolArray, missing: BoolArray, rng: np.random.Generator
) -> Measures:
    """Measures of W workloads; `swap` and `missing` as in `node_measures`, bool (W,) `is_vm` are the VMs."""
    rows = len(load.node)
    cpu, memory = (load.node_mean / load.allocatable).T
    deviation, peak = load.deviation, load.peak
    jitter = 0.5 + rng.random((rows, 2))
    columns: dict[IntEnum, FloatArray] = {
        WorkloadMeasure.CPU_MEAN_CORES: load.mean[:, 0],
        WorkloadMeasure.CPU_DEVIATION_CORES: deviation[:, 0],
        WorkloadMeasure.CPU_PEAK_CORES: peak[:, 0],
        WorkloadMeasure.MEMORY_MEAN_BYTES: load.mean[:, 1],
        WorkloadMeasure.MEMORY_DEVIATION_BYTES: deviation[:, 1],
        WorkloadMeasure.MEMORY_PEAK_BYTES: peak[:, 1],
        WorkloadMeasure.MEMORY_ANONYMOUS_BYTES: _part(load.mean[:, 1], np.where(is_vm, 0.96, 0.7)),
        WorkloadMeasure.MEMORY_CACHE_BYTES: _part(load.mean[:, 1], np.where(is_vm, 0.02, 0.25)),
        WorkloadMeasure.SWAP_USED_BYTES: swap,
        WorkloadMeasure.DIRTY_RATE_BYTES_PER_SECOND: np.where(is_vm, dirty_rate(load, rng), np.nan),
        WorkloadMeasure.CPU_DELAY_RATIO: np.where(is_vm, np.round(pressure(cpu)[load.node] * jitter[:, 0], 4), np.nan),
        WorkloadMeasure.PSI_MEMORY_SOME_RATIO: np.round(pressure(memory)[load.node] * jitter[:, 1], 4),
    }
    ages = rng.integers(5, _OLDEST_SECONDS, len(load.own))[load.node]
    return _measures(WorkloadMeasure, columns, ages, missing)


def _part(values: FloatArray, share: FloatArray | float) -> FloatArray:
    return np.floor(values * share / KIB) * KIB


def _measures(
    axis: type[IntEnum], columns: Mapping[IntEnum, FloatArray], ages: IntArray, missing: BoolArray
) -> Measures:
    value = np.full((len(ages), len(axis)), np.nan)
    for measure, column in columns.items():
        value[:, measure] = column
    value[missing] = np.nan
    unknown = np.isnan(value)
    return Measures(
        frozen(value, np.float64),
        frozen(np.where(unknown, np.nan, ages[:, None]), np.float64),
        frozen(np.where(unknown, -1, 0), np.int8),
    )
