"""The sections of the configuration that the extender reads."""

from __future__ import annotations

from typing import Annotated

from ullage.config.kinds import Number, Ratio
from ullage.config.section import Section


class Weights(Section, frozen=True):
    """How much each scorer counts; a scorer with weight 0 is not computed.

    Attributes
    ----------
    peak_memory
        Predicted memory peak after landing. 3, the most: memory is the hard constraint.
    peak_cpu
        Predicted CPU peak after landing. 2, since above capacity work is slower, not killed.
    balance
        CPU and memory used alike. 1, half of the smaller peak: above that, more load could raise a node's score.
    deviation
        How little the node's own load swings. 1: the peaks already hold the deviation once.
    overcommit
        Whether all guests fit into RAM. 1, since the use that is foreseen counts for more than the worst case.
    worst_case
        What is left of RAM and swap if all guests are full. 1, as overcommit.
    swap_headroom
        How much of the swap that is needed is free. 1.
    pressure
        How little tasks stall already. 2: it is measured trouble, not foreseen trouble.
    growth
        What stays free of memory if the node goes on growing. 1.
    target_load_packing
        Trimaran's TargetLoadPacking. 0: an alternative, for comparison.
    load_variation_risk
        Trimaran's LoadVariationRiskBalancing. 0: an alternative.
    low_risk_overcommitment
        Trimaran's LowRiskOverCommitment. 0: an alternative.
    load_aware
        Koordinator's LoadAwareScheduling. 0: an alternative.
    """

    peak_memory: Annotated[float, Number(0, 100)] = 3.0
    peak_cpu: Annotated[float, Number(0, 100)] = 2.0
    balance: Annotated[float, Number(0, 100)] = 1.0
    deviation: Annotated[float, Number(0, 100)] = 1.0
    overcommit: Annotated[float, Number(0, 100)] = 1.0
    worst_case: Annotated[float, Number(0, 100)] = 1.0
    swap_headroom: Annotated[float, Number(0, 100)] = 1.0
    pressure: Annotated[float, Number(0, 100)] = 2.0
    growth: Annotated[float, Number(0, 100)] = 1.0
    target_load_packing: Annotated[float, Number(0, 100)] = 0.0
    load_variation_risk: Annotated[float, Number(0, 100)] = 0.0
    low_risk_overcommitment: Annotated[float, Number(0, 100)] = 0.0
    load_aware: Annotated[float, Number(0, 100)] = 0.0


class Limits(Section, frozen=True):
    """Hard limits: a node that a pod would bring above one, by fresh measures, is not offered to it.

    The worst case of memory has its limit in ``memory.worstCaseLimitRatio``, for plans and pods alike.

    Attributes
    ----------
    cpu
        Predicted CPU peak after landing over allocatable. 100 %: more than the node has.
    memory
        Predicted memory peak after landing over allocatable. 95 %: the kubelet evicts soon above it.
    swap_used
        Share of a node's swap that may be in use. 90 %: what is swapped next ends in an eviction or a kill.
    memory_stalled
        Share of the time in which all tasks of the node stall on memory (PSI memory full). 10 %: guests notice far less.
    """

    cpu: Annotated[float, Ratio()] = 1.0
    memory: Annotated[float, Ratio()] = 0.95
    swap_used: Annotated[float, Ratio(1)] = 0.9
    memory_stalled: Annotated[float, Ratio(1)] = 0.1


class Scoring(Section, frozen=True):
    """How the extender judges nodes for a pod.

    Attributes
    ----------
    weights
        How much each scorer counts.
    limits
        When a node is not offered at all.
    score_scale
        Highest score. 10 is the protocol's; kube-scheduler does not check it, and 100 gives ten times the weight in finer
        steps.
    minimum_span
        Distance between the best and the worst node, of a score from 0 to 1, that fills the whole scale; wider ones fill it,
        too. 0.1 lets nodes that differ by a few percent of load fall on different steps, and does not blow up less than that.
    growth_horizon_seconds
        Seconds of growth at the present rate that a node must bear. An hour: until then someone or a plan has acted.
    """

    weights: Weights = Weights()
    limits: Limits = Limits()
    score_scale: Annotated[int, Number(10, 100, whole=True)] = 10
    minimum_span: Annotated[float, Ratio(1)] = 0.1
    growth_horizon_seconds: Annotated[float, Number(0, 604_800)] = 3600.0


class Ledger(Section, frozen=True):
    """How long pods are counted that measures do not show yet.

    Attributes
    ----------
    answered_seconds
        Seconds for which a pod counts on the node that won, unless it is seen elsewhere. 120 s: a binding that is observed
        takes a second or two; without watch events the next state tells.
    bound_seconds
        Seconds for which a bound pod counts while no state holds it. 600 s: it may pull a large image first.
    shown_after_seconds
        Seconds of a node's measures after a workload's start before they are believed to hold its whole use. 120 s: two
        scrapes of a minute.
    steered_seconds
        Seconds for which a destination of a plan is kept for the pod that replaces an evicted one. 600 s: controllers are
        faster, unless they back off.
    """

    answered_seconds: Annotated[float, Number(0, 3600)] = 120.0
    bound_seconds: Annotated[float, Number(0, 86_400)] = 600.0
    shown_after_seconds: Annotated[float, Number(0, 3600)] = 120.0
    steered_seconds: Annotated[float, Number(0, 86_400)] = 600.0
