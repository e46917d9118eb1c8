"""The configuration as a value: kind ``Configuration`` of ``ullage.dev/v1alpha1``.

The docstrings below are the reference: ``ullage config explain``, the JSON schema and ``docs/configuration.md`` print them.
Every field has a default, a unit and the reason for the default. Ratios are 0..1 here and may be written as ``"80%"``.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from ullage.config.acting_section import Breakers as Breakers
from ullage.config.acting_section import Budgets as Budgets
from ullage.config.kinds import ByteRate, Choice, Flag, ListOf, Number, OrNull, Ratio, Text
from ullage.config.scoring_section import Ledger as Ledger
from ullage.config.scoring_section import Limits as Limits
from ullage.config.scoring_section import Scoring as Scoring
from ullage.config.scoring_section import Weights as Weights
from ullage.config.section import MATCHER, Section

API_VERSION: Final = "ullage.dev/v1alpha1"
KIND: Final = "Configuration"

_NAME: Final = Text(r"[a-z][a-z0-9-]{0,62}", "a name of lower-case letters, digits and hyphens")
_GLOB: Final = Text(r"[a-z0-9*?\[\]!-]{1,63}", 'a namespace or a pattern such as "openshift-*"')

_PATH: Final = Text(r"|\.{0,2}/[ -~]{1,1000}", "a path that begins with / or ./, or nothing")
_MATCHERS: Final = Text(rf"|{MATCHER}(?:,{MATCHER}){{0,9}}", 'label matchers such as cluster="north", or nothing')
_HEADER: Final = Text(r"[A-Za-z0-9-]{1,100}: [ -~]{1,1000}", 'a header such as "X-Scope-OrgID: tenant"')
_PARAMETER: Final = Text(r"[A-Za-z0-9_.\[\]-]{1,100}=[ -~]{0,1000}", 'a parameter such as "dedup=true"')


class Band(Section, frozen=True):
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


class Thresholds(Section, frozen=True):
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


class Hysteresis(Section, frozen=True):
    """When a watching loop takes a node for over; a plan from files, which has seen nothing before, takes it so at once.

    Attributes
    ----------
    persistence_seconds
        Seconds for which a node must have been over before anything is moved off it. 180 s: three scrapes of a minute agree.
    leave_ratio
        How far below its threshold a node must fall to be over no more, as a ratio of what it can allocate. 3 points: with less
        a load that swings around the threshold would never have been over for long.
    reenter_ratio
        How far above its threshold a node that was relieved, or took workloads in, must rise to be over again. 3 points: it was
        brought to the threshold, around which its measures swing.
    settle_seconds
        Seconds for which that holds after the last move off a node or to it. 3600 s, as long as moved workloads rest.
    """

    persistence_seconds: Annotated[float, Number(0, 86_400)] = 180.0
    leave_ratio: Annotated[float, Ratio(1)] = 0.03
    reenter_ratio: Annotated[float, Ratio(1)] = 0.03
    settle_seconds: Annotated[float, Number(0, 604_800)] = 3600.0


class Planning(Section, frozen=True):
    """What a plan is for, and what may be spent on finding it.

    Attributes
    ----------
    goal
        What a plan is for. relieve brings down the nodes that are over and touches nothing else: the least disturbance.
    engine
        Name of the planning engine. greedy needs nothing but numpy and finds the fewest moves on the benchmarks; exact needs
        the extra ``ullage[exact]``; search starts from the greedy plan and betters it for as long as it is given, which pays
        for balance and consolidate on large clusters.
    minimize
        What counts between plans that reach the goal. moves, since every live migration disturbs one VM, whatever its size;
        bytes where the migration network is narrow.
    max_moves
        Largest number of moves in a plan; null is no limit. A plan that is only looked at writes nothing, and a limit would
        hide what the cluster needs.
    exact_time_limit_seconds
        Seconds of wall-clock time that the solver of the exact engine may take before the best plan so far stands. 4 s prove
        the fewest moves on clusters of some 20 nodes and 500 VMs, and a person still waits for them.
    search_time_limit_seconds
        Seconds for which the search engine looks for a better plan. 10 s are enough for 1,000 nodes and 20,000 workloads.
    search_kernel
        What the search engine computes with: numba, which needs the extra ``ullage[kernel]`` and tries far more in the same
        time, or numpy; auto takes numba if it is installed.
    seed
        Seed of all that is random in an engine. Another seed gives another plan of about the same cost.
    rounds
        Number of rounds that the greedy engine tries at most: constructions and improvements, seeded; the best plan counts. It
        ends earlier at the lower bound, or when nothing gets better. 96 stay within some tenths of a second on 20 nodes.
    balance_minimum_gain
        Least gain of a move that balances, as a ratio of what a node can allocate: it must bring as much as two nodes that each
        come this much nearer to the mean; and least relief of a single move off a node that cannot come down all the way. Below
        2 % a gain is within the noise of measured use.
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
    exact_time_limit_seconds: Annotated[float, Number(0.1, 3600)] = 4.0
    search_time_limit_seconds: Annotated[float, Number(0.1, 86_400)] = 10.0
    search_kernel: Annotated[Literal["auto", "numpy", "numba"], Choice(("auto", "numpy", "numba"))] = "auto"
    seed: Annotated[int, Number(0, 2**31 - 1, whole=True)] = 2
    rounds: Annotated[int, Number(1, 100_000, whole=True)] = 96
    balance_minimum_gain: Annotated[float, Ratio(1)] = 0.02
    keep_balancing: Annotated[bool, Flag()] = False


