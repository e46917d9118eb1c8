"""The oracle finds what is broken in logs made by hand, and nothing in one that is in order."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.e2e_acting.history import Rules
from tests.e2e_acting.logs import ADMIN, MARK, MINE, Log
from tests.e2e_acting.oracle import CHECKS, broken, loose_ends


def in_order() -> Log:
    """Two VMs migrate, a pod is evicted, a node is marked, and another replica goes on."""
    log = Log()
    for name in ("a", "b", "c", "d", "e", "f"):
        log.vm(name)
    log.add("create", "pods", "web-1", who=ADMIN, response={"spec": {"nodeName": "n3"}})
    log.node(MINE, who=ADMIN)
    log.budget(2)
    log.lease("one")
    log.node(MINE, MARK)
    log.plan("Pending", "Pending")
    log.migrate("a", 1)
    log.migrate("b", 2, target="n3")
    log.plan("Running", "Running")
    log.end("a", 1)
    log.evict("web-1", "uid-web-1")
    log.add("delete", "pods", "web-1", who=ADMIN)
    log.lease("", "first")
    log.lease("two", "second")
    log.end("b", 2)
    log.add("patch", "rebalanceplans/status", "p", credential="second", response=plan_of("Succeeded", "Succeeded"))
    log.add("patch", "nodes", "n1", credential="second", response={"spec": {"taints": [MINE]}})
    return log


def plan_of(*phases: str) -> dict[str, object]:
    return {"status": {"phase": "Finished", "steps": [{"phase": phase} for phase in phases]}}


def test_nothing_is_found_in_a_log_that_is_in_order() -> None:
    history = in_order().history
    assert broken(history) == []
    assert loose_ends(history) == []
    assert len(history.ours) == 3


def deletes_a_pod(log: Log) -> None:
    log.add("delete", "pods", "web-1")


def evicts_without_uid(log: Log) -> None:
    log.evict("web-1", "")


def exceeds_a_budget(log: Log) -> None:
    log.evict("web-1", "uid-web-1")
    log.budget(1)


def sends_three_off_a_node(log: Log) -> None:
    for number, vm in enumerate(("c", "d", "e"), 1):
        log.migrate(vm, 10 + number, target=f"n{number + 1}")


def sends_three_to_a_node(log: Log) -> None:
    for number, vm in enumerate(("c", "d", "e"), 1):
        log.migrate(vm, 10 + number, source=f"n{number + 2}")


def forgets_the_migrations_of_others(log: Log) -> None:
    for vm in ("b", "c", "d", "e", "f"):
        log.migrate(vm, 20, source=f"n{vm}", target=f"m{vm}", who=ADMIN, name=f"others-{vm}")
    log.wait(6)
    log.lease("one")
    log.migrate("a", 9, source="x", target="y")


def writes_late(log: Log) -> None:
    log.wait(11)
    log.node(MINE, MARK)


def writes_beside_another_leader(log: Log) -> None:
    log.lease("two", "second")
    log.node(MINE, MARK)


def writes_after_it_resigned(log: Log) -> None:
    log.lease("", "first")
    log.node(MINE, MARK)


def writes_without_ever_leading(log: Log) -> None:
    log.add("create", "events", "e", credential="third")


def moves_another_vm_of_that_name(log: Log) -> None:
    log.migrate("c", 30, labels={"ullage.dev/vmi-uid": "uid-of-old"})


def cancels_by_name_only(log: Log) -> None:
    log.add("delete", "virtualmachineinstancemigrations", "m-c-1")


def moves_a_vm_twice_at_once(log: Log) -> None:
    log.migrate("c", 40)
    log.migrate("c", 41, target="n4")


def makes_a_step_twice(log: Log) -> None:
    log.migrate("c", 50)
    log.end("c", 50)
    log.migrate("d", 50)


def loses_a_foreign_taint(log: Log) -> None:
    log.node(MARK)


def changes_a_foreign_taint(log: Log) -> None:
    log.node({**MINE, "value": "new"}, MARK)


def sets_a_harder_taint(log: Log) -> None:
    log.node(MINE, {**MARK, "effect": "NoExecute"})


def cordons(log: Log) -> None:
    log.node(MINE, unschedulable=True)


def moves_too_many_an_hour(log: Log) -> None:
    for number in range(61):
        log.lease("one")
        log.vm(f"v{number}")
        log.migrate(f"v{number}", 100 + number)
        log.end(f"v{number}", 100 + number)


def moves_a_vm_again_soon(log: Log) -> None:
    for number in (60, 61):
        log.migrate("c", number)
        log.end("c", number)


def writes_while_paused(log: Log) -> None:
    log.pause()
    log.wait(3)
    log.node(MINE, MARK)


def counts_a_failure_as_success(log: Log) -> None:
    log.migrate("c", 1, labels={"ullage.dev/plan": "q"})
    log.end("c", 1, "Failed")
    log.add("patch", "rebalanceplans/status", "q", response=plan_of("Succeeded"))


def skips_what_it_began(log: Log) -> None:
    log.migrate("c", 1, labels={"ullage.dev/plan": "q"})
    log.end("c", 1)
    log.add("patch", "rebalanceplans/status", "q", response=plan_of("Skipped"))


def claims_what_never_was(log: Log) -> None:
    log.add("patch", "rebalanceplans/status", "q", response=plan_of(*["Succeeded"] * 9))


def asks_for_what_it_may_not_have(log: Log) -> None:
    log.add("list", "secrets", "", code=403)


MUTANTS = {
    "S1": (deletes_a_pod, evicts_without_uid, exceeds_a_budget),
    "S2": (sends_three_off_a_node, sends_three_to_a_node, forgets_the_migrations_of_others),
    "S5": (writes_late, writes_beside_another_leader, writes_after_it_resigned, writes_without_ever_leading),
    "S6": (moves_another_vm_of_that_name, cancels_by_name_only),
    "S7": (moves_a_vm_twice_at_once, makes_a_step_twice),
    "S8": (loses_a_foreign_taint, changes_a_foreign_taint, sets_a_harder_taint, cordons),
    "S9": (moves_too_many_an_hour,),
    "S10": (moves_a_vm_again_soon,),
    "S11": (writes_while_paused,),
    "S16": (counts_a_failure_as_success, skips_what_it_began, claims_what_never_was),
    "rights": (asks_for_what_it_may_not_have,),
}


@pytest.mark.parametrize(
    ("invariant", "mutant"), [(name, mutant) for name, mutants in MUTANTS.items() for mutant in mutants]
)
def test_a_mutant_is_found(invariant: str, mutant: Callable[[Log], None]) -> None:
    log = in_order()
    log.wait(1)
    log.lease("", "second")
    log.lease("one")
    assert broken(log.history) == []
    mutant(log)
    assert {text.partition(":")[0] for text in broken(log.history)} >= {invariant}


def test_whatever_is_written_is_too_much_for_a_mode_that_writes_nothing() -> None:
    assert len(broken(in_order().history, Rules(writes=False))) == 11


def test_every_invariant_has_a_mutant() -> None:
    assert {*MUTANTS, "S12"} == set(CHECKS)


def test_what_is_left_behind_is_found() -> None:
    log = in_order()
    log.migrate("c", 70)
    log.plan("Running")
    assert loose_ends(log.history) == ["migrate of uid-c is not begun", "p is Running"]
