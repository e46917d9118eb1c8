"""The filters and scorers: a new one is a file of its own and a line here (a scorer also a weight in the configuration)."""

from __future__ import annotations

from typing import Final

from ullage.scoring.filters.peak import LIMIT_CPU, LIMIT_MEMORY
from ullage.scoring.filters.pressure import LIMIT_PRESSURE
from ullage.scoring.filters.swap import LIMIT_SWAP
from ullage.scoring.filters.worst_case import WORST_CASE_MEMORY
from ullage.scoring.landing import Filter, Scorer
from ullage.scoring.scorers.balance import BALANCE
from ullage.scoring.scorers.deviation import DEVIATION
from ullage.scoring.scorers.growth import GROWTH
from ullage.scoring.scorers.load_aware import LOAD_AWARE
from ullage.scoring.scorers.load_variation_risk import LOAD_VARIATION_RISK
from ullage.scoring.scorers.low_risk_overcommitment import LOW_RISK_OVERCOMMITMENT
from ullage.scoring.scorers.overcommit import OVERCOMMIT
from ullage.scoring.scorers.peak import PEAK_CPU, PEAK_MEMORY
from ullage.scoring.scorers.pressure import PRESSURE
from ullage.scoring.scorers.swap_headroom import SWAP_HEADROOM
from ullage.scoring.scorers.target_load_packing import TARGET_LOAD_PACKING
from ullage.scoring.scorers.worst_case import WORST_CASE

FILTERS: Final[tuple[Filter, ...]] = (LIMIT_SWAP, LIMIT_PRESSURE, LIMIT_MEMORY, LIMIT_CPU, WORST_CASE_MEMORY)
"""In the order in which they are asked; the first that rejects names the reason. Those that eviction cannot cure come first."""

SCORERS: Final[tuple[Scorer, ...]] = (
    PEAK_MEMORY,
    PEAK_CPU,
    BALANCE,
    DEVIATION,
    OVERCOMMIT,
    WORST_CASE,
    SWAP_HEADROOM,
    PRESSURE,
    GROWTH,
    TARGET_LOAD_PACKING,
    LOAD_VARIATION_RISK,
    LOW_RISK_OVERCOMMITMENT,
    LOAD_AWARE,
)
"""By name the members of `ullage.config.schema.Weights`."""
