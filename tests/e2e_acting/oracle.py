"""Safety invariants S1 to S16, as far as an audit log shows them, and the rights; what is broken is said in sentences.

What cannot be seen there is left to other tests: what was foreseen (S3, S13), how old measures were (S4), the extender (S14)
and who is authenticated (S15).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

from tests.e2e_acting.audit import Entry, applied, read
from tests.e2e_acting.history import EVICTIONS, FOREVER, MIGRATIONS, History, Move, Rules, Term
from tests.standin.wire import Json, labels_of, status_of

HOUR_SECONDS: Final = 3600.0
FORBIDDEN: Final = 403
TERMINATING: Final = "is being terminated"
"""Said of a namespace that is being deleted."""
SHOWN: Final = {
    "Succeeded": ("Succeeded",),
    "Failed": ("Failed",),
    "Cancelled": ("Failed",),
}
"""Phases of a migration by the phase of its step."""


class Watcher:
    """Reads an audit log from now on.

    Attributes
    ----------
    rules
        What holds.
    """

    def __init__(self, log: Path) -> None:
        self._log, self._since = log, log.stat().st_size
        self.rules = Rules()

    def history(self) -> History:
        """What was logged until now."""
        return History(read(self._log, self._since))

    def broken(self) -> list[str]:
        """Every invariant that was broken."""
        return broken(self.history(), self.rules)


def broken(history: History, rules: Rules | None = None) -> list[str]:
    """Every invariant that was broken, with what broke it; empty if all is well."""
    rules = rules or Rules()
    return [f"{name}: {text}" for name, check in CHECKS.items() for text in check(history, rules)]


def evictions_only(history: History, _: Rules) -> Iterator[str]:
    """S1: pods are evicted by uid and never deleted, and no budget is exceeded."""
    for each in history.asked:
        if each.resource == "pods" and each.verb.startswith("delete"):
            yield f"deleted the pod {each.namespace}/{each.name}"
        if each.resource == EVICTIONS and not _preconditions(each).get("uid"):
            yield f"evicted {each.namespace}/{each.name} without its uid"
    for each in applied(history.entries, "poddisruptionbudgets/status"):
        status = status_of(each.response)
        if status.get("currentHealthy", 0) < status.get("desiredHealthy", 0) and _was_kept(history, each):
            yield f"{status['currentHealthy']} of {status['desiredHealthy']} pods of {each.name} are left"


def _was_kept(history: History, now: Entry) -> bool:
    """Whether a budget was kept before, and nobody took pods away since but by evictions."""
    before = [e for e in applied(history.entries, now.resource) if e.name == now.name and e.ended < now.ended]
    kept = (status_of(e.response) for e in before)
    was_kept = any(s.get("currentHealthy", 0) >= s.get("desiredHealthy", 0) > 0 for s in kept)
    return was_kept and history.deleted(now.namespace, now.ended) <= history.evicted()


def caps(history: History, rules: Rules) -> Iterator[str]:
    """S2: so many at once, with those of others that could be seen."""
    for move in history.ours:
        others = [m for m in history.moves if m is not move and m.flies(move.began) and _is_known(m, move, rules)]
        found = (
            ("in the cluster", len(others), rules.per_cluster),
            (f"off {move.source}", sum(m.source == move.source for m in others if move.source), rules.out),
            (f"to {move.target}", sum(m.target == move.target for m in others if move.target), rules.into),
        )
        for where, count, limit in found:
            if count + 1 > limit:
                yield f"{count + 1} moves {where} at once, {limit} may be"


def _is_known(other: Move, move: Move, rules: Rules) -> bool:
    return other.is_ours or other.began < move.began - rules.sees_seconds


def in_office(history: History, _: Rules) -> Iterator[str]:
    """S5: whoever writes holds the Lease until the answer, and nobody else has held it since."""
    for each in history.asked:
        reason = _unfit(each, history.terms)
        if reason:
            yield f"{each.verb} {each.resource} {each.name}: {reason}"


def _unfit(write: Entry, terms: Sequence[Term]) -> str:
    mine = [t for t in terms if t.credential == write.credential and t.received <= write.received]
    if not mine:
        return "its replica never led"
    last = mine[-1]
    if last.duration == 0:
        return "its replica had given the Lease back"
    # What was sent in time and not applied did no harm, such as a request that its sender's death cut off.
    at = write.ended if write.is_applied else write.received
    late = at - (last.received + last.duration)
    if late > 0:
        return f"came {late:.1f} s after the Lease had expired"
    others = (t for t in terms if t.credential != write.credential and last.ended < t.ended <= at)
    return "another replica had taken the Lease" if any(t.duration for t in others) else ""


def exact(history: History, _: Rules) -> Iterator[str]:
    """S6: a move is about the very VM of the plan, and only what is of the descheduler is cancelled."""
    for each in history.asked:
        if each.resource != MIGRATIONS or not each.is_applied:
            continue
        if each.verb == "create":
            name = each.response["spec"]["vmiName"]
            meant, was = (
                labels_of(each.response).get("ullage.dev/vmi-uid"),
                history.machine(each.namespace, name, each.ended),
            )
            if meant != was:
                yield f"{name} was {was or 'not there'}, and {meant} was meant"
        elif not (each.request.get("preconditions") or {}).get("uid"):
            yield f"{each.verb} of the migration {each.name} without its uid"


def once(history: History, _: Rules) -> Iterator[str]:
    """S7: one live move per VM, and one per step of a plan."""
    for move in history.ours:
        twins = [m for m in history.moves if m is not move and m.uid == move.uid and m.flies(move.began)]
        if twins:
            yield f"a second move of {move.uid} began"
    steps = Counter((m.plan, m.step) for m in history.ours if m.kind == "migrate")
    yield from (f"step {step} of {plan} was made {n} times" for (plan, step), n in steps.items() if n > 1)


def own_taints(history: History, rules: Rules) -> Iterator[str]:
    """S8: of nodes nothing changes but the own taint, and no other writer's change is lost."""
    for writes in history.nodes.values():
        for before, after in pairwise(writes):
            if after.who == history.user:
                yield from _touched(before.response, after.response, rules.taint)


