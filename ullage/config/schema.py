"""The configuration as a value: kind ``Configuration`` of ``ullage.dev/v1alpha1``.

The docstrings below are the reference: ``ullage config explain``, the JSON schema and ``docs/configuration.md`` print them.
Every field has a default, a unit and the reason for the default. Ratios are 0..1 here and may be written as ``"80%"``.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

from ullage.config.kinds import ByteRate, Choice, Flag, ListOf, Number, OrNull, Ratio, Text

API_VERSION: Final = "ullage.dev/v1alpha1"
KIND: Final = "Configuration"

_NAME: Final = Text(r"[a-z][a-z0-9-]{0,62}", "a name of lower-case letters, digits and hyphens")
_GLOB: Final = Text(r"[a-z0-9*?\[\]!-]{1,63}", 'a namespace or a pattern such as "openshift-*"')


class _Value(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    pass


class Band(_Value, frozen=True):
    """The three marks of one resource, as ratios of what a node can allocate; low <= target <= high.

    Attributes
    ----------
    low
        Below it in every resource a node is under: it has room to spare. 50 % keeps a distance of 30 points to `high`, so that
        a node that took a VM in is not over at its next peak.
    high
        Above it a node is over, and the goal relieve moves workloads off it. 80 % is where reclaim and CPU contention begin
        to be felt on ordinary nodes, and where OpenShift's combined CPU metric takes a cluster for busy.
    target
        What sources come down to and destinations stay under, counted on predicted use after all moves of the plan. 80 %,
        the same as `high`, takes the fewest moves; a lower target leaves room for growth and costs more moves.
    """

    low: Annotated[float, Ratio()] = 0.5
    high: Annotated[float, Ratio()] = 0.8
    target: Annotated[float, Ratio()] = 0.8


class Thresholds(_Value, frozen=True):
    """When a node is over or under, per resource.

    Attributes
    ----------
    cpu
        Marks for CPU, which is the soft constraint: above capacity, work is slower.
    memory
        Marks for memory, which is the hard constraint: above capacity, work is killed or swapped out.
    """

    cpu: Band = Band()
    memory: Band = Band()


class Planning(_Value, frozen=True):
    """What a plan is for, and what may be spent on finding it.

    Attributes
    ----------
    goal
        What a plan is for. relieve brings down the nodes that are over and touches nothing else: the least disturbance.
    engine
        Name of the planning engine. greedy needs nothing but numpy and is within a few percent of the optimum; exact needs
        the extra ``ullage[exact]``.
    minimize
        What counts between plans that reach the goal. moves, since every live migration disturbs one VM, whatever its size;
        bytes where the migration network is narrow.
    max_moves
        Largest number of moves in a plan; null is no limit. A plan that is only looked at writes nothing, and a limit would
        hide what the cluster needs.
    exact_time_limit_seconds
        Seconds of wall-clock time that the exact engine may take before the greedy plan stands. 5 s proves the optimum on
        clusters of some 20 nodes and 500 VMs, and a person still waits for it.
    restarts
        Number of constructions that the greedy engine tries, each from another order; the best one counts. 24 is meant to
        keep it within 0.2 s on some 20 nodes; more rarely find a better plan, and take as much longer.
    balance_minimum_gain
        Relative gain in balance that one move must bring, as a ratio. Below 2 % the gain is within the noise of measured use.
    keep_balancing
        Whether relieve goes on to balance once no node is over. false, since no node needs those moves.
    """

    goal: Annotated[
        Literal["relieve", "balance", "evacuate", "consolidate"],
        Choice(("relieve", "balance", "evacuate", "consolidate")),
    ] = "relieve"
    engine: Annotated[str, _NAME] = "greedy"
    minimize: Annotated[Literal["moves", "bytes"], Choice(("moves", "bytes"))] = "moves"
    max_moves: Annotated[int | None, OrNull(Number(0, 1_000_000, whole=True))] = None
    exact_time_limit_seconds: Annotated[float, Number(0.1, 3600)] = 5.0
    restarts: Annotated[int, Number(1, 10_000, whole=True)] = 24
    balance_minimum_gain: Annotated[float, Ratio(1)] = 0.02
    keep_balancing: Annotated[bool, Flag()] = False


class Eligibility(_Value, frozen=True):
    """What may be moved at all.

    Attributes
    ----------
    excluded_namespaces
        Namespaces whose workloads are never moved, as shell patterns (``*``, ``?``, ``[a-z]``). The platform's own: its
        operators place them, and moving them gains little room.
    protect_local_storage
        Whether pods with emptyDir or hostPath volumes stay where they are. true, since an eviction loses their content.
        VMs are not meant: a live migration keeps it.
    cooldown_seconds
        Seconds for which a workload that moved is left alone. One hour: long enough that its new node is judged by use that
        was measured with it, and above the quarter of an hour at which the cooldown of other tools starts.
    """

    excluded_namespaces: Annotated[tuple[str, ...], ListOf(_GLOB)] = (
        "kube-system",
        "openshift",
        "openshift-*",
        "hypershift",
    )
    protect_local_storage: Annotated[bool, Flag()] = True
    cooldown_seconds: Annotated[float, Number(0, 604_800)] = 3600.0


class Telemetry(_Value, frozen=True):
    """Which measures are believed.

    Attributes
    ----------
    max_age_seconds
        Seconds after which a measure counts as not measured. 300 s is five scrapes of a minute: one lost scrape does not
        blind the planner, and a node that fell silent is no destination for long.
    drop_above_capacity_factor
        A measure above this many times a node's capacity is dropped as impossible. 100 lets bursts and late counters pass
        and catches wrong units (bytes for KiB, cores for millicores), which are off by 1000.
    """

    max_age_seconds: Annotated[float, Number(1, 86_400)] = 300.0
    drop_above_capacity_factor: Annotated[float, Number(1, 1_000_000)] = 100.0


class Prediction(_Value, frozen=True):
    """How the peak of a node is foreseen from what was measured.

    Attributes
    ----------
    deviations
        Number k of standard deviations in ``mean + k * deviation``. 3 covers almost all samples of an even load; 5 is
        safer and leaves about half of the room that 3 finds.
    estimator
        Name of the estimator. peak takes the larger of ``mean + k * deviation`` and the recent peak, and does with either.
    """

    deviations: Annotated[float, Number(0, 10)] = 3.0
    estimator: Annotated[str, _NAME] = "peak"


class Migration(_Value, frozen=True):
    """What a live migration is expected to take.

    Attributes
    ----------
    bandwidth_bytes_per_second
        Bytes per second that one migration copies. 64Mi is what KubeVirt's guide names; current versions set no limit, so
        that real migrations end rather earlier than foreseen.
    maximum_dirty_ratio
        Rate at which a VM writes memory over the bandwidth, above which it is said not to converge and is not moved. Copying
        takes ``1 / (1 - ratio)`` times as long as for an idle VM: five times at 0.8.
    """

    bandwidth_bytes_per_second: Annotated[float, ByteRate()] = 67_108_864.0
    maximum_dirty_ratio: Annotated[float, Ratio()] = 0.8


class Memory(_Value, frozen=True):
    """Limits on memory beyond predicted use.

    Attributes
    ----------
    worst_case_limit_ratio
        What a destination may have committed (guest sizes and overhead), over its RAM and swap; null does not enforce it.
        null, since overcommit is what such clusters are run for: the worst case is reported, and refused only on request.
    """

    worst_case_limit_ratio: Annotated[float | None, OrNull(Ratio())] = None


class Configuration(_Value, frozen=True):
    """Everything that can be set, with its defaults.

    Attributes
    ----------
    thresholds
        When a node is over or under, per resource.
    planning
        What a plan is for, and what may be spent on finding it.
    eligibility
        What may be moved at all.
    telemetry
        Which measures are believed.
    prediction
        How the peak of a node is foreseen from what was measured.
    migration
        What a live migration is expected to take.
    memory
        Limits on memory beyond predicted use.
    """

    thresholds: Thresholds = Thresholds()
    planning: Planning = Planning()
    eligibility: Eligibility = Eligibility()
    telemetry: Telemetry = Telemetry()
    prediction: Prediction = Prediction()
    migration: Migration = Migration()
    memory: Memory = Memory()


def defaults() -> Configuration:
    """Configuration with every default."""
    return Configuration()