class Eligibility(Section, frozen=True):
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
        Seconds for which a workload that moved is left alone; they double with every move within 48 hours, up to 6 hours. One
        hour: long enough that its new node is judged by use that was measured with it, and above the quarter of an hour at
        which the cooldown of other tools starts.
    """

    excluded_namespaces: Annotated[tuple[str, ...], ListOf(_GLOB)] = (
        "kube-system",
        "openshift",
        "openshift-*",
        "hypershift",
    )
    protect_local_storage: Annotated[bool, Flag()] = True
    cooldown_seconds: Annotated[float, Number(0, 604_800)] = 3600.0


class Telemetry(Section, frozen=True):
    """Which measures are believed, and how long they are kept.

    Attributes
    ----------
    max_age_seconds
        Seconds after which a measure counts as not measured. 300 s is five scrapes of a minute: one lost scrape does not
        blind the planner, and a node that fell silent is no destination for long.
    drop_above_capacity_factor
        A measure above this many times a node's capacity is dropped as impossible. 100 lets bursts and late counters pass
        and catches wrong units (bytes for KiB, cores for millicores), which are off by 1000.
    refresh_seconds
        Seconds between two readings of a live cluster. 60 s: a reading costs the source some seconds on 5,000 nodes, and
        what is decided by the minute lasts for hours.
    scrape_seconds
        Seconds between two samples of the source. 30 s is the usual setting of cluster monitoring. A sample that is older
        than three of them when it is read, and older than 90 s, is not taken.
    future_seconds
        Seconds that a sample's time may lie ahead of our clock. 30 s: more than clocks that are kept in step differ.
    window_seconds
        Seconds of the window of mean, deviation and growth. Two hours: on real traces the deviations of shorter ones say less
        of the next hour, and those of longer ones hold room back that nobody uses.
    bucket_seconds
        Seconds over which samples are averaged before they can be a peak. 300 s: what lasts shorter is no reason to move a
        VM, which takes about as long.
    peak_window_seconds
        Seconds for which a peak is remembered. A day, so that the load of every hour of the day is in it.
    minimum_samples
        Number of readings in a row that must be believed before a node counts. 2: one can be an error, and commands that read
        only once set 1.
    frozen_readings
        Number of readings after which CPU or memory of a node that is the same bit by bit, although its samples are new, is not
        believed; 0 never doubts. 10, since no running node does that, and exporters that hang do.
    implausible_ratio
        Share of a node's capacity by which the measured use of its workloads may exceed the node's own before the node is not
        believed. 15 %: more than samples of different seconds and shared pages explain.
    forget_seconds
        Seconds for which the past of a node or workload that is gone is kept. One hour: a source that loses sight of a node
        finds it again by then.
    """

    max_age_seconds: Annotated[float, Number(1, 86_400)] = 300.0
    drop_above_capacity_factor: Annotated[float, Number(1, 1_000_000)] = 100.0
    refresh_seconds: Annotated[float, Number(1, 3600)] = 60.0
    scrape_seconds: Annotated[float, Number(1, 3600)] = 30.0
    future_seconds: Annotated[float, Number(0, 3600)] = 30.0
    window_seconds: Annotated[float, Number(60, 86_400)] = 7200.0
    bucket_seconds: Annotated[float, Number(10, 3600)] = 300.0
    peak_window_seconds: Annotated[float, Number(60, 604_800)] = 86_400.0
    minimum_samples: Annotated[int, Number(1, 100, whole=True)] = 2
    frozen_readings: Annotated[int, Number(0, 1000, whole=True)] = 10
    implausible_ratio: Annotated[float, Ratio()] = 0.15
    forget_seconds: Annotated[float, Number(0, 604_800)] = 3600.0


class Prometheus(Section, frozen=True):
    """How a Prometheus server, or one that speaks its API, is reached and asked.

    Attributes
    ----------
    url
        Base address with the path prefix, such as ``https://thanos-querier.openshift-monitoring.svc:9091``. Empty: the usual
        services of the cluster are tried.
    token_file
        File with a bearer token. Empty: the token of the service account, or of the kubeconfig.
    ca_file
        File with the certificates of the authorities that sign the server's. Empty: those of the system.
    cert_file
        File with a client certificate. Empty: none.
    key_file
        File with its key. Empty: none.
    headers
        Further headers of every request, such as ``"X-Scope-OrgID: tenant"``. None, since few servers have tenants.
    parameters
        Further parameters of every query, such as ``"dedup=true"``. None.
    matchers
        Further label matchers of every metric, such as ``cluster="north"``. Empty: the server holds one cluster.
    timeout_seconds
        Seconds that one reading may take with all its queries. 20 s: one of 100,000 pods takes some seconds.
    rate_window_seconds
        Seconds of the window of rates. 150 s hold two scrapes at the slowest usual interval of a minute.
    step_seconds
        Seconds between two readings of the past when it is restored after a start. 300 s: one for every bucket.
    """

    url: Annotated[
        str,
        Text(
            r"|https?://[A-Za-z0-9._~:/\[\]@!$&'()*+,;=%-]{1,1000}", "an address with http:// or https://, or nothing"
        ),
    ] = ""
    token_file: Annotated[str, _PATH] = ""
    ca_file: Annotated[str, _PATH] = ""
    cert_file: Annotated[str, _PATH] = ""
    key_file: Annotated[str, _PATH] = ""
    headers: Annotated[tuple[str, ...], ListOf(_HEADER)] = ()
    parameters: Annotated[tuple[str, ...], ListOf(_PARAMETER)] = ()
    matchers: Annotated[str, _MATCHERS] = ""
    timeout_seconds: Annotated[float, Number(1, 600)] = 20.0
    rate_window_seconds: Annotated[int, Number(30, 3600, whole=True)] = 150
    step_seconds: Annotated[float, Number(10, 3600)] = 300.0


class Prediction(Section, frozen=True):
    """How the peak of a node is foreseen from what was measured.

    Attributes
    ----------
    deviations
        Number k of standard deviations in ``mean + k * deviation``. 1.5: beside the recent peak more covers hardly more, and
        takes every step of the load, such as the start of a VM, for twice its size.
    estimator
        Name of the estimator. peak-margin takes the larger of ``mean + k * deviation`` and of the recent peak with seven
        tenths of a deviation on top, and does with either: on real traces the next hour stays below it in 97 of 100 cases.
    """

    deviations: Annotated[float, Number(0, 10)] = 1.5
    estimator: Annotated[str, _NAME] = "peak-margin"


class Migration(Section, frozen=True):
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


class Memory(Section, frozen=True):
    """Limits on memory beyond predicted use.

    Attributes
    ----------
    worst_case_limit_ratio
        What a destination may have committed (guest sizes and overhead), over its RAM and swap; null does not enforce it.
        null, since overcommit is what such clusters are run for: the worst case is reported, and refused only on request.
    """

    worst_case_limit_ratio: Annotated[float | None, OrNull(Ratio())] = None


class Configuration(Section, frozen=True):
    """Everything that can be set, with its defaults.

    Attributes
    ----------
    thresholds
        When a node is over or under, per resource.
    hysteresis
        When a watching loop takes a node for over.
    planning
        What a plan is for, and what may be spent on finding it.
    eligibility
        What may be moved at all.
    telemetry
        Which measures are believed, and how long they are kept.
    prometheus
        How a Prometheus server, or one that speaks its API, is reached and asked.
    prediction
        How the peak of a node is foreseen from what was measured.
    migration
        What a live migration is expected to take.
    memory
        Limits on memory beyond predicted use.
    scoring
        How the extender judges nodes for a pod.
    ledger
        How long pods are counted that measures do not show yet.
    budgets
        How much may move at once and per hour.
    breakers
        When nothing is begun.
    """

    thresholds: Thresholds = Thresholds()
    hysteresis: Hysteresis = Hysteresis()
    planning: Planning = Planning()
    eligibility: Eligibility = Eligibility()
    telemetry: Telemetry = Telemetry()
    prometheus: Prometheus = Prometheus()
    prediction: Prediction = Prediction()
    migration: Migration = Migration()
    memory: Memory = Memory()
    scoring: Scoring = Scoring()
    ledger: Ledger = Ledger()
    budgets: Budgets = Budgets()
    breakers: Breakers = Breakers()


def defaults() -> Configuration:
    """Configuration with every default."""
    return Configuration()