def _touched(before: Json, after: Json, taint: tuple[str, str]) -> Iterator[str]:
    name = after["metadata"]["name"]
    if _others(before, taint) != _others(after, taint):
        yield f"changed foreign taints of {name}"
    if _rest(before) != _rest(after):
        yield f"changed more of {name} than its taints"


def _others(node: Json, taint: tuple[str, str]) -> list[Json]:
    return [t for t in node.get("spec", {}).get("taints") or () if (t["key"], t["effect"]) != taint]


def _rest(node: Json) -> tuple[Json, Json, Json]:
    spec = {key: value for key, value in node.get("spec", {}).items() if key != "taints"}
    meta = node["metadata"]
    return spec, meta.get("labels") or {}, meta.get("annotations") or {}


def rate(history: History, rules: Rules) -> Iterator[str]:
    """S9: so many moves within an hour, whoever led."""
    if rules.per_hour is None:
        return
    began = [m.began for m in history.ours]
    for end, at in enumerate(began):
        count = sum(at - HOUR_SECONDS < other <= at for other in began[: end + 1])
        if count > rules.per_hour:
            yield f"{count} moves within an hour, {rules.per_hour} may be"
            return


def rest(history: History, rules: Rules) -> Iterator[str]:
    """S10: a VM that moved rests."""
    last: dict[str, Move] = {}
    for move in history.ours:
        before = last.get(move.uid)
        if before is not None and move.began - before.began < rules.cooldown_seconds:
            yield f"{move.uid} moved again after {move.began - before.began:.0f} s"
        last[move.uid] = move


def paused(history: History, rules: Rules) -> Iterator[str]:
    """S11: nothing is written while the kill switch is pulled."""
    for since, until in history.pauses:
        for each in history.asked:
            if since + rules.pause_seconds < each.received < until:
                yield f"{each.verb} {each.resource} {each.received - since:.1f} s after the kill switch was pulled"


def pure(history: History, rules: Rules) -> Iterator[str]:
    """S12: what may not write writes nothing."""
    if not rules.writes:
        writes = [e for e in history.entries if e.who == history.user and e.is_write]
        yield from (f"{e.verb} {e.resource} {e.name}" for e in writes)


def accounts(history: History, _: Rules) -> Iterator[str]:
    """S16: every migration is that of a step which says the same of it, and no step claims one that never was."""
    made = {(m.plan, m.step): m for m in history.ours if m.kind == "migrate"}
    told = {key: step for name, plan in history.plans.items() for key, step in _steps(name, plan)}
    for key, move in made.items():
        phase = told.get(key, {}).get("phase", "none")
        if phase in SHOWN and move.phase not in SHOWN[phase]:
            yield f"step {key[1]} of {key[0]} is {phase}, and its migration {move.phase or 'not begun'}"
        if phase in ("none", "Pending", "Skipped") or (phase == "Refused" and move.phase == "Succeeded"):
            yield f"step {key[1]} of {key[0]} is {phase}, and it has a migration that is {move.phase or 'not begun'}"
    done = sum(step.get("phase") == "Succeeded" for step in told.values())
    real = sum(m.phase == "Succeeded" for m in history.ours)
    elsewhere = sum(step.get("code") == "moved-elsewhere" for step in told.values())
    if done > real + elsewhere:
        yield f"{done} steps have succeeded, and {real} moves"


def rights(history: History, _: Rules) -> Iterator[str]:
    """The rights that are shipped are enough: nothing that is asked is forbidden."""
    for each in history.entries:
        if each.who == history.user and each.code == FORBIDDEN and TERMINATING not in each.said:
            yield f"{each.verb} {each.resource} {each.name}".rstrip()


def _steps(name: str, plan: Json) -> Iterator[tuple[tuple[str, int], Json]]:
    for number, step in enumerate(status_of(plan).get("steps") or (), 1):
        yield (name, number), step


def _preconditions(each: Entry) -> Json:
    found: Json = (each.request.get("deleteOptions") or {}).get("preconditions") or {}
    return found


def loose_ends(history: History) -> list[str]:
    """What must not be left behind once all has come to rest: moves, taints, plans that are open."""
    flying = [f"{m.kind} of {m.uid} is {m.phase or 'not begun'}" for m in history.ours if m.ended == FOREVER]
    plans = [f"{name} is {status_of(plan).get('phase')}" for name, plan in history.plans.items() if _is_open(plan)]
    return [*flying, *plans]


def _is_open(plan: Json) -> bool:
    return status_of(plan).get("phase") not in ("Finished", "Rejected")


CHECKS: Final[dict[str, Callable[[History, Rules], Iterator[str]]]] = {
    "S1": evictions_only,
    "S2": caps,
    "S5": in_office,
    "S6": exact,
    "S7": once,
    "S8": own_taints,
    "S9": rate,
    "S10": rest,
    "S11": paused,
    "S12": pure,
    "S16": accounts,
    "rights": rights,
}
