"""What a VirtualMachineInstance itself says of a move: whether it may begin, and what became of it. Pure."""

from __future__ import annotations

from descheduler.executors.port import Receipt, Step, Verdict
from descheduler.executors.wire import ENDED, Machine
from ullage.sources.wire_values import status_of


def living(machine: Machine | None, step: Step) -> Machine | Receipt:
    """The VM of the plan, or why there is nothing left to move."""
    workload = step.move.workload
    if machine is None:
        return Receipt(Verdict.GONE, "workload-gone", f"There is no VM {workload} any more.")
    if machine.metadata.uid != workload.uid:
        return Receipt(Verdict.GONE, "workload-gone", f"Another VM is called {workload} now.")
    if machine.is_going or machine.status.phase in ENDED:
        return Receipt(Verdict.GONE, "workload-ended", f"{workload} is {machine.status.phase or 'being deleted'}.")
    return machine


def left(machine: Machine, step: Step, *, is_directed: bool) -> Receipt | None:
    """That the VM runs at another node than the source; ``None`` while it is there.

    Parameters
    ----------
    machine
        The VM of the plan.
    step
        The move.
    is_directed
        Whether the destination was prescribed: then another node is a failure.
    """
    node, move = machine.status.node_name, step.move
    took = machine.state.took_seconds if machine.state.target_node == node else float("nan")
    if node == move.target:
        return Receipt(Verdict.DONE, "moved", f"{move.workload} runs at {node}.", seconds=took)
    if node != move.source:
        verdict = Verdict.FAILED if is_directed else Verdict.DONE
        return Receipt(verdict, "moved-elsewhere", f"{move.workload} runs at {node or 'no node'}.", seconds=took)
    return None


def hindrance(machine: Machine, step: Step) -> Receipt | None:
    """Why a VM that is there must not be moved now; ``None`` if it may."""
    status, move = machine.status, step.move
    if status.node_name == move.target:
        return left(machine, step, is_directed=True)
    if status.node_name != move.source:
        text = f"{move.workload} runs at {status.node_name or 'no node'}, not at {move.source}."
        return Receipt(Verdict.REFUSED, "workload-elsewhere", text)
    if machine.state.is_under_way:
        return Receipt(Verdict.REFUSED, "migrating", f"{move.workload} is on its way to {machine.state.target_node}.")
    if machine.is_evacuating:
        return Receipt(Verdict.REFUSED, "eviction-in-progress", f"{move.workload} is being evacuated already.")
    if status_of(status.conditions, "LiveMigratable") != "True":
        return Receipt(Verdict.REFUSED, "not-live-migratable", _why_not(machine))
    return None


def _why_not(machine: Machine) -> str:
    said = next((each for each in machine.status.conditions if each.type == "LiveMigratable"), None)
    if said is None:
        return "The VM does not say whether it can be migrated live."
    return f"LiveMigratable is {said.status}: {said.reason or ''} {said.message or ''}".strip()
